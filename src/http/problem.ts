import { STATUS_CODES } from 'node:http';
import type { Response } from 'express';
import { PROBLEMS, type Problem, type ProblemCode } from '../contract/audit-api.js';
import type { FieldProblem } from '../contract/json-value.js';

/** A request ends with this answer. `detail` and `errors` go to the caller as they are: nothing secret, no value sent. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: ProblemCode;
  readonly errors: readonly FieldProblem[];
  readonly headers: Readonly<Record<string, string>>;
  readonly failedIngestId: string | null;

  constructor(
    code: ProblemCode,
    detail: string,
    options: {
      errors?: readonly FieldProblem[];
      headers?: Record<string, string>;
      failedIngestId?: string | null;
      cause?: unknown;
    } = {},
  ) {
    super(detail, { cause: options.cause });
    this.code = code;
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
    this.failedIngestId = options.failedIngestId ?? null;
  }
}

/** By which an answer is found again in the log and in the trace. */
export function idsOf(res: Response): { requestId: string; traceId?: string } {
  const { requestId, traceId } = res.locals;
  return { requestId, traceId };
}

/** The RFC 9457 document of a problem. */
export function toProblem(
  { code, message, errors, failedIngestId }: HttpProblem,
  { requestId, traceId }: { readonly requestId: string; readonly traceId?: string | undefined },
): Problem {
  const { status, retryable } = PROBLEMS[code];
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Problem',
    status,
    detail: message,
    code,
    retryable,
    requestId,
    ...(traceId === undefined ? {} : { traceId }),
    ...(failedIngestId === null ? {} : { failedIngestId }),
    ...(errors.length === 0 ? {} : { errors: [...errors] }),
  };
}
