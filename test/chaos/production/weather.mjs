/** How the destination answers: by the weather of the plan and the event's own luck, which the seed decides. */
import { draw } from './draw.mjs';
import { weatherAt } from './plan.mjs';

const USUAL_MS = 50;
const SLOW_TIMES = 10;
const LONGEST_MS = 10_000;
/** Of the logarithm: half of the answers take the usual time, seven in a thousand longer than two seconds, three in ten thousand ten. */
const SPREAD = 1.5;
const FAILS = 0.1;

/** The mean of `latencyMs`, for the arithmetic of a drain: usual, and while it is slow. */
export const MEAN_SECONDS = { usual: 0.17, slow: 1.45 };

/** A LedgerMode. The same for the same seed, event, request of it and weather. */
export function answerOf({ seed, plan, atMs, eventId, n }) {
  const weather = weatherAt(plan, atMs);
  if (weather === 'storm' || (weather === 'tenth' && draw(seed, 'fails', eventId, n)[0] < FAILS)) {
    return { kind: 'status', status: 503, body: JSON.stringify({ error: 'a storm' }) };
  }
  return { kind: 'slow', ms: latencyMs({ seed, eventId, slow: weather === 'slow' }) };
}

/** While the capacity is measured: the usual time, without luck. */
export const steadyAnswer = () => ({ kind: 'slow', ms: USUAL_MS });

/** An event's own, whichever request of it this is: what was slow is slow again. */
export function latencyMs({ seed, eventId, slow = false }) {
  const [a, b] = draw(seed, 'latency', eventId);
  const normal = Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b);
  const least = slow ? SLOW_TIMES * USUAL_MS : USUAL_MS;
  return Math.round(Math.min(LONGEST_MS, Math.max(least, least * Math.exp(SPREAD * normal))));
}
