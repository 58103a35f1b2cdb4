/** What `outbox doctor` looks at in either database. */
import { away, type Check, type Finding, ok, unknown, wrong } from '../application/delivery/doctor/findings.js';
import type { ClockFacts } from '../application/delivery/doctor/judge-clock.js';
import { judgeRights } from '../application/delivery/doctor/judge-rights.js';
import {
  type Database,
  judgeMigrations,
  judgeSchema,
  type MigrationFacts,
} from '../application/delivery/doctor/judge-schema.js';
import { judgeSnapshots } from '../application/delivery/doctor/judge-snapshots.js';
import { judgeAutovacuum, judgeBloat } from '../application/delivery/doctor/judge-storage.js';
import { createDatabaseInspector } from '../infrastructure/prisma/inspect-database.js';
import { inspectRights } from '../infrastructure/prisma/inspect-rights.js';
import { inspectSchema, readExpectedSchema } from '../infrastructure/prisma/inspect-schema.js';
import { migrationStatus } from '../infrastructure/prisma/migrations.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { readDatabaseTrouble } from '../infrastructure/prisma/read-database-trouble.js';
import { explainPart } from './explain-part.js';

const STATEMENT_TIMEOUT_MS = 5_000;
const CONNECTIONS = 3;

/** Looks, and has it judged; what cannot be looked at is `unknown` of each of the checks, and keeps no other from its own. */
export async function look<Facts>(
  checks: readonly Check[],
  database: Database,
  read: () => Promise<Facts>,
  judge: (facts: Facts) => readonly Finding[],
): Promise<readonly Finding[]> {
  let facts: Facts;
  try {
    facts = await read();
  } catch (error) {
    const why = explainPart(error, database);
    return checks.map((id) => unknown(id, why));
  }
  return judge(facts);
}

export interface DatabaseExam {
  readonly findings: readonly Finding[];
  /** Of this machine, as far as the server's is ahead of it; none where it does not answer. */
  readonly clocks: readonly ClockFacts[];
}

const REACH = { outbox: 'reach.outbox', audit: 'reach.audit' } as const;
const COMMON = [
  'schema.migrations',
  'schema.drift',
  'schema.index',
  'rights',
  'snapshots',
  'autovacuum',
  'bloat',
] as const;

/**
 * Opens the database and looks at what both have, and by `own` at what this one has; those checks are `ownChecks`, which are
 * `unknown` where the database does not answer.
 */
export async function examineDatabase(
  database: Database,
  url: string,
  ownChecks: readonly Check[],
  own: (pool: PgPool) => Promise<readonly Finding[]>,
): Promise<DatabaseExam> {
  const pool = createPool(url, {
    max: CONNECTIONS,
    applicationName: 'temporal-outbox doctor',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    const clock = await createDatabaseInspector(pool, database).readClock();
    const reached = ok(REACH[database], `the ${database} database answers within ${2 * clock.withinMs} ms`);
    const looks = [examineSchema(pool, database, url), examineServer(pool, database), own(pool)];
    const clocks = [{ what: `this machine (${database})`, ...clock }];
    return { findings: [reached, ...(await Promise.all(looks)).flat()], clocks };
  } catch (error) {
    return { findings: unreached(database, error, [...COMMON, 'clock', ...ownChecks]), clocks: [] };
  } finally {
    await pool.end();
  }
}

/** Each of the looks answers for itself: what comes here is that nothing could be asked. */
function unreached(database: Database, error: unknown, checks: readonly Check[]): Finding[] {
  const trouble = readDatabaseTrouble(error);
  if (trouble === null) throw error;
  const sentence = explainPart(error, database);
  const variable = database === 'outbox' ? 'OUTBOX_DATABASE_URL' : 'AUDIT_DATABASE_URL';
  const reach =
    trouble.kind === 'away'
      ? away(REACH[database], sentence, `start the server, or mend ${variable}`)
      : wrong(REACH[database], sentence, `mend ${variable}, or the server's side`);
  return [reach, ...checks.map((id) => unknown(id, `the ${database} database could not be asked`))];
}

async function examineSchema(pool: PgPool, database: Database, url: string): Promise<readonly Finding[]> {
  let migrations: MigrationFacts | null = null;
  const options = { databaseUrl: url, target: database, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  const applied = await look(
    ['schema.migrations'],
    database,
    () => migrationStatus({ ...options, lockTimeoutMs: STATEMENT_TIMEOUT_MS }),
    (status) => {
      migrations = status;
      return judgeMigrations(database, status);
    },
  );
  const expected = await readExpectedSchema(database);
  const made = await look(
    ['schema.drift', 'schema.index'],
    database,
    () => inspectSchema(pool, database),
    (facts) => judgeSchema(database, facts, expected, migrations),
  );
  return [...applied, ...made];
}

async function examineServer(pool: PgPool, database: Database): Promise<readonly Finding[]> {
  const inspector = createDatabaseInspector(pool, database);
  const expected = await readExpectedSchema(database);
  const settings = expected?.['settings delivery'] ?? null;
  const looks = [
    look(
      ['rights'],
      database,
      () => inspectRights(pool, database),
      (roles) => judgeRights(database, roles),
    ),
    look(
      ['snapshots'],
      database,
      () => inspector.readHolders(),
      (holders) => judgeSnapshots(database, holders),
    ),
    look(
      ['autovacuum', 'bloat'],
      database,
      () => inspector.readStorage(),
      (facts) => [...judgeAutovacuum(database, facts, settings), ...judgeBloat(database, facts)],
    ),
  ];
  return (await Promise.all(looks)).flat();
}
