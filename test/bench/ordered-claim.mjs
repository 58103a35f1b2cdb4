// Usage: npm run build && node test/bench/ordered-claim.mjs [--rounds 31] [--beside FOLDER]
// Measures the claim on a real PostgreSQL where events are ordered (R9): many aggregates, one with a million events, many that
// are blocked, one that is drained without a vacuum; and where none is, beside the claim of another built checkout in FOLDER.
// Each claim is rolled back. Writes a table to standard output: ms from statement to last row (median, least to most), and the
// buffers that EXPLAIN (ANALYZE, BUFFERS) names.
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '31' }, beside: { type: 'string' } } });
const ROUNDS = Number(values.rounds);
const OWN = resolve(import.meta.dirname, '../..');
const EXECUTE = `EXECUTE claim('${randomUUID()}', 30000, 200, '{}', 500, '{"otherwise":"p"}', '${randomUUID()}', 200, '{}', '')`;

const ordered = (keys, rows, columns = '') => `
  INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('ORDER', 'block', 'bench') ON CONFLICT DO NOTHING;
  INSERT INTO outbox.delivery (event_id, destination, event_type, order_key, order_no, status, due_at)
  SELECT gen_random_uuid(), 'audit.log', 'ORDER', md5((g % ${keys})::text), g, ${columns || `'PENDING'`}, now() - interval '1 hour'
  FROM generate_series(1, ${rows}) g`;
const UNORDERED = `
  INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
  SELECT gen_random_uuid(), 'audit.log', 'AUTH', 't' || CASE WHEN g % 10 < 8 THEN 0 ELSE g % 21 END, now() - interval '1 hour' + g * interval '1 ms'
  FROM generate_series(1, 200000) g`;

const folder = await mkdtemp(join(tmpdir(), 'ordered-claim-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, note: () => {} });
const thousand = ordered(1_000, 100_000);
const dead = ordered(1_000, 100_000, `CASE WHEN g <= 1000 THEN 'DEAD' ELSE 'PENDING' END`);
try {
  console.log('| | ms | buffers | claimed |\n|---|---|---|---|');
  const beside = values.beside
    ? [{ name: 'the same, as it was before', checkout: resolve(values.beside), fill: UNORDERED }]
    : [];
  await measure({ name: '200,000 unordered in 21 lanes', fill: UNORDERED }, ...beside);
  await measure({ name: '1,000 aggregates with 100 events each', fill: thousand });
  await measure({ name: '10,000 aggregates with 10 events each', fill: ordered(10_000, 100_000) });
  await measure({ name: 'one aggregate with 1,000,000 events', fill: ordered(1, 1_000_000) });
  await measure({ name: 'the same, 5,000 of them delivered', fill: ordered(1, 1_000_000), prepare: drain });
  await measure({ name: '1,000 aggregates with 100 events each, every head dead', fill: dead });
  await measure({ name: '200,000 unordered, and 1,000 aggregates with 100', fill: `${UNORDERED};${thousand}` });
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Variants take turns, so that a slow minute of the machine hits all of them. */
async function measure(...variants) {
  const runs = [];
  for (const variant of variants) runs.push(await open(variant));
  for (let i = 0; i < 6; i++) for (const { client } of runs) await claimOnce(client, EXECUTE); // until the plan is generic
  for (let i = 0; i < ROUNDS; i++) {
    for (const run of i % 2 === 0 ? runs : [...runs].reverse()) {
      const startedAt = performance.now();
      const rows = await claimOnce(run.client, EXECUTE, () => run.times.push(performance.now() - startedAt));
      run.claimed = rows.filter((row) => row.event_id !== null).length;
    }
  }
  for (const { name, client, times, claimed } of runs) {
    const [row] = await claimOnce(client, `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${EXECUTE}`);
    const { Plan: plan } = row['QUERY PLAN'][0];
    times.sort((a, b) => a - b);
    const [least, median, most] = [times[0], times[Math.floor(ROUNDS / 2)], times.at(-1)].map((ms) => ms.toFixed(1));
    const buffers = plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
    console.log(`| ${name} | ${median} (${least} to ${most}) | ${buffers} | ${claimed} |`);
    await client.end();
  }
}

/** Rolled back, so that each claim meets the same rows. */
async function claimOnce(client, text, done = () => {}) {
  await client.query('BEGIN');
  const { rows } = await client.query(text);
  done();
  await client.query('ROLLBACK');
  return rows;
}

async function open({ name, fill, checkout = OWN, prepare = async () => {} }) {
  const part = (path) => import(pathToFileURL(join(checkout, 'dist/src/infrastructure/prisma', path)).href);
  const [{ deployMigrations }, { CLAIM }] = [await part('migrations.js'), await part('relay-sql.js')];
  const database = `bench_${randomUUID().replaceAll('-', '')}`;
  await server.createDatabase(database);
  await deployMigrations({ databaseUrl: server.url(database), target: 'outbox' });
  const client = new pg.Client({ connectionString: server.url(database), options: '-c jit=off' });
  await client.connect();
  await client.query(fill);
  await client.query('VACUUM ANALYZE outbox.delivery');
  await client.query(
    `PREPARE claim(uuid, integer, integer, jsonb, integer, jsonb, uuid, integer, jsonb, text) AS ${CLAIM}`,
  );
  await prepare(client);
  return { name, client, times: [], claimed: 0 };
}

/** One after another, as they go through the line. */
async function drain(client) {
  for (let i = 0; i < 5_000; i++) {
    const { rows } = await client.query(EXECUTE);
    const id = rows[0]?.event_id;
    if (id == null) throw new Error('expected a row to claim');
    await client.query(`UPDATE outbox.delivery SET status = 'STARTED', lease_token = NULL WHERE event_id = $1`, [id]);
    await client.query(`UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{"id": "r"}' WHERE event_id = $1`, [
      id,
    ]);
  }
}
