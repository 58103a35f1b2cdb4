/** Dead letters as people see them: lists, filters, one with its history, on a real PostgreSQL. Nothing is fake. */
import { randomUUID } from 'node:crypto';
import { FilterError } from '../../src/application/delivery/dead-letters/check-filter.js';
import { listDeadLetters } from '../../src/application/delivery/dead-letters/list-dead-letters.js';
import type {
  DeadLetterFilter,
  DeadLetterReader,
  DeadLetterState,
} from '../../src/application/delivery/dead-letters/ports.js';
import type { AttemptFailure } from '../../src/application/delivery/ports.js';
import { createDeadLetterReader } from '../../src/infrastructure/prisma/dead-letter-reader.js';
import { createDeliveryStore, type DeliveryStore } from '../support/delivery-line.js';

const T = 5_000;
const ANY: DeadLetterFilter = {
  eventType: null,
  code: null,
  tenantId: null,
  destination: null,
  since: null,
  until: null,
  text: null,
  outageId: null,
};

let store: DeliveryStore;
let letters: DeadLetterReader;
beforeEach(async () => {
  store = await createDeliveryStore();
  letters = createDeadLetterReader(store.pool);
});
afterEach(() => store.close());

/** Dies of one attempt; the letter's id. */
async function die(
  options: Parameters<DeliveryStore['append']>[0] & { code?: AttemptFailure['code'] } & Partial<AttemptFailure> = {},
): Promise<{ id: string; eventId: string }> {
  const { code = 'HTTP.CLIENT_ERROR', message = 'refused', response = null, field = null, ...append } = options;
  const eventId = await store.append(append);
  const run = { eventId, epoch: 0, carrier: null };
  const begin = { previous: null, unwritten: [], runId: 'run', worker: 'w#1' };
  await store.attempts.beginAttempt(run, begin, T);
  const status = response?.status ?? null;
  const failure = { code, status, message, stack: 'at x', causes: [{ name: 'E', message: 'inner' }], response, field };
  await store.attempts.failAttempt(run, { n: 1, local: false, runId: 'run', worker: 'w#1' }, failure, null, T);
  const end = { code, message: 'm', attempt: { n: 1, local: false, status }, workflowId: 'wf', runId: 'run' };
  const answer = await store.deadLetters.recordDeadLetter({ run, ...end }, T);
  return { id: 'id' in answer ? answer.id : '', eventId };
}

const list = (
  filter: Partial<DeadLetterFilter> & { state?: DeadLetterState } = {},
  page: { before: string | null; limit: number } = { before: null, limit: 50 },
) => listDeadLetters({ letters, now: () => new Date() }, { ...ANY, state: 'open', ...filter }, page);
const idsOf = async (filter: Partial<DeadLetterFilter> & { state?: DeadLetterState }) =>
  (await list(filter)).items.map(({ id }) => id);

it('letters are listed newest first, page by page, each once', async () => {
  const made: string[] = [];
  for (let i = 0; i < 5; i += 1) made.unshift((await die()).id);
  // Two of one very moment are told apart by their ids.
  await store.pool.query(
    'UPDATE outbox.dead_letter SET created_at = (SELECT created_at FROM outbox.dead_letter WHERE id = $1) WHERE id = $2',
    [made[1], made[2]],
  );
  const seen: string[] = [];
  let before: string | null = null;
  do {
    const page = await list({}, { before, limit: 2 });
    seen.push(...page.items.map(({ id }) => id));
    before = page.next;
  } while (before !== null);
  expect(seen).toEqual(made);
  expect((await list({}, { before: null, limit: 5 })).next).toBeNull();
  expect(await idsOf({ state: 'discarded' })).toEqual([]);
});

it('each filter finds what it names and nothing else', async () => {
  const plain = await die();
  const auth = await die({ eventType: 'AUTH' });
  const tls = await die({ code: 'HTTP.TLS' });
  const other = await die({ tenantId: 'umbrella' });
  const none = await die({ tenantId: '' });
  const crm = await die({ routingKey: 'crm' });
  expect(await idsOf({ eventType: 'AUTH' })).toEqual([auth.id]);
  expect(await idsOf({ code: 'HTTP.TLS' })).toEqual([tls.id]);
  expect(await idsOf({ tenantId: 'umbrella' })).toEqual([other.id]);
  expect(await idsOf({ tenantId: '' })).toEqual([none.id]);
  expect(await idsOf({ destination: 'crm' })).toEqual([crm.id]);
  const { rows } = await store.pool.query('SELECT created_at FROM outbox.dead_letter WHERE id = $1', [tls.id]);
  // Lists show milliseconds, letters have microseconds.
  await store.pool.query("UPDATE outbox.dead_letter SET created_at = date_trunc('milliseconds', created_at)");
  const at = (rows[0].created_at as Date).toISOString();
  expect(await idsOf({ since: at })).toEqual([crm.id, none.id, other.id, tls.id]);
  expect(await idsOf({ until: at })).toEqual([auth.id, plain.id]);
  expect(await idsOf({ since: at, eventType: 'AUTH' })).toEqual([]);
  expect((await list({ tenantId: '' })).items[0]).toMatchObject({ tenantId: null, destination: 'test.destination' });
});

