import type { ErrorCode } from '../../domain/delivery/error-catalog.js';
import { IntegrationError, isIntegrationError } from '../../domain/delivery/integration-error.js';
import { LONGEST_TEXT } from '../../domain/delivery/redaction/redactor.js';

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
 * `HANDLER.FAILED` with what was thrown as `cause`. Never throws, whatever was thrown.
 */
export function classifyThrown(thrown: unknown): IntegrationError {
  try {
    if (isIntegrationError(thrown) && HANDLER_CODES.has(thrown.code)) {
      return thrown instanceof IntegrationError ? thrown : rebuild(thrown);
    }
  } catch {
    // A getter of the thrown value throws in its turn: it is no error of ours.
  }
  const { name, message } = describeThrown(thrown);
  return new IntegrationError('HANDLER.FAILED', { message: `${name}: ${message}`, cause: thrown });
}

/** A handler's package may bring its own copy of the class; only what has the right type is taken from it. */
function rebuild(foreign: IntegrationError): IntegrationError {
  const { code, message, status, retryAfterMs, field } = foreign;
  return new IntegrationError(code, {
    message: cut(message),
    cause: foreign.cause,
    ...(Number.isInteger(status) ? { status: status as number } : {}),
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    ...(typeof field === 'string' ? { field: cut(field) } : {}),
  });
}

export interface ThrownDescription {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  readonly cause: unknown;
}

/**
 * Longer than a redactor reads of a text, which thereby sees that it was cut. What is kept is far shorter, and cut only
 * after it was redacted (`describeFailure`).
 */
const READ_LENGTH = LONGEST_TEXT + 1;

/** Name, message, stack and cause of anything that can be thrown, of bounded length, not redacted. Never throws. */
export function describeThrown(thrown: unknown): ThrownDescription {
  if (typeof thrown !== 'object' || thrown === null) {
    const message = typeof thrown === 'string' ? thrown : String(thrown);
    return {
      name: `Thrown ${thrown === null ? 'null' : typeof thrown}`,
      message: cut(message),
      stack: null,
      cause: undefined,
    };
  }
  const name = read(thrown, 'name');
  const message = read(thrown, 'message');
  const stack = read(thrown, 'stack');
  return {
    name: typeof name === 'string' && name !== '' ? cut(name) : 'Thrown object',
    message: typeof message === 'string' ? cut(message) : '',
    stack: typeof stack === 'string' ? cut(stack) : null,
    cause: read(thrown, 'cause'),
  };
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
