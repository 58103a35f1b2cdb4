import { createRedactor } from '../domain/redaction/redactor.js';
import { ConfigurationError } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { EXIT } from './exit-codes.js';

/** Why a command ended, for people and for programs. */
export interface Failure {
  readonly kind: Exclude<keyof typeof EXIT, 'done' | 'refused' | 'interrupted'>;
  readonly message: string;
  /** What to mend, one sentence each. */
  readonly problems?: readonly string[];
  /** Where to read on. */
  readonly hints?: readonly string[];
}

/** Says on standard error why a command ended, and returns its exit code. */
export function reportError(error: unknown, options: { readonly json: boolean }): number {
  const failure = describeFailure(error);
  const { OUTBOX_LOG_LEVEL: level } = processEnvironment();
  const stack = level === 'debug' || level === 'trace' ? stackOf(error) : undefined;
  process.stderr.write(renderFailure(failure, { ...options, stack }));
  return EXIT[failure.kind];
}

/** One line of JSON, or sentences: `outbox: …`, what to mend, where to read on. Ends with a line break. */
export function renderFailure(
  failure: Failure,
  { json = false, stack }: { readonly json?: boolean | undefined; readonly stack?: string | undefined } = {},
): string {
  const { kind, message, problems = [], hints = [] } = failure;
  if (json) {
    const shown = { kind, exitCode: EXIT[kind], message: redact(message), problems };
    return `${JSON.stringify({ error: stack === undefined ? shown : { ...shown, stack: redact(stack) } })}\n`;
  }
  // Problems hold no value of a secret, and to the redactor "…_API_KEY: missing" looks like one.
  const listed = problems.map((problem) => `  - ${problem.replaceAll('\n', '\n    ')}`);
  const heading = `outbox: ${redact(message)}${listed.length > 0 ? ':' : ''}`;
  return `${[heading, ...listed, ...hints, ...(stack === undefined ? [] : [redact(stack)])].join('\n')}\n`;
}

/** Sentences for people, by the error's name: the message says all there is. Anything else is a bug of ours. */
const KINDS: Readonly<Record<string, Failure['kind']>> = {
  UsageError: 'usage',
  StartRefusedError: 'configuration',
  TemporalUnfitError: 'configuration',
  FingerprintKeyError: 'configuration',
  UnavailableError: 'unavailable',
  StoreUnavailableError: 'unavailable',
  TemporalAwayError: 'unavailable',
  MigrationError: 'failed',
  TemporalNotFoundError: 'failed',
  ServerEndedError: 'failed',
  StartTimeoutError: 'failed',
};
/** The others leave the reason to their cause. */
const SAYS_ALL = new Set([
  'UsageError',
  'StartRefusedError',
  'TemporalUnfitError',
  'FingerprintKeyError',
  'UnavailableError',
]);
/** Of a MigrationError: the others are for a person to look at. */
const MIGRATION_KINDS: Readonly<Record<string, Failure['kind']>> = {
  'MIGRATE.UNREACHABLE': 'unavailable',
  'MIGRATE.LOCKED': 'unavailable',
  'MIGRATE.DEPLOYMENT': 'configuration',
};

/** The error's own words, without its stack. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof ConfigurationError) {
    const { problems, hints } = error;
    return { kind: 'configuration', message: 'the configuration does not fit', problems, hints };
  }
  const { name = '', message, code, cause, command } = error as Partial<Error> & { code?: string; command?: string };
  const kind = KINDS[name];
  if (kind === undefined) {
    return {
      kind: 'failed',
      message: `what nobody expected happened: ${message ?? String(error)}`,
      hints: ['OUTBOX_LOG_LEVEL=debug shows where.'],
    };
  }
  const reason = SAYS_ALL.has(name) ? '' : reasonOf(cause);
  const because = reason === '' || message?.includes(reason) ? '' : ` (${reason})`;
  return {
    kind: (name === 'MigrationError' ? MIGRATION_KINDS[code ?? ''] : undefined) ?? kind,
    message: `${message}${because}`,
    hints: command === undefined ? [] : [`See: ${command} --help`],
  };
}

/** Several addresses of one host fail as one error without words of its own. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  const { errors = [] } = cause as { errors?: unknown[] };
  return cause.message !== '' ? cause.message : errors.map(reasonOf).filter(Boolean).join(', ');
}

function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const below = stackOf(error.cause);
  return below === undefined ? error.stack : `${error.stack}\ncaused by ${below}`;
}

/** A driver's message may quote a connection string. Personal data have no way to here, and paths and hosts help. */
function redact(text: string): string {
  return createRedactor({ personalData: false }).text(text, 8_000);
}
