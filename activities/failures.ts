/** What the activities share: how they beat, and the only form in which Temporal gets to see that one failed. */
import { activityInfo, heartbeat } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { Logger } from '../src/application/delivery/ports.js';
import { catalogEntry, type ErrorCode } from '../src/domain/delivery/error-catalog.js';
import type { FailureDetails } from '../workflows/contract.js';

/** So often within its timeout; the SDK sends them on less often (`maxHeartbeatThrottleInterval`). */
const BEATS_IN_TIMEOUT = 6;

/**
 * Tells the server that the attempt is under way, until called off. The last details are all that a retry gets to see, so
 * every beat hands on what this attempt was handed.
 */
export function keepBeating(carried: unknown, timeoutMs: number): () => void {
  const timer = setInterval(() => heartbeat(carried), timeoutMs / BEATS_IN_TIMEOUT);
  return () => clearInterval(timer);
}

/** `delayMs`: when it is to be tried again; null: final. */
export function toFailure(details: FailureDetails, delayMs: number | null): ApplicationFailure {
  const { code, status } = details;
  const failure = ApplicationFailure.create({
    message: catalogEntry(code).message,
    type: code,
    nonRetryable: delayMs === null,
    details: [details],
    ...(delayMs === null ? {} : { nextRetryDelay: delayMs }),
    ...(delayMs !== null && isExpected(code, status) ? { category: ApplicationFailureCategory.BENIGN } : {}),
  });
  return bare(failure);
}

/** To be tried again after `delayMs`; left out: when the server's own policy says so. */
export function toRetriedFailure(code: ErrorCode, delayMs?: number): ApplicationFailure {
  const details: FailureDetails = { code, status: null, attempt: null };
  const next = delayMs === undefined ? {} : { nextRetryDelay: delayMs };
  return bare(
    ApplicationFailure.create({ message: catalogEntry(code).message, type: code, details: [details], ...next }),
  );
}

/** What a healthy system meets every day: not worth an error in the SDK's own logs and metrics. */
function isExpected(code: ErrorCode, status: number | null): boolean {
  return code === 'HTTP.RATE_LIMITED' || code === 'DESTINATION.BUSY' || code === 'DESTINATION.OPEN' || status === 503;
}

/** Doubled from one second on: 64 s. */
const MOST_DOUBLINGS = 6;

/**
 * A bug of ours, tried again later and later: the server's own policy is for attempts that nobody answered, and comes back in
 * seconds. What it says stays in our log, for it may quote data.
 */
export function unexpected(log: Logger, error: unknown, workflowId: string): ApplicationFailure {
  log.error({ error, workflowId }, 'activity.unexpected_error');
  return toRetriedFailure('HANDLER.FAILED', 1_000 * 2 ** Math.min(activityInfo().attempt - 1, MOST_DOUBLINGS));
}

/** Without its stack, which would go to the server with it. */
function bare(failure: ApplicationFailure): ApplicationFailure {
  failure.stack = '';
  return failure;
}

export function currentRun(): { workflowId: string; runId: string } {
  const { workflowExecution } = activityInfo();
  if (workflowExecution === undefined) throw new TypeError('expected to be called by a workflow');
  return workflowExecution;
}
