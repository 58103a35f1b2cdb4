import { catalogEntry, type ErrorCode } from './error-catalog.js';
import { RETRY_AFTER_BOUNDS, type RetryPolicy } from './policy.js';

export interface DelayInput {
  readonly policy: RetryPolicy;
  readonly code: ErrorCode;
  /** Failed attempts so far, this one included: 1 after the first failure. */
  readonly attempt: number;
  /** As the destination asked, not yet clamped; null where it did not ask. */
  readonly retryAfterMs: number | null;
  /** At least 0, below 1. Injected, so that a workflow passes its own deterministic one. */
  readonly random: () => number;
}

/**
 * How long to wait before the next attempt: whole milliseconds, at least 1 (Temporal reads 0 as "the maximum").
 * - A code with a wait of its own (`DESTINATION.BUSY`): its least wait plus a spread.
 * - A code with a fixed interval (`HTTP.UNAUTHORIZED`): that interval.
 * - A code that honours Retry-After, where the destination asked: what it asked, clamped to [1 s, 1 h]; NaN asks for 1 s.
 * - Otherwise full jitter: evenly between 1 ms and min(maximumMs, initialMs × coefficient^(attempt − 1)).
 */
export function computeDelay({ policy, code, attempt, retryAfterMs, random }: DelayInput): number {
  const { rule } = catalogEntry(code);
  if (rule.kind === 'wait') return clampMs(rule.minMs + random() * rule.spreadMs, 1, rule.minMs + rule.spreadMs);
  if (rule.kind === 'retry' && rule.fixedMs !== null) return rule.fixedMs;
  if (rule.kind === 'retry' && rule.honoursRetryAfter && retryAfterMs !== null) {
    return clampMs(retryAfterMs, RETRY_AFTER_BOUNDS.minMs, RETRY_AFTER_BOUNDS.maxMs);
  }
  const grown = policy.initialMs * policy.coefficient ** Math.max(0, attempt - 1);
  const ceiling = Math.max(1, Math.min(policy.maximumMs, grown, Number.MAX_SAFE_INTEGER));
  return clampMs(random() * ceiling, 1, ceiling);
}

function clampMs(value: number, minMs: number, maxMs: number): number {
  if (Number.isNaN(value)) return minMs;
  return Math.round(Math.min(maxMs, Math.max(minMs, value)));
}
