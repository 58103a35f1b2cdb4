// R9: which aggregates wait behind a dead event, from the store and over real HTTP, on two real databases. Nothing is fake.
import { BLOCKED_AGGREGATES_PATH } from '../../src/contract/blocked-aggregates-api.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { openTestOps } from '../support/ops.js';
import { type Answer, expectProblem, startIngestOn, type TestIngest } from './ingest-set-up.js';

let databases: TestDatabases;
let outbox: PgPool;
let ingest: TestIngest;

beforeAll(async () => {
  databases = await createTestDatabases();
  outbox = createPool(databases.outboxUrl, { max: 4 });
  ingest = await startIngestOn(databases.auditUrl, {
    ops: openTestOps(outbox),
  });
  await outbox.query(
    `INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('ORDER', 'block', 't'), ('STOCK', 'skip', 't')`,
  );
});
afterAll(async () => {
  await ingest.stop();
  await outbox.end();
  await databases.drop();
});
beforeEach(() => outbox.query('DELETE FROM outbox.delivery; DELETE FROM outbox.event'));

const list = async (query: string, scopes = ['dlq:read'], tenant?: string): Promise<Answer> =>
  ingest.post(null, {
    method: 'GET',
    path: `${BLOCKED_AGGREGATES_PATH}${query}`,
    key: await ingest.key(scopes as never, tenant),
  });

it('R9: tells the dead head and how many wait above it; not what is passed by, nor a dead one that holds nobody', async () => {
  const head = await append('a', 2, 'DEAD');
  await append('a', 5, 'DEAD');
  for (const version of [1, 3, 4]) await append('a', version);
  await append('alone', 1, 'DEAD');
  await append('passed', 1, 'DEAD', { eventType: 'STOCK' });
  await append('passed', 2, 'PENDING', { eventType: 'STOCK' });
  await append('free', 1);
  const { status, body } = await list('');
  expect([status, body]).toEqual([
    200,
    {
      items: [
        {
          destination: 'audit.log',
          eventType: 'ORDER',
          tenantId: null,
          aggregate: { type: 'order', id: 'a' },
          head: { eventId: head, version: 2, epoch: 0, deadLetterId: null, code: null, deadSince: null },
          waiting: 2,
        },
      ],
      next: null,
    },
  ]);
});

it('R9: page by page every aggregate once; within the tenant of the key, and what is asked for', async () => {
  for (let i = 0; i < 5; i += 1) {
    for (const tenantId of ['t1', 't2']) {
      await append(`a${i}`, 1, 'DEAD', { tenantId });
      await append(`a${i}`, 2, 'PENDING', { tenantId });
    }
  }
  const seen: string[] = [];
  for (let query = '?limit=3'; query !== ''; ) {
    const { body } = await list(query);
    expect(body.items.length).toBeLessThanOrEqual(3);
    seen.push(...body.items.map((item: { head: { eventId: string } }) => item.head.eventId));
    query = body.next === null ? '' : `?limit=3&after=${body.next}`;
  }
  expect([seen.length, new Set(seen).size]).toEqual([10, 10]);
  expect((await list('', ['dlq:read'], 't1')).body.items).toHaveLength(5);
  expect((await list('?tenantId=t2')).body.items).toHaveLength(5);
  expect((await list('?eventType=AUTH')).body.items).toEqual([]);
  expect((await list('?destination=erp.sync')).body.items).toEqual([]);
  expectProblem(await list('?tenantId=t2', ['dlq:read'], 't1'), 403, 'tenant_forbidden');
});

it('refuses who may not look, and what does not fit', async () => {
  expectProblem(await list('', ['audit:write']), 403, 'scope_missing');
  for (const query of ['?limit=0', '?limit=201', '?after=x', '?colour=red']) {
    expectProblem(await list(query), 400, 'invalid_query');
  }
  const key = await ingest.key(['dlq:read']);
  expectProblem(await ingest.post({}, { path: BLOCKED_AGGREGATES_PATH, key }), 405, 'method_not_allowed');
});

async function append(id: string, version: number, status = 'PENDING', parts: object = {}): Promise<string> {
  const aggregate = { type: 'order', id, version };
  const event = { eventName: 'a.b.v1', eventType: 'ORDER', aggregate, payload: {}, ...parts };
  const { rows } = await outbox.query('SELECT outbox.record_event($1::jsonb) AS id', [JSON.stringify(event)]);
  await outbox.query('UPDATE outbox.delivery SET status = $2 WHERE event_id = $1', [rows[0].id, status]);
  return rows[0].id;
}
