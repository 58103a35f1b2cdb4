/**
 * Retry policies: how often and when a failed delivery is tried again. Pure values, stored by content hash; a delivery
 * keeps the policy that its run was started with, until somebody applies another one to what is open.
 */
import { catalogEntry, type DefaultRule, type ErrorCode } from './error-catalog.js';

/**
 * When the next attempt comes. `n` is the number of failed attempts so far, 1 after the first.
 * - `full-jitter`: evenly between 1 ms and the ceiling, min(maximumMs, initialMs × coefficient^(n − 1)).
 * - `equal-jitter`: half of the ceiling, and evenly up to the other half.
 * - `exponential`: the ceiling itself.
 * - `fixed`: always `intervalMs`.
 * - `schedule`: the n-th of `delaysMs`; its last from there on.
 */
export type Backoff =
  | {
      readonly kind: 'full-jitter' | 'equal-jitter' | 'exponential';
      readonly initialMs: number;
      readonly coefficient: number;
      readonly maximumMs: number;
    }
  | { readonly kind: 'fixed'; readonly intervalMs: number }
  | { readonly kind: 'schedule'; readonly delaysMs: readonly number[] };

/** What a policy says of one code. What it leaves out is the catalogue's. */
export type CodeRefinement =
  | 'final'
  | {
      /** As many failures with this code end the delivery; never more than the policy's `maxAttempts`. */
      readonly attempts?: number;
      readonly backoff?: Backoff;
    };

export interface RetryPolicy {
  /** Attempts that spend, of all codes together. */
  readonly maxAttempts: number;
  /** From the first attempt of the epoch; judged only after an attempt that the destination answered or timed out. */
  readonly deadlineMs: number;
  readonly backoff: Backoff;
  readonly codes: Readonly<Partial<Record<ErrorCode, CodeRefinement>>>;
}

/** rules.md, "Defaults". In force for every eventType that names no policy of its own. */
export const DEFAULT_POLICY: RetryPolicy = {
  maxAttempts: 10,
  deadlineMs: 86_400_000,
  backoff: { kind: 'full-jitter', initialMs: 1_000, coefficient: 2, maximumMs: 300_000 },
  codes: {},
};

/** What a destination may ask for with Retry-After, in milliseconds. Outside it, it gets the nearer end. */
export const RETRY_AFTER_BOUNDS = { minMs: 1_000, maxMs: 3_600_000 } as const;

/** No delay of a policy is longer: a day. */
export const LONGEST_DELAY_MS = 86_400_000;

/**
 * Codes that a policy may refine: what a destination or a handler did. The others tell of our own store, runs and
 * shutdown, or are themselves verdicts; a policy that could end those would turn an outage of ours into dead letters.
 */
export const REFINABLE_CODES = [
  'HTTP.TIMEOUT',
  'HTTP.NETWORK',
  'HTTP.TLS',
  'HTTP.SERVER_ERROR',
  'HTTP.RATE_LIMITED',
  'HTTP.CLIENT_ERROR',
  'HTTP.UNAUTHORIZED',
  'HTTP.ID_CONFLICT',
  'HTTP.BAD_RESPONSE',
  'DISPATCH.HANDLER_NOT_FOUND',
  'DISPATCH.INVALID_EVENT',
  'HANDLER.FAILED',
] as const satisfies readonly ErrorCode[];

/** What follows a failure with this code under this policy: the catalogue's rule, refined. */
export function ruleFor(code: ErrorCode, policy: RetryPolicy): DefaultRule {
  const { rule } = catalogEntry(code);
  const refined = Object.hasOwn(policy.codes, code) ? policy.codes[code] : undefined;
  if (refined === undefined || rule.kind === 'wait') return rule;
  if (refined === 'final') return { kind: 'final' };
  const retry = rule.kind === 'retry' ? rule : { attempts: null, backoff: null, honoursRetryAfter: false };
  return {
    kind: 'retry',
    attempts: refined.attempts ?? retry.attempts,
    backoff: refined.backoff ?? retry.backoff,
    honoursRetryAfter: retry.honoursRetryAfter,
  };
}
