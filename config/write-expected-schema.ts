// Usage: node config/write-expected-schema.ts [URL]. Writes src/infrastructure/prisma/expected-schema.json, which `outbox doctor`
// compares a database with: what the migrations make of two databases that are new. After a build, whenever a migration
// was added (test/integration/expected-schema.test.ts tells); the very first time there is no such file, and the build
// complains of it and writes all else. On a PostgreSQL of its own, or on that of URL (a superuser's).
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

const built = (path: string) => new URL(`../dist/src/infrastructure/${path}`, import.meta.url).href;
type Embedded = typeof import('../src/infrastructure/embedded/embedded-postgres.js');
type Migrations = typeof import('../src/infrastructure/prisma/migrations.js');
type Pool = typeof import('../src/infrastructure/prisma/pg-pool.js');
type Inspect = typeof import('../src/infrastructure/prisma/inspect-schema.js');

const { startEmbeddedPostgres } = (await import(built('embedded/embedded-postgres.js'))) as Embedded;
const { deployMigrations } = (await import(built('prisma/migrations.js'))) as Migrations;
const { createPool } = (await import(built('prisma/pg-pool.js'))) as Pool;
const { inspectSchema } = (await import(built('prisma/inspect-schema.js'))) as Inspect;

const [, , given] = process.argv;
const folder = await mkdtemp(join(tmpdir(), 'expected-schema-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server =
  given === undefined ? await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, fsync: false }) : null;
const urlOf = (database: string) =>
  server?.url(database) ?? Object.assign(new URL(given as string), { pathname: `/${database}` }).toString();

try {
  const expected: Record<string, Record<string, string>> = {};
  for (const target of ['outbox', 'audit'] as const) expected[target] = await readFresh(target);
  const file = new URL('../src/infrastructure/prisma/expected-schema.json', import.meta.url);
  await writeFile(file, `${JSON.stringify(expected, null, 2)}\n`);
} finally {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Sorted, so that a change of the file is a change of the schema. */
async function readFresh(target: 'outbox' | 'audit'): Promise<Record<string, string>> {
  const name = `expected_${target}_${randomBytes(4).toString('hex')}`;
  const admin = new pg.Client({ connectionString: urlOf('postgres') });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${name}`);
    await deployMigrations({ databaseUrl: urlOf(name), target });
    const pool = createPool(urlOf(name), { max: 1 });
    const { parts } = await inspectSchema(pool, target).finally(() => pool.end());
    return Object.fromEntries(Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1)));
  } finally {
    await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await admin.end();
  }
}
