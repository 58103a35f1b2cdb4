/** F29: a delivery ends and its letter cannot be written, or nobody is left to write it. */
import type { ChaosWorld } from '../ports.js';
import { pause } from '../within.js';
import { defineFault, type Inflicting } from './define-fault.js';
import { count, untilStatus } from './look.js';
import { answerOwn, healLedger, idsOf, ownEvents, requestsOf } from './own-events.js';
import { endByHand } from './terminate-run.js';
import { PATIENCE_MS, until } from './wait.js';

export const unwrittenLetters = defineFault({
  id: 'F29',
  title: 'the database is away exactly at the dead-letter write; a workflow is terminated by hand',
  weight: 2,
  short: [5, 9],
  long: [30, 60],
  async heal(world) {
    await healLedger(world);
    await world.proxies.ledger.heal();
    await world.proxies.outbox.heal();
  },
  async inflict(world, inflicting) {
    const unwritten = await awayAtTheWrite(world, inflicting);
    const terminated = await terminateByHand(world, inflicting);
    await inflicting.heal();
    const what = `${unwritten} letters met no database, and came after it; ${terminated} runs terminated by hand`;
    return { happened: Math.min(unwritten, terminated), what };
  },
});

/** The cut must come within a second: where it came too late, once more. */
const TRIES = 3;

async function awayAtTheWrite(world: ChaosWorld, inflicting: Inflicting): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const met = await cutAtTheWrite(world, inflicting, tries === TRIES);
    if (met > 0 || tries === TRIES || inflicting.signal.aborted) return met;
  }
}

/** The answer travels for a second, in which the database goes away: what follows it is the write of the letter. */
async function cutAtTheWrite(
  world: ChaosWorld,
  { signal, problems, durationMs, heal }: Inflicting,
  isLast: boolean,
): Promise<number> {
  const { proxies, outbox } = world;
  const events = ownEvents(world, 1, { expect: 'dead' });
  const ids = idsOf(events);
  await proxies.ledger.add('latency', { latency: 1_000, jitter: 0 }, { stream: 'downstream' });
  answerOwn(world, ids, () => ({ kind: 'status', status: 422 }));
  await world.producer.append(events);
  await until(() => requestsOf(world, ids).length > 0, { withinMs: PATIENCE_MS / 2, signal, everyMs: 5 });
  const askedAt = requestsOf(world, ids)[0]?.at ?? 0;
  await proxies.outbox.cut();
  const inTime = Date.now() - askedAt < 1_000;
  await pause(Math.max(2_500, durationMs - 1_000), signal);
  const letters = 'outbox.dead_letter WHERE event_id = ANY ($1::uuid[])';
  const early = await count(outbox, letters, [ids]);
  const met = inTime ? ids.length - early : 0;
  if (met > 0 || isLast) await heal();
  else {
    await proxies.ledger.heal();
    await proxies.outbox.heal();
  }
  const open = await untilStatus(world, ids, ['DEAD'], { withinMs: PATIENCE_MS, signal });
  if (open.length > 0) problems.push('the letter that met no database had not come in time after it was back');
  return met;
}

/** Its destination fails, so that it lives long enough. */
async function terminateByHand(world: ChaosWorld, { signal, problems }: Inflicting): Promise<number> {
  const events = ownEvents(world, 1, { expect: 'dead' });
  const ids = idsOf(events);
  answerOwn(world, ids, () => ({ kind: 'status', status: 500 }));
  try {
    await world.producer.append(events);
    await until(() => requestsOf(world, ids).length > 1, { withinMs: PATIENCE_MS / 2, signal });
    await untilStatus(world, ids, ['STARTED'], { withinMs: PATIENCE_MS / 2, signal });
    return signal.aborted ? 0 : await endByHand(world, ids, { signal, problems });
  } finally {
    await healLedger(world);
  }
}
