// Usage: npm run build && node test/bench/claim-index.mjs [--rows 100000] [--rounds 3]
// Measures R5's choice on a real PostgreSQL: the lease in `due_at`, inside the claim's index, against lease columns outside
// every index, whose claims can be HOT updates. Variants take turns, so that a slow minute of the machine hits both.
// Each round has a fresh table: claim 200 by lanes, mark, settle, by two clients, until nothing is due; then claims alone,
// with every earlier batch still leased, as when starts are slow. Writes a table to standard output.
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '100000' }, rounds: { type: 'string', default: '3' } },
});
const ROWS = Number(values.rows);
const BATCH = 200;
const CLIENTS = 2;
const LEASED_BATCHES = 50;

const VARIANTS = {
  'due_at in the index': {
    prepare: '',
    free: 'true',
    take: `due_at = statement_timestamp() + interval '30 s'`,
    started: `due_at = statement_timestamp() + interval '30 s'`,
  },
  'lease outside every index': {
    prepare: 'ALTER TABLE outbox.delivery ADD COLUMN leased_until timestamptz',
    free: '(leased_until IS NULL OR leased_until <= statement_timestamp())',
    take: `leased_until = statement_timestamp() + interval '30 s'`,
    started: `leased_until = NULL, due_at = statement_timestamp() + interval '30 s'`,
  },
};

/** The lane claim without caps and cursor: what both variants share cancels out. */
const claimSql = ({ free, take }) => `
WITH RECURSIVE lane AS (
  (SELECT destination, event_type, tenant FROM outbox.delivery WHERE status = 'PENDING' ORDER BY 1, 2, 3 LIMIT 1)
  UNION ALL
  SELECT n.* FROM lane l CROSS JOIN LATERAL (
    SELECT destination, event_type, tenant FROM outbox.delivery
    WHERE status = 'PENDING' AND (destination, event_type, tenant) > (l.destination, l.event_type, l.tenant)
    ORDER BY 1, 2, 3 LIMIT 1) n
), share AS (SELECT lane.*, ceil($2::numeric / count(*) OVER ())::integer AS quota FROM lane),
pick AS MATERIALIZED (
  SELECT x.event_id FROM share l CROSS JOIN LATERAL (
    SELECT event_id FROM outbox.delivery
    WHERE status = 'PENDING' AND destination = l.destination AND event_type = l.event_type AND tenant = l.tenant
      AND due_at <= statement_timestamp() AND ${free}
    ORDER BY due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
)
UPDATE outbox.delivery SET lease_token = $1, ${take}
WHERE event_id = ANY (ARRAY(SELECT event_id FROM pick LIMIT $2)) RETURNING event_id`;
const markSql = ({ started }) => `
UPDATE outbox.delivery SET status = 'STARTED', lease_token = NULL, started_at = statement_timestamp(), ${started}
WHERE event_id = ANY ($2::uuid[]) AND status = 'PENDING' AND lease_token = $1`;
const SETTLE = `
UPDATE outbox.delivery SET status = 'DELIVERED', settled_at = statement_timestamp(), receipt = '{"id": "r"}'
WHERE event_id = ANY ($1::uuid[]) AND status = 'STARTED'`;

const folder = await mkdtemp(join(tmpdir(), 'claim-index-'));
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
  print(results);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function runRound(variant, name) {
  await server.createDatabase(name);
  const url = server.url(name);
  await deployMigrations({ databaseUrl: url, target: 'outbox' });
  const pool = new pg.Pool({ connectionString: url, max: CLIENTS });
  if (variant.prepare !== '') await pool.query(variant.prepare);
  await fill(pool, ROWS);

  const sizes = await sizesOf(pool);
  const startedAt = performance.now();
  const claimMs = [];
  await Promise.all(Array.from({ length: CLIENTS }, () => drain(pool, variant, claimMs)));
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await sizesOf(pool);

  await pool.query('TRUNCATE outbox.delivery');
  await fill(pool, ROWS);
  const leasedMs = [];
  for (let batch = 0; batch < LEASED_BATCHES; batch++) await claim(pool, variant, leasedMs);
  await pool.end();
  return {
    'events/s': ROWS / seconds,
    'claim p50, ms': quantile(claimMs, 0.5),
    'claim p95, ms': quantile(claimMs, 0.95),
    [`claim beside ${(LEASED_BATCHES * BATCH) / 1000}k leased, ms`]: quantile(leasedMs.slice(-10), 0.5),
    'HOT updates, %': (100 * (after.hot - sizes.hot)) / (after.updates - sizes.updates),
    'table growth, MiB': (after.table - sizes.table) / 2 ** 20,
    'claim index growth, MiB': (after.index - sizes.index) / 2 ** 20,
    'WAL, bytes/event': (after.wal - sizes.wal) / ROWS,
  };
}

/** 21 lanes in two destinations; one lane has most of the rows. */
async function fill(pool, rows) {
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
     SELECT gen_random_uuid(), CASE WHEN g % 10 = 0 THEN 'erp.sync' ELSE 'audit.log' END,
       CASE WHEN g % 10 < 8 THEN 'AUTH' ELSE (ARRAY['AUTH', 'ORDER', 'BILLING'])[1 + g % 3] END,
       CASE WHEN g % 10 < 8 THEN 't0' ELSE 't' || g % 5 END, now() - interval '1 hour' + g * interval '1 ms'
     FROM generate_series(1, $1::integer) g`,
    [rows],
  );
  await pool.query('VACUUM ANALYZE outbox.delivery');
}

async function drain(pool, variant, claimMs) {
  for (;;) {
    const { token, ids } = await claim(pool, variant, claimMs);
    if (ids.length === 0) return;
    await pool.query({ name: 'mark', text: markSql(variant), values: [token, ids] });
    await pool.query({ name: 'settle', text: SETTLE, values: [ids] });
  }
}

async function claim(pool, variant, claimMs) {
  const token = randomUUID();
  const startedAt = performance.now();
  const { rows } = await pool.query({ name: 'claim', text: claimSql(variant), values: [token, BATCH] });
  claimMs.push(performance.now() - startedAt);
  return { token, ids: rows.map((row) => row.event_id) };
}

async function sizesOf(pool) {
  await pool.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await pool.query(
    `SELECT pg_relation_size('outbox.delivery')::float8 AS "table", (SELECT sum(pg_relation_size('outbox.' || name)) FROM unnest(ARRAY['delivery_waiting', 'delivery_running', 'delivery_carried']) name)::float8 AS index,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS wal, n_tup_upd::float8 AS updates, n_tup_hot_upd::float8 AS hot
     FROM pg_stat_user_tables WHERE relid = 'outbox.delivery'::regclass`,
  );
  return rows[0];
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/** The median over the rounds, and the range. */
function print(results) {
  const names = [...results.keys()];
  console.log(
    `${ROWS} events, ${CLIENTS} clients, batches of ${BATCH}, ${values.rounds} rounds each: median (least to most)\n`,
  );
  console.log(`| | ${names.join(' | ')} |\n|---|${names.map(() => '---|').join('')}`);
  for (const measure of Object.keys(results.get(names[0])[0])) {
    const cells = names.map((name) => {
      const found = results.get(name).map((round) => round[measure]);
      const [low, middle, high] = [quantile(found, 0), quantile(found, 0.5), quantile(found, 1)].map(format);
      return `${middle} (${low} to ${high})`;
    });
    console.log(`| ${measure} | ${cells.join(' | ')} |`);
  }
}

function format(value) {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}
