import type { RelayTime } from '../application/delivery/relay-time.js';
import { computeDelay } from '../domain/delivery/compute-delay.js';
import type { RetryPolicy } from '../domain/delivery/policy.js';
import { type AuditRequestError, cancelled } from './audit-request-error.js';

export interface AuditRetryOptions {
  /** Times that one call is sent, the first one counted. 1: no retry. Default 5. */
  readonly attempts?: number;
  /** From the call to its end, all attempts and waits together. Default 60 s. */
  readonly totalMs?: number;
  /** The first wait is a random one up to this; each further one up to twice as long. Default 200 ms. */
  readonly initialMs?: number;
  /** No wait is longer, unless the api asks for it. Default 10 s. */
  readonly maximumMs?: number;
}

export type RetryRules = Required<AuditRetryOptions> & { readonly timeoutMs: number };

/** One attempt. null: nothing is left to do. Otherwise why not, which decides whether and when there is another. */
export type Turn = (attempt: number, timeoutMs: number) => Promise<AuditRequestError | null>;

/**
 * Attempts until one leaves nothing to do, its failure is final, or the bounds are reached: then the last failure.
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
  const endsAt = time.now() + totalMs;
  for (let attempt = 1; ; attempt++) {
    if (signal?.aborted) return cancelled(signal, attempt - 1);
    const failure = await turn(attempt, Math.min(timeoutMs, endsAt - time.now()));
    if (signal?.aborted && failure !== null) return cancelled(signal, attempt);
    if (failure === null || !failure.retryable || attempt >= attempts) return failure;
    const delayMs = computeDelay({
      policy,
      // The rule of this code is the policy's backoff with Retry-After in force, which is what every retry here follows.
      code: 'HTTP.RATE_LIMITED',
      attempt,
      retryAfterMs: failure.retryAfterMs,
      random: () => time.random(),
    });
    if (time.now() + delayMs >= endsAt) return failure;
    await time.sleep(delayMs, signal);
  }
}
