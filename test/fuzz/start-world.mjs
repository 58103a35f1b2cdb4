// A live api for the fuzzer: the built command line on an embedded PostgreSQL, both databases migrated, the operations
// API on, and something of each kind to find there.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { createDeadLetterStore } from '../../dist/src/infrastructure/prisma/dead-letter-store.js';

const CLI = fileURLToPath(new URL('../../dist/src/cli/outbox.js', import.meta.url));
const PACKAGE = new URL('../../dist/src/index.js', import.meta.url).href;
/** Of each kind: redriving and discarding uses them up. */
const HOW_MANY = 60;

/**
 * @param {{ logFile: string, note: (line: string) => void }} options
 * `key` may do everything; `ids`: what there is to find. `trouble`: what the api logged as a warning or worse.
 */
export async function startWorld({ logFile, note }) {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-outbox-fuzz-'));
  await chmod(folder, 0o755); // PostgreSQL runs as another user under root
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, fsync: false, note });
  for (const name of ['outbox', 'audit']) await postgres.createDatabase(name);
  const environment = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    OUTBOX_DATABASE_URL: postgres.url('outbox'),
    AUDIT_DATABASE_URL: postgres.url('audit'),
    OUTBOX_DEPLOYMENT: 'fuzz',
    OUTBOX_API_PORT: '0',
    OUTBOX_OPS: 'on',
    AUDIT_FINGERPRINT_KEYS: `fuzz:${'ab'.repeat(32)}`,
  };
  await cli(['migrate', 'deploy', '--deployment', 'fuzz'], environment);
  const writer = await createKey(['audit:write'], environment);
  const key = await createKey(
    ['audit:write:any-tenant', 'audit:write', 'audit:read', 'audit:read:any-tenant', 'dlq:read', 'dlq:write'],
    environment,
  );
  // Without a handler nobody could tell whether what was sent before stands, which is 503 and right.
  const config = join(folder, 'fuzz.config.ts');
  await writeFile(
    config,
    `import { defineConfig, defineHandler } from ${JSON.stringify(PACKAGE)};
export default defineConfig({
  handlers: [defineHandler({ routingKey: 'fuzz.destination', deliver: async () => ({ id: 'never' }), find: async () => null })],
});\n`,
  );
  const api = await startApi(environment, config, logFile);
  const ids = {
    letters: await seedLetters(postgres.url('outbox')),
    failed: await seedFailed(postgres.url('audit'), api.url, writer),
  };
  // What seeding made it say is no finding.
  const seeding = api.trouble.length;
  return {
    url: api.url,
    key,
    ids,
    trouble: () => api.trouble.slice(seeding),
    alive: api.alive,
    stop: async () => {
      await api.stop();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function createKey(scopes, environment) {
  const printed = await cli(['keys', 'create', '--name', 'fuzz', '--scope', ...scopes, '--json'], environment);
  return JSON.parse(printed).secret;
}

function cli(args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
      child[name].on('data', (chunk) => {
        printed[name] += chunk;
      });
    }
    child.once('close', (code) =>
      code === 0
        ? resolve(printed.stdout)
        : reject(new Error(`outbox ${args[0]} ended with ${code}: ${printed.stderr}`)),
    );
  });
}

async function startApi(env, config, logFile) {
  const child = spawn(process.execPath, [CLI, 'api', '--config', config], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(logFile);
  const trouble = [];
  child.stderr.pipe(log, { end: false });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const port = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      log.write(`${line}\n`);
      const fields = line.startsWith('{') ? JSON.parse(line) : {};
      if (fields.msg === 'process.started') resolve(fields.apiPort);
      // Pino writes levels as words here, or as numbers of which 40 is a warning.
      if (['warn', 'error', 'fatal', 40, 50, 60].includes(fields.level)) trouble.push(fields);
    });
    void ended.then((code) => reject(new Error(`the api ended with ${code}: see ${logFile}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    trouble,
    alive: () =>
      fetch(`${url}/live`).then(
        ({ status }) => status === 200,
        () => false,
      ),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      log.end();
    },
  };
}

/** Dead events of two types and tenants, by the store that the worker uses. Ids of the letters and of their events. */
async function seedLetters(url) {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const deadLetters = createDeadLetterStore(pool);
  const ids = [];
  for (let i = 0; i < HOW_MANY; i++) {
    const event = {
      eventName: 'order.order.placed.v1',
      eventType: i % 2 === 0 ? 'ORDER' : 'BILLING',
      routingKey: 'fuzz.destination',
      tenantId: i % 3 === 0 ? 'acme' : undefined,
      aggregate: { type: 'order', id: String(i), version: i + 1 },
      payload: { total: i },
    };
    const { rows } = await pool.query('SELECT outbox.record_event($1::jsonb) AS id', [JSON.stringify(event)]);
    const run = { eventId: rows[0].id, epoch: 0, carrier: null };
    const end = { code: 'HTTP.TIMEOUT', message: 'refused', attempt: null, workflowId: 'wf', runId: 'run' };
    const recorded = await deadLetters.recordDeadLetter({ run, ...end }, 5_000);
    ids.push(i % 4 === 0 ? rows[0].id : recorded.id);
  }
  await pool.end();
  return ids;
}

/** Events that the database refuses while a trigger stands in the way, kept by the api itself. */
async function seedFailed(databaseUrl, url, key) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON audit.record FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
  const events = Array.from({ length: HOW_MANY }, () => ({
    specVersion: '1.0',
    eventId: randomUUID(),
    source: '/fuzz',
    action: 'auth.user.signed_in',
    actionVersion: 1,
    category: 'authentication',
    operation: 'login',
    outcome: 'success',
    occurredAt: '2026-01-02T03:04:05.678Z',
    actor: { type: 'user', id: 'u-1' },
    targets: [],
  }));
  const answer = await fetch(`${url}/integration/v1/audit/logs`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(events),
  });
  const { results } = await answer.json();
  await client.query('DROP TRIGGER refuse ON audit.record; DROP FUNCTION public.refuse()');
  await client.end();
  return results.map(({ problem }) => problem.failedIngestId);
}
