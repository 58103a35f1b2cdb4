// Starts a real PostgreSQL for each worker and one real Temporal server for the projects `system` and `browser`, with two
// migrated template databases that test files clone. Runs on the built package (npm run build), as its users do.
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { startEmbeddedTemporal } from '../../dist/src/infrastructure/embedded/embedded-temporal.js';
import { findTemporal } from '../../dist/src/infrastructure/embedded/find-temporal.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';

const SEARCH_ATTRIBUTES = ['OutboxEventName', 'OutboxEventType', 'OutboxTenantId', 'OutboxErrorCode'];

/**
 * A PostgreSQL for each of jest's workers: what a transaction of one test holds back (the oldest transaction id is the
 * server's, not the database's) must not be seen by another.
 */
export default async function globalSetup({ maxWorkers }) {
  // Jest runs the set-up of each project that it runs: the second one has what the first one has started.
  if (globalThis.__outboxTestServers !== undefined) return;
  const note = (line) => process.stderr.write(`test set-up: ${line}\n`);
  const folder = await mkdtemp(join(tmpdir(), 'temporal-outbox-test-'));
  await chmod(folder, 0o755); // PostgreSQL runs as another user under root
  const servers = { folder, postgres: [], temporal: null };
  globalThis.__outboxTestServers = servers;
  // Another server than the embedded one, such as the oldest version that is promised: a superuser's URL, one worker.
  const other = process.env.TEST_POSTGRES_URL;
  if (other !== undefined) {
    process.env.TEST_POSTGRES_URL_1 = other;
    await makeTemplates((database) => Object.assign(new URL(other), { pathname: `/${database}` }).toString());
  }
  for (let worker = 1; worker <= (other === undefined ? maxWorkers : 0); worker++) {
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
  await makeTemplates(postgres.url);
  return postgres;
}

/** Databases that test files clone. */
async function makeTemplates(urlOf) {
  const client = new pg.Client({ connectionString: urlOf('postgres') });
  await client.connect();
  for (const target of ['outbox', 'audit']) {
    const name = `template_${target}`;
    await client.query(`DROP DATABASE IF EXISTS ${name}`);
    await client.query(`CREATE DATABASE ${name}`);
    await deployMigrations({ databaseUrl: urlOf(name), target, log: () => {} });
  }
  await client.end();
}
