import { catalogEntry, type ErrorCode, isErrorCode } from './error-catalog.js';

/**
 * A destination's answer: chosen headers, the body. As it came, here; what is stored of it (`AttemptFailure`) is redacted,
 * its body then cut at 4 KiB.
 */
export interface LastResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface IntegrationErrorOptions {
  /** For people: redacted before it is stored, never sent to Temporal. Defaults to the catalogue's sentence. */
  readonly message?: string;
  readonly status?: number;
  /** As the destination asked, in milliseconds, not yet clamped. */
  readonly retryAfterMs?: number;
  readonly response?: LastResponse;
  /** For `DISPATCH.INVALID_EVENT`: a JSON Pointer to the field that does not fit. */
  readonly field?: string;
  readonly cause?: unknown;
  /** Of an event's answer in a batch: it is that of a whole request, which says nothing of this event. */
  readonly ofRequest?: boolean;
}

/** The one error that a dispatch ends with. Carries a code of the catalogue; `cause` is what was thrown originally. */
export class IntegrationError extends Error {
  override readonly name = 'IntegrationError';
  readonly code: ErrorCode;
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  readonly response: LastResponse | null;
  readonly field: string | null;
  readonly ofRequest: boolean;

  /** Throws a TypeError for a code that the catalogue does not have. */
  constructor(code: ErrorCode, options: IntegrationErrorOptions = {}) {
    if (!isErrorCode(code)) throw new TypeError(`Expected a code of docs/errors.md, got ${JSON.stringify(code)}`);
    super(
      options.message ?? catalogEntry(code).message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.status = asStatus(options.status ?? options.response?.status);
    this.retryAfterMs = typeof options.retryAfterMs === 'number' ? options.retryAfterMs : null;
    this.response = options.response ?? null;
    this.field = options.field ?? null;
    this.ofRequest = options.ofRequest ?? false;
  }
}

/** A handler may give any number; one that no column takes would keep its own failure from being written, for ever. */
function asStatus(status: number | undefined): number | null {
  return Number.isInteger(status) && status !== undefined && status >= 0 && status <= 999 ? status : null;
}

/** By shape, since `instanceof` does not cross realms (a handler's package may bring its own copy). */
export function isIntegrationError(value: unknown): value is IntegrationError {
  if (typeof value !== 'object' || value === null) return false;
  try {
    const { name, code, message } = value as { name?: unknown; code?: unknown; message?: unknown };
    return name === 'IntegrationError' && isErrorCode(code) && typeof message === 'string';
  } catch {
    return false; // a getter throws: it is no error of ours
  }
}
