import { readDatabaseTrouble } from '../infrastructure/prisma/read-database-trouble.js';
import { StartRefusedError } from './start-refused-error.js';
import { UnavailableError } from './unavailable-error.js';

const DATABASES = {
  outbox: { what: 'the outbox database', variable: 'OUTBOX_DATABASE_URL' },
  audit: { what: 'the audit database', variable: 'AUDIT_DATABASE_URL' },
} as const;

/**
 * A failed call's error as a sentence for whoever starts something: a StartRefusedError for what is wrong, an
 * UnavailableError for what is away. What is not about the database comes back as it is.
 */
export function explainDatabase(error: unknown, target: keyof typeof DATABASES): unknown {
  const trouble = readDatabaseTrouble(error);
  if (trouble === null) return error;
  const { what, variable } = DATABASES[target];
  switch (trouble.kind) {
    case 'unmigrated':
      return new StartRefusedError(
        `${what} is not migrated, or not to this version (${trouble.reason}): run \`outbox migrate deploy\` first`,
        { cause: error },
      );
    case 'refused':
      return new StartRefusedError(`${what} refuses us: ${trouble.reason}. Mend ${variable}, or the server's side`, {
        cause: error,
      });
    case 'away':
      return new UnavailableError(`${what} does not answer: ${trouble.reason} (${variable})`, { cause: error });
  }
}

/** Runs it, and throws what it throws as a sentence. */
export async function explainingDatabase<T>(target: keyof typeof DATABASES, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explainDatabase(error, target);
  }
}
