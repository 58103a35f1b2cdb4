import type { Response } from 'express';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { type ApiKey, rateOf } from '../domain/audit/api-key.js';
import { HttpProblem } from './problem.js';

/** What each key may send. Every answer to a limited key says what is left. */
export interface KeyLimits {
  /** Charges one event, or throws HttpProblem (429) while the key has nothing left. */
  admit(key: ApiKey, res: Response): Promise<void>;
  /** Charges more of them: all, into debt where less is left. A request that was admitted is served. */
  charge(key: ApiKey, events: number, res: Response): Promise<void>;
}

/** A batch, whole: less would let no full batch through. */
const LEAST_BURST = 500;
/** A debt ends by then, whatever it is. */
const LONGEST_SECONDS = 86_400;

/**
 * A limit for each key, in the memory of this process: so many events a minute, and never less than a batch of 500 at once
 * (a key of 100 a minute has 500 in five). Who goes over is refused until the window has ended and what was taken too much
 * would have been earned, so that a rate holds however it is spent. `perMinute`: of keys without a rate of their own; null:
 * none. The key is the bucket: nothing that a caller says of itself, X-Forwarded-For least of all, gives it another.
 */
export function createKeyLimits({ perMinute }: { readonly perMinute: number | null }): KeyLimits {
  // Quota and window are each key's own; the limiter counts, and forgets what has ended.
  const limiter = new RateLimiterMemory({ points: LEAST_BURST, duration: 60 });
  let turn: Promise<unknown> = Promise.resolve();
  /** One after the other: between two calls of the limiter another request must not change what the first one has seen. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };
  const take = (key: ApiKey, quota: Quota, events: number) =>
    limiter.penalty(key.id, events, { customDuration: quota.windowSeconds });

  return {
    async admit(key, res) {
      const quota = quotaOf(rateOf(key, perMinute));
      if (quota === null) return;
      const { refused, state } = await inTurn(async () => {
        const used = await limiter.get(key.id);
        // An ended window is there until its timer has come.
        const spent = used !== null && used.msBeforeNext > 0 && used.consumedPoints >= quota.events;
        return spent ? { refused: true, state: used } : { refused: false, state: await take(key, quota, 1) };
      });
      tell(res, quota, state);
      if (!refused) return;
      throw new HttpProblem('rate_limited', 'This API key has sent more than it may; send it again later', {
        headers: { 'Retry-After': String(secondsLeft(state)) },
      });
    },

    async charge(key, events, res) {
      const quota = quotaOf(rateOf(key, perMinute));
      if (quota === null || events < 1) return;
      const state = await inTurn(async () => {
        const taken = await take(key, quota, events);
        const debt = Math.min(taken.consumedPoints - quota.events, events);
        if (debt <= 0) return taken;
        const seconds = taken.msBeforeNext / 1_000 + (debt * quota.windowSeconds) / quota.events;
        return limiter.set(key.id, taken.consumedPoints, Math.min(seconds, LONGEST_SECONDS));
      });
      tell(res, quota, state);
    },
  };
}

interface Quota {
  readonly events: number;
  readonly windowSeconds: number;
}

function quotaOf(perMinute: number | null): Quota | null {
  if (perMinute === null) return null;
  const events = Math.max(perMinute, LEAST_BURST);
  return { events, windowSeconds: (60 * events) / perMinute };
}

/** draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4. A unit is an event, not a request: batches take more. */
function tell(res: Response, { events, windowSeconds }: Quota, state: RateLimiterRes): void {
  const remaining = Math.max(0, events - state.consumedPoints);
  res.set({
    'RateLimit-Policy': `"events";q=${events};w=${Math.ceil(windowSeconds)}`,
    RateLimit: `"events";r=${remaining};t=${secondsLeft(state)}`,
  });
}

function secondsLeft({ msBeforeNext }: RateLimiterRes): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1_000));
}
