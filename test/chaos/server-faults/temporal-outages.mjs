// F15, F16: Temporal is killed and started on its store; its data is lost; it is another one, by a wrong address.
import { join } from 'node:path';
import { startEmbeddedTemporal } from '../../../dist/src/infrastructure/embedded/embedded-temporal.js';
import { isNotFound } from '../../../dist/src/infrastructure/temporal/connect-temporal.js';
import { defineFault } from '../../../dist/src/main/chaos/faults/define-fault.js';
import { count, timesPrinted, untilStatus } from '../../../dist/src/main/chaos/faults/look.js';
import { answerOwn, healLedger, idsOf, ownEvents, requestsOf } from '../../../dist/src/main/chaos/faults/own-events.js';
import { until } from '../../../dist/src/main/chaos/faults/wait.js';
import { runCli } from '../../../dist/src/main/chaos/run-cli.js';
import { withTemporal } from '../../../dist/src/main/chaos/with-temporal.js';
import { pause } from '../../../dist/src/main/chaos/within.js';
import { temporalPrograms } from '../../bench/temporal-on-postgres.mjs';
import { appendOwn, undelivered } from './append-own.mjs';
import { noteProcesses, notReady } from './same-processes.mjs';
import { asCaughtUpAsNow, stoodStill } from './stood-still.mjs';

const KILLS = { short: 1, long: 5 };
/** The relay pauses after a refused start, 5 s at most, and asks again. */
const NOTICED_WITHIN_MS = 30_000;

export const temporalKilled = defineFault({
  id: 'F15',
  title: 'Temporal is killed and started on its store, five times (once in a short run)',
  needs: 'servers',
  weight: 1,
  short: [10, 14],
  long: [60, 100],
  async heal({ servers }) {
    await servers.temporal.start();
  },
  async inflict(world, { short, durationMs, random, signal, problems, heal, patience }) {
    const { temporal } = world.servers;
    const changed = noteProcesses(world);
    let [noticed, killed, waited, fresh] = [0, 0, 0, 0];
    const hasCaughtUp = await asCaughtUpAsNow(world, { signal, patience });
    const kills = short ? KILLS.short : KILLS.long;
    for (let i = 0; i < kills && !signal.aborted; i += 1) {
      const caughtUp = await hasCaughtUp();
      fresh += Number(caughtUp);
      const refusedBefore = timesPrinted(world, REFUSED);
      await temporal.kill();
      killed += 1;
      const ids = await appendOwn(world, 10);
      waited += ids.length;
      if (await until(() => timesPrinted(world, REFUSED) > refusedBefore, { withinMs: NOTICED_WITHIN_MS, signal }))
        noticed += 1;
      await pause((durationMs / kills) * (0.5 + random()), signal);
      problems.push(...(await untouched(world, ids)));
      await temporal.start();
      await untilItTakesCalls(world, signal);
      // Whether the roles are ready by then is theirs to show. After the last one it is the run that looks.
      if (i === kills - 1) await heal();
      else if (caughtUp) problems.push(...(await stoodStill(world, { signal, patience })));
      // A relay that has started none since says nothing more at the next kill.
      problems.push(...(await notReady(world)), ...(await undelivered(world, ids, signal)));
    }
    await heal();
    if (noticed < killed && !signal.aborted)
      problems.push(`${noticed} of ${killed} times a relay said that starts were refused, each time one was to`);
    problems.push(...changed());
    return {
      happened: noticed,
      what: `Temporal was killed ${killed} times, ${fresh} times on a line that had caught up; ${noticed} times a relay said that starts were refused and paused; ${waited} events of its own waited`,
    };
  },
});

/** So many ids spread over all shards of the history service. */
const PROBED = 16;
const TAKES_CALLS_WITHIN_MS = 120_000;

