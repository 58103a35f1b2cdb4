import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { lockModeOf } from './lock-modes.js';

export interface MigrationFile {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** A file's locks were held by somebody else all the time; nothing of the file is applied. */
export class LocksHeldError extends Error {
  override readonly name = 'LocksHeldError';
}

interface ApplyOptions {
  /** The PostgreSQL schema. */
  readonly target: string;
  /** How long tries are begun for. */
  readonly lockTimeoutMs: number;
  readonly log: (message: string) => void;
}

/**
 * Whoever comes after a lock that is waited for waits with it, those that only read included: behind one long transaction
 * a waiting migration would stop the application. So each lock is waited for this long and no longer, then all is let go.
 * Below PostgreSQL's deadlock_timeout (1 s): of two that wait for each other it is we who give way.
 */
const LOCK_WAIT_MS = 500;
/** Every fourth time: above deadlock_timeout PostgreSQL sends away an autovacuum that is in the way. */
const LONG_LOCK_WAIT_MS = 2_000;
const LONG_EVERY = 4;
/**
 * In the order in which appending and settling write them. A file that takes its locks in another would end in a deadlock
 * with them, and PostgreSQL ends whichever waited first: an append.
 */
const LOCK_ORDER = ['event', 'delivery', 'delivery_attempt', 'dead_letter', 'notification'];
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
/** PostgreSQL 18, appendix A. */
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK_DETECTED = '40P01';

/**
 * Applies one file in a transaction together with its `_prisma_migrations` row, or nothing of it. It takes its locks in
 * short tries, between which the application goes on.
 * @throws LocksHeldError when no try got them all; else what the server says of the file
 */
export async function applyMigration(client: pg.Client, file: MigrationFile, options: ApplyOptions): Promise<void> {
  const { target, lockTimeoutMs, log } = options;
  const until = Date.now() + lockTimeoutMs;
  let pauseMs = FIRST_PAUSE_MS;
  for (let n = 1; ; n += 1, pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      const lockWaitMs = n % LONG_EVERY === 0 ? LONG_LOCK_WAIT_MS : LOCK_WAIT_MS;
      return await applyOnce(client, file, target, Math.min(lockWaitMs, lockTimeoutMs));
    } catch (error) {
      if (!isHeld(error)) throw error;
      if (Date.now() + pauseMs >= until) throw new LocksHeldError(error.message, { cause: error });
      log(
        `${target}: ${file.name} lets go of its locks, for it would keep the application waiting; once more in ${pauseMs / 1_000} s`,
      );
    }
    await pause(pauseMs);
  }
}

async function applyOnce(client: pg.Client, file: MigrationFile, target: string, lockWaitMs: number): Promise<void> {
  const startedAt = new Date();
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL search_path TO ${target}`);
    await client.query(`SET LOCAL lock_timeout TO ${lockWaitMs}`);
    await lockInOrder(client, file.sql, target);
    await client.query(file.sql);
    await client.query(
      `INSERT INTO ${target}._prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, $4, clock_timestamp(), 1)`,
      [randomUUID(), file.checksum, file.name, startedAt],
    );
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined); // a broken connection has rolled back already
    throw error;
  }
}

/** What the file will lock of the tables that are there, before it does so in its own order. */
async function lockInOrder(client: pg.Client, sql: string, target: string): Promise<void> {
  if (target !== 'outbox') return;
  for (const table of LOCK_ORDER) {
    const mode = lockModeOf(sql, table);
    if (mode === null) continue;
    const { rows } = await client.query<{ oid: number | null }>('SELECT to_regclass($1)::oid AS oid', [
      `outbox.${table}`,
    ]);
    if (rows[0]?.oid == null) continue;
    await client.query(`LOCK TABLE outbox.${table} IN ${mode} MODE`);
  }
}

function isHeld(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && [LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED].includes(error.code ?? '');
}
