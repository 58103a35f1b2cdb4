// /ops/v1/destinations on real HTTP and two real databases: who may look and hold, what is refused. Nothing is fake.
import { defineHandler } from '../../src/application/delivery/define-handler.js';
import { DESTINATIONS_PATH } from '../../src/contract/destinations-api.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { openTestOps } from '../support/ops.js';
import { type Answer, expectProblem, startIngestOn, type TestIngest } from './ingest-set-up.js';

const handler = defineHandler({ routingKey: 'crm.contact', deliver: () => Promise.reject(new Error('not asked')) });

let databases: TestDatabases;
let outbox: PgPool;
let ingest: TestIngest;
let operator: string;

beforeAll(async () => {
  databases = await createTestDatabases();
  outbox = createPool(databases.outboxUrl, { max: 4 });
  ingest = await startIngestOn(databases.auditUrl, {
    ops: openTestOps(outbox, { handlers: [handler] }),
  });
  operator = await ingest.key(['dlq:write']);
});
afterAll(async () => {
  await ingest.stop();
  await outbox.end();
  await databases.drop();
});
beforeEach(() => outbox.query('TRUNCATE outbox.pause, outbox.destination'));

const list = (key: string | null = operator): Promise<Answer> =>
  ingest.post(null, { method: 'GET', path: DESTINATIONS_PATH, key });
const post = (path: string, body: unknown, key: string | null = operator): Promise<Answer> =>
  ingest.post(body, { path: `${DESTINATIONS_PATH}/${path}`, key });

it('R6: pauses and resumes a destination, a type, all of it; the actor is the key', async () => {
  const until = new Date(Date.now() + 60_000).toISOString();
  const paused = await post('erp.sync/pause', { reason: 'maintenance', until });
  expect(paused).toMatchObject({
    status: 200,
    body: { destination: 'erp.sync', eventType: null, tenantId: null, until, reason: 'maintenance' },
  });
  expect(paused.body.actor).toMatch(/^api-key:[0-9a-f-]{36}$/);
  expect((await post('*/pause', { reason: 'r', eventType: 'BILLING', tenantId: '' })).body).toMatchObject({
    destination: null,
    eventType: 'BILLING',
    tenantId: '',
    until: null,
  });
  const { status, body } = await list(await ingest.key(['dlq:read']));
  expect(status).toBe(200);
  expect(body.pauses).toHaveLength(2);
  expect(body.destinations).toContainEqual(
    expect.objectContaining({ name: 'erp.sync', breaker: 'closed', health: 'ok' }),
  );
  expectProblem(await post('erp.sync/resume', { reason: 'r', eventType: 'BILLING' }), 404, 'not_found');
  expect(await post('erp.sync/resume', { reason: 'over' })).toMatchObject({
    status: 200,
    body: { reason: 'maintenance' },
  });
  expectProblem(await post('erp.sync/resume', { reason: 'over' }), 404, 'not_found');
});

it('R6: what somebody has looked at neither takes the place of another pause nor ends it: 409, with who made that', async () => {
  const { id } = (await post('erp.sync/pause', { reason: 'a move', replaces: null })).body;
  const other = await ingest.key(['dlq:write']);
  const theirs = await post('erp.sync/pause', { reason: 'wrong amounts', replaces: id }, other);
  expect(theirs.status).toBe(200);
  const late = [
    await post('erp.sync/resume', { reason: 'over', id }),
    await post('erp.sync/pause', { reason: 'longer', replaces: id }),
    await post('erp.sync/pause', { reason: 'first', replaces: null }),
  ];
  for (const answer of late) {
    expectProblem(answer, 409, 'paused_meanwhile');
    expect(answer.body.detail).toContain(theirs.body.actor);
  }
  expect((await list()).body.pauses).toMatchObject([{ id: theirs.body.id, reason: 'wrong amounts' }]);
  expectProblem(await post('crm.contact/resume', { reason: 'over', id }), 404, 'not_found');
  expectProblem(await post('erp.sync/resume', { reason: 'over', id: 'x' }), 422, 'invalid_request');
  // Who has looked at none goes on as ever.
  expect((await post('erp.sync/resume', { reason: 'over' })).status).toBe(200);
});

