import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { PASSWORD_BOUNDS } from '../../../contract/monitor-api.js';
import { createTurns } from './take-turns.js';

export interface PasswordHasher {
  /** `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`. Throws PasswordsBusyError. */
  hash(password: string): Promise<string>;
  /**
   * Whether the hash is of this password; never so for null (nobody has that name) and for what `hash` did not make, which
   * take as long. `first`: whoever is known to have signed in before waits in a line of their own, which goes first: strangers
   * may fill theirs. Throws PasswordsBusyError.
   */
  holds(password: string, hash: string | null, first?: boolean): Promise<boolean>;
}

/** Too many passwords are looked at already; the same one may be looked at in a moment. */
export class PasswordsBusyError extends Error {
  override readonly name = 'PasswordsBusyError';
}

interface Cost {
  /** Base-2 logarithm of N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** OWASP's for scrypt: 32 MiB each, about a quarter of a second. */
const COST: Cost = { ln: 15, r: 8, p: 3 };
/** No row makes a process take more memory than this. */
const HIGHEST: Cost = { ln: 17, r: 8, p: 8 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Of Node's four threads for such work some are left to others; the bound on those that wait is each line's. */
const TURNS = { atOnce: 2, waiting: 8 };
const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

/** What is wrong with a password that somebody wants to have; null: nothing. */
export function findPasswordProblem(password: string): string | null {
  const { min, max } = PASSWORD_BOUNDS;
  const length = [...password].length;
  return length < min || length > max || /\p{Cc}/u.test(password) || !password.isWellFormed()
    ? `expected a password of ${min} to ${max} characters, none of them a control character`
    : null;
}

/**
 * Passwords by scrypt (RFC 7914), at most two at once in this process and eight of each line that wait, so that nobody takes its memory or
 * its threads by trying. Two ways to type the same characters are one password (Unicode's NFKC).
 */
export function createPasswordHasher(cost: Cost = COST): PasswordHasher {
  const inTurn = createTurns(TURNS, () => new PasswordsBusyError('Too many passwords are looked at at once'));
  const nobody = { cost, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };
  return {
    hash: (password) =>
      inTurn(async () => {
        const salt = randomBytes(SALT_BYTES);
        const hash = await derive(password, salt, cost);
        return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${toText(salt)}$${toText(hash)}`;
      }),
    holds: (password, text, first = false) =>
      inTurn(async () => {
        const kept = text === null ? null : read(text);
        const against = kept ?? nobody;
        const hash = await derive(password, against.salt, against.cost);
        return timingSafeEqual(hash, against.hash) && kept !== null;
      }, first),
  };
}

function derive(password: string, salt: Buffer, { ln, r, p }: Cost): Promise<Buffer> {
  const N = 2 ** ln;
  // Node's own bound is just below what this takes.
  const options = { N, r, p, maxmem: 2 * 128 * r * (N + p) };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, options, (error, hash) => {
      if (error === null) resolve(hash);
      else reject(error);
    });
  });
}

function read(text: string): { readonly cost: Cost; readonly salt: Buffer; readonly hash: Buffer } | null {
  const [, ln, r, p, salt = '', hash = ''] = FORM.exec(text) ?? [];
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const fits = (['ln', 'r', 'p'] as const).every((name) => cost[name] >= 1 && cost[name] <= HIGHEST[name]);
  return fits ? { cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') } : null;
}

function toText(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
