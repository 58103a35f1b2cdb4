/** Dead letters (R17) and redrive (R2) on a real PostgreSQL. Nothing is fake. */
import { randomUUID } from 'node:crypto';
import type { DeadLetterInput } from '../../src/application/delivery/ports.js';
import { redriveEvent } from '../../src/application/delivery/redrive-event.js';
import { createDeliveryStore, type DeliveryStore, silentLog } from '../support/delivery-line.js';

const T = 5_000;

let store: DeliveryStore;
beforeAll(async () => {
  store = await createDeliveryStore();
});
afterAll(() => store.close());

const inputOf = (eventId: string, more: Partial<DeadLetterInput> = {}): DeadLetterInput => ({
  run: { eventId, epoch: 0, carrier: null },
  code: 'HTTP.CLIENT_ERROR',
  message: 'The destination refused the request',
  attempt: null,
  workflowId: 'wf',
  runId: 'run',
  ...more,
});
const record = (input: DeadLetterInput) => store.deadLetters.recordDeadLetter(input, T);
const deps = () => ({ deadLetters: store.deadLetters, log: silentLog });

async function attempt(id: string, code: 'HTTP.SERVER_ERROR' | 'HTTP.CLIENT_ERROR' | null, worker: string) {
  const run = { eventId: id, epoch: 0, carrier: null };
  const begun = await store.attempts.beginAttempt(run, { previous: null, unwritten: [], runId: 'r', worker }, T);
  if (begun.kind !== 'begun' || code === null) return;
  const failure = {
    code,
    status: 422,
    message: `told by ${code}`,
    stack: 'at there',
    causes: [{ name: 'E', message: 'c' }],
    response: { status: 422, headers: {}, body: 'no' },
    field: null,
  };
  await store.attempts.failAttempt(run, { n: begun.n, local: false, runId: 'r', worker }, failure, null, T);
}

describe('R17: the dead letter', () => {
  it('R17: letter, status and notification row, from PENDING and STARTED, told from the attempts', async () => {
    for (const status of ['PENDING', 'STARTED'] as const) {
      const id = await store.append({ status });
      await attempt(id, 'HTTP.SERVER_ERROR', 'w#1');
      await attempt(id, null, 'w#2'); // lost
      await attempt(id, 'HTTP.CLIENT_ERROR', 'w#3');
      const answer = await record(inputOf(id, { attempt: { n: 3, local: false, status: 422 } }));
      expect(answer.kind).toBe('recorded');
      expect(await store.delivery(id)).toMatchObject({ status: 'DEAD' });
      expect(await store.letters(id)).toMatchObject([
        {
          state: 'open',
          code: 'HTTP.CLIENT_ERROR',
          message: 'told by HTTP.CLIENT_ERROR',
          stack: 'at there',
          causes: [{ name: 'E', message: 'c' }],
          response: { body: 'no' },
          retry_count: 2,
          max_retries: 1,
          effect: 'none',
          workflow_id: 'wf',
          run_id: 'run',
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        },
      ]);
      expect(await store.notifications(id)).toMatchObject([
        {
          kind: 'dead_letter',
          code: 'HTTP.CLIENT_ERROR',
          tenant: 'acme',
          group_key: 'test.destination:ORDER:HTTP.CLIENT_ERROR',
        },
      ]);
    }
  });

  it('R17: an end that no attempt row tells is written with the letter and counted', async () => {
    const local = await store.append();
    await record(inputOf(local, { attempt: { n: 1, local: true, status: 404 } }));
    expect(await store.attemptRows(local)).toEqual([{ n: 1, local: true, code: 'HTTP.CLIENT_ERROR', finished: true }]);
    expect(await store.letters(local)).toMatchObject([{ retry_count: 1 }]);
    const regular = await store.append();
    await attempt(regular, null, 'w#1');
    await record(inputOf(regular, { attempt: { n: 1, local: false, status: 404 } }));
    expect(await store.attemptRows(regular)).toEqual([
      { n: 1, local: false, code: 'HTTP.CLIENT_ERROR', finished: true },
    ]);
    expect(await store.letters(regular)).toMatchObject([{ retry_count: 1 }]);
  });

  it('R17: asked again at the same epoch, the standing letter is the answer and nothing is written twice', async () => {
    const id = await store.append();
    const first = await record(inputOf(id));
    const second = await record(inputOf(id, { code: 'HTTP.TIMEOUT' }));
    expect(first.kind).toBe('recorded');
    expect(second).toEqual({ ...first, kind: 'already' });
    expect(await store.letters(id)).toHaveLength(1);
    expect(await store.notifications(id)).toHaveLength(1);
  });

  it('R17: superseded by epoch, by carrier, by a receipt: nothing is written', async () => {
    const changes = [
      'SET epoch = 1',
      "SET carrier = 'batch'",
      `SET status = 'DELIVERED', receipt = '{"id":"x"}'`,
      "SET status = 'DISCARDED'",
    ];
    for (const change of changes) {
      const id = await store.append();
      await store.pool.query(`UPDATE outbox.delivery ${change} WHERE event_id = $1`, [id]);
      const before = await store.delivery(id);
      expect(await record(inputOf(id, { attempt: { n: 1, local: true, status: null } }))).toEqual({
        kind: 'superseded',
      });
      expect(await store.delivery(id)).toEqual(before);
      expect(await store.letters(id)).toEqual([]);
      expect(await store.notifications(id)).toEqual([]);
      expect(await store.attemptRows(id)).toEqual([]);
    }
  });

  it('R17: all or nothing: where the notification cannot be written, the row stays open without a letter', async () => {
    const id = await store.append();
    await store.pool.query('ALTER TABLE outbox.notification ADD CONSTRAINT none CHECK (false) NOT VALID');
    try {
      await expect(record(inputOf(id))).rejects.toThrow();
    } finally {
      await store.pool.query('ALTER TABLE outbox.notification DROP CONSTRAINT none');
    }
    expect(await store.delivery(id)).toMatchObject({ status: 'STARTED' });
    expect(await store.letters(id)).toEqual([]);
  });

  it('R17: two at once write one letter, and both get its id', async () => {
    const id = await store.append();
    const answers = await Promise.all([1, 2, 3, 4].map(() => record(inputOf(id))));
    expect(answers.map((a) => a.kind).sort()).toEqual(['already', 'already', 'already', 'recorded']);
    expect(new Set(answers.map((a) => ('id' in a ? a.id : null))).size).toBe(1);
    expect(await store.letters(id)).toHaveLength(1);
  });
});

