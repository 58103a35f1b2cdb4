import { randomBytes } from 'node:crypto';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { counterOf } from './failed-keys.js';
import { HttpProblem } from './problem.js';

/** How often a password of one name may be tried, from wherever. */
export interface FailedNames {
  /** Counts a try. Throws HttpProblem (429) where too many came before it, right ones not counted. */
  admit(name: string): Promise<void>;
  /** The try was right, and does not count. */
  held(name: string): Promise<void>;
}

const WINDOW_SECONDS = 15 * 60;

/**
 * In the memory of this process. Names share counters by a keyed hash, as addresses do, so that made-up names take no memory.
 * Counted before the password is looked at: whoever tries many at once has no more of them than one after the other.
 */
export function createFailedNames({ perWindow }: { readonly perWindow: number }): FailedNames {
  const limiter = new RateLimiterMemory({ points: perWindow, duration: WINDOW_SECONDS });
  const secret = randomBytes(32);
  return {
    async admit(name) {
      const { consumedPoints, msBeforeNext } = await limiter.penalty(counterOf(secret, name));
      if (consumedPoints <= perWindow) return;
      throw new HttpProblem('rate_limited', 'Too many passwords of this name were wrong; try again later', {
        headers: { 'Retry-After': String(Math.max(1, Math.ceil(msBeforeNext / 1_000))) },
      });
    },

    async held(name) {
      await limiter.reward(counterOf(secret, name));
    },
  };
}
