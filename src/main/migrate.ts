import {
  deployMigrations,
  MigrationError,
  type MigrationStatus,
  type MigrationTarget,
  migrationStatus,
} from '../infrastructure/prisma/migrations.js';
import { explainDatabase } from './explain-database.js';
import { refusePooledUrl } from './refuse-transaction-pooling.js';

export interface MigrateRequest {
  readonly command: 'deploy' | 'status';
  /** May be the same database: the two PostgreSQL schemas do not touch each other. Left out: that side is not migrated. */
  readonly outboxUrl?: string | undefined;
  readonly auditUrl?: string | undefined;
  /** R1. Left out: what is stored stays, and a new database gets `main`. */
  readonly deployment?: string | undefined;
  /** One JSON document instead of lines. */
  readonly json?: boolean | undefined;
  /** Of a deploy: whoever uses a large table may be kept waiting. */
  readonly wait?: boolean | undefined;
  readonly log?: (message: string) => void;
}

export interface MigrateResult {
  /** 0, or 1 when `status` found something to do or to mend. */
  readonly exitCode: 0 | 1;
  readonly text: string;
}

/**
 * `outbox migrate deploy | status`. Throws MigrationError when a deploy is refused, UnavailableError or StartRefusedError
 * when a database cannot be reached or does not let us in.
 */
export async function runMigrate(request: MigrateRequest): Promise<MigrateResult> {
  const { outboxUrl, auditUrl, log } = request;
  const databases = [
    ...(outboxUrl === undefined ? [] : [{ target: 'outbox' as const, databaseUrl: outboxUrl }]),
    ...(auditUrl === undefined ? [] : [{ target: 'audit' as const, databaseUrl: auditUrl }]),
  ].map((database) => (log === undefined ? database : { ...database, log }));

  if (request.command === 'status') {
    const found = [];
    for (const database of databases) found.push(await explaining(database.target, () => migrationStatus(database)));
    const exitCode = found.every(isCurrent) ? 0 : 1;
    return { exitCode, text: request.json ? JSON.stringify(found) : found.map(describe).join('\n') };
  }

  const applied = [];
  let deployment: string | null = null;
  for (const database of databases) {
    const named = database.target === 'outbox' ? { deployment: request.deployment ?? null } : {};
    // Its lock is its session's: behind such a pooler it would stay with somebody else's.
    await refusePooledUrl(database.databaseUrl, database.target);
    const deployed = await explaining(database.target, () =>
      deployMigrations({ ...database, ...named, wait: request.wait ?? false }),
    );
    applied.push({ target: database.target, applied: deployed.applied });
    deployment ??= deployed.deployment;
  }
  if (request.json) return { exitCode: 0, text: JSON.stringify({ applied, deployment }) };
  const lines = applied.map(
    ({ target, applied: names }) =>
      `${target}: ${names.length === 0 ? 'nothing to apply' : `${names.length} applied${list(names)}`}`,
  );
  return { exitCode: 0, text: [...lines, ...(deployment === null ? [] : [`deployment: ${deployment}`])].join('\n') };
}

/** A refused migration has its own sentence; the database's own error, and one in connecting, get theirs. */
async function explaining<T>(target: MigrationTarget, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MigrationError)) throw explainDatabase(error, target);
    throw error.code === 'MIGRATE.UNREACHABLE' ? explainDatabase(error.cause, target) : error;
  }
}

function isCurrent(status: MigrationStatus): boolean {
  return status.pending.length + status.changed.length + status.failed.length === 0;
}

function describe(status: MigrationStatus): string {
  const parts = [`${status.applied.length} applied`];
  for (const key of ['pending', 'failed', 'changed', 'unknown'] as const) {
    if (status[key].length > 0) parts.push(`${status[key].length} ${key}${list(status[key])}`);
  }
  return `${status.target}: ${parts.join('; ')}`;
}

function list(names: readonly string[]): string {
  return names.length === 0 ? '' : ` (${names.join(', ')})`;
}
