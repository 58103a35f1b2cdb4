/** What an activity's failure means for the delivery. The text of a message decides nothing. */
import { RetryState, TimeoutType } from '@temporalio/common';
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
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
  // After the timeouts: a local one comes with this state too (SDK 1.23, tried).
  if (retryState === RetryState.CANCEL_REQUESTED) return { kind: 'cancelled' };
  const details = cause instanceof ApplicationFailure ? detailsOf(cause) : null;
  if (details === null) return { kind: 'unknown', error };
  return {
    kind: 'failed',
    code: details.code,
    status: details.status,
    attempt: details.attempt,
    final: cause instanceof ApplicationFailure && cause.nonRetryable === true,
    delayMs: details.delayMs ?? null,
    carried: details.carried ?? NOTHING_CARRIED,
  };
}

function detailsOf(failure: ApplicationFailure): FailureDetails | null {
  const details = failure.details?.[0] as Partial<FailureDetails> | undefined;
  if (!isErrorCode(failure.type) || details?.code !== failure.type) return null;
  return { status: null, attempt: null, ...details, code: failure.type };
}
