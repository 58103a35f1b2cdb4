import { parseJsonBody, toHttpError } from '../application/delivery/handlers/to-http-error.js';
import type { HttpResponse } from '../application/delivery/ports.js';
import { type Problem, problemSchema } from '../contract/audit-api.js';
import type { FieldProblem } from '../contract/json-value.js';
import type { ErrorCode } from '../domain/delivery/error-catalog.js';
import { IntegrationError, isIntegrationError } from '../domain/delivery/integration-error.js';
import { parseRetryAfter } from '../domain/delivery/parse-retry-after.js';

export interface AuditRequestErrorOptions {
  readonly message: string;
  readonly code: string;
  readonly status: number | null;
  readonly retryable: boolean;
  readonly attempts: number;
  readonly retryAfterMs?: number | null;
  readonly problem?: Problem | null;
  readonly cause?: unknown;
}

/** What a call to the audit log ended with. Holds nothing of what was sent. */
export class AuditRequestError extends Error {
  override readonly name = 'AuditRequestError';
  /** The problem's own (`identity_conflict`), or where there was none one of docs/errors.md (`HTTP.NETWORK`). */
  readonly code: string;
  /** null: there was no answer. */
  readonly status: number | null;
  /** Whether the same call may succeed later. Then it was tried as often as the options allow, or it was cancelled. */
  readonly retryable: boolean;
  /** What does not fit and where, by JSON Pointers into what was sent. */
  readonly errors: readonly FieldProblem[];
  /** Under which the api's log tells of it. */
  readonly requestId: string | null;
  /** Under which the api keeps what it could not store, to be stored from there. */
  readonly failedIngestId: string | null;
  /** Times sent. */
  readonly attempts: number;
  /** As the api asked, in milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(options: AuditRequestErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.status = options.status;
    this.retryable = options.retryable;
    this.attempts = options.attempts;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.errors = options.problem?.errors ?? [];
    this.requestId = options.problem?.requestId ?? null;
    this.failedIngestId = options.problem?.failedIngestId ?? null;
  }
}

/** By shape, since `instanceof` does not cross copies of this package. */
export function isAuditRequestError(value: unknown): value is AuditRequestError {
  return value instanceof Error && value.name === 'AuditRequestError' && 'retryable' in value && 'attempts' in value;
}

/**
 * Failures without a problem's word that another try may mend: the same call is safe to send again, since an event is
 * stored once whatever comes of the answers.
 */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  'HTTP.TIMEOUT',
  'HTTP.NETWORK',
  'HTTP.SERVER_ERROR',
  'HTTP.RATE_LIMITED',
]);

/** Of an answer that is not the agreed one. A problem's `retryable` decides; a proxy's page is judged by its status. */
export function fromAnswer(response: HttpResponse, attempts: number): AuditRequestError {
  const parsed = problemSchema.safeParse(parseJsonBody(response));
  // Somebody in between may answer in the api's stead, and its words are no problem of ours.
  if (!parsed.success || parsed.data.status !== response.status) return fromThrown(toHttpError(response), attempts);
  return fromProblem(parsed.data, attempts, parseRetryAfter(response.headers['retry-after'], Date.now()));
}

export function fromProblem(problem: Problem, attempts: number, retryAfterMs: number | null = null): AuditRequestError {
  const { code, status, retryable, detail } = problem;
  return new AuditRequestError({
    message: `${detail} (${code}, status ${status})`,
    code,
    status,
    retryable,
    attempts,
    retryAfterMs,
    problem,
  });
}

export function fromThrown(thrown: unknown, attempts: number): AuditRequestError {
  const error = isIntegrationError(thrown) ? thrown : new IntegrationError('HANDLER.FAILED', { cause: thrown });
  const { message, code, status, retryAfterMs } = error;
  return new AuditRequestError({
    message: `${message} (${code})`,
    code,
    status,
    retryable: RETRYABLE.has(code),
    attempts,
    retryAfterMs,
    cause: thrown,
  });
}

/** The caller's signal ended it. What was sent may stand: the same call says so. */
export function cancelled(signal: AbortSignal, attempts: number): AuditRequestError {
  return new AuditRequestError({
    message: 'The call was cancelled (DELIVERY.CANCELLED)',
    code: 'DELIVERY.CANCELLED',
    status: null,
    retryable: true,
    attempts,
    cause: signal.reason,
  });
}
