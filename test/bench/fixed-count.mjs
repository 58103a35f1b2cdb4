/**
 * A fixed count in place of a fixed time, for what must be found done to the last one. How many are about the seconds asked for
 * is known from the warm-up; it is the same in every run, since a run of another length has another share of start and end.
 */
const FIRST_COUNT = 100;
const WARM_UP_SECONDS = [1, 3];
/** Then, until two rates agree: what still gets faster is not measured, and its count would be too small. */
const AGREE_SECONDS = 3;
const AGREE_WITHIN = 0.15;
const MOST_AGAIN = 4;
const LEAST = 20;

/**
 * Warms up: code, plans, pools, caches.
 * @template {{ perSecond: number }} Measured
 * @param {(count: number, expectedSeconds: number) => Promise<Measured>} run
 * @returns {Promise<(seconds: number) => Promise<Measured>>} `measure` of a contender
 */
export async function fixCount(run) {
  let { perSecond } = await run(FIRST_COUNT, FIRST_COUNT / 10);
  const countFor = (seconds) => Math.max(LEAST, Math.round(perSecond * seconds));
  for (const seconds of WARM_UP_SECONDS) ({ perSecond } = await run(countFor(seconds), seconds));
  for (let again = 0; again < MOST_AGAIN; again++) {
    const before = perSecond;
    ({ perSecond } = await run(countFor(AGREE_SECONDS), AGREE_SECONDS));
    if (Math.abs(perSecond / before - 1) <= AGREE_WITHIN) break;
  }
  return (seconds) => run(countFor(seconds), seconds);
}
