import { isTransactionPooled } from '../infrastructure/prisma/is-transaction-pooled.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { StartRefusedError } from './start-refused-error.js';

/**
 * Roles and migrations need sessions: statements that are prepared once for a connection, its deadlines, the lock of a
 * deployer. Lost behind a pooler they fail now and then and long after the start, so it is said at the start. Throws a
 * StartRefusedError, or an UnavailableError where the database does not answer.
 */
export async function refuseTransactionPooling(pool: PgPool, database: 'outbox' | 'audit'): Promise<void> {
  if (await explainingDatabase(database, () => isTransactionPooled(pool))) throw new TransactionPooledError(database);
}

/** What says that it is so, and not that it could not be looked at. */
export class TransactionPooledError extends StartRefusedError {
  constructor(database: 'outbox' | 'audit') {
    super(sentence(database));
  }
}

function sentence(database: 'outbox' | 'audit'): string {
  const variable = database === 'outbox' ? 'OUTBOX_DATABASE_URL' : 'AUDIT_DATABASE_URL';
  return `${variable} leads through a pooler that gives each transaction another session: expected one session for a connection, for prepared statements, deadlines and locks live in it. Connect directly, or set the pooler's pool_mode to session (docs/poolers.md)`;
}

/** The same for whoever has no pool of its own. */
export async function refusePooledUrl(url: string, database: 'outbox' | 'audit'): Promise<void> {
  const pool = createPool(url, { max: 2, applicationName: 'temporal-outbox' });
  try {
    await refuseTransactionPooling(pool, database);
  } finally {
    await pool.end();
  }
}
