import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { applyMigration, LocksHeldError, type MigrationFile } from './apply-migration.js';
import { watchLocks } from './watch-locks.js';

/** The two databases' PostgreSQL schemas; each has its own migrations and its own `_prisma_migrations`. */
export type MigrationTarget = 'outbox' | 'audit';

export interface MigrationOptions {
  readonly databaseUrl: string;
  readonly target: MigrationTarget;
  /**
   * R1, outbox only: the name to store, once and for ever. null: the stored one stays, and a new database gets `main`.
   * Left out: none is stored.
   */
  readonly deployment?: string | null;
  /** Told what happens, one sentence at a time. */
  readonly log?: (message: string) => void;
  /** Where `<name>/migration.sql` files lie. Default: the package's own. */
  readonly directory?: string;
  /**
   * To wait for another deployer; and for a file's locks, in tries of two seconds at most, between which the application
   * goes on. Default 60 s.
   */
  readonly lockTimeoutMs?: number;
  /** For one statement of a migration. Default 10 min. */
  readonly statementTimeoutMs?: number;
  /** A migration may keep whoever uses a large table waiting; without it such a one refuses, and says what else to do. */
  readonly wait?: boolean;
}

export interface MigrationStatus {
  readonly target: MigrationTarget;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  /** Applied, but not in this package: the database was migrated by a newer one. */
  readonly unknown: readonly string[];
  /** Applied, and edited in the package afterwards. */
  readonly changed: readonly string[];
  /** Begun and neither finished nor rolled back. */
  readonly failed: readonly string[];
}

export type MigrationErrorCode =
  | 'MIGRATE.UNREACHABLE'
  | 'MIGRATE.LOCKED'
  | 'MIGRATE.CHANGED'
  | 'MIGRATE.FAILED'
  | 'MIGRATE.DIVERGED'
  | 'MIGRATE.SQL'
  | 'MIGRATE.DEPLOYMENT';

/** Why nothing more was applied; the message says how to mend it and never holds the URL. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

interface MigrationRow {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

const CONNECT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 60_000;
/** About as long as a file waits for a lock, so that who holds it is seen. */
const LOOK_EVERY_MS = 400;
/** A person who sees nothing for longer thinks that it hangs. */
const SAY_AFTER_MS = 2_000;

/**
 * Brings one PostgreSQL schema to this package's state: applies the pending files by name, each in one transaction
 * together with its `_prisma_migrations` row, so a migration is either there with its row or not at all, and none makes
 * the application wait for longer than two seconds for each lock that somebody else holds. Several
 * deployers at once are safe: one works under an advisory lock of its session, the others wait and find nothing to do.
 * A migration can therefore hold nothing that refuses a transaction (CREATE INDEX CONCURRENTLY).
 *
 * Returns the names applied now, and the deployment's. Throws MigrationError, and nothing is applied, when an applied file
 * was changed, a row says failed, there is something to apply to a database that a newer package has migrated, or the
 * deployment's name does not fit or differs from the stored one: workflow ids and sources carry it, so it can never be
 * changed under running deliveries.
 */
export async function deployMigrations(
  options: MigrationOptions,
): Promise<{ readonly applied: readonly string[]; readonly deployment: string | null }> {
  const { target, deployment } = options;
  checkName(deployment);
  const log = options.log ?? (() => undefined);
  const files = readMigrationFiles(options);
  return withSession(options, async (client) => {
    await takeLock(client, target);
    await createTable(client, target);
    const status = compare(target, files, await readRows(client, target));
    refuse(status);
    const stored = target === 'outbox' ? await readName(client) : null;
    refuseName(deployment, stored);
    if (options.wait) await client.query("SET outbox.wait = 'on'");
    for (const file of files.filter(({ name }) => status.pending.includes(name))) {
      log(`${target}: applying ${file.name}`);
      await apply(client, file, { target, log, lockTimeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS });
    }
    // Partitions are made ahead of time; a deploy is the one moment at which the owner of the tables is surely here.
    if (target === 'audit') await client.query('SELECT audit.ensure_partitions()');
    if (deployment === undefined || stored !== null) return { applied: status.pending, deployment: stored };
    const name = deployment ?? 'main';
    // Still under the lock: whoever finds the schema migrated by this deploy finds its name, too.
    await client.query('INSERT INTO outbox.deployment (name) VALUES ($1)', [name]);
    return { applied: status.pending, deployment: name };
  });
}

