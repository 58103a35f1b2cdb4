// Destinations as people see and hold them (R6), and which letters an outage made, on a real PostgreSQL. Nothing is fake;
// letters are written as a delivery would leave them.
import { randomUUID } from 'node:crypto';
import type { PauseScope } from '../../src/application/delivery/destinations/ports.js';
import { createDestinationStore, LIST } from '../../src/infrastructure/prisma/destination-store.js';
import { LATEST_OUTAGE, ofOutage } from '../../src/infrastructure/prisma/outage-letters.js';
import { createDeliveryStore, type DeliveryStore } from '../support/delivery-line.js';

let store: DeliveryStore;
beforeAll(async () => {
  store = await createDeliveryStore();
});
beforeEach(() =>
  store.pool.query('TRUNCATE outbox.destination, outbox.pause, outbox.outage, outbox.delivery, outbox.dead_letter'),
);
afterAll(() => store.close());

const destinations = () => createDestinationStore(store.pool);
const ALL: PauseScope = { destination: null, eventType: null, tenantId: null };
const WORD = { actor: 'ada', reason: 'maintenance' };
const rows = async (text: string, ...values: unknown[]) => (await store.pool.query(text, values)).rows;

it('R6: a scope has one pause; another takes its place; a resume ends exactly that scope', async () => {
  const erp = { ...ALL, destination: 'erp.sync' };
  const until = new Date(Date.now() + 60_000).toISOString();
  await destinations().pause(erp, null, WORD);
  await destinations().pause(erp, until, { actor: 'bob', reason: 'longer' });
  await destinations().pause({ ...erp, eventType: 'ORDER' }, null, WORD);
  await destinations().pause(ALL, null, WORD);
  const { pauses, destinations: listed } = await destinations().list();
  expect(pauses).toMatchObject([
    { ...ALL, until: null },
    { ...erp, until, actor: 'bob', reason: 'longer' },
    { ...erp, eventType: 'ORDER' },
  ]);
  expect(listed.map(({ name }) => name)).toEqual(['audit.log', 'erp.sync']); // the audit events below wait for audit.log
  expect(await destinations().resume(erp, WORD)).toMatchObject({ ...erp, actor: 'bob' });
  expect(await destinations().resume(erp, WORD)).toBeNull();
  expect((await destinations().list()).pauses).toHaveLength(2);
});

it('R6: a pause that somebody has looked at gives way, and ends, to who says so; another one that was made meanwhile stays', async () => {
  const erp = { ...ALL, destination: 'erp.sync' };
  const bob = { actor: 'bob', reason: 'wrong amounts' };
  const first = await destinations().pause(erp, null, WORD, null);
  const second = await destinations().pause(erp, null, bob, first?.id);
  expect([first?.actor, second?.actor]).toEqual(['ada', 'bob']);
  const before = await rows(`SELECT count(*)::int AS n FROM outbox.event WHERE event_type = 'OUTBOX'`);
  for (const replaces of [null, first?.id]) expect(await destinations().pause(erp, null, WORD, replaces)).toBeNull();
  expect(await destinations().resume(erp, WORD, first?.id)).toBeNull();
  expect(await destinations().findPause(erp)).toEqual(second);
  // What was refused is no event.
  expect(await rows(`SELECT count(*)::int AS n FROM outbox.event WHERE event_type = 'OUTBOX'`)).toEqual(before);
  expect(await destinations().resume(erp, WORD, second?.id)).toEqual(second);
  expect(await destinations().findPause(erp)).toBeNull();
  // One that is over gives way to anybody.
  await destinations().pause(erp, new Date(Date.now() - 1_000).toISOString(), WORD);
  expect(await destinations().pause(erp, null, bob, null)).toMatchObject({ actor: 'bob' });
});

it('what a person did is an event for the audit log, in the same statement; what changed nothing is none', async () => {
  const scope = { ...ALL, destination: 'erp.sync', eventType: 'ORDER' };
  await destinations().pause(scope, null, WORD);
  await destinations().resume(scope, { actor: 'api-key:k1', reason: 'over' });
  await destinations().resume(scope, WORD);
  const events = await rows(
    `SELECT event_name, routing_key, aggregate_id, headers->'actor' AS actor, payload FROM outbox.event
     WHERE event_type = 'OUTBOX' AND payload->>'eventType' = 'ORDER' ORDER BY recorded_at DESC LIMIT 3`,
  );
  expect(events.reverse().slice(-2)).toMatchObject([
    {
      event_name: 'outbox.destination.paused.v1',
      routing_key: 'audit.log',
      aggregate_id: 'erp.sync',
      actor: { type: 'user', id: 'ada' },
      payload: { reason: 'maintenance', destination: 'erp.sync', eventType: 'ORDER', until: null },
    },
    {
      event_name: 'outbox.destination.resumed.v1',
      actor: { type: 'apiKey', id: 'api-key:k1' },
      payload: { reason: 'over' },
    },
  ]);
});

