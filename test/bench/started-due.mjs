// Usage: npm run build && node test/bench/started-due.mjs [--sleeping 100000] [--due 1000] [--rounds 5]
// Measures what the reconciler and the claim's room ask of STARTED rows on a real PostgreSQL: which are past due, and how
// many are due within a minute, beside many that sleep in a backoff. One index for what waits and what runs, against the
// migration's one for each. And what either costs an event: claim, mark, three failed attempts, settle.
// Writes tables to standard output: medians, and the buffers that EXPLAIN (ANALYZE, BUFFERS) names.
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';
import { CLAIM } from '../../dist/src/infrastructure/prisma/relay-sql.js';

const { values } = parseArgs({
  options: {
    sleeping: { type: 'string', default: '100000' },
    due: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
  },
});
const [SLEEPING, DUE, ROUNDS] = [values.sleeping, values.due, values.rounds].map(Number);
const LANES = [21, 5_000];

/** The alternative: R5's one index for rows that wait and rows that run. */
const ONE_INDEX = `
  DROP INDEX outbox.delivery_waiting, outbox.delivery_running;
  CREATE INDEX delivery_open ON outbox.delivery (status, destination, event_type, tenant, due_at)
    WHERE status IN ('PENDING', 'STARTED')`;

const STARTED = `d.status = 'STARTED' AND d.destination = 'audit.log'`;
/** Without an order of their own, rows by due time are found lane by lane. */
const byLanes = (columns, condition, limit) => `
  WITH RECURSIVE lane AS (
    (SELECT event_type, tenant FROM outbox.delivery d WHERE ${STARTED} ORDER BY event_type, tenant LIMIT 1)
    UNION ALL
    SELECT n.event_type, n.tenant FROM lane l CROSS JOIN LATERAL (
      SELECT d.event_type, d.tenant FROM outbox.delivery d
      WHERE ${STARTED} AND (d.event_type, d.tenant) > (l.event_type, l.tenant) ORDER BY d.event_type, d.tenant LIMIT 1) n
  )
  SELECT x.* FROM lane l CROSS JOIN LATERAL (
    SELECT ${columns} FROM outbox.delivery d
    WHERE ${STARTED} AND d.event_type = l.event_type AND d.tenant = l.tenant AND d.carrier IS NULL AND ${condition}
    LIMIT ${limit}) x LIMIT ${limit}`;
const flat = (columns, condition, limit) =>
  `SELECT ${columns} FROM outbox.delivery d WHERE ${STARTED} AND d.carrier IS NULL AND ${condition} LIMIT ${limit}`;
const PAST_DUE = ['d.event_id, d.epoch', `d.due_at < statement_timestamp() - interval '5 minutes'`, 100];
const ROOM = ['', `d.due_at <= statement_timestamp() + interval '1 minute'`, 500];
const count = (sql) => `SELECT count(*) FROM (${sql}) runs`;

const QUESTIONS = {
  'a hundred past due': { one: flat(...PAST_DUE), three: flat(...PAST_DUE) },
  'the same, lane by lane': { one: byLanes(...PAST_DUE), three: null },
  'room under a cap of 500': { one: count(byLanes(...ROOM)), three: count(flat(...ROOM)) },
};

