import type { ApiKey } from '../domain/audit/api-key.js';
import { countPerKey } from './count-per-key.js';
import { HttpProblem } from './problem.js';

/** How many of one kind of request are worked on at once. */
export interface Places {
  /**
   * Runs `work` in a place, or throws HttpProblem without a wait: 429 while this key has all that one key may have, 503 while
   * all are taken. Both say when to come again. The place is free as soon as `work` has ended, however it did.
   */
  within<T>(key: Pick<ApiKey, 'id'>, work: () => Promise<T>): Promise<T>;
}

export interface PlacesOptions {
  /** As in "Too many … at once". */
  readonly what: string;
  readonly total: number;
  readonly perKey: number;
  readonly retryAfterSeconds: number;
}

/** In the memory of this process. A key is the key itself, whoever uses it from wherever. */
export function createPlaces({ what, total, perKey, retryAfterSeconds }: PlacesOptions): Places {
  const perKeyTaken = countPerKey();
  let running = 0;
  const headers = { 'Retry-After': String(retryAfterSeconds) };
  return {
    async within({ id }, work) {
      if (perKeyTaken.of(id) >= perKey) {
        throw new HttpProblem('rate_limited', `Too many ${what} at once by this person or key; send it again`, {
          headers,
        });
      }
      if (running >= total) throw new HttpProblem('overloaded', `Too many ${what} at once; send it again`, { headers });
      const leave = perKeyTaken.take(id);
      running++;
      try {
        return await work();
      } finally {
        running--;
        leave();
      }
    },
  };
}
