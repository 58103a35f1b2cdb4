// Usage: npm run build && node --expose-gc test/bench/export-memory.mjs [--records 1000000]
// Exports that many records over HTTP from an api in this process and prints, at every tenth of it, the memory that a full
// collection leaves, and the process's own size. One real PostgreSQL; the reader takes every byte and keeps none.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createApiKey } from '../../dist/src/application/audit/create-api-key.js';
import { startApi } from '../../dist/src/http/start-api.js';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { createAuditApiKeys } from '../../dist/src/infrastructure/prisma/audit-api-keys.js';
import { createAuditStore } from '../../dist/src/infrastructure/prisma/audit-store.js';
import { createFailedIngestStore } from '../../dist/src/infrastructure/prisma/failed-ingest-store.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createRecordReader } from '../../dist/src/infrastructure/prisma/record-reader.js';
import { fillBenchRecords } from './fill-records.mjs';

const { values } = parseArgs({ options: { records: { type: 'string', default: '1000000' } } });
const RECORDS = Number(values.records);
if (globalThis.gc === undefined) throw new Error('run it with node --expose-gc');

const folder = await mkdtemp(join(tmpdir(), 'export-memory-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, fsync: false, note: () => {} });
try {
  await server.createDatabase('bench');
  await deployMigrations({ databaseUrl: server.url('bench'), target: 'audit' });
  const pool = createPool(server.url('bench'), { max: 4, statementTimeoutMs: 0 });
  await fillBenchRecords(pool, { records: RECORDS, months: 24 });
  const apiKeys = createAuditApiKeys(pool);
  const silent = () => {};
  const api = await startApi({
    store: createAuditStore(pool),
    apiKeys,
    failedIngest: createFailedIngestStore(pool),
    records: createRecordReader(pool),
    fingerprintKeys: [{ id: 'k1', secret: 'of-the-bench' }],
    port: 0,
    host: '127.0.0.1',
    logger: { debug: silent, info: silent, warn: silent, error: silent },
  });
  const { secret } = await createApiKey({ keys: apiKeys })({ name: 'bench', scopes: ['audit:read:any-tenant'] });
  await measure(api.port, secret);
  await api.close();
  await pool.end();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function measure(port, secret) {
  const path = '/integration/v1/audit/logs/export';
  const request = get({ host: '127.0.0.1', port, path, headers: { Authorization: `Bearer ${secret}` } });
  const response = await new Promise((resolve, reject) => request.once('response', resolve).once('error', reject));
  console.log(
    '| records | MiB sent | heap after a collection, MiB | buffers, MiB | resident, MiB | records/s |\n|---|---|---|---|---|---|',
  );
  const startedAt = performance.now();
  let lines = 0;
  let bytes = 0;
  let next = RECORDS / 10;
  let tail = Buffer.alloc(0);
  for await (const chunk of response) {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++;
    bytes += chunk.length;
    tail = Buffer.concat([tail, chunk]).subarray(-200);
    if (lines < next) continue;
    next += RECORDS / 10;
    globalThis.gc();
    const { heapUsed, external, rss } = process.memoryUsage();
    const perSecond = lines / ((performance.now() - startedAt) / 1000);
    const cells = [bytes, heapUsed, external, rss].map((n) => (n / 2 ** 20).toFixed(0));
    console.log(`| ${lines.toLocaleString('en')} | ${cells.join(' | ')} | ${perSecond.toFixed(0)} |`);
  }
  console.log(`\nlast line: ${tail.toString().trimEnd().split('\n').at(-1)}`);
}