/** It says that it is healthy before its shards have found their owner: back it is once it can look for any run. */
async function untilItTakesCalls(world, signal) {
  await withTemporal(world, async ({ connection, namespace }) => {
    const answersFor = (n) => {
      const execution = { workflowId: `chaos-probe-${n}` };
      const ask = () => connection.workflowService.describeWorkflowExecution({ namespace, execution });
      return connection.withDeadline(Date.now() + 2_000, ask).then(() => false, isNotFound);
    };
    const takesCalls = async () => {
      const answers = await Promise.all(Array.from({ length: PROBED }, (_, n) => answersFor(n)));
      return answers.every(Boolean);
    };
    if (!(await until(takesCalls, { withinMs: TAKES_CALLS_WITHIN_MS, signal })) && !signal.aborted) {
      throw new Error(`Temporal took no calls within ${TAKES_CALLS_WITHIN_MS / 1_000} s of its start`);
    }
  });
}

const REFUSED = /"relay\.starts_refused"/g;

/** R8: what Temporal answers to a start, or that it does not, is not the event's: it stays as it was appended. */
async function untouched({ outbox }, ids) {
  const { rows } = await outbox.query(
    `SELECT count(*) FILTER (WHERE status <> 'PENDING')::int AS moved, count(*) FILTER (WHERE start_tries > 0)::int AS tried,
            (SELECT count(*)::int FROM outbox.delivery_attempt WHERE event_id = ANY ($1::uuid[])) AS attempts
     FROM outbox.delivery WHERE event_id = ANY ($1::uuid[])`,
    [ids],
  );
  const [{ moved, tried, attempts }] = rows;
  if (moved === 0 && tried === 0 && attempts === 0) return [];
  return [
    `while Temporal was away nothing was to be spent: ${moved} of ${ids.length} events are PENDING no more, ${tried} have start tries, ${attempts} attempts`,
  ];
}

export const temporalLost = defineFault({
  id: 'F16',
  title: 'a wrong Temporal; then its data is lost, and an operator adopts the loss',
  needs: 'servers',
  weight: 0,
  short: [8, 12],
  long: [30, 60],
  // Relays and workers are restarted by the operator, and what was started is dispatched again.
  recoversWithinSeconds: 60,
  async heal(world) {
    await world.proxies.temporal.heal();
    await healLedger(world);
  },
  async inflict(world, inflicting) {
    const wrong = await meetWrongServer(world, inflicting);
    if (inflicting.signal.aborted) return { happened: 0, what: 'given up' };
    const lost = await loseData(world, inflicting);
    return { happened: Math.min(wrong.happened, lost.happened), what: `${wrong.what}. ${lost.what}` };
  },
});

/** Another server, healthy and empty, behind the address that the roles have. */
async function meetWrongServer(world, { durationMs, signal, problems }) {
  const { cli } = await temporalPrograms(world.log);
  const other = await startEmbeddedTemporal({
    cli,
    pidFile: join(world.folder, 'wrong-temporal.pid'),
    port: 0,
    uiPort: null,
    searchAttributes: [],
    onSpawn: (pid) => world.servers.watch(pid),
    signal,
  });
  try {
    const ids = await startedOnes(world, signal);
    const changedBefore = timesPrinted(world, CHANGED);
    const back = await world.proxies.temporal.upstream(other.address);
    const noticed = await until(() => timesPrinted(world, CHANGED) > changedBefore, { withinMs: 60_000, signal });
    const waiting = await appendOwn(world, 10);
    const alerted = await until(async () => (await openAlerts(world)) > 0, { withinMs: 60_000, signal });
    await pause(durationMs / 2, signal);
    const saidNotReady = await anyNotReady(world);
    problems.push(...(await untouched(world, waiting)));
    const moved = await count(world.outbox, 'outbox.delivery WHERE event_id = ANY ($1::uuid[]) AND epoch > 0', [ids]);
    if (!noticed) problems.push('no relay said that the namespace is another one');
    if (!alerted) problems.push('a wrong Temporal was to raise the alert reconciler_stopped, and did not');
    if (!saidNotReady) problems.push('a relay at a wrong Temporal was not to be ready, and all were');
    if (moved > 0) problems.push(`${moved} events were dispatched again for a wrong address`);
    await healLedger(world);
    await back();
    problems.push(...(await notReady(world)), ...(await undelivered(world, [...ids, ...waiting], signal)));
    const letters = await count(world.outbox, 'outbox.dead_letter WHERE event_id = ANY ($1::uuid[])', [
      [...ids, ...waiting],
    ]);
    if (letters > 0) problems.push(`${letters} dead letters of a wrong address`);
    return {
      happened: noticed && alerted ? 1 : 0,
      what: `behind a wrong address ${ids.length} started and ${waiting.length} new events waited, and the line went on with the right one`,
    };
  } finally {
    await other.stop();
  }
}

