/**
 * The one logger. Every line is JSON on standard output, and everything in it went through the redactor: fields by name
 * and by text, errors, the message. An event's content does not get this far on purpose; what slips through is hidden
 * where its name or its look tells.
 */
import { context, isSpanContextValid, trace } from '@opentelemetry/api';
import pino, { type Logger } from 'pino';
import { REDACTED } from '../../domain/redaction/mask.js';
import type { Redactor } from '../../domain/redaction/redactor.js';

export interface LoggerOptions {
  /** trace, debug, info, warn, error, fatal or silent. */
  readonly level: string;
  /** Added to every line, unless the line says otherwise: role, deployment. */
  readonly base: Readonly<Record<string, string>>;
  readonly redactor: Redactor;
  /** Appends to this file instead of writing to standard output. */
  readonly file?: string;
}

/** Whole pieces of content, whatever is in them. */
const CONTENT_NAMES = new Set(['payload', 'body', 'data', 'actor', 'headers']);
const TEXT_LENGTH = 2_000;
const STACK_LENGTH = 4_000;
const CAUSES = 5;

export function createLogger(options: LoggerOptions): Logger {
  const { redactor } = options;
  const settings: pino.LoggerOptions = {
    level: options.level,
    // Not as pino's own base, which writes a name twice where a line has it, too.
    base: null,
    mixin: () => ({ ...options.base, ...activeTrace() }),
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: (fields) => redactFields(fields, redactor) },
    // `formatters.log` has made plain objects of errors already.
    serializers: { err: (error) => error },
    hooks: {
      // JSON lets these stand in a text as they are, and whoever reads by lines may take each for the end of one.
      streamWrite: (line) => line.replaceAll(/[\u0085\u2028\u2029]/g, escapeBreak),
      logMethod(given, method) {
        const [first, ...rest] = given as unknown[];
        // An error alone: pino would take its message for the line's, past the formatter.
        const args = first instanceof Error ? [{ err: first }, rest[0] ?? first.message, ...rest.slice(1)] : given;
        const redacted = args.map((arg) => (typeof arg === 'string' ? redactor.text(arg, TEXT_LENGTH) : arg));
        method.apply(this, redacted as Parameters<typeof method>);
      },
    },
  };
  return options.file === undefined
    ? pino(settings)
    : pino(settings, pino.destination({ dest: options.file, sync: true }));
}

/** Of the active span; without OpenTelemetry's SDK there is none. */
function activeTrace(): { readonly trace_id?: string; readonly span_id?: string } {
  const span = trace.getSpanContext(context.active());
  if (span === undefined || !isSpanContextValid(span)) return {};
  return { trace_id: span.traceId, span_id: span.spanId };
}

function escapeBreak(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A log line must never fail what it tells of, so what cannot be read is left out. */
function redactFields(fields: object, redactor: Redactor): Record<string, unknown> {
  try {
    return redactor.value(toPlain(fields, redactor, 0), TEXT_LENGTH) as Record<string, unknown>;
  } catch {
    return { unreadable: true };
  }
}

/** Errors as plain objects, content left out, three levels deep; below that JSON's own rules. */
function toPlain(value: unknown, redactor: Redactor, depth: number): unknown {
  if (value instanceof Error) return describeError(value, redactor, 0);
  if (typeof value !== 'object' || value === null || depth > 3) return value;
  if (Array.isArray(value)) return value.map((item) => toPlain(item, redactor, depth + 1));
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => {
      const isContent = CONTENT_NAMES.has(name) && child !== undefined;
      return [name, isContent ? REDACTED : toPlain(child, redactor, depth + 1)];
    }),
  );
}

/**
 * Name, message, code, stack and the same of its causes, five deep. Nothing else: a database error carries the row's
 * values in `detail`, an HTTP error the request. The stack is redacted here, with a longer limit than other texts have.
 */
function describeError(error: unknown, redactor: Redactor, depth: number): object | string {
  if (!(error instanceof Error)) return redactor.text(String(error), 500);
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: error.message,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    stack: error.stack === undefined ? undefined : redactor.text(error.stack, STACK_LENGTH),
    ...(error.cause !== undefined && depth < CAUSES ? { cause: describeError(error.cause, redactor, depth + 1) } : {}),
  };
}
