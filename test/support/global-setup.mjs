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
import { findPgBouncer } from './find-pgbouncer.mjs';

const SEARCH_ATTRIBUTES = ['OutboxEventName', 'OutboxEventType', 'OutboxTenantId', 'OutboxErrorCode'];

/**
 * A PostgreSQL for each of jest's workers: what a transaction of one test holds back (the oldest transaction id is the
 * server's, not the database's) must not be seen by another.
 */
export default async function globalSetup({ maxWorkers }) {
  const servers = await testServers();
  // Jest runs the set-up of each project that it runs: the second one has what the first one has started.
  if (servers.system) return;
  servers.system = true;
  // Another server than the embedded one, of whatever version: a superuser's URL, one worker.
  const other = process.env.TEST_POSTGRES_URL;
  if (other !== undefined) {
    process.env.TEST_POSTGRES_URL_1 = other;
    await makeTemplates((database) => Object.assign(new URL(other), { pathname: `/${database}` }).toString());
  } else {
    await startPostgresServers(servers, { maxWorkers, variable: 'TEST_POSTGRES_URL' });
  }
  process.env.TEST_PGBOUNCER = await findPgBouncer({ note });
  const address = process.env.TEST_TEMPORAL_ADDRESS;
  if (address === undefined) {
    const cli = await findTemporal({ environment: process.env, note });
    process.env.TEST_TEMPORAL_CLI = cli;
    servers.temporal = await startEmbeddedTemporal({
      cli,
      pidFile: join(servers.folder, 'temporal.pid'),
      port: 0,
      uiPort: null,
      searchAttributes: SEARCH_ATTRIBUTES,
    });
    process.env.TEST_TEMPORAL_ADDRESS = servers.temporal.address;
  }
}

/** What global-teardown.mjs stops, whichever projects have started it. */
export async function testServers() {
  if (globalThis.__outboxTestServers === undefined) {
    const folder = await mkdtemp(join(tmpdir(), 'temporal-outbox-test-'));
    await chmod(folder, 0o755); // PostgreSQL runs as another user under root
    globalThis.__outboxTestServers = { folder, postgres: [], temporal: null, system: false };
  }
  return globalThis.__outboxTestServers;
}

/** One for each worker, whose URLs are told by `variable` and the worker's number. `packageUrl`: of another version's package. */
export async function startPostgresServers(servers, { maxWorkers, variable, packageUrl }) {
  for (let worker = 1; worker <= maxWorkers; worker++) {
    const dataDir = join(servers.folder, `${variable}_${worker}`);
    const options = { dataDir, port: 0, fsync: false, maxConnections: 400, packageUrl, note };
    const postgres = await startEmbeddedPostgres(options);
    servers.postgres.push(postgres);
    await makeTemplates(postgres.url);
    process.env[`${variable}_${worker}`] = postgres.url('postgres');
  }
}

function note(line) {
  process.stderr.write(`test set-up: ${line}\n`);
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
