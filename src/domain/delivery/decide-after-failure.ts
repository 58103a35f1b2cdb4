/**
 * Whether a failed delivery is tried again, and when. The one place where the catalogue's rules, the policy and what
 * earlier attempts have used up meet; the activity and the workflow both ask here.
 */
import type { AttemptTotals } from './attempt-totals.js';
import { computeDelay } from './compute-delay.js';
import { catalogEntry, type ErrorCode } from './error-catalog.js';
import { type RetryPolicy, ruleFor } from './policy.js';

export interface FailureInput {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | null;
  /**
   * Earlier attempts of the epoch WITHOUT this failure, as `beginAttempt` answers them (`NO_ATTEMPTS` for the first
   * one); only `sinceFirstMs` is meant up to now, so the caller adds what this attempt took.
   */
  readonly totals: AttemptTotals;
  readonly policy: RetryPolicy;
  readonly random: () => number;
}

export type FailureDecision =
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** `code` is the failure's own, or `DELIVERY.CRASH_LOOP` or `DELIVERY.DEADLINE` where that is the reason to stop. */
  | { readonly kind: 'final'; readonly code: ErrorCode };

/** R12: as many attempts lost in a row, and the event is taken for what kills its workers. */
export const LOST_IN_ROW_LIMIT = 3;

/**
 * Decides by R12 and R13. Waits (`DESTINATION.*`, `STORE.UNAVAILABLE`, `DELIVERY.CANCELLED`) are retried without end
 * and spend nothing. The overall deadline is judged only after an attempt that the destination answered or let time
 * out, so that our own outage kills nothing.
 */
export function decideAfterFailure({ code, retryAfterMs, totals, policy, random }: FailureInput): FailureDecision {
  const entry = catalogEntry(code);
  const retry = (attempt: number): FailureDecision => ({
    kind: 'retry',
    delayMs: computeDelay({ policy, code, attempt, retryAfterMs, random }),
  });

  const rule = ruleFor(code, policy);
  if (rule.kind === 'wait') return retry(1);
  if (code === 'DELIVERY.ATTEMPT_LOST') {
    const lost = { ...totals, lostInRow: totals.lostInRow + 1 };
    return isCrashLoop(lost) ? { kind: 'final', code: 'DELIVERY.CRASH_LOOP' } : retry(totals.spent + lost.lostInRow);
  }
  const spent = totals.spent + 1;
  const spentByCode = (totals.spentByCode[code] ?? 0) + 1;
  if (spent >= policy.maxAttempts || spentByCode >= maxAttemptsFor(code, policy)) return { kind: 'final', code };
  if (entry.answered && totals.sinceFirstMs >= policy.deadlineMs) return { kind: 'final', code: 'DELIVERY.DEADLINE' };
  return retry(spent);
}

/**
 * Whether the attempts lost so far end the delivery. Ask it after `beginAttempt`, which books what was lost, and BEFORE
 * sending: an event that kills its worker never comes to a failure that could be judged.
 */
export function isCrashLoop(totals: AttemptTotals): boolean {
  return totals.lostInRow >= LOST_IN_ROW_LIMIT;
}

/**
 * The code that has ended the delivery already, by what its attempts have spent, or null. Ask it before the first
 * attempt of an epoch whose budget goes on: what fell out of a batch after its last try (R20) must not be sent once more.
 */
export function endedBy({ spent, spentByCode, lastSpent }: AttemptTotals, policy: RetryPolicy): ErrorCode | null {
  if (lastSpent === undefined) return null;
  const over = spent >= policy.maxAttempts || (spentByCode[lastSpent] ?? 0) >= maxAttemptsFor(lastSpent, policy);
  return over ? lastSpent : null;
}

/** How many failures of this code end the delivery: the code's own number, never above the policy's. */
export function maxAttemptsFor(code: ErrorCode, policy: RetryPolicy): number {
  const rule = ruleFor(code, policy);
  switch (rule.kind) {
    case 'final':
      return 1;
    case 'wait':
      return policy.maxAttempts;
    case 'retry':
      return Math.min(rule.attempts ?? policy.maxAttempts, policy.maxAttempts);
  }
}
