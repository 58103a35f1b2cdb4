// Usage: npm run build && node test/bench/ordered-claim.mjs [--rounds 11] [--beside FOLDER]
// Measures the claim on a real PostgreSQL where events are ordered (R9): many aggregates, one with a million events, many that
// are blocked, one that is drained without a vacuum; and where none is, beside the claim of another built checkout in FOLDER.
// Each claim is EXPLAINed (ANALYZE, BUFFERS) and rolled back. Writes a table to standard output: median, least and most, ms.
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '11' }, beside: { type: 'string' } } });
const ROUNDS = Number(values.rounds);
const OWN = resolve(import.meta.dirname, '../..');
const EXECUTE = `EXECUTE claim('${randomUUID()}', 30000, 200, '{}', 500, '{"otherwise":"p"}', '${randomUUID()}', 200)`;

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
try {
  console.log('| | ms | buffers | claimed |\n|---|---|---|---|');
  await row('200,000 unordered in 21 lanes', OWN, UNORDERED);
  if (values.beside) await row('the same, the other checkout', resolve(values.beside), UNORDERED);
  await row('200,000 unordered in 21 lanes, again', OWN, UNORDERED);
  if (values.beside) await row('the same, the other checkout, again', resolve(values.beside), UNORDERED);
  await row('1,000 aggregates with 100 events each', OWN, ordered(1_000, 100_000));
  await row('10,000 aggregates with 10 events each', OWN, ordered(10_000, 100_000));
  await row('one aggregate with 1,000,000 events', OWN, ordered(1, 1_000_000));
  await row('the same, 5,000 of them delivered without a vacuum', OWN, ordered(1, 1_000_000), drain);
  await row(
    '1,000 aggregates with 100 events each, every head dead (block)',
    OWN,
    ordered(1_000, 100_000, `CASE WHEN g <= 1000 THEN 'DEAD' ELSE 'PENDING' END`),
  );
  await row(
    'both: 200,000 unordered, 1,000 aggregates with 100 events each',
    OWN,
    `${UNORDERED};${ordered(1_000, 100_000)}`,
  );
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function row(name, checkout, fill, prepare = async () => {}) {
  const part = (path) => import(pathToFileURL(join(checkout, 'dist/src/infrastructure/prisma', path)).href);
  const [{ deployMigrations }, { CLAIM }] = [await part('migrations.js'), await part('relay-sql.js')];
  const database = `bench_${randomUUID().replaceAll('-', '')}`;
  await server.createDatabase(database);
  await deployMigrations({ databaseUrl: server.url(database), target: 'outbox' });
  const client = new pg.Client({ connectionString: server.url(database), options: '-c jit=off' });
  await client.connect();
  await client.query(fill);
  await client.query('VACUUM ANALYZE outbox.delivery');
  await client.query(`PREPARE claim(uuid, integer, integer, jsonb, integer, jsonb, uuid, integer) AS ${CLAIM}`);
  await prepare(client);
  const claims = [];
  for (let i = 0; i < ROUNDS; i++) {
    await client.query('BEGIN');
    const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${EXECUTE}`);
    await client.query('ROLLBACK');
    const [{ Plan: plan, ...whole }] = rows[0]['QUERY PLAN'];
    claims.push({
      ms: whole['Execution Time'],
      buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
      claimed: plan['Actual Rows'],
    });
  }
  claims.sort((a, b) => a.ms - b.ms);
  const middle = claims[Math.floor(ROUNDS / 2)];
  const [least, most] = [claims[0].ms.toFixed(1), claims.at(-1).ms.toFixed(1)];
  console.log(`| ${name} | ${middle.ms.toFixed(1)} (${least} to ${most}) | ${middle.buffers} | ${middle.claimed} |`);
  await client.end();
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