it('R6: known is what is open, of either kind, what has a row, an open letter or recent events, and nothing else', async () => {
  const rowsOf = `INSERT INTO outbox.delivery (event_id, destination, event_type, status, carrier, order_key, order_no)`;
  await store.pool.query(`${rowsOf} VALUES (gen_random_uuid(), 'a.waits', 'WAITS', 'PENDING', NULL, NULL, NULL),
    (gen_random_uuid(), 'b.ordered', 'ORDERED', 'PENDING', NULL, 'k', 1), (gen_random_uuid(), 'd.batch', 'T', 'STARTED', 'b', NULL, NULL),
    (gen_random_uuid(), 'c.runs', 'T', 'STARTED', NULL, NULL, NULL)`);
  await store.pool.query(`INSERT INTO outbox.destination (name) VALUES ('e.row')`);
  await store.pool.query(`INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries, state)
    SELECT gen_random_uuid(), gen_random_uuid(), 0, d, 'T', 'HTTP.TLS', 'm', 1, 1, s FROM (VALUES ('f.letter', 'open'), ('g.closed', 'redriven')) v(d, s)`);
  const { eventType } = await appended();
  const knows = async (destination: string) =>
    (await destinations().findKnown({ ...ALL, destination })).destinations.includes(destination);
  for (const name of ['a.waits', 'b.ordered', 'c.runs', 'd.batch', 'e.row', 'f.letter', 'h.recent'])
    expect([name, await knows(name)]).toEqual([name, true]);
  await destinations().pause({ ...ALL, destination: 'i.paused' }, null, WORD);
  for (const name of ['g.closed', 'i.paused', 'a.wait']) expect([name, await knows(name)]).toEqual([name, false]);
  const knowsType = async (type: string) =>
    (await destinations().findKnown({ ...ALL, eventType: type })).eventTypes.includes(type);
  for (const type of ['WAITS', 'ORDERED', eventType]) expect([type, await knowsType(type)]).toEqual([type, true]);
  expect(await knowsType('WAIT')).toBe(false);
});

async function appended(): Promise<{ eventType: string }> {
  await store.append({ routingKey: 'h.recent', eventType: 'RECENT' });
  await store.pool.query(
    `UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{}' WHERE destination = 'h.recent'`,
  );
  return { eventType: 'RECENT' };
}

it('a pause that is over is not listed, and there is nothing to resume', async () => {
  const erp = { ...ALL, destination: 'erp.sync' };
  await destinations().pause(erp, new Date(Date.now() - 1_000).toISOString(), WORD);
  expect((await destinations().list()).pauses).toEqual([]);
  expect(await destinations().resume(erp, WORD)).toBeNull();
});

it('R19: an outage made the letters of its destination and time that count as failures of it, and no others', async () => {
  type More = { destination?: string; status?: number; lastCode?: string };
  const letter = async (code: string, minutesAgo: number, more: More = {}) => {
    const id = randomUUID();
    await store.pool.query(
      `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries,
         last_code, last_status, last_failed_at, created_at)
       VALUES ($1, $2, 0, $3, 'ORDER', $4, 'm', 1, 1, coalesce($7, $4), $5, now() - $6::float8 * interval '1 minute', now() - $6::float8 * interval '1 minute')`,
      [id, randomUUID(), more.destination ?? 'erp.sync', code, more.status ?? null, minutesAgo, more.lastCode ?? null],
    );
    return id;
  };
  const outage = async (fromMinutes: number, toMinutes: number | null) => {
    const id = randomUUID();
    await store.pool.query(
      `INSERT INTO outbox.outage (id, destination, first_failure_at, opened_at, closed_at, code)
       VALUES ($1, 'erp.sync', now() - $2::int * interval '1 minute', now() - ($2::int - 1) * interval '1 minute',
         now() - $3::int * interval '1 minute', 'HTTP.TLS')`,
      [id, fromMinutes, toMinutes],
    );
    return id;
  };
  const first = await outage(60, 50);
  const second = await outage(30, null);
  const made = [
    await letter('HTTP.TLS', 20),
    await letter('HTTP.BAD_RESPONSE', 29, { status: 200 }),
    await letter('HTTP.CLIENT_ERROR', 10, { status: 404 }),
    await letter('DELIVERY.DEADLINE', 15, { lastCode: 'HTTP.TIMEOUT' }),
    await letter('DELIVERY.DEADLINE', 15, { lastCode: 'HTTP.RATE_LIMITED', status: 503 }),
  ];
  const earlier = [
    await letter('HTTP.TLS', 55),
    await letter('HTTP.TLS', 49.7), // of an attempt whose end was not written: the letter's own time
  ];
  await letter('HTTP.TLS', 49);
  await letter('HTTP.CLIENT_ERROR', 10, { status: 422 });
  await letter('HTTP.TLS', 40);
  await letter('HTTP.TLS', 20, { destination: 'other' });
  await letter('DISPATCH.INVALID_EVENT', 20);
  await letter('DELIVERY.DEADLINE', 15, { lastCode: 'HTTP.RATE_LIMITED', status: 429 });
  // A person meant it, whatever the destination answered before.
  await letter('WORKFLOW.TERMINATED', 15, { lastCode: 'HTTP.TIMEOUT' });

  const of = async (id: string) =>
    (await rows(`SELECT l.id FROM outbox.dead_letter l WHERE ${ofOutage('l', '$1')}`, id)).map((row) => row.id).sort();
  expect(await of(first)).toEqual([...earlier].sort());
  expect(await of(second)).toEqual([...made].sort());
  expect(await rows(LATEST_OUTAGE, 'erp.sync')).toEqual([{ id: second }]);
  await store.pool.query(`INSERT INTO outbox.destination (name) VALUES ('erp.sync')`);
  const [listed] = (await destinations().list()).destinations;
  expect(listed).toMatchObject({
    name: 'erp.sync',
    outage: { id: second, closedAt: null, code: 'HTTP.TLS', letters: 5 },
  });
});