const folder = await mkdtemp(join(tmpdir(), 'started-due-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, note: () => {} });
try {
  for (const lanes of LANES) {
    console.log(`\n${SLEEPING} asleep, ${DUE} past due, ${lanes} lanes: ms (8 KiB buffers)\n`);
    console.log('| | one index | three indexes |\n|---|---|---|');
    const [one, three] = [await ask(lanes, 'one'), await ask(lanes, 'three')];
    for (const name of Object.keys(QUESTIONS)) console.log(`| ${name} | ${one[name]} | ${three[name]} |`);
  }
  console.log('\n20,000 events claimed, marked, failed three times, settled: median (least to most)\n');
  console.log('| | one index | three indexes |\n|---|---|---|');
  const runs = { one: [], three: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const which of round % 2 === 0 ? ['one', 'three'] : ['three', 'one']) runs[which].push(await live(which));
  }
  for (const name of Object.keys(runs.one[0])) {
    const of = (which) => {
      const found = runs[which].map((run) => run[name]).sort((a, b) => a - b);
      return `${median(found).toFixed(0)} (${found[0].toFixed(0)} to ${found.at(-1).toFixed(0)})`;
    };
    console.log(`| ${name} | ${of('one')} | ${of('three')} |`);
  }
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function withDatabase(work) {
  const name = `bench_${randomUUID().replaceAll('-', '')}`;
  await server.createDatabase(name);
  await deployMigrations({ databaseUrl: server.url(name), target: 'outbox' });
  const client = new pg.Client({ connectionString: server.url(name), options: '-c jit=off' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** One destination; the rows past due spread over all lanes. */
function ask(lanes, which) {
  return withDatabase(async (client) => {
    if (which === 'one') await client.query(ONE_INDEX);
    const fill = (count, status, due) =>
      client.query(
        `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, status, due_at)
         SELECT gen_random_uuid(), 'audit.log', 'AUTH', 't' || g % $1::integer, '${status}', ${due} FROM generate_series(1, $2::integer) g`,
        [lanes, count],
      );
    await fill(SLEEPING, 'STARTED', `now() + interval '2 minutes' + g * interval '10 ms'`);
    await fill(DUE, 'STARTED', `now() - interval '10 minutes' - g * interval '1 ms'`);
    await client.query('VACUUM ANALYZE outbox.delivery');
    const answers = {};
    for (const [name, { [which]: sql }] of Object.entries(QUESTIONS)) {
      answers[name] = '';
      if (sql === null) continue;
      const times = [];
      let buffers = 0;
      for (let i = 0; i < 11; i++) {
        const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${sql}`);
        const [plan] = rows[0]['QUERY PLAN'];
        times.push(plan['Execution Time']);
        buffers = plan.Plan['Shared Hit Blocks'] + plan.Plan['Shared Read Blocks'];
      }
      answers[name] = `${median(times).toFixed(1)} (${buffers})`;
    }
    return answers;
  });
}

function live(which) {
  return withDatabase(async (client) => {
    if (which === 'one') await client.query(ONE_INDEX);
    const rows = 20_000;
    await client.query(
      `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
       SELECT gen_random_uuid(), 'audit.log', 'AUTH', 't' || g % 21, now() - interval '1 hour' + g * interval '1 ms'
       FROM generate_series(1, $1::integer) g`,
      [rows],
    );
    await client.query('VACUUM ANALYZE outbox.delivery');
    await client.query(
      `PREPARE claim(uuid, integer, integer, jsonb, integer, jsonb, uuid, integer, jsonb, text) AS ${CLAIM}`,
    );
    const wal = async () =>
      (await client.query(`SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS wal`)).rows[0].wal;
    const [before, startedAt] = [await wal(), performance.now()];
    for (;;) {
      const { rows: claimed } = await client.query(
        `EXECUTE claim('${randomUUID()}', 30000, 200, '{}', 500, '{"otherwise":"p"}', '${randomUUID()}', 200, '{}', '')`,
      );
      const ids = claimed.flatMap(({ event_id }) => (event_id === null ? [] : [event_id]));
      if (ids.length === 0) break;
      await client.query(
        `UPDATE outbox.delivery SET status = 'STARTED', lease_token = NULL, due_at = now() + interval '30 s' WHERE event_id = ANY ($1)`,
        [ids],
      );
      for (let i = 0; i < 3; i++) {
        await client.query(
          `UPDATE outbox.delivery SET due_at = clock_timestamp() + $2::integer * interval '1 s' WHERE event_id = ANY ($1)`,
          [ids, 10 + i],
        );
      }
      await client.query(
        `UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{"id": "r"}' WHERE event_id = ANY ($1)`,
        [ids],
      );
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    return { 'events/s': rows / seconds, 'WAL, bytes an event': ((await wal()) - before) / rows };
  });
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
