// F11, F13, F27: a full disk, a held snapshot, a long backlog.
import { defineFault } from '../../../dist/src/main/chaos/faults/define-fault.js';
import { count, metric } from '../../../dist/src/main/chaos/faults/look.js';
import { idsOf, ownEvents } from '../../../dist/src/main/chaos/faults/own-events.js';
import { until } from '../../../dist/src/main/chaos/faults/wait.js';
import { runCli } from '../../../dist/src/main/chaos/run-cli.js';
import { pause } from '../../../dist/src/main/chaos/within.js';
import { holdSnapshot } from '../../bench/hold-snapshot.mjs';
import { appendOwn, undelivered } from './append-own.mjs';
import { noteProcesses, notReady } from './same-processes.mjs';

const DISK_FULL = '53100';

export const diskFull = defineFault({
  id: 'F11',
  title: 'the disk is full under the events',
  needs: 'servers',
  weight: 0, // Moves a table, and needs root.
  short: [5, 10],
  long: [30, 60],
  async inflict(world, { durationMs, signal, problems, heal }) {
    const changed = noteProcesses(world);
    const before = await appendOwn(world, 20);
    const free = await world.servers.postgres.fillDisk();
    const refused = [];
    const codes = new Map();
    const written = [];
    try {
      const end = performance.now() + durationMs;
      while (performance.now() < end && !signal.aborted) {
        const events = ownEvents(world, 20, { payload: { note: 'x'.repeat(8_000) } });
        try {
          await world.producer.append(events, { once: true });
          written.push(...idsOf(events)); // a page that was there had room
        } catch (error) {
          codes.set(error.code ?? error.message, (codes.get(error.code ?? error.message) ?? 0) + 1);
          refused.push(...idsOf(events));
        }
        await pause(100, signal);
      }
    } finally {
      await free();
    }
    await heal();
    const told = [...codes].map(([code, times]) => `${code} ${times} times`).join(', ');
    const others = [...codes.keys()].filter((code) => code !== DISK_FULL);
    if (others.length > 0)
      problems.push(`on a full disk an append was to fail with ${DISK_FULL}, and failed with ${told}`);
    const half =
      (await count(world.outbox, 'outbox.event WHERE id = ANY ($1::uuid[])', [refused])) +
      (await count(world.outbox, 'outbox.delivery WHERE event_id = ANY ($1::uuid[])', [refused]));
    if (half > 0) problems.push(`${half} rows of ${refused.length} events whose append failed`);
    const after = await appendOwn(world, 20);
    const ids = [...before, ...written, ...after];
    problems.push(...(await notReady(world)), ...changed(), ...(await undelivered(world, ids, signal)));
    return {
      happened: codes.get(DISK_FULL) ?? 0,
      what: `appends failed with ${told || 'nothing'} and left ${half} rows; ${written.length} events found room in old pages`,
    };
  },
});

/** A claim walks what is waiting: with this it is slow, and the one who holds the snapshot must be named. */
const SLOW_CLAIM_MS = 250;

