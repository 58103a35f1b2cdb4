// /ops/v1/dead-letters and /ops/v1/redrive-jobs on real HTTP and two real databases: who may look and act, what is
// refused. Fake: the destination that is asked whether an effect stands, past the process boundary.
import { randomUUID } from 'node:crypto';
import { defineHandler } from '../../src/application/delivery/define-handler.js';
import { DEAD_LETTERS_PATH, REDRIVE_JOBS_PATH } from '../../src/contract/dead-letters-api.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { openDeadLetterOps } from '../../src/main/dlq-asking.js';
import { createDeliveryStore, type DeliveryStore, silentLog } from '../support/delivery-line.js';
import { openTestOps } from '../support/ops.js';
import { type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { expectProblem, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

let store: DeliveryStore;
let ingest: TestIngest;
let partner: ScriptedDestination;
let audit: TestIngest;
let deadLetters: ReturnType<typeof openDeadLetterOps>;
let operator: string;
let reader: string;
let acme: string;

beforeAll(async () => {
  store = await createDeliveryStore();
  partner = await startScriptedDestination();
  const handler = defineHandler({
    routingKey: 'test.destination',
    deliver: async () => ({ id: 'never' }),
    find: async (_event, { http }) => {
      const { status } = await http.send({ method: 'GET', url: partner.url });
      if (status >= 500) throw new Error('away');
      return status === 404 ? null : { id: 'stands' };
    },
  });
  deadLetters = openDeadLetterOps(store.pool, [handler], silentLog);
  audit = await startIngest(); // its database only
  ingest = await startIngestOn(audit.auditUrl, {
    ops: { ...openTestOps(store.pool), deadLetters },
  });
  operator = await ingest.key(['dlq:write']);
  reader = await ingest.key(['dlq:read']);
  acme = await ingest.key(['dlq:write'], 'acme');
});
afterAll(async () => {
  await ingest.stop();
  await audit.stop();
  await deadLetters.close();
  await partner.close();
  await store.close();
});
beforeEach(async () => {
  await store.pool.query('TRUNCATE outbox.dead_letter, outbox.redrive_job');
  answer(404);
});

const answer = (status: number) => partner.answer((_, response) => response.writeHead(status).end());
const get = (path: string, key: string | null = operator) => ingest.post(null, { method: 'GET', path, key });
const post = (path: string, body: unknown, key: string | null = operator) => ingest.post(body, { path, key });
const letter = (id: string, more = '') => `${DEAD_LETTERS_PATH}/${id}${more}`;
const WORD = { reason: 'mended' };

async function die(options: Parameters<DeliveryStore['append']>[0] = {}, message = 'refused') {
  const eventId = await store.append(options);
  const end = { code: 'HTTP.TIMEOUT' as const, message, attempt: null, workflowId: 'wf', runId: 'run' };
  const recorded = await store.deadLetters.recordDeadLetter(
    { run: { eventId, epoch: 0, carrier: null }, ...end },
    5_000,
  );
  return { eventId, id: 'id' in recorded ? recorded.id : '' };
}

it('lists, filters, pages and shows; redrives and discards with the key as the actor', async () => {
  const [one, two, three] = [await die(), await die({ eventType: 'CRM' }), await die()];
  const page = await get(`${DEAD_LETTERS_PATH}?limit=2`);
  expect(page).toMatchObject({ status: 200, body: { items: [{ id: three.id }, { id: two.id }], next: two.id } });
  expect((await get(`${DEAD_LETTERS_PATH}?limit=2&before=${two.id}`)).body).toMatchObject({
    items: [{ id: one.id }],
    next: null,
  });
  expect((await get(`${DEAD_LETTERS_PATH}?eventType=CRM&code=HTTP.TIMEOUT`)).body.items).toMatchObject([
    { id: two.id },
  ]);
  expect((await get(letter(one.eventId))).body).toMatchObject({
    id: one.id,
    event: { eventName: 'order.order.placed.v1' },
  });

  const redriven = await post(letter(one.id, '/redrive'), WORD);
  expect(redriven).toMatchObject({
    status: 200,
    body: { outcome: 'redriven', id: one.id, eventId: one.eventId, epoch: 1 },
  });
  const { body } = await get(letter(one.id));
  expect(body).toMatchObject({
    state: 'redriven',
    reason: 'mended',
    actor: expect.stringMatching(/^api-key:[0-9a-f-]{36}$/),
  });
  expectProblem(await post(letter(one.id, '/redrive'), WORD), 409, 'not_open');
  expectProblem(await post(letter(one.id, '/discard'), WORD), 409, 'not_open');
  expectProblem(await post(letter(await store.append(), '/redrive'), WORD), 409, 'not_open');
  expectProblem(await post(letter(randomUUID(), '/redrive'), WORD), 404, 'not_found');
  expect((await post(letter(two.id, '/discard'), WORD)).body).toMatchObject({ outcome: 'discarded' });
  const several = await post(`${DEAD_LETTERS_PATH}/redrive`, { ids: [three.id, two.id, randomUUID()], ...WORD });
  expect(several.body.results).toMatchObject([
    { asked: three.id, outcome: 'redriven' },
    { outcome: 'not-open', state: 'discarded' },
    { outcome: 'missing' },
  ]);
  const { rows } = await store.pool.query(
    `SELECT headers->'actor' AS actor FROM outbox.event WHERE event_type = 'OUTBOX' ORDER BY id DESC LIMIT 1`,
  );
  expect(rows).toEqual([{ actor: { type: 'apiKey', id: body.actor } }]);
});

it('who may not: no key, no scope, another tenant', async () => {
  const own = await die({ tenantId: 'acme' });
  const foreign = await die({ tenantId: 'umbrella' });
  const none = await ingest.key(['audit:write', 'audit:read']);
  const job = { filter: {}, ...WORD };
  const reads = [DEAD_LETTERS_PATH, letter(foreign.id), REDRIVE_JOBS_PATH, `${REDRIVE_JOBS_PATH}/${randomUUID()}`];
  const writes = [
    [letter(foreign.id, '/redrive'), WORD],
    [letter(foreign.id, '/discard'), WORD],
    [letter(foreign.id, '/payload'), { payload: { total: 2 }, ...WORD }],
    [`${DEAD_LETTERS_PATH}/redrive`, { ids: [foreign.id], ...WORD }],
    [`${DEAD_LETTERS_PATH}/discard`, { ids: [foreign.id], ...WORD }],
    [REDRIVE_JOBS_PATH, job],
    [`${REDRIVE_JOBS_PATH}/${randomUUID()}/cancel`, {}],
  ] as const;
  for (const path of reads) {
    expectProblem(await get(path, null), 401, 'unauthorized');
    expectProblem(await get(path, none), 403, 'scope_missing');
  }
  for (const [path, body] of writes) {
    expectProblem(await post(path, body, null), 401, 'unauthorized');
    expectProblem(await post(path, body, reader), 403, 'scope_missing');
  }
  // A payload is personal data: seeing it takes more than reading what failed.
  expectProblem(await get(letter(own.id, '/payload'), reader), 403, 'scope_missing');
  for (const [path, body] of writes.slice(0, 3)) expectProblem(await post(path, body, acme), 404, 'not_found');
  expectProblem(await get(letter(foreign.id), acme), 404, 'not_found');
  expectProblem(await get(letter(foreign.id, '/payload'), acme), 404, 'not_found');
  expect((await post(`${DEAD_LETTERS_PATH}/redrive`, { ids: [foreign.id], ...WORD }, acme)).body.results).toMatchObject(
    [{ outcome: 'missing' }],
  );
  expect((await get(DEAD_LETTERS_PATH, acme)).body.items).toMatchObject([{ id: own.id }]);
  expectProblem(await get(`${DEAD_LETTERS_PATH}?tenantId=umbrella`, acme), 403, 'tenant_forbidden');
  expectProblem(
    await post(REDRIVE_JOBS_PATH, { filter: { tenantId: 'umbrella' }, ...WORD }, acme),
    403,
    'tenant_forbidden',
  );
  // Its job is of its own tenant without being asked to, and the others' jobs are not there for it.
  const bound = await post(REDRIVE_JOBS_PATH, job, acme);
  expect(bound).toMatchObject({ status: 202, body: { expected: 1, filter: { tenantId: 'acme' } } });
  const all = await post(REDRIVE_JOBS_PATH, job);
  expect(all.body).toMatchObject({ expected: 2 });
  expectProblem(await get(`${REDRIVE_JOBS_PATH}/${all.body.id}`, acme), 404, 'not_found');
  expectProblem(await post(`${REDRIVE_JOBS_PATH}/${all.body.id}/cancel`, {}, acme), 404, 'not_found');
  // Nor one that an operator made for this very tenant.
  const operators = await post(REDRIVE_JOBS_PATH, { ...job, filter: { tenantId: 'acme' } });
  expectProblem(await get(`${REDRIVE_JOBS_PATH}/${operators.body.id}`, acme), 404, 'not_found');
  expectProblem(await post(`${REDRIVE_JOBS_PATH}/${operators.body.id}/cancel`, {}, acme), 404, 'not_found');
  expect((await get(REDRIVE_JOBS_PATH, acme)).body.items).toMatchObject([{ id: bound.body.id }]);
  expect(await store.delivery(foreign.eventId)).toMatchObject({ status: 'DEAD', epoch: 0 });
});

// The page's session, and with it protection against forged requests, is the monitor's: a key is never sent by a browser of itself.
it('B27: a page of another origin gets no way in; a viewer, a missing and a closed letter, and a second redrive are refused', async () => {
  const { id } = await die();
  const path = letter(id, '/redrive');
  const asked = await fetch(`${ingest.url}${path}`, {
    method: 'OPTIONS',
    headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' },
  });
  expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([405, null]);
  const form = await fetch(`${ingest.url}${path}`, {
    method: 'POST',
    headers: { Origin: 'https://evil.example', 'Content-Type': 'text/plain', Cookie: `key=${operator}` },
    body: JSON.stringify(WORD),
  });
  expect([form.status, form.headers.get('access-control-allow-origin')]).toEqual([401, null]);
  expectProblem(await post(path, WORD, reader), 403, 'scope_missing');
  expectProblem(await post(letter(randomUUID(), '/redrive'), WORD), 404, 'not_found');
  expect((await post(path, WORD)).status).toBe(200);
  expectProblem(await post(path, WORD), 409, 'not_open');
  const given = await die();
  expect((await post(letter(given.id, '/discard'), WORD)).status).toBe(200);
  expectProblem(await post(letter(given.id, '/redrive'), WORD), 409, 'not_open');
});

it('jobs: counted, made, listed, cancelled', async () => {
  await die({}, `it's "100%" <b>`);
  await die();
  const since = new Date(Date.now() - 3_600_000).toISOString();
  const filter = { text: `'S "100%" <B>`, since };
  expect((await post(REDRIVE_JOBS_PATH, { filter, dryRun: true, ...WORD })).body).toMatchObject({
    count: 1,
    edited: 0,
  });
  expect((await get(REDRIVE_JOBS_PATH)).body.items).toEqual([]);
  await die({}, 'C:\\temp is full');
  const found = await get(`${DEAD_LETTERS_PATH}?since=${since}&text=${encodeURIComponent('c:\\TEMP')}`);
  expect(found.body.items).toMatchObject([{ message: 'C:\\temp is full' }]);
  const made = await post(REDRIVE_JOBS_PATH, { filter: {}, rate: 5, cap: 1, ...WORD });
  expect(made).toMatchObject({ status: 202, body: { state: 'running', expected: 1, rate: 5, cap: 1, redriven: 0 } });
  expect((await get(`${REDRIVE_JOBS_PATH}/${made.body.id}`)).body).toEqual(made.body);
  const ended = await post(`${REDRIVE_JOBS_PATH}/${made.body.id}/cancel`, {});
  expect(ended.body).toMatchObject({ state: 'cancelled', endedBy: expect.stringMatching(/^api-key:/) });
  expect((await post(REDRIVE_JOBS_PATH, { filter: { eventType: 'NONE' }, ...WORD })).body).toMatchObject({ count: 0 });
});

it('what does not fit is refused with its place', async () => {
  const { id } = await die();
  for (const query of [
    'state=gone',
    'limit=0',
    'limit=201',
    'before=1',
    'since=yesterday',
    'since=0000-01-01T00:00:00Z',
    'x=1',
    'text=a',
    'code=HTTP.NONE',
    'text=%00&since=2026-11-23T00:00:00Z',
  ]) {
    const refused = await get(`${DEAD_LETTERS_PATH}?${query}`);
    expect([query, refused.status]).toEqual([query, 400]);
  }
  for (const [path, body] of [
    [letter(id, '/redrive'), {}],
    [letter(id, '/redrive'), { reason: '' }],
    [letter(id, '/redrive'), { reason: 'a\u0000' }],
    [letter(id, '/redrive'), { ...WORD, actor: 'eve' }],
    [`${DEAD_LETTERS_PATH}/redrive`, { ids: [], ...WORD }],
    [`${DEAD_LETTERS_PATH}/redrive`, { ids: Array.from({ length: 101 }, () => id), ...WORD }],
    [REDRIVE_JOBS_PATH, { filter: { text: 'a' }, ...WORD }],
    [REDRIVE_JOBS_PATH, { filter: {}, rate: 0, ...WORD }],
    [REDRIVE_JOBS_PATH, { filter: {}, cap: 0, ...WORD }],
    [REDRIVE_JOBS_PATH, WORD],
    [letter(id, '/payload'), { payload: [], ...WORD }],
    [letter(id, '/payload'), { payload: { n: 2 ** 60 }, ...WORD }],
    [letter(id, '/payload'), { payload: { total: 1 }, ...WORD }],
  ] as const) {
    const refused = await post(path, body);
    expectProblem(refused, 422, 'invalid_request');
    expect(refused.body.errors.length).toBeGreaterThan(0);
  }
  expectProblem(await get(letter('not-an-id')), 404, 'not_found');
  expectProblem(await post(DEAD_LETTERS_PATH, WORD), 405, 'method_not_allowed');
});

it('a number that JavaScript would round is refused by its place, and nothing is written', async () => {
  const { id } = await die();
  const path = `${ingest.url}${letter(id, '/payload')}`;
  const body = '{"reason":"mended","payload":{"total":2,"lines":[{"price":1234567890123.123456}],"exact":0.1}}';
  const headers = { authorization: `Bearer ${operator}`, 'content-type': 'application/json' };
  const refused = await fetch(path, { method: 'POST', headers, body });
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({ errors: [{ pointer: '/payload/lines/0/price' }] });
  expect((await get(letter(id, '/payload'))).body).toEqual({ total: 1 });
});

it('knows times of every zone, and events whose id is a UUID of no version', async () => {
  const { id, eventId } = await die();
  const list = `${DEAD_LETTERS_PATH}?since=${encodeURIComponent('2020-01-01T00:00:00+23:59')}`;
  expect((await get(list)).body.items).toMatchObject([{ id }]);
  const odd = '9e107d9d-372b-b682-6bd8-1d3542a419d6'; // md5 of a text, as a producer in SQL makes it
  await store.pool.query('UPDATE outbox.dead_letter SET event_id = $1 WHERE event_id = $2', [odd, eventId]);
  expect((await get(letter(odd))).body).toMatchObject({ id, eventId: odd });
});

it('of several at once those whose payload somebody has edited stay, and say so, unless that is meant', async () => {
  answer(404);
  const [edited, plain] = [await die(), await die()];
  expect((await post(letter(edited.id, '/payload'), { payload: { total: 2 }, ...WORD })).status).toBe(200);
  const several = (body: object) => post(`${DEAD_LETTERS_PATH}/redrive`, { ...WORD, ...body });
  const ids = [edited.id, plain.id];
  expect((await several({ ids })).body.results).toMatchObject([
    { asked: edited.id, outcome: 'edited' },
    { asked: plain.id, outcome: 'redriven' },
  ]);
  expect((await several({ ids: [edited.id] })).body.results).toMatchObject([{ outcome: 'edited' }]);
  expect(await store.delivery(edited.eventId)).toMatchObject({ status: 'DEAD' });
  expect((await several({ ids: [edited.id], edited: true })).body.results).toMatchObject([{ outcome: 'redriven' }]);
  expectProblem(await post(`${DEAD_LETTERS_PATH}/discard`, { ids, ...WORD, edited: true }), 422, 'invalid_request');
});

it('R18: a payload is seen and edited; 409 where the effect stands, 503 where nobody tells', async () => {
  const { id, eventId } = await die();
  expect((await get(letter(id, '/payload'))).body).toEqual({ total: 1 });
  const edit = { payload: { total: 2 }, ...WORD };
  const fits = await post(letter(id, '/payload'), { ...edit, dryRun: true });
  expect(fits.body).toMatchObject({ outcome: 'fits', difference: [{ pointer: '/total', before: 1, after: 2 }] });
  expect((await get(letter(id, '/payload'))).body).toEqual({ total: 1 });
  expect((await post(letter(id, '/payload'), edit)).body).toMatchObject({
    outcome: 'edited',
    revision: 1,
    checkedBy: 'handler',
  });
  expect((await get(letter(id, '/payload'))).body).toEqual({ total: 2 });
  const late = await post(letter(id, '/payload'), { ...edit, payload: { total: 3 }, revisions: 0 });
  expectProblem(late, 409, 'edited_meanwhile');
  expect(late.body.detail).toContain('edited meanwhile by api-key:');
  expectProblem(await post(letter(id, '/redrive'), { ...WORD, revisions: 0 }), 409, 'edited_meanwhile');
  expectProblem(await post(letter(id, '/redrive'), { ...WORD, revisions: -1 }), 422, 'invalid_request');
  answer(503);
  const untold = await post(letter(id, '/redrive'), WORD);
  expectProblem(untold, 503, 'effect_not_told');
  expect(untold.headers.get('retry-after')).not.toBeNull();
  answer(200);
  expectProblem(await post(letter(id, '/redrive'), { ...WORD, revisions: 1 }), 409, 'effect_stands');
  expect(await store.delivery(eventId)).toMatchObject({ status: 'DELIVERED' });
  const other = await die();
  expectProblem(await post(letter(other.id, '/payload'), edit), 409, 'effect_stands');
});

it('without the operations API there is nothing; with its database away 503', async () => {
  expectProblem(await audit.post(null, { method: 'GET', path: DEAD_LETTERS_PATH, key: operator }), 404, 'not_found');
  const away = createPool('postgresql://nobody@127.0.0.1:9/none', { max: 1, connectTimeoutMs: 500 });
  const ops = openDeadLetterOps(away, [], silentLog);
  const other = await startIngestOn(audit.auditUrl, {
    ops: { ...openTestOps(away), deadLetters: ops },
  });
  try {
    const asked = await other.post(null, { method: 'GET', path: DEAD_LETTERS_PATH, key: operator });
    expectProblem(asked, 503, 'store_unavailable');
  } finally {
    await other.stop();
    await ops.close();
    await away.end();
  }
});
