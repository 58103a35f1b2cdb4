import type { RelayTime } from '../application/delivery/relay-time.js';
import { computeDelay } from '../domain/delivery/compute-delay.js';
import type { RetryPolicy } from '../domain/delivery/policy.js';
import { type AuditRequestError, cancelled } from './audit-request-error.js';

export interface AuditRetryOptions {
  /** Times that a call fails before it is given up; of a batch, each of its events. 1: no retry. Default 5. */
  readonly attempts?: number;
  /**
   * From the call to its end, all attempts and waits together. Of a batch: from when one of its events was last settled, so
   * that a batch that makes progress may have any number of events; its `signal` bounds the whole. Default 60 s.
   */
  readonly totalMs?: number;
  /** The first wait is a random one up to this; each further one up to twice as long. Default 200 ms. */
  readonly initialMs?: number;
  /** No wait is longer, unless the api asks for it. Default 10 s. */
  readonly maximumMs?: number;
}

export type RetryRules = Required<AuditRetryOptions> & { readonly timeoutMs: number };

/** The time that a turn has. */
export interface TurnTime {
  /** For the next request, in milliseconds: its own, or what is left of the whole where that is less. */
  forRequest(): number;
  /** There was progress: the whole time begins again. */
  restart(): void;
}

/** Why a turn left something to do. */
export interface Failed {
  readonly failure: AuditRequestError;
  /** How often what failed has failed by now: that bounds the retries, and their waits grow by it. */
  readonly times: number;
}

/** One attempt at all that is left to do, in as many requests as that takes. null: nothing is left. */
export type Turn = (time: TurnTime) => Promise<Failed | null>;

/**
 * Turns until one leaves nothing to do, its failure is final, or the bounds are reached: then the last failure.
 * Waits are random up to a ceiling that doubles (full jitter); Retry-After, clamped to [1 s, 1 h], comes on top and is
 * never cut short: a wait that the total time does not have is not begun.
 */
export async function retryTurns(
  turn: Turn,
  rules: RetryRules,
  time: RelayTime,
  signal: AbortSignal | undefined,
): Promise<AuditRequestError | null> {
  const { attempts, totalMs, initialMs, maximumMs, timeoutMs } = rules;
  const policy: RetryPolicy = {
    maxAttempts: attempts,
    deadlineMs: totalMs,
    backoff: { kind: 'full-jitter', initialMs, coefficient: 2, maximumMs },
    codes: {},
  };
  let endsAt = time.now() + totalMs;
  const turnTime: TurnTime = {
    forRequest: () => Math.min(timeoutMs, endsAt - time.now()),
    restart: () => {
      endsAt = time.now() + totalMs;
    },
  };
  for (let turns = 0; ; turns++) {
    if (signal?.aborted) return cancelled(signal, turns);
    const failed = await turn(turnTime);
    if (failed === null) return null;
    if (signal?.aborted) return cancelled(signal, turns + 1);
    const { failure, times } = failed;
    if (!failure.retryable || times >= attempts) return failure;
    const delayMs = computeDelay({
      policy,
      // The rule of this code is the policy's backoff with Retry-After in force, which is what every retry here follows.
      code: 'HTTP.RATE_LIMITED',
      attempt: times,
      retryAfterMs: failure.retryAfterMs,
      random: () => time.random(),
    });
    if (time.now() + delayMs >= endsAt) return failure;
    await time.sleep(delayMs, signal);
  }
}
