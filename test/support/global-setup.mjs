// Starts a real PostgreSQL for each worker and one real Temporal server for the whole `system` project, with two migrated template
// databases that test files clone. Runs on the built package (npm run build), as its users do.
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { startEmbeddedTemporal } from '../../dist/src/infrastructure/embedded/embedded-temporal.js';
import { findTemporal } from '../../dist/src/infrastructure/embedded/find-temporal.js';

const SEARCH_ATTRIBUTES = ['OutboxEventName', 'OutboxEventType', 'OutboxTenantId', 'OutboxErrorCode'];

/**
 * A PostgreSQL for each of jest's workers: what a transaction of one test holds back (the oldest transaction id is the
 * server's, not the database's) must not be seen by another.
 */
export default async function globalSetup({ maxWorkers }) {
  const note = (line) => process.stderr.write(`test set-up: ${line}\n`);
  const folder = await mkdtemp(join(tmpdir(), 'temporal-outbox-test-'));
  await chmod(folder, 0o755); // PostgreSQL runs as another user under root
  const servers = { folder, postgres: [], temporal: null };
  globalThis.__outboxTestServers = servers;
  for (let worker = 1; worker <= maxWorkers; worker++) {
    const postgres = await startPostgres(join(folder, `pg-${worker}`), note);
    servers.postgres.push(postgres);
    process.env[`TEST_POSTGRES_URL_${worker}`] = postgres.url('postgres');
  }
  const address = process.env.TEST_TEMPORAL_ADDRESS;
  if (address === undefined) {
    const cli = await findTemporal({ environment: process.env, note });
    process.env.TEST_TEMPORAL_CLI = cli;
    servers.temporal = await startEmbeddedTemporal({
      cli,
      pidFile: join(folder, 'temporal.pid'),
      port: 0,
      uiPort: null,
      searchAttributes: SEARCH_ATTRIBUTES,
    });
    process.env.TEST_TEMPORAL_ADDRESS = servers.temporal.address;
  }
}

async function startPostgres(dataDir, note) {
  const postgres = await startEmbeddedPostgres({ dataDir, port: 0, fsync: false, maxConnections: 400, note });
  for (const target of ['outbox', 'audit']) {
    const name = `template_${target}`;
    await postgres.createDatabase(name);
    const m = await import('../../dist/src/infrastructure/prisma/migrations.js').catch(() => null);
    if (m !== null) await m.deployMigrations({ databaseUrl: postgres.url(name), target, log: () => {} });
    else {
      const { default: pg } = await import('pg');
      const { readdir, readFile } = await import('node:fs/promises');
      const client = new pg.Client({ connectionString: postgres.url(name) });
      await client.connect();
      await client.query(`CREATE SCHEMA ${target}`);
      const migrations = new URL(`../../prisma/${target}/migrations/`, import.meta.url);
      for (const folder of (await readdir(migrations)).filter((entry) => !entry.endsWith('.toml')).sort())
        await client.query(await readFile(new URL(`${folder}/migration.sql`, migrations), 'utf8'));
      await client.end();
    }
  }
  return postgres;
}
