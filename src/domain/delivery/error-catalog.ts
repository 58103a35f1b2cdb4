import type { Backoff } from './policy.js';

/**
 * The closed table of everything that can go wrong with a delivery. Classification, retry, docs/errors.md and what a
 * person sees are all derived from it; a code that is not in this table does not exist.
 */

/**
 * What follows an attempt that failed with a code, before a policy refines it.
 * - `retry`: try again by `backoff` (null: the policy's own), until `attempts` of this code have failed (null: the
 *   policy's own maximum). `honoursRetryAfter`: the backoff comes after what the destination asked for.
 * - `wait`: try again after `minMs` to `minMs + spreadMs`, without end and without spending anything (nothing was wrong
 *   with the event or its answer).
 * - `final`: no further attempt by itself.
 */
export type DefaultRule =
  | {
      readonly kind: 'retry';
      readonly attempts: number | null;
      readonly backoff: Backoff | null;
      readonly honoursRetryAfter: boolean;
    }
  | { readonly kind: 'wait'; readonly minMs: number; readonly spreadMs: number }
  | { readonly kind: 'final' };

export interface CatalogEntry {
  /** The only sentence about this failure that may reach Temporal. Holds no data of the event or the answer. */
  readonly message: string;
  readonly rule: DefaultRule;
  /** Whether a failed attempt with this code counts towards the maximum (and as `retryCount` in a dead letter). */
  readonly spends: boolean;
  /** Whether the effect may stand at the destination although the attempt failed (R18: ask `find` first). */
  readonly effect: 'none' | 'unknown';
  /** Whether the destination answered or let the time run out: only then is the overall deadline judged (R12). */
  readonly answered: boolean;
  /** When it happens, for docs/errors.md and the monitor. */
  readonly when: string;
  /** What a person should do who finds it on a dead letter, or sees it go on. */
  readonly advice: string;
}

const policyRetry = { kind: 'retry', attempts: null, backoff: null, honoursRetryAfter: false } as const;
const askedRetry = { kind: 'retry', attempts: null, backoff: null, honoursRetryAfter: true } as const;
const slowRetry = {
  kind: 'retry',
  attempts: 5,
  backoff: { kind: 'fixed', intervalMs: 60_000 },
  honoursRetryAfter: false,
} as const;
const fewRetries = { kind: 'retry', attempts: 5, backoff: null, honoursRetryAfter: false } as const;
const final = { kind: 'final' } as const;

