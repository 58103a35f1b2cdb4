/**
 * The one logger. Every line is JSON on standard output; secrets and personal data do not get this far, and what slips
 * through under a known name is replaced.
 */
import pino, { type Logger } from 'pino';

export interface LoggerOptions {
  /** trace, debug, info, warn, error, fatal or silent. */
  readonly level: string;
  /** Added to every line: role, deployment. */
  readonly base: Readonly<Record<string, string>>;
  /** Appends to this file instead of writing to standard output. */
  readonly file?: string;
}

const SECRET_NAMES = [
  'authorization',
  'apiKey',
  'api_key',
  'password',
  'secret',
  'token',
  'cookie',
  'connectionString',
];
const DATA_NAMES = ['payload', 'body', 'data', 'actor'];

export function createLogger(options: LoggerOptions): Logger {
  const names = [...SECRET_NAMES, ...DATA_NAMES];
  const settings = {
    level: options.level,
    base: { ...options.base },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: names.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    serializers: { err: serializeError, error: serializeError },
  };
  return options.file === undefined
    ? pino(settings)
    : pino(settings, pino.destination({ dest: options.file, sync: true }));
}

/**
 * Name, message, code, stack and the same of its causes, five deep. Nothing else: a database error carries the row's
 * values in `detail`, an HTTP error the request.
 */
export function serializeError(error: unknown, depth = 0): object | string {
  if (!(error instanceof Error)) return String(error).slice(0, 500);
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: error.message.slice(0, 2_000),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    stack: error.stack?.slice(0, 4_000),
    ...(error.cause !== undefined && depth < 5 ? { cause: serializeError(error.cause, depth + 1) } : {}),
  };
}
