// Usage: npm run build && node test/bench/monitor-index-cost.mjs [--events 5000] [--filled 60000] [--rounds 3]
// What the monitor's three indexes cost an append and a settling: bytes of WAL and milliseconds an event with and without them,
// in databases of their own, one after the other and in turns, beside rows that are there already. One connection, no flushing.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { SETTLE } from '../../dist/src/infrastructure/prisma/attempt-statements.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { show, spreadOf } from './run-pairs.mjs';
import { newEvent } from './sample-event.mjs';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '5000' },
    filled: { type: 'string', default: '60000' },
    rounds: { type: 'string', default: '3' },
  },
});
const [events, filled, rounds] = [values.events, values.filled, values.rounds].map(Number);
const RECEIPT = JSON.stringify({
  id: '0197d3a0-0000-7000-8000-000000000001',
  hash: `sha-256:${'ab'.repeat(32)}`,
  at: '2026-01-01T00:00:00.000Z',
  replayed: false,
  status: 201,
});

const folder = await mkdtemp(join(tmpdir(), 'index-cost-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, fsync: false, note: () => {} });
const found = { with: [], without: [] };
try {
  for (let round = 0; round < rounds; round++) {
    for (const variant of round % 2 === 0 ? ['with', 'without'] : ['without', 'with']) {
      const measured = await measure(`${variant}_${round}`, variant === 'with');
      found[variant].push(measured);
      console.log(`round ${round + 1} of ${rounds}, ${variant}:`, measured);
    }
  }
  for (const field of Object.keys(found.with[0])) {
    const [a, b] = ['with', 'without'].map((variant) => spreadOf(found[variant].map((one) => one[field])).median);
    console.log(`${field}: ${show(a)} with, ${show(b)} without, ${show(a - b)} more`);
  }
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function measure(name, indexed) {
  await server.createDatabase(name);
  const url = server.url(name);
  await deployMigrations({ databaseUrl: url, target: 'outbox', log: () => {} });
  const pool = createPool(url, { max: 1, statementTimeoutMs: 0 });
  const wal = async () =>
    (await pool.query("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes")).rows[0].bytes;
  const timed = async (work) => {
    const [before, began] = [Number(await wal()), performance.now()];
    await work();
    const ms = (performance.now() - began) / events;
    return { bytes: (Number(await wal()) - before) / events, ms };
  };
  try {
    await pool.query("INSERT INTO outbox.deployment (name) VALUES ('main')");
    await pool.query('ALTER TABLE outbox.delivery SET (autovacuum_enabled = off)');
    if (!indexed) {
      await pool.query('DROP INDEX outbox.delivery_settled, outbox.event_by_aggregate, outbox.dead_letter_kinds');
    }
    for (let n = 0; n < filled; n += 500) {
      const some = Array.from({ length: 500 }, (_, at) => newEvent(n + at));
      await pool.query('SELECT count(*) FROM outbox.record_events($1::jsonb)', [JSON.stringify(some)]);
    }
    await pool.query("UPDATE outbox.delivery SET status = 'DELIVERED', settled_at = clock_timestamp(), receipt = '{}'");
    await pool.query('VACUUM ANALYZE');
    const given = Array.from({ length: events }, (_, n) => newEvent(filled + n));
    const append = await timed(async () => {
      for (const event of given) {
        const values = [JSON.stringify(event)];
        await pool.query({ name: 'append', text: 'SELECT outbox.record_event($1::jsonb)', values });
      }
    });
    await pool.query(
      "UPDATE outbox.delivery SET status = 'STARTED', started_at = clock_timestamp() WHERE status = 'PENDING'",
    );
    await pool.query('VACUUM outbox.delivery');
    const settle = await timed(async () => {
      for (const { id } of given) {
        await pool.query({ name: 'settle', text: SETTLE, values: [id, 0, RECEIPT, null, null, null, 'lost'] });
      }
    });
    return { appendBytes: append.bytes, appendMs: append.ms, settleBytes: settle.bytes, settleMs: settle.ms };
  } finally {
    await pool.end();
  }
}
