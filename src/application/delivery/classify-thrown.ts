import { type ErrorCode, isErrorCode } from '../../domain/delivery/error-catalog.js';
import {
  IntegrationError,
  type IntegrationErrorOptions,
  type LastResponse,
} from '../../domain/delivery/integration-error.js';
import { LONGEST_TEXT } from '../../domain/redaction/redactor.js';

/**
 * The codes that a handler may end an attempt with. The others tell of our own store, runs and shutdown, and some of
 * them are retried without end, so a handler that throws one has failed like any other.
 */
const HANDLER_CODES: ReadonlySet<ErrorCode> = new Set([
  'HTTP.TIMEOUT',
  'HTTP.NETWORK',
  'HTTP.TLS',
  'HTTP.SERVER_ERROR',
  'HTTP.RATE_LIMITED',
  'HTTP.CLIENT_ERROR',
  'HTTP.UNAUTHORIZED',
  'HTTP.ID_CONFLICT',
  'HTTP.BAD_RESPONSE',
  'DISPATCH.INVALID_EVENT',
  'HANDLER.FAILED',
  'INGEST.INTERNAL',
] as const);

/**
 * The IntegrationError of whatever a handler threw: its own where it threw one that is a handler's to throw, else
 * `HANDLER.FAILED` with what was thrown as `cause`. Never throws, whatever was thrown. `more`: what only the caller can tell.
 */
export function classifyThrown(
  thrown: unknown,
  more: Pick<IntegrationErrorOptions, 'ofRequest'> = {},
): IntegrationError {
  const own = adopt(thrown, more);
  if (own !== null) return own;
  const { name, message } = describeThrown(thrown);
  return new IntegrationError('HANDLER.FAILED', { ...more, message: `${name}: ${message}`, cause: thrown });
}

/**
 * A copy of an IntegrationError that is a handler's to throw, each field read once and kept only where it has the right
 * type; null for anything else. A handler's package may bring its own copy of the class, and what looks like ours may be
 * a subclass or a proxy whose getters throw when the failure is written down.
 */
function adopt(thrown: unknown, more: Pick<IntegrationErrorOptions, 'ofRequest'>): IntegrationError | null {
  if (!isReadable(thrown) || !(read(thrown, 'name') === 'IntegrationError' || isOurs(thrown))) return null;
  const code = read(thrown, 'code');
  if (!isErrorCode(code) || !HANDLER_CODES.has(code)) return null;
  const message = read(thrown, 'message');
  const status = read(thrown, 'status');
  const retryAfterMs = read(thrown, 'retryAfterMs');
  const field = read(thrown, 'field');
  const response = readResponse(read(thrown, 'response'));
  const stack = read(thrown, 'stack');
  const copy = new IntegrationError(code, {
    ...more,
    ...(typeof message === 'string' ? { message: cut(message) } : {}),
    cause: read(thrown, 'cause'),
    ...(typeof status === 'number' ? { status } : {}),
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    ...(typeof field === 'string' ? { field: cut(field) } : {}),
    ...(response === null ? {} : { response }),
  });
  if (typeof stack === 'string') copy.stack = cut(stack);
  return copy;
}

function isOurs(thrown: object): boolean {
  try {
    return thrown instanceof IntegrationError;
  } catch {
    return false; // a proxy that does not tell its prototype
  }
}

/** Of a response that a handler may have made itself, what is one. The body stays whole: it is cut after it was redacted. */
function readResponse(value: unknown): LastResponse | null {
  if (!isReadable(value)) return null;
  const status = read(value, 'status');
  if (!Number.isInteger(status)) return null;
  const body = read(value, 'body');
  return {
    status: status as number,
    headers: readHeaders(read(value, 'headers')),
    body: typeof body === 'string' ? body : '',
  };
}

function readHeaders(value: unknown): Record<string, string> {
  try {
    if (!isReadable(value)) return {};
    return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === 'string'));
  } catch {
    return {};
  }
}

export interface ThrownDescription {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  readonly cause: unknown;
  /** The first of an AggregateError's, which has no words of its own. */
  readonly errors: readonly unknown[];
}

/** Several addresses of one host, say: the first tell enough. */
const ERRORS_READ = 3;

/**
 * Longer than a redactor reads of a text, which thereby sees that it was cut. What is kept is far shorter, and cut only
 * after it was redacted (`describeFailure`).
 */
const READ_LENGTH = LONGEST_TEXT + 1;

/** Name, message, stack and cause of anything that can be thrown, of bounded length, not redacted. Never throws. */
export function describeThrown(thrown: unknown): ThrownDescription {
  if (!isReadable(thrown)) {
    return {
      name: `Thrown ${thrown === null ? 'null' : typeof thrown}`,
      message: cut(String(thrown)),
      stack: null,
      cause: undefined,
      errors: [],
    };
  }
  const name = read(thrown, 'name');
  const message = read(thrown, 'message');
  const stack = read(thrown, 'stack');
  return {
    name: typeof name === 'string' && name !== '' ? cut(name) : `Thrown ${typeof thrown}`,
    message: typeof message === 'string' ? cut(message) : '',
    stack: typeof stack === 'string' ? cut(stack) : null,
    cause: read(thrown, 'cause'),
    errors: readErrors(read(thrown, 'errors')),
  };
}

/** What has fields: String() of a function would call a `toString` that may be anybody's. */
function isReadable(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function readErrors(value: unknown): unknown[] {
  if (!isReadable(value) || typeof value === 'function') return [];
  const found = Array.from({ length: ERRORS_READ }, (_, n) => read(value, String(n)));
  return found.filter((error) => error !== undefined && error !== null);
}

function read(from: object, key: string): unknown {
  try {
    return (from as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function cut(text: string): string {
  return text.slice(0, READ_LENGTH);
}
