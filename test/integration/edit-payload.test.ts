/**
 * Edited payloads: a revision beside the event, held against limits and handler, sent by the letter's redrive, unless the
 * effect of what was sent before stands (R18). Real: PostgreSQL, and HTTP to the destination that is asked. Fake: the
 * destination, past the process boundary.
 */

import { editPayload } from '../../src/application/delivery/dead-letters/edit-payload.js';
import { createRedriveJob } from '../../src/application/delivery/dead-letters/redrive-job.js';
import { redriveLetters } from '../../src/application/delivery/dead-letters/redrive-letters.js';
import { defineHandler } from '../../src/application/delivery/define-handler.js';
import { auditHandler } from '../../src/application/delivery/handlers/audit-handler.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { createRedriveJobStore } from '../../src/infrastructure/prisma/redrive-job-store.js';
import { type Asking, openAsking } from '../../src/main/dlq-asking.js';
import { createDeliveryStore, type DeliveryStore, silentLog } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';

const T = 5_000;
const WORD = { actor: 'ada', reason: 'the iban had a blank' };

let store: DeliveryStore;
let partner: ScriptedDestination;
let asking: Asking;
beforeEach(async () => {
  store = await createDeliveryStore();
  partner = await startScriptedDestination();
  const schema = {
    parse(payload: { total?: unknown }) {
      if (typeof payload.total === 'number') return payload;
      throw Object.assign(new Error('refused'), { issues: [{ path: ['total'], message: 'expected a number' }] });
    },
  };
  const asked = defineHandler({
    routingKey: 'test.destination',
    schema: schema as { parse(payload: unknown): object },
    deliver: async () => ({ id: 'never' }),
    find: async (_event, { http }) => {
      const answer = await http.send({ method: 'GET', url: partner.url });
      if (answer.status >= 500) throw new Error('away');
      return answer.status === 404 ? null : { id: 'stands' };
    },
  });
  const silent = defineHandler({ routingKey: 'test.silent', deliver: async () => ({ id: 'never' }) });
  const audit = auditHandler({
    baseUrl: partner.url,
    apiKey: 'k',
    mappers: { 'order.order.placed.v1': ({ payload }) => ({ action: String(payload['action'] ?? 'order.placed') }) },
  });
  asking = openAsking(store.pool, [asked, silent, audit], silentLog);
  answer(404);
});
afterEach(async () => {
  await asking.close();
  await partner.close();
  await store.close();
});

const answer = (status: number) => partner.answer((_, response) => response.writeHead(status).end());
const deps = () => ({ actions: store.actions, log: silentLog, ...asking });
const edit = (
  id: string,
  payload: string,
  more: { dryRun?: boolean; tenantId?: string | null; revisions?: number } = {},
) => editPayload(deps(), { id, payload, tenantId: null, dryRun: false, ...more }, WORD);
const redrive = (id: string, revisions?: number) =>
  redriveLetters(deps(), { ids: [id], tenantId: null, revisions }, WORD);

async function die(options: Parameters<DeliveryStore['append']>[0] = {}) {
  const eventId = await store.append(options);
  return { eventId, id: await dieAgain(eventId, 0) };
}

async function dieAgain(eventId: string, epoch: number): Promise<string> {
  const end = { code: 'HTTP.TIMEOUT' as const, message: 'm', attempt: null, workflowId: 'wf', runId: 'run' };
  const recorded = await store.deadLetters.recordDeadLetter({ run: { eventId, epoch, carrier: null }, ...end }, T);
  return 'id' in recorded ? recorded.id : '';
}
/** What a run of the epoch would send. */
async function sent(eventId: string, epoch: number) {
  const loaded = await store.attempts.loadEvent({ eventId, epoch, carrier: null }, T);
  return loaded.kind === 'found' ? loaded.event : loaded.kind;
}
const revisions = async (eventId: string) =>
  (await store.pool.query('SELECT * FROM outbox.event_revision WHERE event_id = $1 ORDER BY epoch, seq', [eventId]))
    .rows;
