/**
 * What would happen to an event whose every attempt fails with one code: computed by the functions that decide in
 * production, with totals advanced as the store advances them.
 */
import { type AttemptTotals, NO_ATTEMPTS } from './attempt-totals.js';
import { decideAfterFailure } from './decide-after-failure.js';
import { catalogEntry, type ErrorCode } from './error-catalog.js';
import type { RetryPolicy } from './policy.js';

export interface SimulationInput {
  readonly policy: RetryPolicy;
  readonly code: ErrorCode;
  readonly random: () => number;
  /** How long each attempt takes. Default 0. */
  readonly attemptMs?: number;
  /** As the destination asks with every answer. Default: it does not. */
  readonly retryAfterMs?: number | null;
  /** Ends the timeline of a code that is retried without end. Default 20. */
  readonly maxSteps?: number;
}

export interface SimulatedAttempt {
  readonly attempt: number;
  /** When it begins, counted from the beginning of the first. */
  readonly atMs: number;
  /** Until the next one; null for the last. */
  readonly delayMs: number | null;
}

export interface Simulation {
  readonly attempts: readonly SimulatedAttempt[];
  /** The code that the dead letter carries; null where the timeline was cut and would go on. */
  readonly finalCode: ErrorCode | null;
  /** From the beginning of the first attempt to the end of the last. */
  readonly totalMs: number;
}

export function simulateFailures({
  policy,
  code,
  random,
  attemptMs = 0,
  retryAfterMs = null,
  maxSteps = 20,
}: SimulationInput): Simulation {
  // What spends nothing ends by no number of tries, but for attempts lost in a row.
  const endless = !catalogEntry(code).spends && code !== 'DELIVERY.ATTEMPT_LOST';
  const attempts: SimulatedAttempt[] = [];
  let totals = NO_ATTEMPTS;
  let atMs = 0;
  for (let attempt = 1; ; attempt++) {
    const sinceFirstMs = atMs + attemptMs;
    const decision = decideAfterFailure({ code, retryAfterMs, totals: { ...totals, sinceFirstMs }, policy, random });
    const delayMs = decision.kind === 'retry' ? decision.delayMs : null;
    attempts.push({ attempt, atMs, delayMs });
    if (decision.kind === 'final') return { attempts, finalCode: decision.code, totalMs: sinceFirstMs };
    if (endless && attempt >= maxSteps) return { attempts, finalCode: null, totalMs: sinceFirstMs };
    totals = after(totals, code);
    atMs = sinceFirstMs + decision.delayMs;
  }
}

/** As `beginAttempt` counts a row with this code. */
function after(totals: AttemptTotals, code: ErrorCode): AttemptTotals {
  const lostInRow = code === 'DELIVERY.ATTEMPT_LOST' ? totals.lostInRow + 1 : 0;
  if (!catalogEntry(code).spends) return { ...totals, lostInRow };
  const spentByCode = { ...totals.spentByCode, [code]: (totals.spentByCode[code] ?? 0) + 1 };
  return { ...totals, spent: totals.spent + 1, spentByCode, lostInRow };
}
