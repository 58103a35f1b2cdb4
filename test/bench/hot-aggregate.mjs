// Usage: npm run build && node test/bench/hot-aggregate.mjs [--events 200] [--destination-ms 0]
// How many events a second of one aggregate go through the whole line in their order: real PostgreSQL, Temporal dev server in
// memory, relay and worker in one process; the destination is an HTTP server here that takes so many ms to answer. Beside it the
// same events of as many aggregates. Writes a table to standard output.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createRoles, httpHandler } from '../../dist/src/index.js';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { startEmbeddedTemporal } from '../../dist/src/infrastructure/embedded/embedded-temporal.js';
import { findTemporal } from '../../dist/src/infrastructure/embedded/find-temporal.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';

const { values } = parseArgs({
  options: { events: { type: 'string', default: '200' }, 'destination-ms': { type: 'string', default: '0' } },
});
const EVENTS = Number(values.events);

const folder = await mkdtemp(join(tmpdir(), 'hot-aggregate-'));
await chmod(folder, 0o755); // PostgreSQL runs as another user under root
const note = () => {};
const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, note });
const temporal = await startEmbeddedTemporal({
  cli: await findTemporal({ environment: process.env, note }),
  pidFile: join(folder, 'temporal.pid'),
  port: 0,
  uiPort: null,
  searchAttributes: ['OutboxEventName', 'OutboxEventType', 'OutboxTenantId', 'OutboxErrorCode'],
});
const destination = createServer((request, response) => {
  request.resume().on('end', async () => {
    await sleep(Number(values['destination-ms']));
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"r"}');
  });
}).listen(0, '127.0.0.1');
try {
  await postgres.createDatabase('hot');
  await deployMigrations({ databaseUrl: postgres.url('hot'), target: 'outbox' });
  const client = new pg.Client({ connectionString: postgres.url('hot') });
  await client.connect();
  await client.query(`INSERT INTO outbox.deployment (name) VALUES ('bench');
    INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('ORDER', 'block', 'bench')`);
  const handlers = [httpHandler({ routingKey: 'bench', url: `http://127.0.0.1:${destination.address().port}/` })];
  const roles = await createRoles(
    ['relay', 'worker'],
    { handlers },
    {
      environment: {
        OUTBOX_DATABASE_URL: postgres.url('hot'),
        OUTBOX_DEPLOYMENT: 'bench',
        OUTBOX_AUDIT_URL: 'http://127.0.0.1:9',
        OUTBOX_AUDIT_API_KEY: `bench-${'x'.repeat(40)}`,
        OUTBOX_PROBE_PORT: '0',
        OUTBOX_LOG_LEVEL: 'error',
        TEMPORAL_ADDRESS: temporal.address,
        TEMPORAL_NAMESPACE: 'default',
      },
    },
  );
  console.log('| | events/s |\n|---|---|');
  await through(client, 1, 20); // warm
  for (const aggregates of [1, 10, EVENTS]) {
    const seconds = await through(client, aggregates, EVENTS);
    console.log(`| ${EVENTS} events of ${aggregates} aggregates | ${(EVENTS / seconds).toFixed(1)} |`);
  }
  await roles.stop();
  await client.end();
} finally {
  destination.close();
  await temporal.stop();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Appends them in one transaction and waits until all are delivered; seconds. */
async function through(client, aggregates, count) {
  const startedAt = performance.now();
  await client.query(
    `SELECT count(*) FROM outbox.record_events((SELECT jsonb_agg(jsonb_build_object('eventName', 'a.b.v1', 'eventType', 'ORDER',
       'routingKey', 'bench', 'payload', '{}'::jsonb,
       'aggregate', jsonb_build_object('type', 'order', 'id', (g % $1::integer)::text, 'version', g))) FROM generate_series(1, $2::integer) g))`,
    [aggregates, count],
  );
  for (;;) {
    const { rows } = await client.query(`SELECT FROM outbox.delivery WHERE status <> 'DELIVERED' LIMIT 1`);
    if (rows.length === 0) return (performance.now() - startedAt) / 1_000;
    await sleep(20);
  }
}
