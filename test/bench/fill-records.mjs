// Records for the benches of reading.
import { readFileSync } from 'node:fs';

/** About a kilobyte each, in ten tenants, one of them with 90 %, evenly over the months from January 2024 on. */
export async function fillBenchRecords(pool, { records, months }) {
  for (let month = 0; month < months; month++) {
    const [first, end] = [month, month + 1].map((n) => new Date(Date.UTC(2024, n, 1)).toISOString());
    const name = `record_${first.slice(0, 7).replace('-', '_')}`;
    await pool.query(
      `CREATE TABLE IF NOT EXISTS audit.${name} PARTITION OF audit.record FOR VALUES FROM ('${first}') TO ('${end}')`,
    );
  }
  // Indexes are made afterwards, which is quicker.
  await pool.query('DROP INDEX audit.record_by_actor, audit.record_by_action, audit.record_by_target');
  const from = Date.UTC(2024, 0, 1);
  const step = (Date.UTC(2024, months, 1) - from) / records;
  for (let first = 0; first < records; first += 50_000) {
    await pool.query(FILL, [from, step, first, Math.min(50_000, records - first)]);
  }
  const migration = new URL('../../prisma/audit/migrations/20261128040000_reading/migration.sql', import.meta.url);
  for (const [index] of readFileSync(migration, 'utf8').matchAll(/^CREATE INDEX .*;$/gm)) await pool.query(index);
  await pool.query('VACUUM ANALYZE audit.record');
  await pool.query('VACUUM ANALYZE audit.record_key');
}

/** $1 the first millisecond, $2 milliseconds between two, $3 the first number, $4 how many. About a kilobyte each. */
const FILL = `
WITH made AS MATERIALIZED (
  SELECT n, CASE WHEN n % 10 = 0 THEN 't-' || n / 10 % 9 + 1 ELSE 't-0' END AS tenant,
    (lpad(to_hex(ms), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS record_id,
    to_timestamp(ms / 1000.0) AS at, sha256(n::text::bytea) AS hash,
    CASE WHEN n % 50000 = 11 THEN 'role.role.granted' ELSE (ARRAY['auth.user.signed_in', 'order.order.placed', 'order.order.paid', 'data.file.read'])[1 + n % 4] END AS action
  FROM (SELECT n, $1::bigint + floor(n * $2::float8)::bigint AS ms FROM generate_series($3::integer, $3::integer + $4::integer - 1) n) s
), keys AS (
  INSERT INTO audit.record_key (tenant_id, source, event_id, record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash)
  SELECT tenant, '/bench', 'e-' || n, record_id, at, 'k1', hash, hash FROM made
)
INSERT INTO audit.record (record_id, recorded_at, tenant_id, source, event_id, action, action_version, category,
  operation, outcome, severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt, body)
SELECT record_id, at, tenant, '/bench', 'e-' || n, action, 1, 'data', 'create', 'success', 'info', at, 'user', 'u-' || n % 100,
  'api', '0198c0de-0000-7000-8000-000000000001', 1, '\\x00',
  jsonb_build_object('specVersion', '1.0', 'eventId', 'e-' || n, 'source', '/bench', 'action', action, 'actionVersion', 1,
    'category', 'data', 'operation', 'create', 'outcome', 'success', 'occurredAt', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'actor', jsonb_build_object('type', 'user', 'id', 'u-' || n % 100),
    'targets', jsonb_build_array(jsonb_build_object('type', 'row', 'id', 'row-' || n), jsonb_build_object('type', 'customer', 'id', 'customer-' || n % 20),
      jsonb_build_object('type', 'account', 'id', 'account-' || n % 20000)),
    'data', jsonb_build_object('n', n, 'text', md5(n::text) || md5((n + 1)::text) || md5((n + 2)::text) || md5((n + 3)::text) || md5((n + 4)::text) || md5((n + 5)::text)))
FROM made`;
