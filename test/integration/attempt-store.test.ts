/**
 * The attempt store on a real PostgreSQL: attempts (R11, R12), what an attempt may load (R15) and settling (R16).
 * Nothing is fake.
 */
import { randomUUID } from 'node:crypto';
import type { AttemptFailure, RunRef } from '../../src/application/delivery/ports.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import type { Receipt } from '../../src/domain/delivery/receipt.js';
import { createDeliveryStore, type DeliveryStore, FAST_POLICY } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';

const T = 5_000;
const RECEIPT: Receipt = { id: 'rec-1', hash: 'h', status: 201, at: '2026-01-01T00:00:00.000Z', replayed: false };
const FAILURE: AttemptFailure = {
  code: 'HTTP.SERVER_ERROR',
  status: 500,
  message: 'it broke',
  stack: 'at x',
  causes: [{ name: 'Error', message: 'inner' }],
  response: { status: 500, headers: { 'content-type': 'text/plain' }, body: 'oops' },
  field: null,
};

let store: DeliveryStore;
beforeAll(async () => {
  store = await createDeliveryStore();
});
afterAll(() => store.close());

const runOf = (eventId: string, epoch = 0, carrier: string | null = null): RunRef => ({ eventId, epoch, carrier });
const begin = (
  eventId: string,
  worker: string,
  more: Partial<Parameters<typeof store.attempts.beginAttempt>[1]> = {},
) => store.attempts.beginAttempt(runOf(eventId), { previous: null, unwritten: [], runId: 'r', worker, ...more }, T);
const rowOf = (n: number, worker: string, runId = 'r') => ({ n, runId, worker });
const row = (n: number, worker = `w#${n}`) => ({ ...rowOf(n, worker), local: false });

