/**
 * The shipped product (start-ours.mjs). A fixed count behind a pause, about as many as it does in the seconds asked for;
 * afterwards every event must be DELIVERED and have one record.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fixCount } from '../fixed-count.mjs';
import { holdSnapshot } from '../hold-snapshot.mjs';
import { startOurs } from '../start-ours.mjs';

/** For a given count: a bound for what hangs. */
const LONG_SECONDS = 120;
const WARM_UP = { count: 3_000, rounds: 2 };
/** Adaptive coalescing goes off half a minute after its backlog: each run finds it so. */
const OFF_AFTER_MS = 34_000;

/**
 * @param {import('../world.mjs').World} world
 * @param {import('../start-ours.mjs').OursOptions & { heldSnapshot?: boolean, waiting?: number }} options `heldSnapshot`: beside
 *   each run a transaction that keeps what it sees, from before the first claim to after the last; `waiting`: so many events a
 *   run, however long they take
 */
export async function prepare(world, { heldSnapshot = false, waiting, ...options } = {}) {
  const { backlog, ...ours } = await startOurs(world, options);
  let endedAt = Number.NEGATIVE_INFINITY;
  const deliver = async (count, expectedSeconds) => {
    if (options.mode === 'adaptive') await sleep(Math.max(0, endedAt + OFF_AFTER_MS - performance.now()));
    const attemptsBefore = await backlog.countAttempts();
    await backlog.hold(count);
    await world.settle();
    const letGo = heldSnapshot ? await holdSnapshot(ours.databases.outbox) : async () => {};
    const { seconds, ...rates } = await backlog.release(count, expectedSeconds).finally(letGo);
    endedAt = performance.now();
    await backlog.verify();
    const regularAttempts = (await backlog.countAttempts()) - attemptsBefore;
    return { count, seconds, perSecond: count / seconds, ...rates, regularAttempts };
  };
  /** Where the rate depends on how many they are. */
  const givenCount = async () => {
    for (let round = 0; round < WARM_UP.rounds; round++) await deliver(WARM_UP.count, LONG_SECONDS);
    return () => deliver(Math.ceil(waiting / world.shrink), LONG_SECONDS);
  };
  try {
    return {
      ...ours,
      settings: { ...ours.settings, ...(heldSnapshot ? { heldSnapshot } : {}) },
      measure: await (waiting === undefined ? fixCount(deliver) : givenCount()),
    };
  } catch (error) {
    await ours.close();
    throw error;
  }
}