export const ERROR_CATALOG = {
  'HTTP.TIMEOUT': {
    message: 'The destination did not answer before the deadline',
    when: 'Our deadline passed while connecting, waiting for the headers or reading the body',
    advice: "Look at the destination's load and at the handler's `timeoutMs`; redrive when it answers again",
    rule: policyRetry,
    spends: true,
    effect: 'unknown',
    answered: true,
  },
  'HTTP.NETWORK': {
    message: 'The connection to the destination failed',
    when: 'DNS failed, the connection was refused, reset or closed early',
    advice: 'Look at its address, DNS and the network between; redrive when it can be reached',
    rule: policyRetry,
    spends: true,
    effect: 'unknown',
    answered: false,
  },
  'HTTP.TLS': {
    message: 'The certificate of the destination was refused',
    when: 'The certificate or the TLS handshake was refused',
    advice: "Renew the destination's certificate, or give the worker the authority that signed it; then redrive",
    rule: slowRetry,
    spends: true,
    effect: 'none',
    answered: false,
  },
  'HTTP.SERVER_ERROR': {
    message: 'The destination answered with a server error',
    when: '5xx but 501 and 505; 408; 425',
    advice: "Look at the last response and at the destination's own log; redrive when it is mended",
    rule: askedRetry,
    spends: true,
    effect: 'unknown',
    answered: true,
  },
  'HTTP.RATE_LIMITED': {
    message: 'The destination asked for fewer requests',
    when: '429; 503 with Retry-After',
    advice: "Lower the destination's cap of runs, or ask for a higher limit; then redrive",
    rule: askedRetry,
    spends: true,
    // A 503 may be the answer of a server whose write went through before it lost its database.
    effect: 'unknown',
    answered: true,
  },
  'HTTP.CLIENT_ERROR': {
    message: 'The destination refused the request',
    when: 'Other 4xx; 501; 505; 409 without a receipt',
    advice: 'Read the last response: mend the mapping or the payload (a revision), or discard with a reason',
    rule: final,
    spends: true,
    effect: 'none',
    answered: true,
  },
  'HTTP.UNAUTHORIZED': {
    message: 'The destination refused the credentials',
    when: '401, 403',
    advice: 'Give the worker valid credentials with the right scope; then redrive',
    rule: slowRetry,
    spends: true,
    effect: 'none',
    answered: true,
  },
  'HTTP.ID_CONFLICT': {
    message: 'The destination holds the same identity with other content',
    when: 'The same identity stands at the destination with other content',
    advice:
      'Compare both contents: two producers share an identity, or an event was changed; discard, or append it anew',
    rule: final,
    spends: true,
    effect: 'unknown',
    answered: true,
  },
  'HTTP.BAD_RESPONSE': {
    message: 'The destination answered outside the agreement',
    when: '2xx without the agreed receipt; 3xx; 1xx; too large',
    advice: "Look at the last response: a proxy's page, another version, a wrong address; mend it, then redrive",
    rule: final,
    spends: true,
    effect: 'unknown',
    answered: true,
  },
  'DESTINATION.OPEN': {
    message: 'The destination is paused or its breaker is open',
    when: 'The breaker is open or a person has paused the destination',
    advice: 'Nothing for the event: it goes on when the destination is well again, or resumed',
    rule: { kind: 'wait', minMs: 1_000, spreadMs: 4_000 },
    spends: false,
    effect: 'none',
    answered: false,
  },
  'DESTINATION.BUSY': {
    message: 'All places for this destination are taken in this worker',
    when: 'The semaphore of the destination stayed full for a second, or too many waited already',
    advice: 'Nothing for the event; if it stays so, add workers or raise OUTBOX_LOCAL_PLACES and OUTBOX_REGULAR_PLACES',
    rule: { kind: 'wait', minMs: 1_000, spreadMs: 1_000 },
    spends: false,
    effect: 'none',
    answered: false,
  },
  'DISPATCH.HANDLER_NOT_FOUND': {
    message: 'No handler is registered for the routing key',
    when: "No handler has the event's routing key; during a rolling deploy it may still come",
    advice:
      "Register a handler for the routing key in every worker's configuration, or mend the producer; then redrive",
    rule: slowRetry,
    spends: true,
    effect: 'none',
    answered: false,
  },
  'DISPATCH.INVALID_EVENT': {
    message: 'The event does not fit its mapping or schema',
    when: "The mapping or the handler's schema refuses the event; the field is named",
    advice: 'Mend the field that is named: the producer, the mapper or, by a revision, the payload; then redrive',
    rule: final,
    spends: true,
    effect: 'none',
    answered: false,
  },
  'DISPATCH.EVENT_NOT_FOUND': {
    message: 'The event is not in this database',
    when: 'No such row: a worker on the wrong database. Then the run fails with an alert and no letter',
    advice: 'Compare `OUTBOX_DATABASE_URL` and the task queue of relay and worker: they belong to two outboxes',
    rule: slowRetry,
    spends: true,
    effect: 'none',
    answered: false,
  },
  'HANDLER.FAILED': {
    message: 'The handler threw an exception',
    when: 'Any other exception in a handler; name, stack and cause are kept',
    advice: 'Read stack and causes: a bug or a missing case in the handler; deploy the mended one, then redrive',
    rule: fewRetries,
    spends: true,
    effect: 'unknown',
    answered: false,
  },
  'STORE.UNAVAILABLE': {
    message: 'The outbox database did not answer',
    when: 'Our own database did not answer in time',
    advice: 'Bring the outbox database back; nothing is lost meanwhile',
    rule: { kind: 'wait', minMs: 1_000, spreadMs: 4_000 },
    spends: false,
    effect: 'none',
    answered: false,
  },
  'DELIVERY.ATTEMPT_LOST': {
    message: 'An attempt was started and never finished',
    when: 'The worker died in the attempt',
    advice: 'Look why the worker died (memory, a kill in a deploy); nothing to do for the event',
    rule: policyRetry,
    spends: false,
    effect: 'unknown',
    answered: false,
  },
  'DELIVERY.CANCELLED': {
    message: 'The attempt was given up because this worker shut down',
    when: 'Our own shutdown',
    advice: 'Nothing',
    rule: { kind: 'wait', minMs: 1, spreadMs: 999 },
    spends: false,
    effect: 'unknown',
    answered: false,
  },
  'DELIVERY.CRASH_LOOP': {
    message: 'Several attempts in a row were lost',
    when: 'Three attempts lost in a row',
    advice: 'Find what in this event kills a worker before redriving it',
    rule: final,
    spends: false,
    effect: 'unknown',
    answered: false,
  },
  'DELIVERY.DEADLINE': {
    message: 'The overall deadline of the policy has passed',
    when: 'The overall deadline of the policy passed, judged after an attempt that the destination answered or let time out',
    advice: 'Decide whether the event still matters; redrive gives it a new deadline',
    rule: final,
    spends: false,
    effect: 'unknown',
    answered: false,
  },
  'WORKFLOW.TERMINATED': {
    message: 'The workflow was terminated by a person',
    when: 'The reconciler found the workflow terminated by a person',
    advice: 'Ask who terminated it; redrive or discard',
    rule: final,
    spends: false,
    effect: 'unknown',
    answered: false,
  },
  'WORKFLOW.LOST': {
    message: 'The workflow closed without settling the event',
    when: 'The reconciler found no run, or a closed one without a result; the next epoch is started, three times at most',
    advice: 'Look for lost data of Temporal or a retention shorter than the longest delivery; then redrive',
    rule: policyRetry,
    spends: false,
    effect: 'unknown',
    answered: false,
  },
  'WORKFLOW.STUCK': {
    message: 'The workflow could not make progress',
    when: 'The reconciler found a workflow task that keeps failing; the next epoch is started, three times at most',
    advice:
      "Look at the workflow task's failure in the Web UI, often a changed workflow; deploy the mended one, then redrive",
    rule: policyRetry,
    spends: false,
    effect: 'unknown',
    answered: false,
  },
  'INGEST.INTERNAL': {
    message: 'The audit log could not write the record',
    when: 'The audit use case could not write, for a reason of its own; the caller retries',
    advice:
      "Mend what the api's log names (`ingest.failed`); then redrive. `outbox failed-ingest` lists what other callers sent",
    rule: askedRetry,
    spends: true,
    effect: 'none',
    answered: true,
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
