/**
 * The shipped product (start-ours.mjs). A fixed count behind a pause, about as many as it does in the seconds asked for;
 * afterwards every event must be DELIVERED and have one record.
 */
import { fixCount } from '../fixed-count.mjs';
import { holdSnapshot } from '../hold-snapshot.mjs';
import { startOurs } from '../start-ours.mjs';

/**
 * @param {import('../world.mjs').World} world
 * @param {import('../start-ours.mjs').OursOptions & { heldSnapshot?: boolean }} options `heldSnapshot`: beside each run a
 *   transaction that keeps what it sees, from before the first claim to after the last
 */
export async function prepare(world, { heldSnapshot = false, ...options } = {}) {
  const { backlog, ...ours } = await startOurs(world, options);
  const deliver = async (count, expectedSeconds) => {
    const attemptsBefore = await backlog.countAttempts();
    await backlog.hold(count);
    await world.settle();
    const letGo = heldSnapshot ? await holdSnapshot(ours.databases.outbox) : async () => {};
    const { seconds, ...rates } = await backlog.release(count, expectedSeconds).finally(letGo);
    await backlog.verify();
    const regularAttempts = (await backlog.countAttempts()) - attemptsBefore;
    return { count, seconds, perSecond: count / seconds, ...rates, regularAttempts };
  };
  try {
    return {
      ...ours,
      settings: { ...ours.settings, ...(heldSnapshot ? { heldSnapshot } : {}) },
      measure: await fixCount(deliver),
    };
  } catch (error) {
    await ours.close();
    throw error;
  }
}
