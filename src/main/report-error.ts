import { createRedactor } from '../domain/delivery/redaction/redactor.js';
import { CONFIGURATION_EXIT_CODE, ConfigurationError } from '../infrastructure/config/load-settings.js';

/** Sentences for people: the message says all there is. Anything else is a bug of ours and keeps its stack. */
const PLAIN = new Set([
  'ConfigurationError',
  'StartRefusedError',
  'MigrationError',
  'TemporalNotFoundError',
  'TemporalAwayError',
  'TemporalUnfitError',
  'StoreUnavailableError',
  'ServerEndedError',
  'StartTimeoutError',
  'FingerprintKeyError',
]);

/** Says on standard error why a command ended, and returns its exit code: 78 for a configuration, else 1. */
export function reportError(error: unknown): number {
  if (error instanceof ConfigurationError) {
    process.stderr.write(`${error.message}\nSettings and their defaults: .env.example\n`);
    return CONFIGURATION_EXIT_CODE;
  }
  const { name, message, stack, cause } = error as Partial<Error>;
  const configuration = name === 'StartRefusedError' || name === 'TemporalUnfitError';
  const because = cause instanceof Error && !configuration ? ` (${cause.message})` : '';
  const text = name !== undefined && PLAIN.has(name) ? `outbox: ${message}${because}` : (stack ?? String(error));
  // A driver's message may quote a connection string. Personal data have no way to here, and paths and hosts help.
  process.stderr.write(`${createRedactor({ personalData: false }).text(text, 8_000)}\n`);
  return configuration ? CONFIGURATION_EXIT_CODE : 1;
}
