/** What an activity's failure means for the delivery. The text of a message decides nothing. */
import { RetryState, TimeoutType } from '@temporalio/common';
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import type { BatchState } from '../src/domain/delivery/batch-state.js';
import { type CarriedState, NOTHING_CARRIED } from '../src/domain/delivery/carried-state.js';
import { type ErrorCode, isErrorCode } from '../src/domain/delivery/error-catalog.js';
import type { FailureDetails } from './contract.js';

export type ReadFailure =
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly status: number | null;
      readonly attempt: number | null;
      readonly final: boolean;
      /** Local attempts only. */
      readonly delayMs: number | null;
      readonly carried: CarriedState;
      /** Of a batch. */
      readonly batch: BatchState | null;
    }
  /** The run was cancelled; the last attempt failed, and would have been retried. */
  | { readonly kind: 'cancelled' }
  /** Started, and its time ran out. Of regular ones only the last before a cancellation: all others are retried. */
  | { readonly kind: 'timeout' }
  /** Local: no place in this worker in time. No attempt was made. */
  | { readonly kind: 'not-started' }
  /** Not an answer of our activities: a bug, a worker of another version. */
  | { readonly kind: 'unknown'; readonly error: unknown };

export function readFailure(error: unknown): ReadFailure {
  // A local activity's failure may come bare, without the ActivityFailure around it (SDK 1.23, tried).
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const retryState = error instanceof ActivityFailure ? error.retryState : undefined;
  if (cause instanceof TimeoutFailure) {
    if (cause.timeoutType === TimeoutType.START_TO_CLOSE || cause.timeoutType === TimeoutType.HEARTBEAT) {
      return { kind: 'timeout' };
    }
    if (cause.timeoutType === TimeoutType.SCHEDULE_TO_START) return { kind: 'not-started' };
  }
  const details = cause instanceof ApplicationFailure ? detailsOf(cause) : null;
  const final = cause instanceof ApplicationFailure && cause.nonRetryable === true;
  // After the timeouts: a local one comes with this state too (SDK 1.23, tried). A final failure is one all the same: the
  // cancellation ended no retry of it.
  if (retryState === RetryState.CANCEL_REQUESTED && !(final && details !== null)) return { kind: 'cancelled' };
  if (details === null) return { kind: 'unknown', error };
  return {
    kind: 'failed',
    code: details.code,
    status: details.status,
    attempt: details.attempt,
    final,
    delayMs: details.delayMs ?? null,
    carried: details.carried ?? NOTHING_CARRIED,
    batch: details.batch ?? null,
  };
}

/** By what may be stored and slept: a worker of another version may have said something else. */
function detailsOf(failure: ApplicationFailure): FailureDetails | null {
  const details = failure.details?.[0] as Partial<FailureDetails> | null | undefined;
  if (!isErrorCode(failure.type) || details?.code !== failure.type) return null;
  const { status, attempt, delayMs, carried, batch } = details;
  return {
    code: failure.type,
    status: isCount(status) ? status : null,
    attempt: isCount(attempt) ? attempt : null,
    delayMs: isCount(delayMs) ? delayMs : null,
    ...(typeof carried === 'object' && carried !== null ? { carried } : {}),
    ...(typeof batch === 'object' && batch !== null ? { batch } : {}),
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
