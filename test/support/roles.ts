/** A deployment of its own for a test: databases, name, keys, and its roles as processes of the built command line. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { built } from './built.js';
import { createTestDatabases, type TestDatabases } from './databases.js';
import { eventually } from './eventually.js';
import { type CliProcess, outboxCli, runOutboxCli, untilStarted } from './outbox-cli.js';
import { temporalAddress } from './temporal.js';

export interface TestDeployment {
  readonly name: string;
  readonly databases: TestDatabases;
  readonly outbox: pg.Pool;
  readonly audit: pg.Pool;
  /** For every role; a test adds its own on top. */
  readonly environment: Record<string, string>;
  readonly auditApiKey: string;
  /** `cli`: of another build than dist/. */
  start(roles: string, more?: Record<string, string>, args?: readonly string[], cli?: string): Promise<StartedProcess>;
  /** Appends in a transaction of its own and returns the id. */
  append(event: object): Promise<string>;
  status(id: string): Promise<string | null>;
  untilStatus(id: string, status: string): Promise<void>;
  /** How many records of the audit log carry the id. */
  records(id: string): Promise<number>;
  /** Writes a configuration file whose default export is `defineConfig({ handlers: [<handlers>], <more> })`; its path. */
  configFile(handlers: string, more?: string): Promise<string>;
  drop(): Promise<void>;
}

/** Asks it to stop and waits: its exit code, or the signal that ended it. */
export function stop(process: CliProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
  process.kill(signal);
  return process.ended;
}

export interface StartedProcess extends CliProcess {
  readonly apiPort: number | null;
  readonly probePort: number | null;
  readonly metricsPort: number | null;
}

const PACKAGE = built('src/index.js');

/** Migrated under a name of its own, with a key for its worker; nothing runs yet. */
export async function createTestDeployment(given?: TestDatabases): Promise<TestDeployment> {
  const databases = given ?? (await createTestDatabases(null));
  const name = `t-${randomBytes(5).toString('hex')}`;
  const urls = { OUTBOX_DATABASE_URL: databases.outboxUrl, AUDIT_DATABASE_URL: databases.auditUrl };
  const migrate = () => runOutboxCli(['migrate', 'deploy', '--deployment', name], urls);
  const createKey = () =>
    runOutboxCli(
      ['keys', 'create', '--name', 'worker', '--scope', 'audit:write:any-tenant', 'audit:write', '--json'],
      urls,
    );
  // At once where the databases are clones of migrated ones, which lack the name alone.
  const [migrated, key] =
    given === undefined ? await Promise.all([migrate(), createKey()]) : [await migrate(), await createKey()];
  for (const { code, printed } of [migrated, key]) if (code !== 0) throw new Error(printed);
  const auditApiKey = (JSON.parse(key.stdout) as { secret: string }).secret;
  const outbox = new pg.Pool({ connectionString: databases.outboxUrl, max: 4 });
  const audit = new pg.Pool({ connectionString: databases.auditUrl, max: 2 });
  for (const pool of [outbox, audit]) pool.on('error', () => {}); // the database is dropped under it at the end
  const folder = await mkdtemp(join(tmpdir(), 'outbox-deployment-'));
  let configFiles = 0;
  const environment: Record<string, string> = {
    ...urls,
    OUTBOX_DEPLOYMENT: name,
    OUTBOX_API_PORT: '0',
    OUTBOX_PROBE_PORT: '0',
    OUTBOX_AUDIT_API_KEY: auditApiKey,
    AUDIT_FINGERPRINT_KEYS: `t:${'ab'.repeat(32)}`,
    TEMPORAL_ADDRESS: temporalAddress(),
    TEMPORAL_NAMESPACE: 'default',
  };
  const status = async (id: string) => {
    const { rows } = await outbox.query<{ status: string }>('SELECT status FROM outbox.delivery WHERE event_id = $1', [
      id,
    ]);
    return rows[0]?.status ?? null;
  };
  return {
    name,
    databases,
    outbox,
    audit,
    environment,
    auditApiKey,
    status,
    async start(roles, more = {}, args = [], path) {
      const command = roles.includes(',') ? ['run', '--roles', roles] : [roles];
      const cli = outboxCli([...command, ...args], { ...environment, ...more }, path);
      return { ...cli, ...(await untilStarted(cli)) };
    },
    async append(event) {
      const { rows } = await outbox.query<{ id: string }>('SELECT outbox.record_event($1::jsonb) AS id', [
        JSON.stringify({
          eventName: 'order.order.placed.v1',
          eventType: 'ORDER',
          aggregate: { type: 'order', id: '1' },
          payload: {},
          ...event,
        }),
      ]);
      return rows[0]?.id as string;
    },
    async untilStatus(id, wanted) {
      await eventually(`${id} ${wanted}`, async () => (await status(id)) === wanted, 40_000);
    },
    async records(id) {
      const { rows } = await audit.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM audit.record WHERE event_id = $1',
        [id],
      );
      return rows[0]?.n ?? 0;
    },
    async configFile(handlers, more = '') {
      configFiles += 1;
      const path = join(folder, `${configFiles}.config.ts`);
      await writeFile(
        path,
        `import { defineConfig, defineHandler, httpHandler, IntegrationError, sentryNotifier, slackNotifier, webhookNotifier } from ${JSON.stringify(PACKAGE)};
export default defineConfig({ handlers: [${handlers}], ${more} });\n`,
      );
      return path;
    },
    async drop() {
      await rm(folder, { recursive: true, force: true });
      await outbox.end();
      await audit.end();
      await databases.drop();
    },
  };
}
