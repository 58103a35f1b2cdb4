import { createHmac, randomBytes } from 'node:crypto';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { hashApiKey } from '../application/audit/api-key-text.js';
import { networkOf } from './failed-keys.js';
import { HttpProblem } from './problem.js';

/** Who tries to sign in, as far as that is known before it is looked at. */
export interface SignInTry {
  /** Of the connection. */
  readonly address: string;
  /** Whose session this browser has had; null: none that it remembers. */
  readonly cameBefore: string | null;
  /** What was typed as a name; null: it is no name and password. */
  readonly name: string | null;
  /** What was given as an API key; null: none was. */
  readonly key: string | null;
}

/** How often somebody may try to sign in, in the memory of this process. */
export interface FailedSignIns {
  /** Counts the try. Throws HttpProblem (429) where too many came before it that were not given back. */
  admit(tried: SignInTry): Promise<void>;
  /** It was right: it counts for nothing, and its key is known here. */
  held(tried: SignInTry): Promise<void>;
  /** It was not looked at: it counts against no name. `busy`: for so many try at once, so it counts for its address. */
  notLookedAt(tried: SignInTry, busy: boolean): Promise<void>;
}

export interface FailedSignInsOptions {
  /** Also of each browser that has come before, and of each key that has held, which are not counted for their address. */
  readonly perAddressAndMinute: number;
}

const ADDRESS_SECONDS = 60;
const NAME_SECONDS = 15 * 60;
/** Of one name from one network, or from one browser that has come before. */
const PER_NAME = 10;
/** Of one name from wherever: far more than its owner needs, far less than guessing does. */
const PER_NAME_IN_ALL = 200;
/** What is counted shares counters by a keyed hash: memory is bounded, and nobody can choose whose counter they share. */
const COUNTERS = 65_536;
const KEYS_REMEMBERED = 10_000;

/**
 * Bounds what can be guessed, so that nobody keeps others out by guessing wrong: a name is counted with the network that its
 * passwords come from, and a browser that has come before, or a key that has held, is counted by itself, as often as an address is,
 * whatever others do from the same address, which behind a proxy is everybody's. Whatever is tried, and under how many names, is
 * counted somewhere. Before it is looked at: whoever tries many at once has no more of them than one after the other. Apart from the
 * keys of the API: whoever fails here keeps no event from being recorded.
 */
export function createFailedSignIns({ perAddressAndMinute }: FailedSignInsOptions): FailedSignIns {
  const limiter = (points: number, duration: number) => new RateLimiterMemory({ points, duration });
  const addresses = limiter(perAddressAndMinute, ADDRESS_SECONDS);
  const names = limiter(PER_NAME, NAME_SECONDS);
  const namesInAll = limiter(PER_NAME_IN_ALL, NAME_SECONDS);
  const secret = randomBytes(32);
  const known = new Set<string>();
  const digest = (key: string) => hashApiKey(key).toString('base64');
  const counterOf = (...parts: readonly string[]) => {
    const hash = createHmac('sha256', secret).update(JSON.stringify(parts)).digest();
    return String(hash.readUInt32BE(0) % COUNTERS);
  };

  /** What a try counts for. */
  function countersOf({ address, cameBefore, name, key }: SignInTry) {
    const network = networkOf(address);
    const digested = key === null ? null : digest(key);
    const held = digested !== null && known.has(digested);
    // A cookie or a key of which one knows that it was genuine once; whether it is by now says the look at it.
    const whose = cameBefore !== null ? ['came', cameBefore] : held ? ['key', digested] : ['address', network];
    const ofAddress = [{ limiter: addresses, counter: counterOf(...whose), what: ADDRESS }];
    if (name === null) return { ofAddress, ofName: [] };
    if (cameBefore !== null) {
      return { ofAddress, ofName: [{ limiter: names, counter: counterOf('browser', cameBefore, name), what: NAME }] };
    }
    return {
      ofAddress,
      ofName: [
        { limiter: names, counter: counterOf('name', network, name), what: NAME },
        { limiter: namesInAll, counter: counterOf('name', name), what: NAME },
      ],
    };
  }
  const giveBack = (counters: readonly { limiter: RateLimiterMemory; counter: string }[]) =>
    Promise.all(counters.map(({ limiter: of, counter }) => of.reward(counter)));

  return {
    async admit(tried) {
      const { ofAddress, ofName } = countersOf(tried);
      for (const { limiter: of, counter, what } of [...ofAddress, ...ofName]) {
        const state = await of.penalty(counter);
        if (state.consumedPoints > of.points) throw refused(what, state);
      }
    },

    async held(tried) {
      const { ofAddress, ofName } = countersOf(tried);
      await giveBack([...ofAddress, ...ofName]);
      if (tried.key === null) return;
      if (known.size >= KEYS_REMEMBERED) known.clear();
      known.add(digest(tried.key));
    },

    async notLookedAt(tried, busy) {
      const { ofAddress, ofName } = countersOf(tried);
      await giveBack(busy ? ofName : [...ofAddress, ...ofName]);
    },
  };
}

const ADDRESS = 'Too many have failed to sign in from here; try again later';
const NAME = 'Too many passwords of this name were wrong; try again later';

function refused(what: string, { msBeforeNext }: RateLimiterRes): HttpProblem {
  const headers = { 'Retry-After': String(Math.max(1, Math.ceil(msBeforeNext / 1_000))) };
  return new HttpProblem('rate_limited', what, { headers });
}
