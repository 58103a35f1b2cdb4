/**
 * Retry policies: how often and when a failed delivery is tried again. Pure values, stored by content hash; a delivery
 * keeps the policy that its run was started with.
 */

export interface RetryPolicy {
  /** Attempts that spend, of all codes together. */
  readonly maxAttempts: number;
  readonly initialMs: number;
  readonly coefficient: number;
  readonly maximumMs: number;
  /** From the first attempt of the epoch; judged only after an attempt that the destination answered or timed out. */
  readonly deadlineMs: number;
  readonly backoff: 'full-jitter';
}

/** rules.md, "Defaults". Fixed for now: one policy for every eventType. */
export const DEFAULT_POLICY: RetryPolicy = {
  maxAttempts: 10,
  initialMs: 1_000,
  coefficient: 2,
  maximumMs: 300_000,
  deadlineMs: 86_400_000,
  backoff: 'full-jitter',
};

/** What a destination may ask for with Retry-After, in milliseconds. Outside it, it gets the nearer end. */
export const RETRY_AFTER_BOUNDS = { minMs: 1_000, maxMs: 3_600_000 } as const;