describe('R11: regular attempts', () => {
  it('R11: one row each, inserted before the send, closed by the failure that follows', async () => {
    const id = await store.append();
    expect(await begin(id, 'w#1')).toMatchObject({ kind: 'begun', n: 1, policy: FAST_POLICY, totals: { spent: 0 } });
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: null, finished: false }]);
    await store.attempts.failAttempt(runOf(id), row(1), FAILURE, 1_000, T);
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: 'HTTP.SERVER_ERROR', finished: true }]);
    const second = await begin(id, 'w#2');
    expect(second).toMatchObject({ n: 2, totals: { spent: 1, spentByCode: { 'HTTP.SERVER_ERROR': 1 }, lostInRow: 0 } });
  });

  it('R11: the next attempt closes an unfinished one as ATTEMPT_LOST, which spends nothing (R12)', async () => {
    const id = await store.append();
    for (const expected of [0, 1, 2, 3]) {
      const begun = await begin(id, `w#${expected}`);
      expect(begun).toMatchObject({ totals: { lostInRow: expected, spent: 0 } });
    }
    const lost = { local: false, code: 'DELIVERY.ATTEMPT_LOST', finished: true };
    expect(await store.attemptRows(id)).toEqual([
      { n: 1, ...lost },
      { n: 2, ...lost },
      { n: 3, ...lost },
      { n: 4, local: false, code: null, finished: false },
    ]);
  });

  it('R11: the local attempt before it is inserted where its own write is missing, and only there', async () => {
    const previous = { n: 1, code: 'HTTP.TIMEOUT', status: null } as const;
    const missing = await store.append();
    expect(await begin(missing, 'w#1', { previous })).toMatchObject({ n: 2, totals: { spent: 1 } });
    const written = await store.append();
    const local = { n: 1, local: true, runId: 'r', worker: 'w' };
    await store.attempts.failAttempt(runOf(written), local, FAILURE, 5, T);
    expect(await begin(written, 'w#1', { previous })).toMatchObject({ n: 2, totals: { spent: 1 } });
    expect((await store.attemptRows(missing))[0]).toMatchObject({ n: 1, local: true, code: 'HTTP.TIMEOUT' });
    expect((await store.attemptRows(written))[0]).toMatchObject({ n: 1, local: true, code: 'HTTP.SERVER_ERROR' });
  });

  it('R11: an attempt lost in the first task counts into the row of lost ones', async () => {
    const id = await store.append();
    const previous = { n: 1, code: 'DELIVERY.ATTEMPT_LOST', status: null } as const;
    expect(await begin(id, 'w#1', { previous })).toMatchObject({ n: 2, totals: { lostInRow: 1 } });
    expect(await begin(id, 'w#2', { previous })).toMatchObject({ n: 3, totals: { lostInRow: 2 } });
  });

  it('R12: an attempt that spent nothing leaves no row, even when only the next one can remove it', async () => {
    const id = await store.append();
    await begin(id, 'w#1');
    await store.attempts.removeAttempt(runOf(id), { ...rowOf(1, 'w#1'), doubtful: false }, 1_000, T);
    expect(await store.attemptRows(id)).toEqual([]);
    await begin(id, 'w#2');
    const unwritten = [{ worker: 'w#2', code: null, status: null }];
    expect(await begin(id, 'w#3', { unwritten })).toMatchObject({ totals: { lostInRow: 0, spent: 0 } });
    expect((await store.attemptRows(id)).map((r) => r.finished)).toEqual([false]);
  });

  it('R11: an end that could not be written is what it was, not a lost attempt', async () => {
    const id = await store.append();
    await begin(id, 'w#1');
    const unwritten = [{ worker: 'w#1', code: 'HTTP.TIMEOUT', status: null } as const];
    expect(await begin(id, 'w#2', { unwritten })).toMatchObject({ n: 2, totals: { lostInRow: 0, spent: 1 } });
    expect(await begin(id, 'w#3', { unwritten })).toMatchObject({ n: 3, totals: { lostInRow: 1, spent: 1 } });
  });

  it('R11: a late failure does not overwrite a row that is finished', async () => {
    const id = await store.append();
    await begin(id, 'w#1');
    await begin(id, 'w#2');
    await store.attempts.failAttempt(runOf(id), row(1), FAILURE, 1, T);
    expect((await store.attemptRows(id))[0]?.code).toBe('DELIVERY.ATTEMPT_LOST');
  });

  it('R11: a worker that was paused writes to no row but its own, though its number was given out again', async () => {
    const id = await store.append();
    await begin(id, 'paused#1');
    await store.attempts.removeAttempt(runOf(id), { ...rowOf(1, 'paused#1'), doubtful: false }, 1, T);
    expect(await begin(id, 'live#2')).toMatchObject({ n: 1 });
    // The removal's answer was lost: it is made again, as any other end of that try would be.
    await store.attempts.removeAttempt(runOf(id), { ...rowOf(1, 'paused#1'), doubtful: false }, 1, T);
    await store.attempts.failAttempt(runOf(id), row(1, 'paused#1'), FAILURE, 1, T);
    await store.attempts.removeAttempt(runOf(id), { ...rowOf(1, 'live#2', 'other run'), doubtful: false }, 1, T);
    await store.attempts.failAttempt(runOf(id), { ...row(1, 'live#2'), runId: 'other run' }, FAILURE, 1, T);
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: null, finished: false }]);
    // Its receipt settles all the same (R16); the attempt under way tells its own end.
    expect(await store.attempts.settle(runOf(id), RECEIPT, rowOf(1, 'paused#1'), T)).toBe('settled');
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: null, finished: false }]);
    expect(await store.attempts.settle(runOf(id), RECEIPT, rowOf(1, 'live#2'), T)).toBe('already');
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: null, finished: true }]);
  });

  it("R11: an attempt that may not send any more closes what its own run left unfinished, and nobody else's", async () => {
    const lost = { local: false, code: 'DELIVERY.ATTEMPT_LOST', finished: true };
    const open = { local: false, code: null, finished: false };
    const settled = await store.append();
    await begin(settled, 'w#1');
    await begin(settled, 'w#2');
    await store.attempts.settle(runOf(settled), RECEIPT, rowOf(1, 'w#1'), T);
    expect((await store.attemptRows(settled))[1]).toEqual({ n: 2, ...open });
    expect(await begin(settled, 'w#3')).toMatchObject({ kind: 'delivered' });
    expect((await store.attemptRows(settled))[1]).toEqual({ n: 2, ...lost });

    const taken = await store.append();
    await begin(taken, 'w#1');
    await store.pool.query("UPDATE outbox.delivery SET carrier = 'batch' WHERE event_id = $1", [taken]);
    const batch = { previous: null, unwritten: [], runId: 'batch run', worker: 'b#1' };
    expect(await store.attempts.beginAttempt(runOf(taken, 0, 'batch'), batch, T)).toMatchObject({ n: 2 });
    expect(await begin(taken, 'w#2')).toEqual({ kind: 'superseded' });
    expect(await store.attemptRows(taken)).toEqual([
      { n: 1, ...lost },
      { n: 2, ...open },
    ]);
  });

  it('R4: a failed attempt moves the due time of a STARTED row, never the lease of a PENDING one', async () => {
    const due = (id: string) =>
      store.one<{ ahead: boolean }>(
        "SELECT due_at > now() + '50 s' AS ahead FROM outbox.delivery WHERE event_id = $1",
        id,
      );
    const started = await store.append();
    const pending = await store.append({ status: 'PENDING' });
    for (const id of [started, pending]) {
      await begin(id, 'w#1');
      await store.attempts.failAttempt(runOf(id), row(1), FAILURE, 60_000, T);
    }
    expect(await due(started)).toEqual({ ahead: true });
    expect(await due(pending)).toEqual({ ahead: false });
  });

  it('R20: totals count from the epoch that the budget began in, numbers from this one', async () => {
    const id = await store.append();
    for (const [epoch, worker] of [
      [0, 'w#1'],
      [1, 'w#2'],
      [2, 'w#3'],
    ] as const) {
      await store.pool.query('UPDATE outbox.delivery SET epoch = $2 WHERE event_id = $1', [id, epoch]);
      const options = { previous: null, unwritten: [], runId: `r${epoch}`, worker };
      expect(await store.attempts.beginAttempt(runOf(id, epoch), options, T)).toMatchObject({
        n: 1,
        totals: { spent: epoch, spentByCode: epoch === 0 ? {} : { 'HTTP.SERVER_ERROR': epoch } },
      });
      await store.attempts.failAttempt(
        runOf(id, epoch),
        { n: 1, runId: `r${epoch}`, worker, local: false },
        FAILURE,
        1,
        T,
      );
    }
    await store.pool.query('UPDATE outbox.delivery SET epoch = 3, budget_epoch = 2 WHERE event_id = $1', [id]);
    const options = { previous: null, unwritten: [], runId: 'r3', worker: 'w#4' };
    expect(await store.attempts.beginAttempt(runOf(id, 3), options, T)).toMatchObject({ n: 1, totals: { spent: 1 } });
  });

  it('stores hostile text: U+0000 and lone surrogates in message, cause, body and field', async () => {
    const id = await store.append();
    await begin(id, 'w#1');
    const nasty = 'a\u0000b\ud800c';
    const failure = {
      ...FAILURE,
      message: nasty,
      stack: nasty,
      field: nasty,
      causes: [{ name: nasty, message: nasty }],
      response: { status: 500, headers: { [nasty]: nasty }, body: nasty },
    };
    await store.attempts.failAttempt(runOf(id), row(1), failure, 1, T);
    const stored = await store.one<{ message: string }>(
      'SELECT message FROM outbox.delivery_attempt WHERE event_id = $1',
      id,
    );
    expect(stored.message).toBe('a\uFFFDb\uFFFDc');
  });

  it('bounds what a row holds, whatever a destination or a handler sends', async () => {
    const id = await store.append();
    await begin(id, 'w#1');
    const long = '\u0001"'.repeat(500_000);
    const failure = {
      ...FAILURE,
      message: long,
      stack: long,
      field: long,
      causes: Array.from({ length: 8 }, () => ({ name: long, message: long })),
      response: { status: 500, headers: { [long]: long }, body: long },
    };
    await store.attempts.failAttempt(runOf(id), row(1), failure, 1, T);
    const stored = await store.one<Record<string, unknown>>(
      `SELECT code, length(message) AS message, length(stack) AS stack, causes, response, pg_column_size(a) < 65536 AS small
       FROM outbox.delivery_attempt a WHERE event_id = $1`,
      id,
    );
    const cut = { message: 16_000, stack: 16_000, causes: null, response: null };
    expect(stored).toEqual({ code: 'HTTP.SERVER_ERROR', ...cut, small: true });
  });

  it('writes a failure and its letter whatever number a handler gives for a status', async () => {
    for (const status of [1e12, 404.5, Number.NaN, -1]) {
      const id = await store.append();
      await begin(id, 'w#1');
      const { status: kept } = new IntegrationError('HTTP.CLIENT_ERROR', { status });
      await store.attempts.failAttempt(runOf(id), row(1), { ...FAILURE, status: kept }, 1, T);
      expect((await store.attemptRows(id))[0]).toMatchObject({ code: 'HTTP.SERVER_ERROR', finished: true });
    }
    expect(new IntegrationError('HTTP.CLIENT_ERROR', { status: 999 }).status).toBe(999);
  });
});