const told = async () =>
  (
    await store.pool.query(
      `SELECT payload, headers FROM outbox.event WHERE event_name = 'outbox.dead_letter.edited.v1' ORDER BY id`,
    )
  ).rows;

it('R15: the redrive sends the latest revision under its own hash; the original stays as it was', async () => {
  const { id, eventId } = await die({ payload: '{"total":1,"iban":"DE 1","lines":[{"n":1},{"n":2}]}' });
  const { rows } = await store.pool.query('SELECT payload, content_hash FROM outbox.event WHERE id = $1', [eventId]);
  const first = await edit(id, '{"total":1,"iban":"DE1","lines":[{"n":1}]}');
  expect(first).toMatchObject({
    kind: 'edited',
    id,
    eventId,
    revision: 1,
    checkedBy: 'handler',
    difference: [
      { pointer: '/iban', before: 'DE 1', after: 'DE1' },
      { pointer: '/lines/1', before: { n: 2 } },
    ],
  });
  // Again before the redrive: held against the revision. Numbers stay what was written.
  expect(await edit(eventId, '{"total":1,"iban":"DE1","lines":[],"exact":12345678901234567890.10}')).toMatchObject({
    revision: 2,
    difference: [{ pointer: '/lines/0' }, { pointer: '/exact', after: '12345678901234567890.10' }],
  });
  expect(await redrive(id)).toMatchObject([{ kind: 'redriven', epoch: 1 }]);
  const event = await sent(eventId, 1);
  expect(event).toMatchObject({ payload: { iban: 'DE1', lines: [], exact: '12345678901234567890.10' } });
  const [one, two] = await revisions(eventId);
  expect([one, two]).toMatchObject([
    { epoch: 1, seq: 1, actor: 'ada', reason: WORD.reason },
    { epoch: 1, seq: 2 },
  ]);
  expect(event).toMatchObject({ contentHash: two.content_hash });
  expect(new Set([rows[0].content_hash, one.content_hash, two.content_hash]).size).toBe(3);
  const after = await store.pool.query('SELECT payload, content_hash FROM outbox.event WHERE id = $1', [eventId]);
  expect(after.rows).toEqual(rows);
  // The audit log is told where, never what.
  expect(await told()).toMatchObject([
    {
      headers: { actor: { id: 'ada' } },
      payload: { pointers: ['/iban', '/lines/1'], reason: WORD.reason, letters: [{ id, eventId }] },
    },
    { payload: { pointers: ['/lines/0', '/exact'] } },
  ]);
  expect(JSON.stringify(await told())).not.toContain('DE1');
});

it('what would die again is refused with its field, and nothing is written', async () => {
  const { id, eventId } = await die();
  const deep = `{"total":1,"a":${'['.repeat(40)}${']'.repeat(40)}}`;
  for (const [payload, field, message] of [
    ['{"total":"1"}', '/payload/total', 'expected a number'],
    ['{"total":', '/payload', 'JSON object'],
    ['[1]', '/payload', 'JSON object'],
    ['null', '/payload', 'JSON object'],
    [`{"a":${'['.repeat(60_000)}`, '/payload', 'JSON object'],
    [deep, '/payload', '32 levels'],
    [JSON.stringify({ total: 1, text: 'x'.repeat(50_000) }), '/payload', '49152 bytes'],
    ['{"total":1,"text":"\\u0000"}', '/payload', 'U+0000'],
    ['{"total":1}', '/payload', 'differs'],
  ] as const) {
    const outcome = await edit(id, payload);
    expect([payload.slice(0, 20), outcome]).toMatchObject([payload.slice(0, 20), { kind: 'invalid', field }]);
    expect(outcome).toMatchObject({ message: expect.stringContaining(message) });
  }
  expect(await revisions(eventId)).toEqual([]);
  expect(await told()).toEqual([]);
  const mapped = await die({ routingKey: 'audit.log' });
  expect(await edit(mapped.id, '{"action":"No Action"}')).toMatchObject({ kind: 'invalid', field: '/action' });
  expect(await edit(mapped.id, '{"action":"order.placed_late"}', { dryRun: true })).toMatchObject({
    checkedBy: 'handler',
  });
});

