// Usage: npm run build && node test/bench/audit-reading.mjs [--records 1000000] [--months 24]
// Pages of a list at a million records in many months, as the reader asks for them: milliseconds, buffers that the statements
// touched, and what was looked at. Then the same with a plan each. One real PostgreSQL, ten tenants, one of them with 90 %.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { listRecords } from '../../dist/src/application/audit/reading/list-records.js';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createRecordReader } from '../../dist/src/infrastructure/prisma/record-reader.js';

const { values } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, months: { type: 'string', default: '24' } },
});
const RECORDS = Number(values.records);
const MONTHS = Number(values.months);
const FROM = Date.UTC(2024, 0, 1);
const TO = Date.UTC(2024, MONTHS, 1);

const EMPTY = Object.fromEntries(
  [
    'tenantId',
    'actorType',
    'actorId',
    'targetType',
    'targetId',
    'action',
    'category',
    'operation',
    'outcome',
    'severity',
  ]
    .concat(['source', 'recordedFrom', 'recordedTo', 'occurredFrom', 'occurredTo', 'text'])
    .map((field) => [field, null]),
);
const big = { ...EMPTY, tenantId: 't-0' };
const middle = RECORDS >> 1;
const FILTERS = {
  tenant: big,
  'tenant, one month of long ago': { ...big, recordedFrom: Date.UTC(2024, 2, 1), recordedTo: Date.UTC(2024, 3, 1) },
  'all tenants': EMPTY,
  'tenant + actor with 1 in 100': { ...big, actorId: 'u-17' },
  'tenant + actor that is not there': { ...big, actorId: 'nobody' },
  'tenant + target with 1 in 20': { ...big, targetId: 'customer-3' },
  'tenant + target with 1 in 20,000': { ...big, targetId: `account-${middle % 20_000}` },
  'tenant + target with one record, of the first month': { ...big, targetId: 'row-11' },
  'tenant + target that is not there': { ...big, targetId: 'none' },
  'tenant + action prefix with 1 in 4': { ...big, action: 'auth.user' },
  'tenant + action prefix with 1 in 50,000': { ...big, action: 'role' },
  'tenant + action that is not there': { ...big, action: 'none.such' },
  'tenant + severity that is not there': { ...big, severity: 'critical' },
  'tenant + text that is not there': { ...big, text: 'no such words' },
};

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

const folder = await mkdtemp(join(tmpdir(), 'audit-reading-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, fsync: false, note: () => {} });
try {
  await server.createDatabase('bench');
  const url = server.url('bench');
  await deployMigrations({ databaseUrl: url, target: 'audit' });
  const pool = createPool(url, { max: 1, statementTimeoutMs: 0 });
  await fill(pool);
  const asked = [];
  const reader = createRecordReader(watched(pool, asked));
  console.log(`${RECORDS} records in ${MONTHS} months, page of 50: the median of five, the first page\n`);
  console.log('| filter | ms | statements | records looked at | found | last page? |\n|---|---|---|---|---|---|');
  const plans = [];
  for (const [name, filter] of Object.entries(FILTERS)) {
    const times = [];
    let page;
    for (let n = 0; n < 5; n++) {
      asked.length = 0;
      const startedAt = performance.now();
      page = await listRecords({ reader, clock: () => performance.now() }, filter, { after: null, limit: 50 });
      times.push(performance.now() - startedAt);
    }
    const ms = times.sort((a, b) => a - b)[2].toFixed(1);
    console.log(
      `| ${name} | ${ms} | ${asked.length} | ${page.searched} | ${page.records.length} | ${page.after === null ? 'yes' : 'no'} |`,
    );
    plans.push([name, [...asked]]);
  }
  for (const [name, statements] of plans) {
    console.log(`\n## ${name}`);
    for (const { text, values: given } of statements.slice(0, 3)) {
      const { rows } = await pool.query({
        text: `EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) ${text}`,
        values: given,
      });
      const lines = rows
        .map((row) => row['QUERY PLAN'])
        .filter((line) => !/never executed|Sort Key|Memory|Planning:/.test(line));
      console.log(
        lines
          .map((line) => line.slice(0, 160))
          .slice(0, 40)
          .join('\n'),
        '\n--',
      );
    }
  }
  await pool.end();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Keeps what is sent. */
function watched(pool, asked) {
  return new Proxy(pool, {
    get: (target, name) => {
      if (name !== 'connect') return Reflect.get(target, name);
      return async () => {
        const client = await target.connect();
        return new Proxy(client, {
          get: (inner, property) => {
            const value = Reflect.get(inner, property);
            if (property !== 'query') return typeof value === 'function' ? value.bind(inner) : value;
            return (statement) => {
              asked.push(statement);
              return inner.query(statement);
            };
          },
        });
      };
    },
  });
}

async function fill(pool) {
  for (let month = 0; month < MONTHS; month++) {
    const [from, to] = [month, month + 1].map((n) => new Date(Date.UTC(2024, n, 1)).toISOString());
    const name = `record_${from.slice(0, 7).replace('-', '_')}`;
    await pool.query(
      `CREATE TABLE IF NOT EXISTS audit.${name} PARTITION OF audit.record FOR VALUES FROM ('${from}') TO ('${to}')`,
    );
  }
  const step = (TO - FROM) / RECORDS;
  for (let first = 0; first < RECORDS; first += 50_000) {
    await pool.query(FILL, [FROM, step, first, Math.min(50_000, RECORDS - first)]);
  }
  await pool.query('VACUUM ANALYZE audit.record');
  await pool.query('VACUUM ANALYZE audit.record_key');
}
