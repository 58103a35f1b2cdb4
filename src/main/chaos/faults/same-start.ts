/** F24: what two do at once must have been done once. */
import type { ChaosWorld } from '../ports.js';
import { runCli } from '../run-cli.js';
import { defineFault, type Inflicting } from './define-fault.js';
import { untilStatus, withoutAnswer } from './look.js';
import { answerOwn, healLedger, idsOf, ownEvents, requestsOf } from './own-events.js';
import { PATIENCE_MS, until } from './wait.js';

export const sameAtOnce = defineFault({
  id: 'F24',
  title: 'the same event started by eight relays; two people redrive at once',
  short: [5, 8],
  long: [20, 30],
  async heal(world) {
    await healLedger(world);
    await world.proxies.temporal.heal();
  },
  async inflict(world, inflicting) {
    const starts = { events: 0, atLeast: Number.POSITIVE_INFINITY };
    for (let round = 0; round < (inflicting.short ? 1 : ROUNDS) && !inflicting.signal.aborted; round += 1) {
      const { events, atLeast } = await startOften(world, inflicting);
      starts.events += events;
      starts.atLeast = Math.min(starts.atLeast, atLeast);
    }
    const told = await redriveTogether(world, inflicting);
    await inflicting.heal();
    const what = `${starts.events} events claimed and started ${starts.atLeast} times at least; ${told} second redrives told so`;
    return { happened: Math.min(starts.events, told), what };
  },
});

/** As eight relays would: two of them, each of which starts every event again and again. */
const STARTS = 8;
/** Few in each: while the workers stand still, what flows fills the room of the destination (R6). */
const ROUNDS = 5;
const EVENTS = 20;

/**
 * Starts are slow and each claim is taken off its row at once, as a lease of no length would, so that the others start the same
 * events meanwhile. The workers stand still: what is delivered is claimed no more.
 */
async function startOften(
  world: ChaosWorld,
  { signal, problems }: Inflicting,
): Promise<{ readonly events: number; readonly atLeast: number }> {
  const { proxies, producer, outbox, fleet } = world;
  const events = ownEvents(world, EVENTS);
  const ids = idsOf(events);
  const workers = [...fleet.of('worker')];
  const claims = new Map(ids.map((id) => [id, 0]));
  const fewest = () => Math.min(...claims.values());
  await proxies.temporal.add('latency', { latency: 900, jitter: 100 }, { stream: 'downstream' });
  for (const worker of workers) worker.kill('SIGSTOP');
  try {
    await producer.append(events);
    await until(
      async () => {
        const { rows } = await outbox.query<{ id: string }>(
          `UPDATE outbox.delivery SET lease_token = NULL, due_at = clock_timestamp()
           WHERE event_id = ANY ($1::uuid[]) AND status = 'PENDING' AND lease_token IS NOT NULL RETURNING event_id AS id`,
          [ids],
        );
        for (const { id } of rows) claims.set(id, (claims.get(id) ?? 0) + 1);
        return fewest() >= STARTS;
      },
      { withinMs: PATIENCE_MS / 2, signal, everyMs: 60 },
    );
  } finally {
    for (const worker of workers) worker.kill('SIGCONT');
  }
  await proxies.temporal.heal();
  if (fewest() < STARTS) {
    const often = [...claims.values()].filter((times) => times >= STARTS).length;
    problems.push(`${often} of ${ids.length} events were claimed ${STARTS} times, all were to be`);
  }
  const open = await untilStatus(world, ids, ['DELIVERED'], { withinMs: PATIENCE_MS, signal });
  if (open.length > 0)
    problems.push(`${open.length} of ${ids.length} events started by several were not delivered in time`);
  const lost = await withoutAnswer(world, ids);
  const again = requestsOf(world, ids).filter(({ did, eventId }) => did === 'again' && !lost.has(eventId)).length;
  if (again > 0) problems.push(`${again} of ${ids.length} events had a second run: they were sent again`);
  return { events: [...claims.values()].filter((times) => times >= STARTS).length, atLeast: fewest() };
}

async function redriveTogether(world: ChaosWorld, { signal, problems, short }: Inflicting): Promise<number> {
  const events = ownEvents(world, short ? 1 : 5, { expect: 'either' });
  const ids = idsOf(events);
  answerOwn(world, ids, () => ({ kind: 'status', status: 422 }));
  await world.producer.append(events);
  await untilStatus(world, ids, ['DEAD'], { withinMs: PATIENCE_MS, signal });
  await healLedger(world);
  let told = 0;
  for (const id of ids) {
    if (signal.aborted) break;
    const answers = await Promise.all(
      ['anna', 'ben'].map((actor) =>
        runCli(
          world.cli,
          ['dlq', 'redrive', id, '--reason', 'chaos: at once', '--actor', actor, '--json'],
          world.environment,
        ),
      ),
    );
    const outcomes = answers.map(({ stdout, stderr }) => outcomeOf(stdout) ?? `nothing: ${stderr.slice(-300)}`).sort();
    if (outcomes.join() === 'not-open,redriven') told += 1;
    else
      problems.push(
        `two redrives at once: expected one redriven and one told that it is not open, got ${outcomes.join(' and ')}`,
      );
  }
  const open = await untilStatus(world, ids, ['DELIVERED'], { withinMs: PATIENCE_MS, signal });
  if (open.length > 0) problems.push(`${open.length} of ${ids.length} redriven events were not delivered in time`);
  const lost = await withoutAnswer(world, ids);
  const effects = requestsOf(world, ids).filter(({ did, eventId }) => did !== 'refused' && !lost.has(eventId)).length;
  if (effects > ids.length) problems.push(`${ids.length} events redriven by two were sent ${effects} times`);
  return told;
}

function outcomeOf(out: string): string | null {
  try {
    return (JSON.parse(out) as { results: { outcome: string }[] }).results[0]?.outcome ?? null;
  } catch {
    return null; // it said something else: the caller prints that
  }
}
