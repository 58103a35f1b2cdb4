// Usage: npm run build && node test/bench/audit-indexes.mjs [--records 30000] [--rounds 3]
// What each index of reading costs the ingest: batches of 100 by the store's own statement, one client, on a real PostgreSQL
// with fsync, a fresh database for each variant; variants take turns. The server's processor time is read from /proc (Linux),
// since other work on the machine changes the rate and hardly that. Writes a table to standard output.
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { createAuditStore } from '../../dist/src/infrastructure/prisma/audit-store.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';

const { values } = parseArgs({
  options: { records: { type: 'string', default: '30000' }, rounds: { type: 'string', default: '3' } },
});
const RECORDS = Number(values.records);
const DROP_ALL = 'DROP INDEX audit.record_by_actor, audit.record_by_action, audit.record_by_target;';
const VARIANTS = {
  'none of them': DROP_ALL,
  'by actor': 'DROP INDEX audit.record_by_action, audit.record_by_target;',
  'by action': 'DROP INDEX audit.record_by_actor, audit.record_by_target;',
  'by target': 'DROP INDEX audit.record_by_actor, audit.record_by_action;',
  'all three': '',
  "instead: GIN on body->'targets', jsonb_path_ops": `${DROP_ALL} CREATE INDEX record_paths ON audit.record USING gin ((body->'targets') jsonb_path_ops);`,
};

const folder = await mkdtemp(join(tmpdir(), 'audit-indexes-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, note: () => {} });
try {
  const results = new Map(Object.keys(VARIANTS).map((name) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    const order = Object.keys(VARIANTS);
    for (const name of round % 2 === 0 ? order : order.reverse()) {
      results.get(name).push(await runRound(VARIANTS[name], `bench_${randomUUID().replaceAll('-', '')}`));
    }
  }
  console.log(`${RECORDS} records, batches of 100, ${values.rounds} rounds: median (least to most)\n`);
  console.log(
    '| | records/s | processor time of the server, µs a record | WAL, bytes a record | indexes of audit.record, bytes a record |',
  );
  console.log('|---|---|---|---|---|');
  for (const [name, rounds] of results) {
    const cells = ['perSecond', 'cpu', 'wal', 'bytes'].map((measure) => {
      const found = rounds.map((round) => round[measure]).sort((a, b) => a - b);
      const [low, middle, high] = [found[0], found[found.length >> 1], found.at(-1)].map((n) =>
        Math.round(n).toLocaleString('en'),
      );
      return `${middle} (${low} to ${high})`;
    });
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function runRound(sql, name) {
  await server.createDatabase(name);
  const url = server.url(name);
  await deployMigrations({ databaseUrl: url, target: 'audit' });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  if (sql !== '') await client.query(sql);
  const pool = createPool(url, { max: 1 });
  const store = createAuditStore(pool);
  const batches = Array.from({ length: RECORDS / 100 }, (_, n) =>
    Array.from({ length: 100 }, (_, i) => record(n * 100 + i)),
  );
  await store.insertNew([record(0)]); // opens the connection
  const {
    rows: [{ pid }],
  } = await pool.query('SELECT pg_backend_pid() AS pid');
  const before = { cpu: cpuOf(pid), wal: await walOf(client) };
  const startedAt = performance.now();
  for (const batch of batches) await store.insertNew(batch);
  const perSecond = RECORDS / ((performance.now() - startedAt) / 1000);
  const cpu = (cpuOf(pid) - before.cpu) / RECORDS;
  const wal = ((await walOf(client)) - before.wal) / RECORDS;
  await client.query('VACUUM audit.record'); // moves what GIN keeps aside into the index
  const { rows } = await client.query(
    `SELECT sum(pg_indexes_size(relid))::float8 AS bytes FROM pg_partition_tree('audit.record')`,
  );
  await pool.end();
  await client.end();
  return { perSecond, cpu, wal, bytes: rows[0].bytes / RECORDS };
}

/** User and system time of a process in microseconds; a tick is 10 ms on every Linux of today. */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function walOf(client) {
  const { rows } = await client.query("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS wal");
  return rows[0].wal;
}

/** About 900 bytes, with two targets: one of many, one of its own. */
function record(n) {
  const now = new Date();
  const eventId = randomUUID();
  const event = {
    specVersion: '1.0',
    eventId,
    source: '/services/shop',
    action: ['auth.user.signed_in', 'order.order.placed', 'billing.invoice.paid', 'user.profile.updated'][n % 4],
    actionVersion: 1,
    category: 'data',
    operation: 'update',
    outcome: 'success',
    occurredAt: now.toISOString(),
    actor: { type: 'user', id: `user-${(n * 7919) % 5_000}`, name: 'Erika Mustermann' },
    targets: [
      { type: 'customer', id: `customer-${(n * 104_729) % 20_000}`, name: 'ACME', metadata: { plan: 'gold' } },
      { type: 'order', id: eventId },
    ],
    context: {
      ip: '203.0.113.7',
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
      requestId: randomUUID(),
    },
    changes: [{ field: '/status', old: 'open', new: 'paid' }],
    data: { note: randomBytes(120).toString('hex') },
  };
  const record = {
    recordId: uuidv7({ msecs: now.getTime() }),
    recordedAt: now.toISOString(),
    tenantId: `tenant-${n % 10}`,
    via: 'api',
    keyId: '0198c0de-0000-7000-8000-000000000001',
    leafVersion: 1,
    salt: randomBytes(16).toString('hex'),
    event,
  };
  const identity = { tenantId: record.tenantId, source: event.source, eventId };
  return { identity, record, hmacKeyId: 'k1', fingerprint: randomBytes(32), leafHash: randomBytes(32) };
}
