import type { Response } from 'express';
import { type ApiKey, mayUseAnyTenant } from '../domain/audit/api-key.js';
import { countPerKey } from './count-per-key.js';
import { HttpProblem } from './problem.js';

/** How many requests with a key are worked on at once in this process, and how many of them one key may have. */
export interface InFlight {
  /**
   * Takes a place until the answer was taken or its caller is gone, or until what it returns is called. Throws HttpProblem
   * (503), without a wait, while all are taken.
   */
  enter(res: Response): () => void;
  /**
   * Counts a request that its key has proven. Throws HttpProblem (429) while that key has its share. Our own outbox has no
   * share: it bounds itself, and is one key for all that is delivered.
   */
  share(key: ApiKey, res: Response): void;
  /**
   * `read` of a request whose key holds and whose signature is not known yet: whoever has the key without its secret can
   * send such ones. While there are as many of the key as its share, the one that has been read for longest ends with
   * HttpProblem (429), since whoever can sign sends his body within a moment. Throws what `read` throws.
   */
  unproven<T>(keyId: string, read: () => Promise<T>): Promise<T>;
}

export interface InFlightOptions {
  readonly maxInFlight: number;
  readonly maxInFlightPerKey: number;
}

const AGAIN = { 'Retry-After': '1' };

export function createInFlight({ maxInFlight, maxInFlightPerKey }: InFlightOptions): InFlight {
  let entered = 0;
  const shares = countPerKey();
  const readers = new Map<string, Set<() => void>>();
  return {
    enter(res) {
      if (entered >= maxInFlight) throw new HttpProblem('overloaded', 'Too many requests at once; send it again');
      entered++;
      return onceClosed(res, () => {
        entered--;
      });
    },

    share(key, res) {
      if (mayUseAnyTenant(key)) return;
      if (shares.of(key.id) >= maxInFlightPerKey) {
        throw new HttpProblem('rate_limited', 'Too many requests at once by this person or key; send it again', {
          headers: AGAIN,
        });
      }
      onceClosed(res, shares.take(key.id));
    },

    async unproven(keyId, read) {
      const own = readers.get(keyId) ?? new Set();
      readers.set(keyId, own);
      const [longest] = own;
      if (longest !== undefined && own.size >= maxInFlightPerKey) longest();
      let giveUp = () => {};
      const given = new Promise<never>((_, reject) => {
        giveUp = () => {
          own.delete(giveUp);
          // What is left of the body would come on, and be kept.
          const headers = { ...AGAIN, Connection: 'close' };
          reject(
            new HttpProblem('rate_limited', 'Too many bodies are sent with this API key; send it again', { headers }),
          );
        };
      });
      own.add(giveUp);
      try {
        return await Promise.race([read(), given]);
      } finally {
        own.delete(giveUp);
        if (own.size === 0 && readers.get(keyId) === own) readers.delete(keyId);
      }
    },
  };
}

/** `leave` once, at the latest when nobody waits for the answer any more, which may be so already. */
function onceClosed(res: Response, leave: () => void): () => void {
  let left = false;
  const once = () => {
    if (left) return;
    left = true;
    leave();
  };
  if (res.closed) once();
  else res.once('close', once);
  return once;
}
