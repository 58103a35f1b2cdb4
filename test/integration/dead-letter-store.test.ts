/** Dead letters as they are written (R17) on a real PostgreSQL. Nothing is fake. */
import type { DeadLetterInput } from '../../src/application/delivery/ports.js';
import { createDeliveryStore, type DeliveryStore, FAST_POLICY } from '../support/delivery-line.js';

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

type Code = 'HTTP.SERVER_ERROR' | 'HTTP.CLIENT_ERROR' | 'HTTP.TIMEOUT';

/** `null`: its worker dies. A timeout has neither status nor response. */
async function attempt(id: string, code: Code | null, worker: string) {
  const run = { eventId: id, epoch: 0, carrier: null };
  const begun = await store.attempts.beginAttempt(run, { previous: null, unwritten: [], runId: 'r', worker }, T);
  if (begun.kind !== 'begun' || code === null) return;
  const failure = {
    code,
    status: code === 'HTTP.TIMEOUT' ? null : 422,
    message: `told by ${code}`,
    stack: 'at there',
    causes: [{ name: 'E', message: 'c' }],
    response: code === 'HTTP.TIMEOUT' ? null : { status: 422, headers: {}, body: 'no' },
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
          last_code: 'HTTP.CLIENT_ERROR',
          last_status: 422,
          retry_count: 2,
          max_retries: 1,
          effect: 'unknown',
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
          group_key: 'ORDER:HTTP.CLIENT_ERROR',
        },
      ]);
    }
  });

  it('R17: an end that no attempt row tells is written with the letter and counted', async () => {
    const local = await store.append();
    await record(inputOf(local, { attempt: { n: 1, local: true, status: 404 } }));
    expect(await store.attemptRows(local)).toEqual([{ n: 1, local: true, code: 'HTTP.CLIENT_ERROR', finished: true }]);
    expect(await store.letters(local)).toMatchObject([{ retry_count: 1, last_status: 404, response: null }]);
    const regular = await store.append();
    await attempt(regular, null, 'w#1');
    await record(inputOf(regular, { attempt: { n: 1, local: false, status: 404 } }));
    expect(await store.attemptRows(regular)).toEqual([
      { n: 1, local: false, code: 'HTTP.CLIENT_ERROR', finished: true },
    ]);
    expect(await store.letters(regular)).toMatchObject([{ retry_count: 1, last_status: 404 }]);
  });

  it('the last response stays, however the attempts after it ended; how the last one ended stands beside it', async () => {
    const id = await store.append();
    await attempt(id, 'HTTP.SERVER_ERROR', 'w#1');
    await attempt(id, 'HTTP.TIMEOUT', 'w#2');
    await record(inputOf(id, { code: 'DELIVERY.DEADLINE', attempt: { n: 2, local: false, status: null } }));
    expect(await store.letters(id)).toMatchObject([
      {
        code: 'DELIVERY.DEADLINE',
        response: { status: 422, body: 'no' },
        last_code: 'HTTP.TIMEOUT',
        last_status: null,
      },
    ]);
    // R20: of this budget only.
    await store.redrive(id);
    await record(inputOf(id, { run: { eventId: id, epoch: 1, carrier: null }, code: 'WORKFLOW.TERMINATED' }));
    expect((await store.letters(id))[1]).toMatchObject({ response: null, last_code: null, last_status: null });
  });

  it('the letter carries what lists ask for, and the maximum that the policy gives its code', async () => {
    const of = async (codes: object, code: DeadLetterInput['code']) => {
      const hash = JSON.stringify(codes);
      const body = { ...FAST_POLICY, maxAttempts: 8, codes };
      await store.pool.query('INSERT INTO outbox.policy (hash, body) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
        hash,
        body,
      ]);
      const id = await store.append({ policyHash: hash, eventType: 'AUTH', tenantId: 't2', routingKey: 'crm' });
      await record(inputOf(id, { code }));
      const [letter] = await store.letters(id);
      expect(letter).toMatchObject({ destination: 'crm', event_type: 'AUTH', tenant: 't2' });
      return letter?.['max_retries'];
    };
    expect(await of({}, 'HTTP.TLS')).toBe(5);
    expect(await of({ 'HTTP.TLS': { attempts: 3 } }, 'HTTP.TLS')).toBe(3);
    expect(await of({ 'HTTP.TLS': { backoff: {} } }, 'HTTP.TLS')).toBe(5);
    expect(await of({ 'HTTP.TLS': 'final' }, 'HTTP.TLS')).toBe(1);
    expect(await of({ 'HTTP.TLS': 'final' }, 'HTTP.TIMEOUT')).toBe(8);
    expect(await of({ 'HTTP.CLIENT_ERROR': { backoff: {} } }, 'HTTP.CLIENT_ERROR')).toBe(8);
    expect(await of({ 'HTTP.CLIENT_ERROR': { attempts: 20 } }, 'HTTP.CLIENT_ERROR')).toBe(8);
  });

  it('R18: the effect is unknown where any attempt, of an epoch before too, left that open', async () => {
    const effectOf = async (id: string) => (await store.letters(id)).at(-1)?.['effect'];
    const none = await store.append();
    await attempt(none, 'HTTP.CLIENT_ERROR', 'w#1');
    await record(inputOf(none, { attempt: { n: 1, local: false, status: 422 } }));
    expect(await effectOf(none)).toBe('none');
    const earlier = await store.append();
    await attempt(earlier, 'HTTP.SERVER_ERROR', 'w#1');
    await attempt(earlier, 'HTTP.CLIENT_ERROR', 'w#2');
    await record(inputOf(earlier, { attempt: { n: 2, local: false, status: 422 } }));
    expect(await effectOf(earlier)).toBe('unknown');
    await store.redrive(earlier);
    await record(inputOf(earlier, { run: { eventId: earlier, epoch: 1, carrier: null } }));
    expect(await effectOf(earlier)).toBe('unknown');
    const lost = await store.append();
    await attempt(lost, null, 'w#1');
    await record(inputOf(lost));
    expect(await effectOf(lost)).toBe('unknown');
  });

  it("R11: the letter leaves no attempt unfinished: a dead worker's is lost, and spends nothing", async () => {
    const id = await store.append();
    await attempt(id, 'HTTP.SERVER_ERROR', 'w#1');
    await attempt(id, null, 'w#2');
    expect((await record(inputOf(id, { code: 'WORKFLOW.TERMINATED' }))).kind).toBe('recorded');
    expect(await store.attemptRows(id)).toEqual([
      { n: 1, local: false, code: 'HTTP.SERVER_ERROR', finished: true },
      { n: 2, local: false, code: 'DELIVERY.ATTEMPT_LOST', finished: true },
    ]);
    // What the destination answered last is what helps a person.
    expect(await store.letters(id)).toMatchObject([{ retry_count: 1, response: { body: 'no' } }]);
  });

  it('R11: the attempt that ended it is closed by its own code, the one before it as lost', async () => {
    const id = await store.append();
    await attempt(id, null, 'w#1');
    await store.pool.query(
      `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, run_id, worker) VALUES ($1, 0, 2, 'r', 'w#2')`,
      [id],
    );
    await record(inputOf(id, { attempt: { n: 2, local: false, status: 404 } }));
    expect((await store.attemptRows(id)).map(({ code, finished }) => [code, finished])).toEqual([
      ['DELIVERY.ATTEMPT_LOST', true],
      ['HTTP.CLIENT_ERROR', true],
    ]);
    expect(await store.letters(id)).toMatchObject([{ retry_count: 1 }]);
  });

  it('R20: the letter counts the attempts of the whole budget, and no older ones', async () => {
    const id = await store.append();
    await attempt(id, 'HTTP.SERVER_ERROR', 'w#1');
    await record(inputOf(id));
    await store.redrive(id);
    const at = (epoch: number) => ({ eventId: id, epoch, carrier: null });
    const begun = {
      previous: { n: 1, code: 'HTTP.TIMEOUT', status: null },
      unwritten: [],
      runId: 'r',
      worker: 'w',
    } as const;
    await store.attempts.beginAttempt(at(1), begun, T);
    // As an item falls out of its batch: the epoch rises, the budget stays.
    await store.pool.query('UPDATE outbox.delivery SET epoch = 2 WHERE event_id = $1', [id]);
    expect(await store.attempts.beginAttempt(at(2), begun, T)).toMatchObject({ n: 2, totals: { spent: 2 } });
    await record(inputOf(id, { run: at(2), attempt: { n: 2, local: false, status: 404 } }));
    expect((await store.letters(id)).map((letter) => [letter['epoch'], letter['retry_count']])).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it('R17: asked again at the same epoch, the standing letter is the answer and nothing is written twice', async () => {
    const id = await store.append();
    const first = await record(inputOf(id));
    const second = await record(inputOf(id, { code: 'HTTP.TIMEOUT' }));
    expect(first).toMatchObject({ kind: 'recorded', eventType: 'ORDER' });
    // Counted once: only the first says of what type it is.
    const { eventType: _, ...standing } = first as Extract<typeof first, { kind: 'recorded' }>;
    expect(second).toEqual({ ...standing, kind: 'already' });
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

  it('R17: all or nothing: where the letter cannot be written, nobody is told of one', async () => {
    const id = await store.append();
    await store.pool.query('ALTER TABLE outbox.dead_letter ADD CONSTRAINT none CHECK (false) NOT VALID');
    try {
      await expect(record(inputOf(id))).rejects.toThrow();
    } finally {
      await store.pool.query('ALTER TABLE outbox.dead_letter DROP CONSTRAINT none');
    }
    expect(await store.delivery(id)).toMatchObject({ status: 'STARTED' });
    const told = await store.pool.query('SELECT FROM outbox.notification WHERE event_id = $1', [id]);
    expect(told.rowCount).toBe(0);
  });

  it('R17: two at once write one letter, and both get its id', async () => {
    const id = await store.append();
    const answers = await Promise.all([1, 2, 3, 4].map(() => record(inputOf(id))));
    expect(answers.map((a) => a.kind).sort()).toEqual(['already', 'already', 'already', 'recorded']);
    expect(new Set(answers.map((a) => ('id' in a ? a.id : null))).size).toBe(1);
    expect(await store.letters(id)).toHaveLength(1);
  });
});
