import { createHmac, randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { hashApiKey } from '../application/audit/api-key-text.js';
import type { RefusedKey } from '../application/audit/authenticate-api-key.js';
import { HttpProblem } from './problem.js';

/** What keys that do not hold cost us, for each remote address. */
export interface FailedKeys {
  /** Throws HttpProblem (429) where too many keys from the address have failed, unless this very one has held before. */
  admit(address: string, presented: string): Promise<void>;
  /** A key that holds is still known where a signature is missing or wrong: whoever has the key alone must not make us forget it. */
  failed(address: string, presented: string, why: RefusedKey): Promise<void>;
  held(presented: string): void;
}

const WINDOW_SECONDS = 60;
/** Addresses share counters by a keyed hash: memory is bounded, and nobody can choose whose counter he shares. */
const COUNTERS = 65_536;
const KEYS_REMEMBERED = 10_000;

/**
 * Bounds how many keys can be tried from one address in a minute, in this process. The address is the connection's: behind
 * a proxy it is the proxy's, so keys that have held here go on where others are guessed beside them.
 */
export function createFailedKeys({ perMinute }: { readonly perMinute: number }): FailedKeys {
  const limiter = new RateLimiterMemory({ points: perMinute, duration: WINDOW_SECONDS });
  const secret = randomBytes(32);
  const known = new Set<string>();
  const digest = (presented: string) => hashApiKey(presented).toString('base64');
  return {
    async admit(address, presented) {
      const failures = await limiter.get(counterOf(secret, address));
      if (failures === null || failures.consumedPoints < perMinute || failures.msBeforeNext <= 0) return;
      if (known.has(digest(presented))) return;
      throw new HttpProblem('rate_limited', 'Too many API keys that do not hold came from here; try again later', {
        headers: { 'Retry-After': String(Math.max(1, Math.ceil(failures.msBeforeNext / 1_000))) },
      });
    },

    async failed(address, presented, why) {
      if (why === 'no_key') known.delete(digest(presented));
      await limiter.penalty(counterOf(secret, address));
    },

    held(presented) {
      if (known.size >= KEYS_REMEMBERED) known.clear();
      known.add(digest(presented));
    },
  };
}

/** One of so many counters. A customer of IPv6 has a /64 of addresses, so that is what counts. */
export function counterOf(secret: Uint8Array, address: string): string {
  const hash = createHmac('sha256', secret).update(networkOf(address)).digest();
  return String(hash.readUInt32BE(0) % COUNTERS);
}

/** Of a connection's address: a customer of IPv6 has a /64 of them. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = '', tail] = address.toLowerCase().split('%')[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - after.length;
  return [...groups, ...Array.from({ length: missing }, () => '0'), ...after].slice(0, 4).join(':');
}