it('R6: a name that nothing has is paused, and said to be unknown', async () => {
  const known = async (path: string, more: object = {}) =>
    (await post(`${path}/pause`, { reason: 'r', ...more })).body.known;
  expect(await known('erp.snyc')).toBe(false);
  // A pause makes nothing known.
  expect(await known('erp.snyc')).toBe(false);
  await outbox.query(`INSERT INTO outbox.destination (name) VALUES ('erp.sync')`);
  expect(await known('erp.sync')).toBe(true);
  expect(await known('crm.contact')).toBe(true);
  expect(await known('*')).toBe(true);
  expect(await known('*', { eventType: 'BILING' })).toBe(false);
  expect((await list()).body.pauses).toHaveLength(5);
});

it('dlq:read looks, dlq:write holds; a key of a tenant does neither, for a destination is everybody’s', async () => {
  const reader = await ingest.key(['dlq:read']);
  const tenant = await ingest.key(['dlq:write'], 'acme');
  const producer = await ingest.key(['audit:write', 'audit:read']);
  expectProblem(await list(null), 401, 'unauthorized');
  expectProblem(await list(producer), 403, 'scope_missing');
  expectProblem(await list(tenant), 403, 'tenant_forbidden');
  for (const [key, code] of [
    [reader, 'scope_missing'],
    [producer, 'scope_missing'],
    [tenant, 'tenant_forbidden'],
  ] as const) {
    expectProblem(await post('erp.sync/pause', { reason: 'r' }, key), 403, code);
    expectProblem(await post('erp.sync/resume', { reason: 'r' }, key), 403, code);
  }
  expect((await list()).body.pauses).toEqual([]);
});

it('what does not fit is refused with its field', async () => {
  for (const [body, pointer] of [
    [{}, '/reason'],
    [{ reason: '' }, '/reason'],
    [{ reason: 'r', until: 'tomorrow' }, '/until'],
    [{ reason: 'r', until: '2020-01-01T00:00:00Z' }, '/until'],
    [{ reason: 'r', until: '9999-12-31T23:59:59-01:00' }, '/until'],
    [{ reason: 'r', eventType: 'a b' }, '/eventType'],
    [{ reason: 'nul \u0000' }, '/reason'],
    [{ reason: 'r', actor: 'somebody' }, ''],
  ] as const) {
    const answer = await post('erp.sync/pause', body);
    expectProblem(answer, 422, 'invalid_request');
    expect(answer.body.errors[0].pointer.startsWith(pointer)).toBe(true);
  }
  expectProblem(await post('erp%20sync/pause', { reason: 'r' }), 404, 'not_found');
  expectProblem(
    await ingest.post(null, { method: 'GET', path: `${DESTINATIONS_PATH}/x/pause`, key: operator }),
    405,
    'method_not_allowed',
  );
  expect((await list()).body.pauses).toEqual([]);
});

it('with the outbox database away it is 503, and the audit log goes on', async () => {
  const away = createPool('postgresql://postgres@127.0.0.1:1/nothing', { max: 1 });
  const other = await startIngestOn(databases.auditUrl, {
    ops: openTestOps(away),
  });
  try {
    expectProblem(
      await other.post(null, { method: 'GET', path: DESTINATIONS_PATH, key: operator }),
      503,
      'store_unavailable',
    );
    expect((await other.post(null, { method: 'GET', path: '/ready', key: null })).status).toBe(200);
  } finally {
    await other.stop();
    await away.end();
  }
});

it('pauses until a time of any zone, those that PostgreSQL does not know, too', async () => {
  const until = '2099-07-23T21:51:18.423145-17:39';
  const paused = await post('zone.sync/pause', { reason: 'r', until });
  expect(paused).toMatchObject({ status: 200, body: { until: '2099-07-24T15:30:18.423Z' } });
});