describe('R15: what a run may load', () => {
  it('R15: another epoch, another carrier, a dead or discarded row: superseded, and nothing is written', async () => {
    const cases: [string, Partial<RunRef>][] = [
      ['SET epoch = 1 WHERE event_id = $1', {}],
      ["SET carrier = 'b' WHERE event_id = $1", {}],
      ['SET carrier = NULL WHERE event_id = $1', { carrier: 'b' }],
      ["SET status = 'DEAD' WHERE event_id = $1", {}],
      ["SET status = 'DISCARDED' WHERE event_id = $1", {}],
    ];
    for (const [change, run] of cases) {
      const id = await store.append();
      await store.pool.query(`UPDATE outbox.delivery ${change}`, [id]);
      const options = {
        previous: { n: 1, code: 'HTTP.TIMEOUT', status: null } as const,
        unwritten: [],
        runId: 'r',
        worker: 'w',
      };
      expect(await store.attempts.beginAttempt({ ...runOf(id), ...run }, options, T)).toEqual({ kind: 'superseded' });
      expect(await store.attempts.loadEvent({ ...runOf(id), ...run }, T)).toEqual({ kind: 'superseded' });
      expect(await store.attemptRows(id)).toEqual([]);
    }
  });

  it('R15: DELIVERED in this epoch answers the stored receipt, whoever carries the event', async () => {
    const id = await store.append();
    await store.attempts.settle(runOf(id), RECEIPT, null, T);
    await store.pool.query("UPDATE outbox.delivery SET carrier = 'b' WHERE event_id = $1", [id]);
    expect(await begin(id, 'w#1')).toEqual({ kind: 'delivered', receipt: RECEIPT });
    expect(await store.attempts.loadEvent(runOf(id), T)).toEqual({ kind: 'delivered', receipt: RECEIPT });
    expect(await store.attemptRows(id)).toEqual([]);
  });

  it('R15: the payload is that of the latest revision not above the epoch, with its hash', async () => {
    const id = await store.append();
    for (const epoch of [1, 3]) {
      await store.pool.query(
        `INSERT INTO outbox.event_revision (event_id, epoch, payload, content_hash, actor, reason) VALUES ($1, $2, $3, $4, 'a', 'r')`,
        [id, epoch, { revised: epoch }, `hash-${epoch}`],
      );
    }
    const loadAt = async (epoch: number) => {
      await store.pool.query('UPDATE outbox.delivery SET epoch = $2 WHERE event_id = $1', [id, epoch]);
      const loaded = await store.attempts.loadEvent(runOf(id, epoch), T);
      return loaded.kind === 'found' ? [loaded.event.payload, loaded.event.contentHash] : loaded;
    };
    expect(((await loadAt(0)) as unknown[])[0]).toEqual({ total: 1 });
    expect(await loadAt(1)).toEqual([{ revised: 1 }, 'hash-1']);
    expect(await loadAt(2)).toEqual([{ revised: 1 }, 'hash-1']);
    expect(await loadAt(3)).toEqual([{ revised: 3 }, 'hash-3']);
  });

  it('no such row is told apart', async () => {
    expect(await begin(randomUUID(), 'w#1')).toEqual({ kind: 'not-found' });
    expect(await store.attempts.loadEvent(runOf(randomUUID()), T)).toEqual({ kind: 'not-found' });
  });

  it('numbers that JavaScript cannot hold come as strings, and are named', async () => {
    const payload = '{"big":9007199254740993,"deep":[{"a/b~c":1e400}],"plain":0.1,"__proto__":12345678901234567890}';
    const id = await store.append({ payload });
    const loaded = await store.attempts.loadEvent(runOf(id), T);
    if (loaded.kind !== 'found') throw new Error(loaded.kind);
    const { event } = loaded;
    expect(event.payload['big']).toBe('9007199254740993');
    expect(event.payload['plain']).toBe(0.1);
    expect(Object.getOwnPropertyDescriptor(event.payload, '__proto__')?.value).toBe('12345678901234567890');
    expect([...event.numbersAsStrings].sort()).toEqual(['/__proto__', '/big', '/deep/0/a~1b~0c']);
  });
});