it("the status is the last attempt's, the response the last that there was", async () => {
  const timedOut = await die({ code: 'HTTP.TIMEOUT' });
  await store.pool.query(
    `UPDATE outbox.dead_letter SET response = '{"status": 500, "headers": {}, "body": "no room"}', last_code = 'HTTP.TIMEOUT'
     WHERE id = $1`,
    [timedOut.id],
  );
  expect((await list()).items).toMatchObject([{ id: timedOut.id, status: null }]);
  expect(await letters.show(timedOut.id, null)).toMatchObject({ status: null, response: { status: 500 } });
});

it('a text is looked for in message, field, causes and the last response, and needs a range', async () => {
  const response = { status: 422, headers: {}, body: 'the IBAN is unknown' };
  const told = await die({ response });
  const field = await die({ field: '/payload/iban' });
  await die({ message: 'something else' });
  const since = new Date(Date.now() - 3_600_000).toISOString();
  expect(await idsOf({ text: 'iban', since })).toEqual([field.id, told.id]);
  expect(await idsOf({ text: 'INNER', since })).toHaveLength(3);
  expect(await idsOf({ text: '%', since })).toEqual([]);
  expect((await list({ text: 'iban', since })).items[1]).toMatchObject({ status: 422, code: 'HTTP.CLIENT_ERROR' });
  for (const filter of [
    { text: 'x' },
    { text: 'x', since: '2020-01-01T00:00:00Z' },
    { since: '2020-01-02T00:00:00Z', until: '2020-01-01T00:00:00Z' },
    { code: 'HTTP.NONE' },
  ]) {
    await expect(list(filter)).rejects.toThrow(FilterError);
  }
});

it('one is shown with event, attempts, revisions and the letters before it, by its id or its event', async () => {
  const { id, eventId } = await die({ response: { status: 422, headers: { a: 'b' }, body: 'no' } });
  await store.pool.query(
    `UPDATE outbox.dead_letter SET state = 'redriven', state_at = now(), state_actor = 'ada', state_reason = 'r' WHERE id = $1`,
    [id],
  );
  await store.pool.query(
    `UPDATE outbox.delivery SET status = 'STARTED', epoch = 1, budget_epoch = 1 WHERE event_id = $1`,
    [eventId],
  );
  await store.pool.query(
    `INSERT INTO outbox.event_revision (event_id, epoch, payload, content_hash, actor, reason) VALUES ($1, 1, '{}', 'h', 'bob', 'iban')`,
    [eventId],
  );
  const end = { code: 'HTTP.TLS' as const, message: 'cut', attempt: null, workflowId: 'wf-1', runId: null };
  await store.deadLetters.recordDeadLetter({ run: { eventId, epoch: 1, carrier: null }, ...end }, T);
  const latest = await letters.show(eventId, null);
  expect(latest).toMatchObject({
    eventId,
    epoch: 1,
    code: 'HTTP.TLS',
    event: { eventName: 'order.order.placed.v1', aggregate: { type: 'order', id: '1', version: null } },
    delivery: { status: 'DEAD', epoch: 1 },
    attempts: [{ epoch: 0, n: 1, code: 'HTTP.CLIENT_ERROR', status: 422, message: 'refused' }],
    revisions: [{ epoch: 1, actor: 'bob', reason: 'iban' }],
    previous: [{ id, epoch: 0, code: 'HTTP.CLIENT_ERROR', state: 'redriven' }],
    traceparent: expect.stringMatching(/^00-/),
  });
  expect(latest?.event?.occurredAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(await letters.show(id, 'acme')).toMatchObject({
    id,
    state: 'redriven',
    actor: 'ada',
    stack: 'at x',
    response: { status: 422, headers: { a: 'b' }, body: 'no' },
    previous: [],
  });
  await store.pool.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, retry_count, max_retries, state)
     SELECT gen_random_uuid(), event_id, 1 + n, destination, event_type, tenant, code, message, 1, 1, 'redriven'
     FROM outbox.dead_letter, generate_series(1, 250) n WHERE id = $1`,
    [id],
  );
  // The latest ones, the latest first.
  const { previous } = (await letters.show(eventId, null)) ?? {};
  expect(previous?.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 200 }, (_, n) => 250 - n));
  expect(await letters.show(id, 'umbrella')).toBeNull();
  expect(await letters.show(randomUUID(), null)).toBeNull();
});

it('a list of one tenant is not steered by the ids of another', async () => {
  const [first, second] = [await die(), await die()];
  const foreign = await die({ tenantId: 'umbrella' });
  const page = { before: foreign.id, limit: 50 };
  const unknown = { before: randomUUID(), limit: 50 };
  const expected = [second.id, first.id];
  expect((await list({ tenantId: 'acme' }, page)).items.map(({ id }) => id)).toEqual(expected);
  expect((await list({ tenantId: 'acme' }, unknown)).items.map(({ id }) => id)).toEqual(expected);
});
