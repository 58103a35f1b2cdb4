/**
 * What a production-like run offers and how its destination behaves, second by second: pure, from the seed, the length and the
 * mean rate alone. Bursts are ten times the mean of the whole flow, and the flow's mean is what was asked for: what a burst has
 * more, the time between bursts has less.
 */
import { draw } from './draw.mjs';

/** Bursts, a slow period and two storms need so long to be told apart. */
export const SHORTEST_SECONDS = 480;
/** Nothing else happens before: what the line is like when nothing is wrong. */
export const QUIET_MS = 55_000;
export const BURST_TIMES_MEAN = 10;

const PERIOD_MS = [100_000, 20_000];
/** A burst is the last part of its period, 5 to 6 s of it. */
const BURST_PART = 1 / 20;
const SLOW_MS = 60_000;
const STORM_MS = 30_000;
const TENTH_MS = 60_000;
/** Where it begins, as parts of the flow: the least, and what the seed adds to it. */
const SLOW_AT = [0.12, 0.1];
const STORMS_AT = [
  [0.35, 0.1],
  [0.7, 0.1],
];

/**
 * @typedef {object} Span
 * @property {'burst' | 'slow' | 'storm'} kind
 * @property {number} fromMs since the flow began
 * @property {number} toMs of a storm: when the destination takes nine of ten again
 * @property {number} [tenthUntilMs] of a storm: one in ten requests fails until then
 *
 * @typedef {object} Plan
 * @property {number} seconds
 * @property {number} meanPerSecond
 * @property {number} events
 * @property {number} calmPerSecond between bursts
 * @property {number} burstPerSecond
 * @property {{ calm: number, burst: number }} noisyShare of the events that are offered then
 * @property {readonly Span[]} spans by their beginning
 * @property {readonly { fromEvent: number, toEvent: number }[]} burstEvents places in the line of all events
 *
 * @param {{ seed: number, seconds: number, meanPerSecond: number }} options
 * @returns {Plan}
 */
export function planProduction({ seed, seconds, meanPerSecond }) {
  if (!(seconds >= SHORTEST_SECONDS)) throw new RangeError(`expected at least ${SHORTEST_SECONDS} s, got ${seconds}`);
  const endMs = seconds * 1_000;
  const bursts = planBursts(seed, endMs);
  const burstMs = bursts.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  const burstPerSecond = BURST_TIMES_MEAN * meanPerSecond;
  const calmPerSecond = (meanPerSecond * endMs - burstPerSecond * burstMs) / (endMs - burstMs);
  // The quiet tenants send at one rate all the time; bursts are the noisy one's.
  const quietPerSecond = meanPerSecond / 2;
  const at = (ms, [least, more], random) => Math.round(ms * (least + more * random));
  const slowFrom = at(endMs, SLOW_AT, draw(seed, 'slow')[0]);
  const storms = STORMS_AT.map((where, n) => at(endMs, where, draw(seed, 'storm', n)[0]));
  const spans = [
    ...bursts,
    { kind: 'slow', fromMs: slowFrom, toMs: slowFrom + SLOW_MS },
    ...storms.map((fromMs) => ({
      kind: 'storm',
      fromMs,
      toMs: fromMs + STORM_MS,
      tenthUntilMs: fromMs + STORM_MS + TENTH_MS,
    })),
  ].sort((a, b) => a.fromMs - b.fromMs);
  return {
    seconds,
    meanPerSecond,
    events: Math.round(meanPerSecond * seconds),
    calmPerSecond,
    burstPerSecond,
    noisyShare: { calm: 1 - quietPerSecond / calmPerSecond, burst: 1 - quietPerSecond / burstPerSecond },
    spans,
    burstEvents: placesOf(bursts, calmPerSecond, burstPerSecond),
  };
}

/** As many as were asked for, in the time that was given or that the rate needs. */
export function planOf({ seed, events, minutes, rate }, offeredPerSecond) {
  const most = rate ?? offeredPerSecond;
  const seconds = minutes === undefined ? Math.max(SHORTEST_SECONDS, events / most) : minutes * 60;
  return planProduction({ seed, seconds, meanPerSecond: Math.min(most, events / seconds) });
}

/** Events a second at this time of the flow. */
export function rateAt(plan, ms) {
  if (ms < 0 || ms >= plan.seconds * 1_000) return 0;
  return isIn(plan, 'burst', ms) ? plan.burstPerSecond : plan.calmPerSecond;
}

/** How the destination behaves then; a storm hides a slow period. */
export function weatherAt({ spans }, ms) {
  const storm = spans.find(
    ({ kind, fromMs, tenthUntilMs }) => kind === 'storm' && fromMs <= ms && ms < (tenthUntilMs ?? 0),
  );
  if (storm !== undefined) return ms < storm.toMs ? 'storm' : 'tenth';
  return isIn({ spans }, 'slow', ms) ? 'slow' : 'usual';
}

/** Of the event at this place in the line of all that is offered. */
export function noisyShareOf({ burstEvents, noisyShare }, place) {
  const inBurst = burstEvents.some(({ fromEvent, toEvent }) => fromEvent <= place && place < toEvent);
  return inBurst ? noisyShare.burst : noisyShare.calm;
}

function isIn({ spans }, wanted, ms) {
  return spans.some(({ kind, fromMs, toMs }) => kind === wanted && fromMs <= ms && ms < toMs);
}

function planBursts(seed, endMs) {
  const bursts = [];
  for (let beginMs = 0; ; ) {
    const [least, more] = PERIOD_MS;
    const toMs = Math.round(beginMs + least + more * draw(seed, 'period', bursts.length)[0]);
    if (toMs > endMs) return bursts;
    bursts.push({ kind: 'burst', fromMs: Math.round(toMs - (toMs - beginMs) * BURST_PART), toMs });
    beginMs = toMs;
  }
}

function placesOf(bursts, calmPerSecond, burstPerSecond) {
  let [before, calmFrom] = [0, 0];
  return bursts.map(({ fromMs, toMs }) => {
    const fromEvent = before + ((fromMs - calmFrom) / 1_000) * calmPerSecond;
    const toEvent = fromEvent + ((toMs - fromMs) / 1_000) * burstPerSecond;
    [before, calmFrom] = [toEvent, toMs];
    return { fromEvent, toEvent };
  });
}