describe('R16: settling', () => {
  it('R16: from PENDING, STARTED and DEAD; the attempt is closed, the receipt stored, the open letter resolved', async () => {
    for (const from of ['PENDING', 'STARTED', 'DEAD'] as const) {
      const id = await store.append({ status: from === 'PENDING' ? 'PENDING' : 'STARTED' });
      await begin(id, 'w#1');
      if (from === 'DEAD') await kill(id);
      expect(await store.attempts.settle(runOf(id), RECEIPT, rowOf(1, 'w#1'), T)).toBe('settled');
      expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', receipt: RECEIPT });
      expect((await store.attemptRows(id))[0]?.finished).toBe(true);
      expect((await store.letters(id)).map((l) => [l['state'], l['effect']])).toEqual(
        from === 'DEAD' ? [['resolved', 'stands']] : [],
      );
    }
  });

  it('R16: a receipt leaves no attempt before it unfinished', async () => {
    const id = await store.append();
    await begin(id, 'w#1');
    await store.pool.query(
      `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, run_id, worker) VALUES ($1, 0, 2, 'r', 'w#2'), ($1, 0, 3, 'r', 'w#3')`,
      [id],
    );
    await store.attempts.settle(runOf(id), RECEIPT, rowOf(2, 'w#2'), T);
    expect(await store.attemptRows(id)).toEqual([
      { n: 1, local: false, code: 'DELIVERY.ATTEMPT_LOST', finished: true },
      { n: 2, local: false, code: null, finished: true },
      { n: 3, local: false, code: null, finished: false },
    ]);
  });

  it('R16: again in the same epoch is "already", in another epoch or discarded "superseded"', async () => {
    const id = await store.append();
    expect(await store.attempts.settle(runOf(id), RECEIPT, null, T)).toBe('settled');
    expect(await store.attempts.settle(runOf(id), { ...RECEIPT, id: 'other' }, null, T)).toBe('already');
    expect(await store.delivery(id)).toMatchObject({ receipt: { id: 'rec-1' } });
    expect(await store.attempts.settle(runOf(id, 1), RECEIPT, null, T)).toBe('superseded');
    const discarded = await store.append();
    await store.pool.query("UPDATE outbox.delivery SET status = 'DISCARDED' WHERE event_id = $1", [discarded]);
    expect(await store.attempts.settle(runOf(discarded), RECEIPT, null, T)).toBe('superseded');
    expect(await store.delivery(discarded)).toMatchObject({ status: 'DISCARDED' });
  });

  it('R16: whoever carries it, a receipt settles', async () => {
    const id = await store.append();
    await store.pool.query("UPDATE outbox.delivery SET carrier = 'someone' WHERE event_id = $1", [id]);
    expect(await store.attempts.settle(runOf(id), RECEIPT, null, T)).toBe('settled');
  });

  it('R16: a receipt that waits for the transaction of the letter resolves that letter', async () => {
    const id = await store.append();
    const other = await store.pool.connect();
    await other.query('BEGIN');
    await other.query("UPDATE outbox.delivery SET status = 'DEAD' WHERE event_id = $1", [id]);
    await other.query(
      `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries)
       VALUES (gen_random_uuid(), $1, 0, 'd', 'T', 'HTTP.TIMEOUT', 'm', 1, 1)`,
      [id],
    );
    const settling = store.attempts.settle(runOf(id), RECEIPT, null, T);
    await eventually('the settling to wait for the row', async () => {
      const text =
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%DELIVERED%' AND datname = current_database()";
      return (await store.pool.query(text)).rowCount === 1;
    });
    await other.query('COMMIT');
    other.release();
    expect(await settling).toBe('settled');
    expect(await store.letters(id)).toMatchObject([{ state: 'resolved' }]);
    expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED' });
  });

  async function kill(id: string) {
    const input = {
      run: runOf(id),
      code: 'HTTP.TIMEOUT',
      message: 'm',
      attempt: null,
      workflowId: 'w',
      runId: 'r',
    } as const;
    expect((await store.deadLetters.recordDeadLetter(input, T)).kind).toBe('recorded');
  }
});