describe('R2: redrive', () => {
  it('R2: a dead event becomes PENDING and due at epoch + 1, without token or carrier; its letter is redriven', async () => {
    const id = await store.append();
    await store.pool.query(
      "UPDATE outbox.delivery SET carrier = 'b', start_tries = 3, redispatches = 2 WHERE event_id = $1",
      [id],
    );
    await record(inputOf(id, { run: { eventId: id, epoch: 0, carrier: 'b' } }));
    const input = { eventId: id, actor: 'ada', reason: 'fixed the receiver' };
    expect(await redriveEvent(deps(), input)).toEqual({ kind: 'redriven', epoch: 1 });
    const columns =
      'status, epoch, carrier, lease_token, start_tries, redispatches, due_at <= clock_timestamp() AS due';
    expect(await store.one(`SELECT ${columns} FROM outbox.delivery WHERE event_id = $1`, id)).toEqual({
      status: 'PENDING',
      epoch: 1,
      carrier: null,
      lease_token: null,
      start_tries: 0,
      redispatches: 0,
      due: true,
    });
    expect(await store.letters(id)).toMatchObject([
      { state: 'redriven', state_actor: 'ada', state_reason: 'fixed the receiver' },
    ]);
    expect(await redriveEvent(deps(), input)).toEqual({ kind: 'not-dead' });
  });

  it('R2: asked twice at once, the epoch rises by one', async () => {
    const id = await store.append();
    await record(inputOf(id));
    const input = { eventId: id, actor: 'ada', reason: 'r' };
    const answers = await Promise.all([redriveEvent(deps(), input), redriveEvent(deps(), input)]);
    expect(answers.map((a) => a.kind).sort()).toEqual(['not-dead', 'redriven']);
    expect(await store.delivery(id)).toMatchObject({ epoch: 1 });
  });

  it('the letter of the next epoch names the one before it', async () => {
    const id = await store.append();
    const first = await record(inputOf(id));
    await redriveEvent(deps(), { eventId: id, actor: 'ada', reason: 'r' });
    await record(inputOf(id, { run: { eventId: id, epoch: 1, carrier: null } }));
    const [, second] = await store.letters(id);
    expect(second).toMatchObject({ epoch: 1, state: 'open', previous_id: 'id' in first ? first.id : '' });
  });

  it('an unknown event and an event that lives are told apart; actor and reason are asked for', async () => {
    const input = { eventId: randomUUID(), actor: 'ada', reason: 'r' };
    expect(await redriveEvent(deps(), input)).toEqual({ kind: 'not-found' });
    expect(await redriveEvent(deps(), { ...input, eventId: await store.append() })).toEqual({ kind: 'not-dead' });
    await expect(redriveEvent(deps(), { ...input, actor: '' })).rejects.toThrow('actor');
    await expect(redriveEvent(deps(), { ...input, reason: '' })).rejects.toThrow('reason');
  });
});