async function loseData(world, { signal, problems, heal }) {
  const ids = await startedOnes(world, signal);
  await world.servers.temporal.loseData();
  const changedBefore = timesPrinted(world, CHANGED);
  await until(() => timesPrinted(world, CHANGED) > changedBefore, { withinMs: 60_000, signal });
  const waiting = await appendOwn(world, 10);
  problems.push(...(await untouched(world, waiting)));
  await healLedger(world);

  const { code, stdout, stderr } = await runCli(
    world.cli,
    ['temporal', 'adopt', '--lost', '--json'],
    world.environment,
  );
  if (code !== 0) throw new Error(`outbox temporal adopt --lost: exit code ${code}: ${stderr.slice(-500)}`);
  const { started } = JSON.parse(stdout);
  // From here on new work can flow: the rest is the roles'.
  await heal();
  // The namespace has no search attributes: roles make them when they start.
  await Promise.all(
    [...world.fleet.of('relay'), ...world.fleet.of('worker')].map((member) => member.kill('SIGTERM').nextReady(90_000)),
  );
  const all = [...ids, ...waiting];
  problems.push(...(await notReady(world)), ...(await undelivered(world, all, signal)));
  const again = await count(world.outbox, 'outbox.delivery WHERE event_id = ANY ($1::uuid[]) AND epoch = 1', [ids]);
  if (again !== ids.length) problems.push(`${again} of ${ids.length} events whose runs were lost have the next epoch`);
  const doubled = ids.filter((id) => requestsOf(world, [id]).filter(({ did }) => did === 'effect').length !== 1);
  if (doubled.length > 0)
    problems.push(`${doubled.length} events have not exactly one effect: ${doubled.slice(0, 3).join(', ')}`);
  return {
    happened: again,
    what: `Temporal's data was lost with ${ids.length} runs of its own in it (${started} events started in all); adopted as lost, ${again} of its own were dispatched again, with one effect each`,
  };
}

/** Events whose runs are in Temporal: their destination is not well, so they wait for their next attempt. */
async function startedOnes(world, signal) {
  const events = ownEvents(world, 20);
  const ids = idsOf(events);
  answerOwn(world, ids, () => ({ kind: 'status', status: 503, headers: { 'retry-after': '3' } }));
  await world.producer.append(events);
  const others = await untilStatus(world, ids, ['STARTED'], { withinMs: 60_000, signal });
  if (others.length > 0) throw new Error(`expected 20 started events, ${others.length} are not`);
  return [...ids];
}

const CHANGED = /"namespace\.changed"|NAMESPACE_CHANGED/g;

function openAlerts({ outbox }) {
  return count(outbox, "outbox.alert WHERE kind = 'reconciler_stopped' AND over_at IS NULL");
}

async function anyNotReady({ fleet }) {
  const answers = await Promise.all(
    fleet.of('relay').map(({ probePort }) =>
      fetch(`http://127.0.0.1:${probePort}/ready`, { signal: AbortSignal.timeout(5_000) }).then(
        ({ status }) => status,
        () => 0,
      ),
    ),
  );
  return answers.some((status) => status === 503);
}