/** Compares the package's migrations with the database. Changes nothing, takes no lock, needs no schema to exist. */
export async function migrationStatus(options: MigrationOptions): Promise<MigrationStatus> {
  const files = readMigrationFiles(options);
  return withSession(options, async (client) => compare(options.target, files, await readRows(client, options.target)));
}

function checkName(name: string | null | undefined): void {
  if (name === undefined || name === null || /^[a-z0-9-]{1,40}$/.test(name)) return;
  throw new MigrationError(
    'MIGRATE.DEPLOYMENT',
    `the deployment's name: expected 1 to 40 of a-z, 0-9 and "-", got ${JSON.stringify(name)}`,
  );
}

function refuseName(name: string | null | undefined, stored: string | null): void {
  if (stored === null || name === undefined || name === null || name === stored) return;
  throw new MigrationError(
    'MIGRATE.DEPLOYMENT',
    `this database belongs to the deployment "${stored}", not to "${name}": say ${stored}, or use another database`,
  );
}

async function readName(client: pg.Client): Promise<string | null> {
  const table = await client.query<{ oid: number | null }>("SELECT to_regclass('outbox.deployment')::oid AS oid");
  if (table.rows[0]?.oid == null) return null;
  const { rows } = await client.query<{ name: string }>('SELECT name FROM outbox.deployment');
  return rows[0]?.name ?? null;
}

/** The same in src/, in dist/ and in an installed package: the nearest folder above that holds prisma/outbox/migrations. */
function packedDirectory(target: MigrationTarget): string {
  for (let up = new URL('.', import.meta.url); ; up = new URL('..', up)) {
    const directory = join(fileURLToPath(up), 'prisma', target, 'migrations');
    if (existsSync(directory)) return directory;
    if (up.pathname === '/' || new URL('..', up).href === up.href) {
      throw new Error(`the package is incomplete: prisma/${target}/migrations is missing`);
    }
  }
}

function readMigrationFiles({ target, directory = packedDirectory(target) }: MigrationOptions): MigrationFile[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(directory, name, 'migration.sql'));
      return { name, sql: bytes.toString('utf8'), checksum: createHash('sha256').update(bytes).digest('hex') };
    });
}

function compare(target: MigrationTarget, files: MigrationFile[], rows: MigrationRow[]): MigrationStatus {
  const inPackage = new Map(files.map((file) => [file.name, file]));
  const finished = new Map(rows.filter((row) => row.finished_at !== null).map((row) => [row.migration_name, row]));
  return {
    target,
    applied: files.filter(({ name }) => finished.has(name)).map(({ name }) => name),
    pending: files.filter(({ name }) => !finished.has(name)).map(({ name }) => name),
    unknown: [...finished.keys()].filter((name) => !inPackage.has(name)),
    changed: files
      .filter(({ name, checksum }) => finished.has(name) && finished.get(name)?.checksum !== checksum)
      .map(({ name }) => name),
    failed: rows.filter((row) => row.finished_at === null).map((row) => row.migration_name),
  };
}

function refuse({ target, failed, changed, unknown, pending }: MigrationStatus): void {
  if (failed.length > 0) {
    throw new MigrationError(
      'MIGRATE.FAILED',
      `schema ${target}: ${failed.join(', ')} began and never finished; mend the database, then set rolled_back_at (to run it again) or finished_at (if it stands) in ${target}._prisma_migrations`,
    );
  }
  if (changed.length > 0) {
    throw new MigrationError(
      'MIGRATE.CHANGED',
      `schema ${target}: ${changed.join(', ')} was changed after it was applied (its checksum differs); restore the file and put the change into a new migration`,
    );
  }
  if (unknown.length > 0 && pending.length > 0) {
    throw new MigrationError(
      'MIGRATE.DIVERGED',
      `schema ${target}: ${unknown.join(', ')} is applied but not in this package, which would add ${pending.join(', ')}; deploy with the newer package`,
    );
  }
}

