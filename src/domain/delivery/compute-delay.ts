import type { ErrorCode } from './error-catalog.js';
import { type Backoff, LONGEST_DELAY_MS, RETRY_AFTER_BOUNDS, type RetryPolicy, ruleFor } from './policy.js';

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
 * How long to wait before the next attempt: whole milliseconds, from 1 (Temporal reads 0 as "the maximum") to a day.
 * - A code with a wait of its own (`DESTINATION.BUSY`): its least wait plus a spread; of `DESTINATION.OPEN` what the
 *   destination's breaker or pause says.
 * - The backoff of the code, else the policy's.
 * - Where the code honours Retry-After and the destination asked: that on top of what it asked, clamped to [1 s, 1 h] (NaN
 *   asks for 1 s). Never before the time it named, but spread after it and growing: what is told "in a second" comes back
 *   neither all at once nor ten times within ten seconds.
 */
export function computeDelay({ policy, code, attempt, retryAfterMs, random }: DelayInput): number {
  const rule = ruleFor(code, policy);
  if (code === 'DESTINATION.OPEN' && retryAfterMs !== null) return clampMs(retryAfterMs, 1, LONGEST_DELAY_MS);
  if (rule.kind === 'wait') return clampMs(rule.minMs + random() * rule.spreadMs, 1, rule.minMs + rule.spreadMs);
  const asked =
    rule.kind === 'retry' && rule.honoursRetryAfter && retryAfterMs !== null
      ? clampMs(retryAfterMs, RETRY_AFTER_BOUNDS.minMs, RETRY_AFTER_BOUNDS.maxMs)
      : 0;
  const backoff = backOff((rule.kind === 'retry' ? rule.backoff : null) ?? policy.backoff, attempt, random);
  return clampMs(asked + backoff, Math.max(1, asked), LONGEST_DELAY_MS);
}

function backOff(backoff: Backoff, attempt: number, random: () => number): number {
  switch (backoff.kind) {
    case 'fixed':
      return backoff.intervalMs;
    case 'schedule':
      return backoff.delaysMs[Math.max(0, attempt - 1)] ?? backoff.delaysMs.at(-1) ?? 1;
    case 'full-jitter':
      return random() * ceilingOf(backoff, attempt);
    case 'equal-jitter':
      return (0.5 + random() / 2) * ceilingOf(backoff, attempt);
    case 'exponential':
      return ceilingOf(backoff, attempt);
  }
}

function ceilingOf(
  { initialMs, coefficient, maximumMs }: { initialMs: number; coefficient: number; maximumMs: number },
  attempt: number,
): number {
  return Math.max(1, Math.min(maximumMs, initialMs * coefficient ** Math.max(0, attempt - 1)));
}

function clampMs(value: number, minMs: number, maxMs: number): number {
  if (Number.isNaN(value)) return minMs;
  return Math.round(Math.min(maxMs, Math.max(minMs, value)));
}
