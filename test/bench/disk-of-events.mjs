// Usage: npm run build && node test/bench/disk-of-events.mjs [--events 100000]
// What an event takes on disk: in the outbox while it waits and once it is delivered, and in the audit log as a record of
// about a kilobyte. By table, indexes and TOAST counted in; after VACUUM, so that nothing dead is counted.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { fillOutbox } from './fill-outbox.mjs';
import { fillBenchRecords } from './fill-records.mjs';
import { settleRows } from './settle-rows.mjs';

const { values } = parseArgs({ options: { events: { type: 'string', default: '100000' } } });
const events = Number(values.events);

const SIZES = `
SELECT coalesce(inhparent::regclass::text, relid::regclass::text) AS table,
  sum(pg_table_size(relid))::float8 AS rows, sum(pg_indexes_size(relid))::float8 AS indexes
FROM pg_statio_user_tables LEFT JOIN pg_inherits ON inhrelid = relid
WHERE schemaname = $1 GROUP BY 1 HAVING sum(pg_total_relation_size(relid)) > 100 * 1024 ORDER BY 1`;

const folder = await mkdtemp(join(tmpdir(), 'disk-of-events-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, fsync: false, note: () => {} });
try {
  const outbox = await open('outbox');
  await outbox.query("INSERT INTO outbox.deployment (name) VALUES ('main')");
  await fillOutbox(outbox, events);
  await tell(outbox, 'outbox', 'waiting');
  const { rows } = await outbox.query('SELECT event_id AS "eventId" FROM outbox.delivery');
  for (let from = 0; from < rows.length; from += 1_000) await settleRows(outbox, rows.slice(from, from + 1_000));
  await tell(outbox, 'outbox', 'delivered');
  await outbox.end();
  const audit = await open('audit');
  await fillBenchRecords(audit, { records: events, months: 1 });
  await tell(audit, 'audit', 'recorded, not sealed');
  await audit.end();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function open(target) {
  await server.createDatabase(target);
  await deployMigrations({ databaseUrl: server.url(target), target, log: () => {} });
  return createPool(server.url(target), { max: 2, statementTimeoutMs: 0 });
}

/** Bytes an event. */
async function tell(pool, schema, what) {
  await pool.query('VACUUM ANALYZE');
  const { rows } = await pool.query(SIZES, [schema]);
  const by = rows.map((row) => ({
    table: row.table,
    rows: Math.round(row.rows / events),
    indexes: Math.round(row.indexes / events),
  }));
  const all = by.reduce((sum, one) => sum + one.rows + one.indexes, 0);
  console.log(`${events} events, ${what}: ${all} bytes each`);
  console.table(by);
}