it('a dry run says what would be; a handler that is not here leaves only the limits', async () => {
  const { id, eventId } = await die({ routingKey: 'test.unknown' });
  const difference = [{ pointer: '/total', before: 1, after: '2' }];
  expect(await edit(id, '{"total":"2"}', { dryRun: true })).toEqual({ kind: 'fits', checkedBy: 'limits', difference });
  expect(await revisions(eventId)).toEqual([]);
  expect(await told()).toEqual([]);
});

it('missing, closed, running, and of another tenant', async () => {
  const { id, eventId } = await die({ tenantId: 'umbrella' });
  expect(await edit(id, '{"total":2}', { tenantId: 'acme' })).toEqual({ kind: 'missing' });
  expect(await edit(await store.append(), '{"total":2}')).toMatchObject({ kind: 'not-open', state: 'started' });
  await redrive(id);
  expect(await edit(id, '{"total":2}')).toMatchObject({ kind: 'not-open', state: 'redriven', actor: 'ada' });
  expect(await revisions(eventId)).toEqual([]);
});

it('R18: an effect that stands refuses the edit, and the redrive of what was edited before; the letter is resolved', async () => {
  const [one, two] = [await die(), await die()];
  answer(200);
  expect(await edit(one.id, '{"total":2}')).toEqual({ kind: 'effect-stands' });
  expect(await revisions(one.eventId)).toEqual([]);
  expect(await store.delivery(one.eventId)).toMatchObject({ status: 'DELIVERED', receipt: { id: 'stands' } });
  answer(404);
  expect(await edit(two.id, '{"total":2}')).toMatchObject({ kind: 'edited' });
  answer(200);
  expect(await redrive(two.id)).toEqual([{ kind: 'effect-stands' }]);
  expect(await store.delivery(two.eventId)).toMatchObject({ status: 'DELIVERED', epoch: 0 });
  expect(await store.letters(two.eventId)).toMatchObject([{ state: 'resolved', effect: 'stands' }]);
});

it('R18: a payload that the schema refused is mended and redriven: asking does not pass the schema', async () => {
  const { id, eventId } = await die({ payload: '{"total":"one"}' });
  expect(await edit(id, '{"total":1}')).toMatchObject({ kind: 'edited' });
  expect(await redrive(id)).toMatchObject([{ kind: 'redriven' }]);
  expect(partner.seen.length).toBeGreaterThan(0);
  expect(await store.delivery(eventId)).toMatchObject({ status: 'PENDING', epoch: 1 });
});

it('a dry run asks and settles nothing', async () => {
  const { id, eventId } = await die();
  answer(200);
  expect(await edit(id, '{"total":2}', { dryRun: true })).toEqual({ kind: 'effect-stands' });
  expect(await store.delivery(eventId)).toMatchObject({ status: 'DEAD' });
  expect(await store.letters(eventId)).toMatchObject([{ state: 'open' }]);
});

it('a field name that is cut within a character is no reason to refuse', async () => {
  const { id } = await die();
  const name = `${'a'.repeat(198)}😀b`;
  expect(await edit(id, JSON.stringify({ total: 1, [name]: 1 }))).toMatchObject({ kind: 'edited' });
});

it('R18: an edited letter whose destination does not tell stays; one that is not edited is redriven unasked', async () => {
  const [edited, plain] = [await die(), await die()];
  await edit(edited.id, '{"total":2}');
  answer(503);
  const asked = partner.seen.length;
  expect(await redrive(edited.id)).toEqual([{ kind: 'not-told' }]);
  expect(partner.seen).toHaveLength(asked + 1);
  expect(await store.delivery(edited.eventId)).toMatchObject({ status: 'DEAD', epoch: 0 });
  expect(await redrive(plain.id)).toMatchObject([{ kind: 'redriven' }]);
  expect(partner.seen).toHaveLength(asked + 1);
  answer(404);
  expect(await redrive(edited.id)).toMatchObject([{ kind: 'redriven' }]);
  // It fails again: what was edited once is asked about each time.
  const again = await dieAgain(edited.eventId, 1);
  answer(503);
  expect(await redrive(again)).toEqual([{ kind: 'not-told' }]);
});