export const heldSnapshot = defineFault({
  id: 'F13',
  title: 'a snapshot is held under load',
  needs: 'servers',
  weight: 1,
  short: [10, 14],
  long: [330, 400],
  async inflict(world, { durationMs, signal, problems, heal }) {
    const url = new URL(world.servers.postgres.adminUrl);
    url.pathname = new URL(world.environment.OUTBOX_DATABASE_URL).pathname;
    url.searchParams.set('application_name', HOLDER);
    const release = await holdSnapshot(url.href);
    const ids = [];
    const claims = await claimsOf(world);
    const dead = await deadRows(world);
    let behind = 0;
    let long = 0;
    try {
      const end = performance.now() + durationMs;
      while (performance.now() < end && !signal.aborted) {
        ids.push(...(await appendOwn(world, 6))); // beside the flow, which may be paused
        await pause(500, signal);
        for (const relay of world.fleet.of('relay')) {
          behind = Math.max(behind, (await metric(relay, 'outbox_held_snapshot_transactions')) ?? 0);
          long = Math.max(long, (await metric(relay, 'outbox_held_snapshot_seconds')) ?? 0);
        }
      }
      const made = (await claimsOf(world)).minus(claims);
      const kept = (await deadRows(world)) - dead;
      const named = durationMs < NAMED_AFTER_MS ? null : await namedByDoctor(world);
      if (behind === 0)
        problems.push('a relay was to tell how many transactions the snapshot lies behind, and did not');
      if (made.meanMs > SLOW_CLAIM_MS && named !== true) {
        problems.push(`claims took ${Math.round(made.meanMs)} ms on average, and nobody names who holds the snapshot`);
      }
      if (named === false) problems.push(`outbox doctor was to name ${HOLDER}, and did not`);
      await release();
      await heal();
      problems.push(...(await undelivered(world, ids, signal)));
      const doctor = {
        true: '; outbox doctor names the holder',
        false: '',
        null: '; too short for outbox doctor to name it',
      }[named];
      return {
        happened: made.count > 0 && behind > 0 ? made.count : 0,
        what: `held for ${Math.round(durationMs / 1_000)} s, ${behind} transactions behind, ${long} s by the metric: ${made.count} claims of ${made.meanMs.toFixed(1)} ms on average, ${kept} dead rows more${doctor}`,
      };
    } catch (error) {
      await release().catch(() => {}); // the first error is the one to tell
      throw error;
    }
  },
});

const HOLDER = 'chaos-holder';
/** `SNAPSHOT_HELD_SECONDS` and a little. */
const NAMED_AFTER_MS = 310_000;

async function claimsOf({ fleet }) {
  const sum = async (name) => {
    const values = await Promise.all(fleet.of('relay').map((relay) => metric(relay, name)));
    return values.reduce((total, value) => total + value, 0);
  };
  const counted = {
    count: await sum('outbox_claim_duration_seconds_count'),
    seconds: await sum('outbox_claim_duration_seconds_sum'),
  };
  return {
    ...counted,
    minus(before) {
      const made = counted.count - before.count;
      return { count: made, meanMs: made === 0 ? 0 : ((counted.seconds - before.seconds) / made) * 1_000 };
    },
  };
}

async function deadRows({ outbox }) {
  const { rows } = await outbox.query(
    "SELECT n_dead_tup::int AS n FROM pg_stat_user_tables WHERE relid = 'outbox.delivery'::regclass",
  );
  return rows[0].n;
}

async function namedByDoctor({ cli, environment }) {
  // It ends with 1 where something is wrong, as here.
  return (await runCli(cli, ['doctor', '--json'], environment)).stdout.includes(HOLDER);
}

const BATCH = 500;
const SAMPLE_MS = 5_000;
const PAGE_WITHIN_MS = 1_000;
/** Not counted beyond the middle of the drain: it may breathe by so much. */
const MEMORY_MAY_GROW = 1.5;

const SHORT_EVENTS = 1_500;
const SHORT_DRAIN_MS = 150_000;
const DRAIN_SECONDS = 3 * 3_600;

/**
 * On demand: a million rows are half an hour of appending and more of draining on two cores.
 * @param {{ events?: number }} options of a long one, default a million
 */
