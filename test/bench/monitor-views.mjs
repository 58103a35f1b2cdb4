// Usage: npm run build && node test/bench/monitor-views.mjs [--events 1000000] [--records 200000] [--requests 30]
// What each view of the monitor asks the api for, on an outbox of a million events with 50,000 open dead letters and an audit
// log of 200,000 records: milliseconds of whole requests, one after the other, p50 and p95, and the size of the answer. The
// built `outbox api` is a process of its own on a real PostgreSQL; nothing is delivered meanwhile. Needs some 4 GB of disk.
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createApiKey } from '../../dist/src/application/audit/create-api-key.js';
import { logKeys } from '../../dist/src/application/audit/log/log-keys.js';
import { NOTE_TOOLS } from '../../dist/src/application/audit/log/note-tools.js';
import { sealRecords } from '../../dist/src/application/audit/log/seal-records.js';
import { writeCheckpoint } from '../../dist/src/application/audit/log/write-checkpoint.js';
import { signerKey } from '../../dist/src/domain/audit/note-key.js';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { freePort } from '../../dist/src/infrastructure/embedded/free-port.js';
import { createAuditApiKeys } from '../../dist/src/infrastructure/prisma/audit-api-keys.js';
import { createCheckpointStore } from '../../dist/src/infrastructure/prisma/checkpoint-store.js';
import { createLeafStore } from '../../dist/src/infrastructure/prisma/leaf-store.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createSealStore } from '../../dist/src/infrastructure/prisma/seal-store.js';
import { monitorViews } from '../support/monitor-views.ts';
import { seedOutbox, seedRecords } from '../support/seed-monitor.ts';
import { OUTBOX_CLI, startNode } from './node-process.mjs';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    records: { type: 'string', default: '200000' },
    requests: { type: 'string', default: '30' },
  },
});
const [events, records, requests] = [values.events, values.records, values.requests].map(Number);

const folder = await mkdtemp(join(tmpdir(), 'monitor-views-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, fsync: false, note: () => {} });
try {
  const urls = {};
  for (const target of ['outbox', 'audit']) {
    await server.createDatabase(target);
    urls[target] = server.url(target);
    await deployMigrations({ databaseUrl: urls[target], target, log: () => {} });
  }
  const began = performance.now();
  const seeded = await seedAll(urls);
  console.log(`${events} events and ${records} records, seeded in ${seconds(performance.now() - began)}\n`);
  await measure(urls, seeded);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function seedAll(urls) {
  const [outbox, audit] = ['outbox', 'audit'].map((target) =>
    createPool(urls[target], { max: 2, statementTimeoutMs: 0 }),
  );
  try {
    await outbox.query("INSERT INTO outbox.deployment (name) VALUES ('main')");
    const ids = await seedOutbox(outbox, { events });
    await seedRecords(audit, { records });
    await seal(audit);
    const { rows } = await audit.query('SELECT record_id FROM audit.record ORDER BY recorded_at DESC LIMIT 200');
    const keys = createAuditApiKeys(audit);
    const { secret } = await createApiKey({ keys })({
      name: 'bench',
      scopes: ['dlq:write', 'audit:read', 'audit:read:any-tenant'],
    });
    return {
      key: secret,
      views: monitorViews(
        ids,
        rows.map(({ record_id }) => record_id),
      ),
    };
  } finally {
    await Promise.all([outbox.end(), audit.end()]);
  }
}

async function seal(pool) {
  const keys = logKeys({
    base: 'bench/audit',
    signers: [signerKey(NOTE_TOOLS, 'bench/audit', randomBytes(32))],
    verifiers: [],
  });
  await sealRecords({ store: createSealStore(pool), log: { warn: () => {} } })(new AbortController().signal);
  await writeCheckpoint({
    leaves: createLeafStore(pool),
    checkpoints: createCheckpointStore(pool),
    anchor: null,
    keys,
  })();
}

async function measure(urls, { key, views }) {
  const port = await freePort(0);
  const base = `http://127.0.0.1:${port}`;
  const api = await startNode({
    title: 'outbox api',
    args: [OUTBOX_CLI, 'api'],
    env: {
      OUTBOX_DATABASE_URL: urls.outbox,
      AUDIT_DATABASE_URL: urls.audit,
      AUDIT_FINGERPRINT_KEYS: `bench:${randomBytes(32).toString('hex')}`,
      OUTBOX_DEPLOYMENT: 'main',
      OUTBOX_OPS: 'on',
      OUTBOX_API_PORT: String(port),
      OUTBOX_LOG_LEVEL: 'warn',
    },
    started: async (line) => (line === null && (await fetch(`${base}/ready`)).ok ? true : undefined),
  });
  try {
    console.log('| view | asked | p50, ms | p95, ms | kB |\n|---|---|---|---|---|');
    for (const { view, path, body } of views) {
      const took = [];
      let size = 0;
      for (let n = 0; n < requests; n++) {
        const began = performance.now();
        const answer = await fetch(`${base}${path}`, {
          headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
          ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
        });
        const text = await answer.text();
        took.push(performance.now() - began);
        if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${text.slice(0, 500)}`);
        size = text.length;
      }
      took.sort((a, b) => a - b);
      const at = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))].toFixed(1);
      const asked = body === undefined ? path : `POST ${path} ${JSON.stringify(body).slice(0, 60)}`;
      console.log(`| ${view} | ${asked} | ${at(0.5)} | ${at(0.95)} | ${(size / 1_000).toFixed(1)} |`);
    }
  } finally {
    await api.stop();
  }
}

function seconds(ms) {
  return `${Math.round(ms / 1_000)} s`;
}
