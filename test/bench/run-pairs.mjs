// Interleaving and its statistics. Machines drift (heat, caches, neighbours): two things measured minutes apart differ by more
// than what they are compared for. So A and B take turns, and each pair gives one ratio.

/**
 * @typedef {object} Spread
 * @property {number} median
 * @property {number} min
 * @property {number} max
 * @property {number[]} all in the order of the runs
 */

/**
 * Runs A B, B A, A B …: whoever comes second in a pair meets what the first one left, so the order changes with each pair.
 * @param {{ a: () => Promise<number>, b: () => Promise<number>, pairs: number, log?: (line: string) => void,
 *   before?: (side: 'a' | 'b') => Promise<void> }} options `before` each run, outside of its time
 * @returns {Promise<{ a: number[], b: number[], ratio: Spread }>} `ratio`: of a_i / b_i
 */
export async function runPairs({ a, b, pairs, log = () => {}, before = async () => {} }) {
  const found = { a: [], b: [] };
  for (let pair = 0; pair < pairs; pair++) {
    for (const side of pair % 2 === 0 ? ['a', 'b'] : ['b', 'a']) {
      await before(side);
      const value = await (side === 'a' ? a : b)();
      found[side].push(value);
      log(`pair ${pair + 1} of ${pairs}, ${side}: ${show(value)}`);
    }
  }
  return { ...found, ratio: spreadOf(found.a.map((value, at) => value / found.b[at])) };
}

/**
 * The same for what stands alone: a latency, a cost.
 * @param {{ a: () => Promise<number>, runs: number, log?: (line: string) => void,
 *   before?: (side: 'a') => Promise<void> }} options
 * @returns {Promise<number[]>}
 */
export async function runAlone({ a, runs, log = () => {}, before = async () => {} }) {
  const found = [];
  for (let run = 0; run < runs; run++) {
    await before('a');
    found.push(await a());
    log(`run ${run + 1} of ${runs}: ${show(found[run])}`);
  }
  return found;
}

/** @param {readonly number[]} values @returns {Spread} */
export function spreadOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1), all: [...values] };
}

/** The value below which the share `q` of them lies (nearest rank). */
export function quantileOf(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

/** What a report says of times in ms. */
export function timesOf(values) {
  const [p50Ms, p95Ms, p99Ms, mostMs] = [0.5, 0.95, 0.99, 1].map((q) => quantileOf(values, q));
  return { count: values.length, p50Ms, p95Ms, p99Ms, mostMs };
}

/**
 * The rate of the middle, from a tenth to nine tenths of what was done: without the first claim and the last stragglers. Beside
 * the rate of the whole it tells whether those made it.
 * @param {readonly number[]} times in seconds, ascending
 * @param {readonly [number, number]} part of them
 */
export function steadyRate(times, part = [0.1, 0.9]) {
  const [from, to] = part.map((q) => Math.max(0, Math.ceil(q * times.length) - 1));
  return (to - from) / (times[to] - times[from]);
}

/** Three digits that count. */
export function show(value) {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
