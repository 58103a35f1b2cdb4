// /ops/v1/events, the kinds of dead letters and redacted payloads on real HTTP and two real databases: who may look,
// what is refused, what of a payload is shown. Every answer is held against the OpenAPI document. Nothing is fake.
import { randomUUID } from 'node:crypto';
import { DEAD_LETTERS_PATH, LETTER_KINDS_PATH, REDRIVE_JOBS_PATH } from '../../src/contract/dead-letters-api.js';
import { EVENTS_PATH } from '../../src/contract/events-api.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createProcessStore } from '../../src/infrastructure/prisma/process-store.js';
import { createDeliveryStore, type DeliveryStore } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { openTestOps } from '../support/ops.js';
import { expectProblem, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

let store: DeliveryStore;
let audit: TestIngest;
let ingest: TestIngest;
let ops: ReturnType<typeof openTestOps>;
let reader: string;
let operator: string;
let acme: string;

beforeAll(async () => {
  store = await createDeliveryStore();
  ops = openTestOps(store.pool, {
    temporalUiUrl: 'https://temporal.example/ui',
    config: { redaction: { keys: ['diagnosis'], byEventType: { CRM: { keep: ['kept', 'email'] } } } },
  });
  audit = await startIngest(); // its database only
  ingest = await startIngestOn(audit.auditUrl, { ops });
  reader = await ingest.key(['dlq:read']);
  operator = await ingest.key(['dlq:write']);
  acme = await ingest.key(['dlq:read'], 'acme');
});
afterAll(async () => {
  await ingest.stop();
  await audit.stop();
  await ops.deadLetters.close();
  await store.close();
});
beforeEach(() =>
  store.pool.query('DELETE FROM outbox.delivery; DELETE FROM outbox.event; TRUNCATE outbox.dead_letter'),
);

const get = (path: string, key: string | null = reader) => ingest.post(null, { method: 'GET', path, key });
const eventPath = (id: string, more = '') => `${EVENTS_PATH}/${id}${more}`;

async function die(eventId: string): Promise<string> {
  const end = { code: 'HTTP.TIMEOUT' as const, message: 'refused', attempt: null, workflowId: 'wf', runId: 'run' };
  const run = { eventId, epoch: 0, carrier: null };
  const recorded = await store.deadLetters.recordDeadLetter({ run, ...end }, 5_000);
  return 'id' in recorded ? recorded.id : '';
}

it('lists, filters and pages', async () => {
  const ids: string[] = [];
  for (const eventType of ['ORDER', 'CRM', 'ORDER', 'ORDER']) ids.unshift(await store.append({ eventType }));
  const first = await get(`${EVENTS_PATH}?eventType=ORDER&limit=2`);
  expect(first).toMatchObject({
    status: 200,
    body: { items: [{ id: ids[0], state: 'running' }, { id: ids[1] }], next: expect.any(String) },
  });
  const second = await get(`${EVENTS_PATH}?eventType=ORDER&limit=2&cursor=${first.body.next}`);
  expect(second.body).toMatchObject({ items: [{ id: ids[3] }], next: null, searched: { backTo: null } });
  expect((await get(`${EVENTS_PATH}?state=running&destination=test.destination`)).body.items).toHaveLength(4);
  expect((await get(`${EVENTS_PATH}?state=waiting`)).body).toMatchObject({ items: [], next: null });
  expect((await get(`${EVENTS_PATH}?tenantId=`)).body.items).toEqual([]);
});

it('what does not fit is refused with its place, a cursor of another filter, too', async () => {
  for (let n = 0; n < 2; n += 1) await store.append();
  const { next } = (await get(`${EVENTS_PATH}?limit=1`)).body;
  for (const [query, pointer] of [
    ['state=gone', '/state'],
    ['limit=0', '/limit'],
    ['limit=201', '/limit'],
    ['since=yesterday', '/since'],
    ['since=0000-01-01T00:00:00Z', '/since'],
    ['since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z', '/until'],
    ['eventType=', '/eventType'],
    ['eventType=a&eventType=b', '/eventType'],
    ['colour=red', ''],
    ['cursor=abc', '/cursor'],
    [`cursor=${next}&eventType=ORDER`, '/cursor'],
    [`cursor=${next.slice(0, -1)}${next.endsWith('A') ? 'B' : 'A'}`, '/cursor'],
  ] as const) {
    const refused = await get(`${EVENTS_PATH}?${query}`);
    if (/cursor|until/.test(query)) expectProblem(refused, 422, 'invalid_filter');
    else expectProblem(refused, 400, 'invalid_query');
    expect([query, refused.body.errors[0].pointer]).toEqual([query, expect.stringMatching(new RegExp(`^${pointer}`))]);
  }
  expectProblem(await get(`${EVENTS_PATH}?cursor=${next}&limit=1`, acme), 422, 'invalid_filter');
  expectProblem(await get(eventPath('not-an-id')), 404, 'not_found');
  expectProblem(await ingest.post({}, { path: EVENTS_PATH, key: operator }), 405, 'method_not_allowed');
});

it('who may not: no key, no scope, another tenant', async () => {
  const own = await store.append({ tenantId: 'acme' });
  const foreign = await store.append({ tenantId: 'umbrella' });
  const letter = await die(foreign);
  const none = await ingest.key(['audit:write', 'audit:read']);
  const paths = [EVENTS_PATH, eventPath(own), eventPath(own, '/payload'), LETTER_KINDS_PATH];
  for (const path of paths) {
    expectProblem(await get(path, null), 401, 'unauthorized');
    expectProblem(await get(path, none), 403, 'scope_missing');
    expect((await get(path)).status).toBe(200);
    expect((await get(path, operator)).status).toBe(200);
  }
  expect((await get(EVENTS_PATH, acme)).body.items).toMatchObject([{ id: own, tenantId: 'acme' }]);
  for (const path of [EVENTS_PATH, LETTER_KINDS_PATH]) {
    expectProblem(await get(`${path}?tenantId=umbrella`, acme), 403, 'tenant_forbidden');
    expect((await get(`${path}?tenantId=acme`, acme)).status).toBe(200);
  }
  for (const id of [foreign, letter, randomUUID()]) {
    expectProblem(await get(eventPath(id), acme), 404, 'not_found');
    expectProblem(await get(eventPath(id, '/payload'), acme), 404, 'not_found');
    expectProblem(await get(`${DEAD_LETTERS_PATH}/${id}/payload?redacted=true`, acme), 404, 'not_found');
  }
  expect((await get(LETTER_KINDS_PATH, acme)).body.items).toEqual([]);
});

it('shows one by its id or by that of its letter, and links to its run once a process has said where those are', async () => {
  const id = await store.append();
  const letter = await die(id);
  const unlinked = await get(eventPath(letter));
  expect(unlinked.body).toMatchObject({ id, state: 'dead', delivery: { run: { runId: 'run', url: null } } });
  const self = { id: randomUUID(), roles: ['relay'], host: 'h', pid: 1, version: '0' } as const;
  const says = { temporal: null, auditApi: null, namespace: 'ns/1', temporalAddress: null, policies: null };
  await createProcessStore(store.pool).write(self, { ...says, orderings: {}, coalescing: [] });
  const { body } = await get(eventPath(id.toUpperCase()));
  expect(body.delivery.run.url).toBe(`https://temporal.example/ui/namespaces/ns%2F1/workflows/main%3A${id}%3A0/run`);
  expect(JSON.stringify(body)).not.toContain('total');
});

it('a payload is shown without what is personal or secret to whoever may read, of an event and of a letter', async () => {
  const payload = {
    total: 12,
    note: 'write to ada@example.com',
    password: 'hunter2',
    user: { lastDiagnosis: 'flu', said: 'I have hunter2' },
    big: 1,
  };
  const text = JSON.stringify(payload).replace('"big":1', '"big":12345678901234567890');
  const id = await store.append({ payload: text });
  const letter = await die(id);
  for (const path of [eventPath(id, '/payload'), `${DEAD_LETTERS_PATH}/${letter}/payload?redacted=true`]) {
    const { status, body } = await get(path);
    expect([path, status]).toEqual([path, 200]);
    expect(body.payload).toMatchObject({ total: 12, big: '12345678901234567890' });
    expect(body.redacted.sort()).toEqual(['/note', '/password', '/user/lastDiagnosis', '/user/said']);
    expect(JSON.stringify(body)).not.toMatch(/ada@|hunter2|flu/);
  }
  // Whole, to whoever may write.
  expectProblem(await get(`${DEAD_LETTERS_PATH}/${letter}/payload`), 403, 'scope_missing');
  expectProblem(await get(`${DEAD_LETTERS_PATH}/${letter}/payload?redacted=false`), 403, 'scope_missing');
  expect((await get(`${DEAD_LETTERS_PATH}/${letter}/payload`, operator)).body.password).toBe('hunter2');
  expectProblem(await get(`${DEAD_LETTERS_PATH}/${letter}/payload?redacted=maybe`, operator), 400, 'invalid_query');
});

it('what is kept from the audit log is kept from this, too', async () => {
  const payload = JSON.stringify({ kept: 1, email: 'ada@example.com', other: 'x' });
  const { body } = await get(eventPath(await store.append({ eventType: 'CRM', payload }), '/payload'));
  expect(body.payload.kept).toBe(1);
  expect(Object.keys(body.payload).sort()).toEqual(['email', 'kept']);
  expect(body.redacted.sort()).toEqual(['/email', '/other']);
});

it('kinds are counted of the open letters, and of one destination', async () => {
  for (const eventType of ['ORDER', 'CRM', 'CRM']) await die(await store.append({ eventType }));
  await die(await store.append({ eventType: 'CRM', routingKey: 'crm' }));
  const { body } = await get(LETTER_KINDS_PATH);
  expect(body).toMatchObject({
    items: [
      { eventType: 'CRM', code: 'HTTP.TIMEOUT', count: 3, destinations: ['crm', 'test.destination'] },
      { eventType: 'ORDER', count: 1 },
    ],
    more: false,
  });
  expect(body.items[0].perHour).toHaveLength(24);
  expect(body.items[0].perHour[23]).toBe(3);
  expect((await get(`${LETTER_KINDS_PATH}?destination=crm`)).body.items).toMatchObject([{ count: 1 }]);
  expectProblem(await get(`${LETTER_KINDS_PATH}?code=HTTP.TIMEOUT`), 400, 'invalid_query');
});

it('a few searches are worked on at once, and whoever comes on top is told when to come again', async () => {
  let open = () => {};
  const closed = new Promise<void>((resolve) => {
    open = resolve;
  });
  let searching = 0;
  const events = {
    ...ops.events,
    reader: {
      ...ops.events.reader,
      look: async () => {
        searching += 1;
        await closed;
        return { found: [], events: 0, place: null };
      },
    },
  };
  const slow = await startIngestOn(audit.auditUrl, { ops: { ...ops, events } });
  try {
    const asked = (key: string) => slow.post(null, { method: 'GET', path: EVENTS_PATH, key });
    const running = [asked(reader), asked(reader), asked(reader), asked(operator), asked(operator)];
    while (searching < 5) await new Promise((resolve) => setImmediate(resolve));
    const [own, others] = [await asked(reader), await asked(operator)];
    expectProblem(own, 429, 'rate_limited');
    expectProblem(others, 503, 'overloaded');
    expect([own.headers.get('retry-after'), others.headers.get('retry-after')]).toEqual(['1', '1']);
    // Lists and counts of letters are searches, too; one event is none.
    for (const path of [DEAD_LETTERS_PATH, LETTER_KINDS_PATH]) {
      expectProblem(await slow.post(null, { method: 'GET', path, key: operator }), 503, 'overloaded');
    }
    const count = { filter: {}, reason: 'how many', dryRun: true };
    expectProblem(await slow.post(count, { path: REDRIVE_JOBS_PATH, key: operator }), 503, 'overloaded');
    const one = await slow.post(null, { method: 'GET', path: eventPath(randomUUID()), key: operator });
    expectProblem(one, 404, 'not_found');
    open();
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual(running.map(() => 200));
    expect((await asked(reader)).status).toBe(200);
  } finally {
    open();
    await slow.stop();
  }
});

it('a count that nobody waits for any more gives its place back', async () => {
  const lock = await store.pool.connect();
  try {
    await lock.query('BEGIN');
    await lock.query('LOCK TABLE outbox.dead_letter IN ACCESS EXCLUSIVE MODE');
    const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
    const waits = async () => (await store.pool.query(waiting)).rowCount ?? 0;
    const gone = new AbortController();
    const body = JSON.stringify({ filter: {}, reason: 'how many', dryRun: true });
    const headers = { Authorization: `Bearer ${operator}`, 'Content-Type': 'application/json' };
    const count = () =>
      fetch(`${ingest.url}${REDRIVE_JOBS_PATH}`, { method: 'POST', headers, body, signal: gone.signal });
    const asked = [count(), count(), count()].map((one) => one.catch(() => 'gone'));
    await eventually('three counts', async () => (await waits()) === 3);
    expect((await ingest.post(JSON.parse(body), { path: REDRIVE_JOBS_PATH, key: operator })).status).toBe(429);
    gone.abort();
    expect(await Promise.all(asked)).toEqual(['gone', 'gone', 'gone']);
    await eventually('none', async () => (await waits()) === 0);
  } finally {
    await lock.query('ROLLBACK');
    lock.release();
  }
  const again = await ingest.post(
    { filter: {}, reason: 'how many', dryRun: true },
    { path: REDRIVE_JOBS_PATH, key: operator },
  );
  expect(again).toMatchObject({ status: 200, body: { count: 0 } });
});

it('with its database away 503', async () => {
  const away = createPool('postgresql://nobody@127.0.0.1:9/none', { max: 1, connectTimeoutMs: 500 });
  const without = openTestOps(away);
  const other = await startIngestOn(audit.auditUrl, { ops: without });
  try {
    for (const path of [EVENTS_PATH, eventPath(randomUUID()), LETTER_KINDS_PATH]) {
      const asked = await other.post(null, { method: 'GET', path, key: reader });
      expectProblem(asked, 503, 'store_unavailable');
    }
  } finally {
    await other.stop();
    await without.deadLetters.close();
    await away.end();
  }
});
