/**
 * The shipped product while so many events wait. The backlog is filled up to its size before each run, let go, and paused again
 * when the time is over; a backlog that is drained before that is filled and let go again, up to `MOST_ROUNDS` times. What is
 * compared is the rate of the middle (from the first to the last tenth of what was settled): a small backlog is mostly start
 * and end, which is not what grows.
 */
import { startOurs } from '../start-ours.mjs';

const MOST_ROUNDS = 8;
const WARM_UP_ROUNDS = 2;
const WARM_UP = 2_000;

/**
 * @param {import('../world.mjs').World} world
 * @param {import('../start-ours.mjs').OursOptions & { waiting: number }} options
 */
export async function prepare(world, { waiting, ...options }) {
  const size = Math.ceil(waiting / world.shrink);
  const { backlog, ...ours } = await startOurs(world, options);
  let left = 0;
  let paused = false;
  const fill = async (count, log) => {
    await backlog.fill(count, { paused, log });
    paused = true;
    await world.settle();
  };
  const measure = async (seconds) => {
    const found = { count: 0, seconds: 0, steadyCount: 0, steadySeconds: 0, rounds: 0 };
    while (found.rounds < MOST_ROUNDS && found.seconds < seconds * 0.9) {
      await fill(size - left, world.log);
      const round = await backlog.releaseFor(seconds);
      found.rounds += 1;
      found.count += round.count;
      found.seconds += round.seconds;
      found.steadyCount += round.count * 0.8;
      found.steadySeconds += round.steadySeconds;
      left = round.left;
    }
    await backlog.verify({ partly: true });
    const steadyPerSecond = found.steadyCount / found.steadySeconds;
    return { waiting: size, ...found, perSecond: found.count / found.seconds, steadyPerSecond };
  };
  try {
    for (let round = 0; round < WARM_UP_ROUNDS; round++) {
      await fill(WARM_UP);
      left = (await backlog.releaseFor(60)).left;
    }
    return { ...ours, settings: { ...ours.settings, waiting: size }, measure };
  } catch (error) {
    await ours.close();
    throw error;
  }
}