it("R19: an outage's letters are counted by an index of their destination and time, up to a bound", async () => {
  await store.pool.query(`INSERT INTO outbox.outage (id, destination, first_failure_at, opened_at, closed_at, code)
    SELECT gen_random_uuid(), 'dest.' || n, now() - interval '3 hours', now() - interval '3 hours', now() - interval '2 hours', 'HTTP.TLS'
    FROM generate_series(0, 3) n`);
  await store.pool.query(`INSERT INTO outbox.destination (name) SELECT 'dest.' || n FROM generate_series(0, 3) n`);
  // Of an outage: dest.0, more than are counted. The others failed before, after, or elsewhere.
  await store.pool.query(`INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count,
      max_retries, last_code, last_failed_at)
    SELECT gen_random_uuid(), gen_random_uuid(), 0, 'dest.' || CASE WHEN n <= 10050 THEN 0 ELSE n % 4 END, 'T', 'HTTP.TLS', 'm', 1, 1,
      'HTTP.TLS', now() - CASE WHEN n <= 10050 THEN interval '150 minutes' ELSE n % 2 * interval '9 hours' END
    FROM generate_series(1, 40000) n`);
  await store.pool.query('VACUUM ANALYZE outbox.dead_letter');
  for (const mode of ['force_custom_plan', 'force_generic_plan']) {
    const client = await store.pool.connect();
    try {
      await client.query(`PREPARE asked AS ${LIST}`);
      await client.query(`SET plan_cache_mode = ${mode}`);
      const { rows: plans } = await client.query('EXPLAIN (FORMAT JSON) EXECUTE asked');
      const scans = scansOfLetters(plans[0]['QUERY PLAN'][0].Plan);
      expect(scans).toEqual([
        expect.stringMatching(/^dead_letter_by_destination .*destination = .*last_failed_at >= .*last_failed_at <= /),
      ]);
    } finally {
      await client.query('DEALLOCATE asked');
      await client.query('RESET ALL');
      client.release();
    }
  }
  const { destinations: listed } = await destinations().list();
  expect(listed.map(({ name, outage }) => [name, outage?.letters])).toEqual([
    ['dest.0', 10_000],
    ['dest.1', 0],
    ['dest.2', 0],
    ['dest.3', 0],
  ]);
});

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PlanNode[];
}

function scansOfLetters(node: PlanNode): string[] {
  const index = node['Index Name'] ?? '';
  const here = node['Relation Name'] === 'dead_letter' && node['Node Type'] !== 'Bitmap Heap Scan';
  const of = here || index.startsWith('dead_letter') ? [`${index} ${node['Index Cond'] ?? node['Node Type']}`] : [];
  return [...of, ...(node.Plans ?? []).flatMap(scansOfLetters)];
}

it('R6: tells how each destination stands, those that only have events too', async () => {
  for (const status of ['PENDING', 'PENDING', 'STARTED'] as const)
    await store.append({ status, routingKey: 'erp.sync' });
  await store.pool.query(
    `INSERT INTO outbox.destination (name, breaker, failures, reason_code, reason_status, opened_at, open_until, p95_ms, health)
     VALUES ('broken', 'open', 10, 'HTTP.SERVER_ERROR', 500, now(), now() + interval '30 s', 812, 'degraded')`,
  );
  const { destinations: listed } = await destinations().list();
  expect(listed).toMatchObject([
    {
      name: 'broken',
      breaker: 'open',
      health: 'degraded',
      failures: 10,
      p95Ms: 812,
      reason: { code: 'HTTP.SERVER_ERROR', status: 500 },
      openUntil: expect.stringMatching(/Z$/),
      waiting: 0,
    },
    { name: 'erp.sync', breaker: 'closed', health: 'ok', reason: null, waiting: 2, running: 1, outage: null },
  ]);
});
