/**
 * The closed table of everything that can go wrong with a delivery. Classification, retry, docs/errors.md and what a
 * person sees are all derived from it; a code that is not in this table does not exist.
 */

/**
 * What follows an attempt that failed with a code, before a policy refines it.
 * - `retry`: try again by the policy's backoff, at most `attempts` times (null: the policy's own maximum).
 * - `wait`: try again without spending anything (nothing was wrong with the event or its answer).
 * - `final`: no further attempt by itself.
 */
export type DefaultRule =
  | { readonly kind: 'retry'; readonly attempts: number | null; readonly fixedMs: number | null }
  | { readonly kind: 'wait' }
  | { readonly kind: 'final' };

export interface CatalogEntry {
  /** The only sentence about this failure that may reach Temporal. Holds no data of the event or the answer. */
  readonly message: string;
  readonly rule: DefaultRule;
  /** Whether a failed attempt with this code counts towards the maximum (and as `retryCount` in a dead letter). */
  readonly spends: boolean;
  /** Whether the effect may stand at the destination although the attempt failed (R18: ask `find` first). */
  readonly effect: 'none' | 'unknown';
}

const policyRetry = { kind: 'retry', attempts: null, fixedMs: null } as const;
const slowRetry = { kind: 'retry', attempts: 5, fixedMs: 60_000 } as const;
const wait = { kind: 'wait' } as const;
const final = { kind: 'final' } as const;

export const ERROR_CATALOG = {
  'HTTP.TIMEOUT': {
    message: 'The destination did not answer before the deadline',
    rule: policyRetry,
    spends: true,
    effect: 'unknown',
  },
  'HTTP.NETWORK': {
    message: 'The connection to the destination failed',
    rule: policyRetry,
    spends: true,
    effect: 'unknown',
  },
  'HTTP.TLS': {
    message: 'The certificate of the destination was refused',
    rule: slowRetry,
    spends: true,
    effect: 'none',
  },
  'HTTP.SERVER_ERROR': {
    message: 'The destination answered with a server error',
    rule: policyRetry,
    spends: true,
    effect: 'unknown',
  },
  'HTTP.RATE_LIMITED': {
    message: 'The destination asked for fewer requests',
    rule: policyRetry,
    spends: true,
    effect: 'none',
  },
  'HTTP.CLIENT_ERROR': { message: 'The destination refused the request', rule: final, spends: true, effect: 'none' },
  'HTTP.UNAUTHORIZED': {
    message: 'The destination refused the credentials',
    rule: slowRetry,
    spends: true,
    effect: 'none',
  },
  'HTTP.ID_CONFLICT': {
    message: 'The destination holds the same identity with other content',
    rule: final,
    spends: true,
    effect: 'unknown',
  },
  'HTTP.BAD_RESPONSE': {
    message: 'The destination answered outside the agreement',
    rule: final,
    spends: true,
    effect: 'unknown',
  },
  'DESTINATION.OPEN': {
    message: 'The destination is paused or its breaker is open',
    rule: wait,
    spends: false,
    effect: 'none',
  },
  'DESTINATION.BUSY': {
    message: 'All places for this destination are taken in this worker',
    rule: wait,
    spends: false,
    effect: 'none',
  },
  'DISPATCH.HANDLER_NOT_FOUND': {
    message: 'No handler is registered for the routing key',
    rule: slowRetry,
    spends: true,
    effect: 'none',
  },
  'DISPATCH.INVALID_EVENT': {
    message: 'The event does not fit its mapping or schema',
    rule: final,
    spends: true,
    effect: 'none',
  },
  'DISPATCH.EVENT_NOT_FOUND': {
    message: 'The event is not in this database',
    rule: slowRetry,
    spends: true,
    effect: 'none',
  },
  'HANDLER.FAILED': {
    message: 'The handler threw an exception',
    rule: { kind: 'retry', attempts: 5, fixedMs: null },
    spends: true,
    effect: 'unknown',
  },
  'STORE.UNAVAILABLE': {
    message: 'The outbox database did not answer',
    rule: wait,
    spends: false,
    effect: 'none',
  },
  'DELIVERY.ATTEMPT_LOST': {
    message: 'An attempt was started and never finished',
    rule: policyRetry,
    spends: false,
    effect: 'unknown',
  },
  'DELIVERY.CANCELLED': {
    message: 'The attempt was given up because this worker shut down',
    rule: wait,
    spends: false,
    effect: 'unknown',
  },
  'DELIVERY.CRASH_LOOP': {
    message: 'Several attempts in a row were lost',
    rule: final,
    spends: false,
    effect: 'unknown',
  },
  'DELIVERY.DEADLINE': {
    message: 'The overall deadline of the policy has passed',
    rule: final,
    spends: false,
    effect: 'unknown',
  },
  'WORKFLOW.TERMINATED': {
    message: 'The workflow was terminated by a person',
    rule: final,
    spends: false,
    effect: 'unknown',
  },
  'WORKFLOW.LOST': {
    message: 'The workflow closed without settling the event',
    rule: policyRetry,
    spends: false,
    effect: 'unknown',
  },
  'WORKFLOW.STUCK': {
    message: 'The workflow could not make progress',
    rule: policyRetry,
    spends: false,
    effect: 'unknown',
  },
  'INGEST.INTERNAL': {
    message: 'The audit log could not write the record',
    rule: policyRetry,
    spends: true,
    effect: 'none',
  },
} as const satisfies Record<string, CatalogEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOG;

export const ERROR_CODES = Object.keys(ERROR_CATALOG) as readonly ErrorCode[];

/** The entry of a code, typed as the general shape rather than its literal. */
export function catalogEntry(code: ErrorCode): CatalogEntry {
  return ERROR_CATALOG[code];
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CATALOG, value);
}
