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
import { fillBenchRecords } from './fill-records.mjs';

const { values } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, months: { type: 'string', default: '24' } },
});
const RECORDS = Number(values.records);
const MONTHS = Number(values.months);

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
const FILTERS = {
  tenant: big,
  'tenant, one month of long ago': { ...big, recordedFrom: Date.UTC(2024, 2, 1), recordedTo: Date.UTC(2024, 3, 1) },
  'all tenants': EMPTY,
  'tenant + actor with 1 in 100': { ...big, actorId: 'u-17' },
  'tenant + actor that is not there': { ...big, actorId: 'nobody' },
  'tenant + target with 1 in 20': { ...big, targetId: 'customer-3' },
  'tenant + target that only other tenants have': { ...big, targetId: 'account-0' },
  'tenant + target with one record, of the first month': { ...big, targetId: 'row-11' },
  'tenant + target that is not there': { ...big, targetId: 'none' },
  'tenant + action prefix with 1 in 4': { ...big, action: 'auth.user' },
  'tenant + action prefix with 1 in 50,000': { ...big, action: 'role' },
  'tenant + action that is not there': { ...big, action: 'none.such' },
  'tenant + severity that is not there': { ...big, severity: 'critical' },
  'tenant + text that is not there': { ...big, text: 'no such words' },
};

const folder = await mkdtemp(join(tmpdir(), 'audit-reading-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, fsync: false, note: () => {} });
try {
  await server.createDatabase('bench');
  const url = server.url('bench');
  await deployMigrations({ databaseUrl: url, target: 'audit' });
  const pool = createPool(url, { max: 1, statementTimeoutMs: 0 });
  await fillBenchRecords(pool, { records: RECORDS, months: MONTHS });
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
