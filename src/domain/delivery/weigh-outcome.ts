import type { ErrorCode } from './error-catalog.js';

/** What one attempt's end says of its destination, not of its event (R19). */
export type Weight = 'failure' | 'success' | 'none';

/**
 * - `failure`: it would meet the next event, too.
 * - `success`: the destination works; only this event, or the rate, does not suit it.
 * - `none`: nothing, since the destination was not reached or our side ended it.
 */
const WEIGHTS = {
  'HTTP.TIMEOUT': 'failure',
  'HTTP.NETWORK': 'failure',
  'HTTP.TLS': 'failure',
  'HTTP.SERVER_ERROR': 'failure',
  'HTTP.RATE_LIMITED': 'success',
  'HTTP.CLIENT_ERROR': 'success',
  'HTTP.UNAUTHORIZED': 'failure',
  'HTTP.ID_CONFLICT': 'success',
  'HTTP.BAD_RESPONSE': 'failure',
  'DESTINATION.OPEN': 'none',
  'DESTINATION.BUSY': 'none',
  'DISPATCH.HANDLER_NOT_FOUND': 'failure',
  'DISPATCH.INVALID_EVENT': 'none',
  'DISPATCH.EVENT_NOT_FOUND': 'none',
  'HANDLER.FAILED': 'none',
  'STORE.UNAVAILABLE': 'none',
  'DELIVERY.ATTEMPT_LOST': 'none',
  'DELIVERY.CANCELLED': 'none',
  'DELIVERY.CRASH_LOOP': 'none',
  'DELIVERY.DEADLINE': 'none',
  'WORKFLOW.TERMINATED': 'none',
  'WORKFLOW.LOST': 'none',
  'WORKFLOW.STUCK': 'none',
  'INGEST.INTERNAL': 'failure',
} as const satisfies Record<ErrorCode, Weight>;

/** A wrong address (404) and a maintenance page (503 with Retry-After) would meet every event. */
const FAILING_STATUS: Partial<Record<ErrorCode, number>> = { 'HTTP.CLIENT_ERROR': 404, 'HTTP.RATE_LIMITED': 503 };

export function weighOutcome(code: ErrorCode, status: number | null): Weight {
  return status !== null && FAILING_STATUS[code] === status ? 'failure' : WEIGHTS[code];
}

/** Says only that no attempt follows: what the last one met is its own code. */
export const STOPPED_BY_TIME: ErrorCode = 'DELIVERY.DEADLINE';

/** Every code that counts as a failure of the destination; with a status: only with that one. */
export const OUTAGE_CODES: readonly { readonly code: ErrorCode; readonly status: number | null }[] = [
  ...(Object.keys(WEIGHTS) as ErrorCode[])
    .filter((code) => WEIGHTS[code] === 'failure')
    .map((code) => ({ code, status: null })),
  ...Object.entries(FAILING_STATUS).map(([code, status]) => ({ code: code as ErrorCode, status })),
];