it('R18: a handler without `find` leaves it to the person', async () => {
  const { id } = await die({ routingKey: 'test.silent' });
  expect(await edit(id, '{"total":2}')).toMatchObject({ kind: 'edited' });
  expect(await redrive(id)).toMatchObject([{ kind: 'redriven' }]);
  expect(partner.seen).toEqual([]);
});

it('what was made from a payload that is not the latest is refused, and so is the redrive of one that nobody looked at', async () => {
  const { id, eventId } = await die();
  expect(await edit(id, '{"total":2}', { revisions: 0 })).toMatchObject({ kind: 'edited', revision: 1 });
  const meanwhile = { kind: 'edited-meanwhile', revisions: 1, by: 'ada' };
  for (const dryRun of [true, false]) {
    expect(await edit(id, '{"total":3}', { revisions: 0, dryRun })).toEqual(meanwhile);
  }
  const asked = partner.seen.length;
  expect(await redrive(id, 0)).toEqual([meanwhile]);
  expect(partner.seen).toHaveLength(asked); // nobody is asked about what is not done
  expect(await revisions(eventId)).toMatchObject([{ payload: { total: 2 } }]);
  expect(await edit(id, '{"total":3}', { revisions: 1 })).toMatchObject({ kind: 'edited', revision: 2 });
  expect(await redrive(id, 2)).toMatchObject([{ kind: 'redriven' }]);
  expect(await sent(eventId, 1)).toMatchObject({ payload: { total: 3 } });
  // What is closed is told as that, whatever else has changed.
  expect(await redrive(id, 0)).toMatchObject([{ kind: 'not-open', state: 'redriven' }]);
});

it('a job leaves edited letters out, and counts them', async () => {
  const [edited, plain] = [await die(), await die()];
  await edit(edited.id, '{"total":2}');
  const jobs = createRedriveJobStore(store.pool, { lateMs: 0 });
  const filter = {
    eventType: null,
    code: null,
    tenantId: null,
    destination: null,
    since: null,
    until: null,
    text: null,
    outageId: null,
  };
  expect(await jobs.count(filter)).toMatchObject({ count: 1, edited: 1 });
  await createRedriveJob({ jobs, now: () => new Date() }, { filter, rate: 10, cap: null, ...WORD });
  const hold = { name: 'jobs', holder: '0198c0de-0000-7000-8000-000000000001' };
  await createLeaseStore(store.pool).take(hold, 60_000);
  expect(await jobs.step(hold)).toMatchObject({ job: { state: 'done', redriven: 1, skipped: 0 } });
  expect(await store.delivery(edited.eventId)).toMatchObject({ status: 'DEAD' });
  expect(await store.delivery(plain.eventId)).toMatchObject({ status: 'PENDING' });
});

it('an edit that comes between the asking and the redrive stops the redrive; of two edits at once one is told', async () => {
  const { id, eventId } = await die();
  const client = await store.pool.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM outbox.delivery WHERE event_id = $1 FOR UPDATE', [eventId]);
  const waiting = (sessions: number) =>
    eventually('sessions that wait', async () => {
      const text = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      return (await store.pool.query(text)).rows.length >= sessions;
    });
  const editing = edit(id, '{"total":2}'); // first in the queue for the row
  await waiting(1);
  const [second, redriving] = [edit(id, '{"total":3}'), redrive(id)];
  await waiting(3);
  await client.query('COMMIT');
  client.release();
  expect(await editing).toMatchObject({ kind: 'edited', revision: 1 });
  expect(await second).toEqual({ kind: 'edited-meanwhile', revisions: 1, by: 'ada' });
  expect(await redriving).toMatchObject([{ kind: 'not-open', state: 'dead' }]);
  expect(await revisions(eventId)).toMatchObject([{ payload: { total: 2 } }]);
  expect(await store.delivery(eventId)).toMatchObject({ status: 'DEAD', epoch: 0 });
});