/** The lock belongs to the session and goes with it, however the process ends. */
async function takeLock(client: pg.Client, target: MigrationTarget): Promise<void> {
  try {
    await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`temporal-outbox migrate ${target}`]);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === '55P03')) throw error;
    throw new MigrationError(
      'MIGRATE.LOCKED',
      `schema ${target}: another deployer still holds the lock; try again when it is done`,
      error,
    );
  }
}

async function createTable(client: pg.Client, target: MigrationTarget): Promise<void> {
  // Looked up first: IF NOT EXISTS wants the right to create schemas even where there is nothing to create.
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [target]);
  if (rowCount === 0) await client.query(`CREATE SCHEMA ${target}`);
  // Prisma's own definition (schema-engine 7.10, PostgreSQL flavour), so that `prisma migrate` reads it as its own.
  await client.query(`CREATE TABLE IF NOT EXISTS ${target}._prisma_migrations (
    id                  varchar(36)  NOT NULL PRIMARY KEY,
    checksum            varchar(64)  NOT NULL,
    finished_at         timestamptz,
    migration_name      varchar(255) NOT NULL,
    logs                text,
    rolled_back_at      timestamptz,
    started_at          timestamptz  NOT NULL DEFAULT now(),
    applied_steps_count integer      NOT NULL DEFAULT 0
  )`);
}

async function readRows(client: pg.Client, target: MigrationTarget): Promise<MigrationRow[]> {
  const table = `${target}._prisma_migrations`;
  const { rows: found } = await client.query<{ oid: number | null }>('SELECT to_regclass($1)::oid AS oid', [table]);
  if (found[0]?.oid == null) return [];
  const { rows } = await client.query<MigrationRow>(
    `SELECT migration_name, checksum, finished_at FROM ${table} WHERE rolled_back_at IS NULL ORDER BY migration_name`,
  );
  return rows;
}

async function apply(
  client: pg.Client,
  file: MigrationFile,
  options: { target: MigrationTarget; log: (message: string) => void; lockTimeoutMs: number },
): Promise<void> {
  const { target, lockTimeoutMs } = options;
  try {
    await applyMigration(client, file, options);
  } catch (error) {
    if (error instanceof LocksHeldError) {
      throw new MigrationError(
        'MIGRATE.LOCKED',
        `schema ${target}: ${file.name} did not get its locks within ${lockTimeoutMs / 1_000} s, and nothing of it is applied: end the long transaction that holds them, or try again when it is over`,
        error,
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new MigrationError(
      'MIGRATE.SQL',
      `schema ${target}: ${file.name} failed and was rolled back: ${reason}`,
      error,
    );
  }
}

async function withSession<T>(
  options: Pick<MigrationOptions, 'databaseUrl' | 'target' | 'lockTimeoutMs' | 'statementTimeoutMs' | 'log'>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { target, databaseUrl, lockTimeoutMs = LOCK_TIMEOUT_MS, log = () => undefined } = options;
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'temporal-outbox migrate',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    lock_timeout: lockTimeoutMs,
    statement_timeout: options.statementTimeoutMs ?? 600_000,
  });
  client.on('error', () => undefined); // the statement that runs, or the next one, rejects with it
  const slow = setTimeout(
    () => log(`${target}: waits for ${client.host}:${client.port} to answer, at most ${CONNECT_TIMEOUT_MS / 1_000} s`),
    SAY_AFTER_MS,
  );
  try {
    await client.connect();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MigrationError(
      'MIGRATE.UNREACHABLE',
      `schema ${target}: cannot connect to the database: ${reason}`,
      error,
    );
  } finally {
    clearTimeout(slow);
  }
  const watch = watchLocks(client, {
    databaseUrl,
    everyMs: LOOK_EVERY_MS,
    say: (holders) => log(`${target}: waits for ${holders} to let go of a lock, at most ${lockTimeoutMs / 1_000} s`),
  });
  try {
    return await work(client);
  } finally {
    await watch.stop();
    await client.end();
  }
}
