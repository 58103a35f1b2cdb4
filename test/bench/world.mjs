/**
 * What contenders stand on: one PostgreSQL and one Temporal server for the whole session, and databases, namespaces and audit
 * logs of their own for each contender, so that nobody measures another one's leftovers.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';
import { startAuditApi } from './audit-api.mjs';
import { startTemporal } from './temporal-server.mjs';

/**
 * @typedef {object} World
 * @property {Postgres} postgres
 * @property {import('./temporal-server.mjs').TemporalServer} temporal
 * @property {(environment?: Record<string, string>) => Promise<import('./audit-api.mjs').AuditApi>} audit the built `outbox api` on a
 *   fresh audit database
 * @property {() => Promise<void>} settle ends what one run leaves for the next: dirty pages, timers that are about to fire
 * @property {{ opened: () => void, closed: () => void }} window contenders call these when a run's clock starts and stops: who
 *   counts what a run costs puts himself in their place
 * @property {string} folder for files of a session
 * @property {(line: string) => void} log
 * @property {number} seconds
 * @property {number} shrink by what contenders divide their backlogs
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Postgres
 * @property {string} adminUrl a superuser's, of the server's own database
 * @property {(database: string) => string} url
 * @property {(name?: string, template?: 'empty' | 'outbox' | 'audit') => Promise<string>} createDatabase its URL; a clone of
 *   migrated tables, or empty (default)
 * @property {(deployment: string) => Promise<string>} createOutbox a migrated outbox that has a deployment's name
 * @property {(url: string) => Promise<void>} drop ends its sessions first
 * @property {number} pid
 */

const QUIET_MS = 500;

/**
 * @param {{ temporal?: 'dev' | 'postgres', seconds?: number, shrink?: number, log?: (line: string) => void }} options
 * @returns {Promise<World>}
 */
export async function openWorld({ temporal = 'dev', seconds = 10, shrink = 1, log = () => {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-bench-'));
  await chmod(folder, 0o755); // PostgreSQL runs as another user under root
  const undo = [() => rm(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const server = await startEmbeddedPostgres({
      dataDir: join(folder, 'pg'),
      port: 0,
      maxConnections: 300,
      note: log,
    });
    undo.push(() => server.stop());
    const postgres = await openPostgres(server);
    undo.push(() => postgres.end());
    const temporalServer = await startTemporal({ store: temporal, folder, postgres, log });
    undo.push(() => temporalServer.close());
    return {
      postgres,
      temporal: temporalServer,
      audit: (environment) => startAuditApi(postgres, environment),
      settle: async () => {
        await postgres.query('CHECKPOINT');
        await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      },
      window: { opened: () => {}, closed: () => {} },
      folder,
      log,
      seconds,
      shrink,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openPostgres(server) {
  const admin = new pg.Pool({ connectionString: server.url('postgres'), max: 1 });
  admin.on('error', () => {}); // the next statement tells
  for (const target of ['outbox', 'audit']) {
    await server.createDatabase(`template_${target}`);
    await deployMigrations({ databaseUrl: server.url(`template_${target}`), target, log: () => {} });
  }
  const createDatabase = async (name = `bench_${randomBytes(6).toString('hex')}`, template = 'empty') => {
    const from = template === 'empty' ? '' : ` TEMPLATE template_${template}`;
    await admin.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}${from}`);
    return server.url(name);
  };
  return {
    adminUrl: server.url('postgres'),
    url: server.url,
    pid: server.pid,
    createDatabase,
    async createOutbox(deployment) {
      const url = await createDatabase(undefined, 'outbox');
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query('INSERT INTO outbox.deployment (name) VALUES ($1)', [deployment]);
      await client.end();
      return url;
    },
    async drop(url) {
      const name = pg.escapeIdentifier(new URL(url).pathname.slice(1));
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
    query: (text, values) => admin.query(text, values),
    end: () => admin.end(),
  };
}
