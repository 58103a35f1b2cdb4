import { StoreUnavailableError } from '../application/audit/ports.js';
import { readDatabaseTrouble } from '../infrastructure/prisma/read-database-trouble.js';

const DATABASES = { outbox: 'the outbox database', audit: 'the audit database' } as const;
const MESSAGE_LENGTH = 200;

/**
 * Why something could not be looked at, in a sentence for people who see the monitor and not the server: as
 * `explainDatabase`, without the settings' names. What is not about the database is told by its own words, cut.
 */
export function explainPart(error: unknown, target: keyof typeof DATABASES): string {
  const what = DATABASES[target];
  const trouble = readDatabaseTrouble(error);
  // A deadline of ours that passed has no words of the server's.
  if (trouble === null && error instanceof StoreUnavailableError) return `${what} does not answer in time`;
  if (trouble === null) {
    return error instanceof Error ? `${error.name}: ${error.message.slice(0, MESSAGE_LENGTH)}` : 'it failed';
  }
  switch (trouble.kind) {
    case 'unmigrated':
      return `${what} is not migrated, or not to this version (${trouble.reason}): run \`outbox migrate deploy\``;
    case 'refused':
      return isMissingRight(error)
        ? `${what} does not permit it (${trouble.reason}): run \`outbox grants\` again, as after every release`
        : `${what} refuses us: ${trouble.reason}`;
    case 'away':
      return `${what} does not answer: ${trouble.reason}`;
  }
}

/** insufficient_privilege, of which the database's other refusals are not. */
function isMissingRight(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === '42501';
}