export const longBacklog = ({ events: wanted = 1_000_000 } = {}) =>
  defineFault({
    id: 'F27',
    title: 'a long backlog',
    needs: 'servers',
    weight: 0,
    short: [10, 14],
    long: [DRAIN_SECONDS, DRAIN_SECONDS],
    // Claims take what has waited longest first: what is appended afterwards waits for the backlog.
    recoversWithinSeconds: DRAIN_SECONDS,
    async inflict(world, { signal, problems, heal, short, durationMs }) {
      const events = short ? SHORT_EVENTS : wanted;
      const drainWithinMs = short ? SHORT_DRAIN_MS : durationMs;
      const key = await readerKey(world);
      const relays = [...world.fleet.of('relay')];
      // What the flow appends after it is not part of it.
      let newest = '00000000-0000-0000-0000-000000000000';
      // Stopped as they are, so that the backlog stands whole before anybody drains it.
      for (const relay of relays) relay.kill('SIGSTOP');
      try {
        for (let made = 0; made < events && !signal.aborted; made += BATCH) {
          const batch = ownEvents(world, Math.min(BATCH, events - made));
          await world.producer.append(batch);
          newest = batch.at(-1)?.id ?? newest;
        }
      } finally {
        for (const relay of relays) relay.kill('SIGCONT');
      }
      const stood = await waiting(world, newest);
      const samples = [];
      const pages = [];
      const drained = await until(
        async () => {
          const left = await waiting(world, newest);
          samples.push({ at: Date.now(), left, memory: new Map(await world.fleet.memory()) });
          const asked = performance.now();
          const status = await page(world, key).catch(() => 0); // one that hangs or refuses is a slow one
          pages.push({ ms: performance.now() - asked, status });
          return left === 0;
        },
        { withinMs: drainWithinMs, signal, everyMs: SAMPLE_MS },
      );
      await heal();
      if (!drained)
        problems.push(
          `${await waiting(world, newest)} of ${stood} events were still open after ${drainWithinMs / 1_000} s`,
        );
      const slow = pages.filter(({ ms, status }) => ms > PAGE_WITHIN_MS || status !== 200);
      if (slow.length > 0)
        problems.push(`${slow.length} of ${pages.length} times the overview was not there within ${PAGE_WITHIN_MS} ms`);
      const still = samples.filter(({ left }, at) => at > 0 && left >= samples[at - 1].left).length;
      if (still > samples.length / 2)
        problems.push(`the backlog did not shrink in ${still} of ${samples.length} looks`);
      problems.push(...grown(samples));
      const seconds = ((samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0)) / 1_000;
      const worst = Math.max(0, ...pages.map(({ ms }) => ms));
      return {
        happened: stood,
        what: `${stood} events waited; drained in ${Math.round(seconds)} s; the overview took ${Math.round(worst)} ms at most; memory ${inMiB(samples.at(-1)?.memory)}`,
      };
    },
  });

/** Ids of version 7 are in the order in which they were made. */
function waiting({ outbox }, newest) {
  return count(outbox, "outbox.delivery WHERE status IN ('PENDING', 'STARTED') AND event_id <= $1", [newest]);
}

async function page({ fleet }, key) {
  const url = `http://127.0.0.1:${fleet.of('api')[0].apiPort}/ops/v1/overview`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` }, signal: AbortSignal.timeout(30_000) });
  await answer.arrayBuffer();
  return answer.status;
}

async function readerKey({ cli, environment }) {
  const printed = await runCliOrThrow(
    cli,
    ['keys', 'create', '--name', 'chaos reader', '--scope', 'admin', '--json'],
    environment,
  );
  return JSON.parse(printed).secret;
}

/** From the middle of the drain to its end, by which time every pool and cache is as large as it gets. */
function grown(samples) {
  const middle = samples[Math.floor(samples.length / 2)]?.memory ?? new Map();
  const end = samples.at(-1)?.memory ?? new Map();
  return [...end]
    .filter(([name, bytes]) => bytes > (middle.get(name) ?? bytes) * MEMORY_MAY_GROW)
    .map(
      ([name, bytes]) =>
        `${name}: ${bytes >> 20} MiB at the end, ${middle.get(name) >> 20} MiB in the middle of the drain`,
    );
}

function inMiB(memory = new Map()) {
  return [...memory].map(([name, bytes]) => `${name} ${bytes >> 20} MiB`).join(', ');
}
