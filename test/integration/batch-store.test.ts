/**
 * R20: what a batch reads and writes, on a real PostgreSQL: loading, budgets, settling many at once, falling out. Nothing is
 * fake; what a claim and a mark would have left is written directly.
 */
import { randomUUID } from 'node:crypto';
import { jest } from '@jest/globals';
import type { AttemptFailure, EventRef, FallenEvent } from '../../src/application/delivery/ports.js';
import { DEFAULT_POLICY } from '../../src/domain/delivery/policy.js';
import type { Receipt } from '../../src/domain/delivery/receipt.js';
import { createBatchStore } from '../../src/infrastructure/prisma/batch-store.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { createDeliveryStore, type DeliveryStore, FAST_POLICY } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';

const T = 5_000;
const BYTES = 2 * 1024 * 1024;
const CARRIER = 'main:batch:0197d3a0-0000-7000-8000-00000000000a';
const OTHER = 'main:batch:0197d3a0-0000-7000-8000-00000000000b';
const DESTINATION = 'test.destination';
const FAILURE: AttemptFailure & { readonly local: boolean } = {
  code: 'HTTP.SERVER_ERROR',
  status: 503,
  message: 'it broke',
  stack: 'at x',
  causes: [{ name: 'Error', message: 'inner' }],
  response: { status: 503, headers: { 'content-type': 'text/plain' }, body: 'oops' },
  field: 'total',
  local: false,
};

let store: DeliveryStore;
beforeAll(async () => {
  store = await createDeliveryStore();
});
afterAll(() => store.close());
afterEach(async () => {
  await store.pool.query('DELETE FROM outbox.pause; DELETE FROM outbox.destination');
});

describe('loading', () => {
  it('R15, R20: what it carries, in the order asked, each event as its own run would load it', async () => {
    const ids = await carried(5, { payload: '{"big": 9007199254740993, "text": "ä"}' });
    const order = [ids[3], ids[0], ids[4], ids[1], ids[2]] as string[];
    const { events, ...rest } = await load(order);
    expect(events.map(({ ref }) => ref)).toEqual(order.map((eventId) => ({ eventId, epoch: 0 })));
    for (const { ref, event } of events) {
      expect(event).toMatchObject({ id: ref.eventId, numbersAsStrings: ['/big'] });
      const alone = await store.attempts.loadEvent({ ...ref, carrier: CARRIER }, T);
      expect(alone).toMatchObject({ kind: 'found', event, destination: rest.destination });
    }
    expect(rest).toMatchObject({ held: [], delivered: 0, superseded: 0, missing: 0 });
  });

  it('R20: also where its relay has not marked them yet', async () => {
    const ids = await carried(2, { status: 'PENDING' });
    expect((await load(ids)).events).toHaveLength(2);
  });

  it('R15, R20: tells apart what is settled, what is not its own any more, and what is not here', async () => {
    const of = await carriedAs({
      own: 'epoch = 0',
      delivered: `status = 'DELIVERED', receipt = '{}'`,
      later: 'epoch = 1',
      otherBatch: `carrier = '${OTHER}'`,
      alone: 'carrier = NULL',
      dead: `status = 'DEAD'`,
      discarded: `status = 'DISCARDED'`,
      // Settled by whoever carried it then: it is delivered in this epoch, and that is all that counts.
      deliveredElsewhere: `status = 'DELIVERED', receipt = '{}', carrier = '${OTHER}'`,
      deliveredLater: `status = 'DELIVERED', receipt = '{}', epoch = 1`,
    });
    const { events, ...rest } = await load([...Object.values(of), randomUUID(), randomUUID()]);
    expect(events.map(({ ref }) => ref.eventId)).toEqual([of.own]);
    expect(rest).toMatchObject({ held: [], delivered: 2, superseded: 6, missing: 2 });
  });

  it.each([
    ['its destination', { destination: DESTINATION }, [0, 1, 2]],
    ['an event type', { event_type: 'AUTH' }, [1]],
    ['a tenant', { tenant: 'globex' }, [2]],
    ['everything', {}, [0, 1, 2]],
    ['another destination', { destination: 'erp.sync' }, []],
    ['a type at another destination', { destination: 'erp.sync', event_type: 'AUTH' }, []],
    ['a pause that is over', { until: '-1 second' }, []],
    ['one that is not', { until: '1 hour' }, [0, 1, 2]],
  ] as const)('R6, R20: holds what a person has paused: %s', async (_, pause, heldAt: readonly number[]) => {
    const ids = [
      ...(await carried(1)),
      ...(await carried(1, { eventType: 'AUTH' })),
      ...(await carried(1, { tenantId: 'globex' })),
    ];
    const { destination = null, event_type = null, tenant = null, until = null } = pause as Record<string, string>;
    await store.pool.query(
      `INSERT INTO outbox.pause (id, destination, event_type, tenant, until, reason, actor)
       VALUES (gen_random_uuid(), $1, $2, $3, now() + $4::interval, 'test', 'test')`,
      [destination, event_type, tenant, until],
    );
    const { held, events } = await load(ids);
    expect(held.map(({ eventId }) => ids.indexOf(eventId))).toEqual(heldAt);
    expect(events.map(({ ref }) => ids.indexOf(ref.eventId))).toEqual([0, 1, 2].filter((i) => !heldAt.includes(i)));
  });

  it('R20: so many bytes of payloads, the rest is left over; one event goes at least, whatever its size', async () => {
    const ids = [
      ...(await carried(2, { payload: JSON.stringify({ fill: 'x'.repeat(900) }) })),
      ...(await carried(1, { payload: JSON.stringify({ fill: 'x'.repeat(1_900) }) })),
      ...(await carried(1, { payload: '{}' })),
    ];
    const bounded = async (some: string[], bytes: number) => {
      const { events, over } = await load(some, bytes);
      return [events.map(({ ref }) => ids.indexOf(ref.eventId)), over.map(({ eventId }) => ids.indexOf(eventId))];
    };
    expect(await bounded(ids, 2_500)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(await bounded([...ids].reverse(), 2_000)).toEqual([
      [3, 2],
      [1, 0],
    ]);
    expect(await bounded(ids.slice(2, 3), 10)).toEqual([[2], []]);
    expect(await bounded(ids, 10)).toEqual([[0], [1, 2, 3]]);
  });

  it('R15: with the payload of the latest revision not above its epoch', async () => {
    const [id] = (await carried(1)) as [string];
    const revise = (epoch: number, seq: number) =>
      store.pool.query(
        `INSERT INTO outbox.event_revision (event_id, epoch, seq, payload, content_hash, actor, reason)
         VALUES ($1, $2, $3, jsonb_build_object('of', $4::text), $4, 'ada', 'mended')`,
        [id, epoch, seq, `${epoch}.${seq}`],
      );
    for (const [epoch, seq] of [
      [1, 1],
      [2, 1],
      [2, 2],
      [4, 1],
    ] as const)
      await revise(epoch, seq);
    const payloadAt = async (epoch: number) => {
      await store.pool.query('UPDATE outbox.delivery SET epoch = $2 WHERE event_id = $1', [id, epoch]);
      const batch = { carrier: CARRIER, destination: DESTINATION, events: [{ eventId: id, epoch }] };
      const { event } = (await store.batches.loadBatch(batch, BYTES, T)).events[0] ?? {};
      return [event?.payload, event?.contentHash];
    };
    expect((await payloadAt(0))[0]).toEqual({ total: 1 });
    expect(await payloadAt(1)).toEqual([{ of: '1.1' }, '1.1']);
    expect(await payloadAt(2)).toEqual([{ of: '2.2' }, '2.2']);
    expect(await payloadAt(3)).toEqual([{ of: '2.2' }, '2.2']);
    expect(await payloadAt(4)).toEqual([{ of: '4.1' }, '4.1']);
  });

  it('R6: says how the destination stands, known or not', async () => {
    const ids = await carried(1);
    expect((await load(ids)).destination).toMatchObject({ name: DESTINATION, breaker: 'closed', failures: 0 });
    await store.pool.query(
      `INSERT INTO outbox.destination (name, breaker, generation, failures, open_until, open_ms)
       VALUES ($1, 'open', 3, 7, now() + interval '1 minute', 60000)`,
      [DESTINATION],
    );
    const { destination } = await load(ids);
    expect(destination).toMatchObject({ breaker: 'open', generation: 3, failures: 7, openMs: 60_000 });
    expect(destination.blockedForMs).toBeGreaterThan(50_000);
  });

  it('R20: refuses no event for want of its row in the outbox: it is left over', async () => {
    const id = randomUUID();
    await store.pool.query(
      `INSERT INTO outbox.delivery (event_id, destination, event_type, carrier) VALUES ($1, $2, 'ORDER', $3)`,
      [id, DESTINATION, CARRIER],
    );
    expect(await load([id])).toMatchObject({ events: [], held: [], over: [{ eventId: id, epoch: 0 }] });
  });
});

describe('budgets', () => {
  it('R12, R20: what the budget has spent over its epochs, without what came before it', async () => {
    const [id] = (await carried(1)) as [string];
    await store.pool.query('UPDATE outbox.delivery SET epoch = 3, budget_epoch = 1 WHERE event_id = $1', [id]);
    const attempt = (epoch: number, n: number, code: string | null, minutesAgo: number) =>
      store.pool.query(
        `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, code, started_at, finished_at)
         VALUES ($1, $2, $3, $4::text, now() - $5 * interval '1 minute', CASE WHEN $4::text IS NOT NULL THEN now() END)`,
        [id, epoch, n, code, minutesAgo],
      );
    await attempt(0, 1, 'HTTP.TLS', 99);
    await attempt(2, 1, 'HTTP.TIMEOUT', 8);
    await attempt(1, 1, 'HTTP.SERVER_ERROR', 10);
    await attempt(1, 2, null, 9);
    const read = async () => (await store.batches.readBudgets([{ eventId: id, epoch: 3 }], T)).get(id);
    expect(await read()).toMatchObject({
      policy: FAST_POLICY,
      codes: ['HTTP.SERVER_ERROR', 'DELIVERY.ATTEMPT_LOST', 'HTTP.TIMEOUT'],
    });
    const minutes = async () => ((await read())?.sinceFirstMs ?? 0) / 60_000;
    expect(await minutes()).toBeCloseTo(10, 0);
    // What it waited for us, or for its destination, is none of the destination's time.
    await store.pool.query('UPDATE outbox.delivery SET waited_ms = 240000 WHERE event_id = $1', [id]);
    expect(await minutes()).toBeCloseTo(6, 0);
    await store.pool.query('UPDATE outbox.delivery SET waited_ms = 9999999 WHERE event_id = $1', [id]);
    expect(await minutes()).toBe(0);
  });

  it('R20: nothing spent, the default policy, another epoch, not here', async () => {
    const [fresh, later] = (await carried(2)) as [string, string];
    await store.pool.query('UPDATE outbox.delivery SET policy_hash = NULL WHERE event_id = $1', [fresh]);
    await store.pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [later]);
    const budgets = await store.batches.readBudgets(refs([fresh, later, randomUUID()]), T);
    expect([...budgets]).toEqual([[fresh, { policy: DEFAULT_POLICY, codes: [], sinceFirstMs: 0 }]]);
  });
});

describe('settling', () => {
  it('R16, R20: many at once, from STARTED and PENDING, whoever carries them, each with its own receipt', async () => {
    const started = await carried(3);
    const [leased, alone] = (await carried(2, { status: 'PENDING' })) as [string, string];
    await store.pool.query('UPDATE outbox.delivery SET lease_token = gen_random_uuid() WHERE event_id = $1', [leased]);
    await store.pool.query('UPDATE outbox.delivery SET carrier = NULL WHERE event_id = $1', [alone]);
    const ids = [...started, leased, alone];
    expect(await settle(ids)).toEqual({ settled: 5, already: 0, superseded: 0 });
    for (const id of ids) {
      expect(await row(id)).toMatchObject({
        ...{ status: 'DELIVERED', epoch: 0, receipt: receiptOf(id), lease_token: null, settled: true },
        carrier: id === alone ? null : CARRIER,
      });
    }
  });

  it('R16, R20: what is open by one statement for all, whatever its lease', async () => {
    const ids = [...(await carried(2)), ...(await carried(2, { status: 'PENDING' }))];
    await store.pool.query('UPDATE outbox.delivery SET lease_token = gen_random_uuid() WHERE event_id = $1', [ids[3]]);
    const alone: string[] = [];
    const batches = createBatchStore(store.pool, {
      settle: async ({ eventId }) => {
        alone.push(eventId);
        return 'superseded';
      },
    });
    const receipts = refs(ids).map((ref) => ({ ref, receipt: receiptOf(ref.eventId) }));
    expect(await batches.settleBatch(receipts, T)).toEqual({ settled: 4, already: 0, superseded: 0 });
    expect(alone).toEqual([]);
    // A settling that was not answered has done its work: one look tells. What stands otherwise is asked for by itself.
    await store.pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [ids[0]]);
    expect(await batches.settleBatch(receipts, T)).toEqual({ settled: 0, already: 3, superseded: 1 });
    expect(alone).toEqual([ids[0]]);
  });

  it('R16, R20: counts each for what it is, and writes a receipt over none', async () => {
    const ids = await carried(4);
    const [open, delivered, later, discarded] = ids as [string, string, string, string];
    await settle([delivered]);
    await store.pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [later]);
    await store.pool.query(`UPDATE outbox.delivery SET status = 'DISCARDED' WHERE event_id = $1`, [discarded]);
    const receipts = [...refs(ids), ...refs([randomUUID()])].map((ref) => ({ ref, receipt: receiptOf('late') }));
    expect(await store.batches.settleBatch(receipts, T)).toEqual({ settled: 1, already: 1, superseded: 3 });
    expect([(await row(open)).receipt, (await row(delivered)).receipt]).toEqual([
      receiptOf('late'),
      receiptOf(delivered),
    ]);
    expect(await row(later)).toMatchObject({ status: 'STARTED', epoch: 1 });
  });

  it('R16, R20: from DEAD, too, which resolves its letter', async () => {
    const [dead, open] = (await carried(2)) as [string, string];
    const run = { eventId: dead, epoch: 0, carrier: CARRIER };
    const letter = { run, code: 'HTTP.TIMEOUT', message: 'm', attempt: null, workflowId: 'w', runId: 'r' } as const;
    expect(await store.deadLetters.recordDeadLetter(letter, T)).toMatchObject({ kind: 'recorded' });
    expect(await settle([dead, open])).toEqual({ settled: 2, already: 0, superseded: 0 });
    expect((await row(dead)).status).toBe('DELIVERED');
    expect(await store.letters(dead)).toMatchObject([{ state: 'resolved', effect: 'stands' }]);
  });

  it('R20: one row that the database refuses keeps none of the others, and is told of', async () => {
    const ids = await carried(4);
    const refused = ids[2] as string;
    await store.pool.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '23514'; END $$;
      CREATE TRIGGER refuse BEFORE UPDATE ON outbox.delivery FOR EACH ROW
      WHEN (NEW.status = 'DELIVERED' AND NEW.event_id = '${refused}') EXECUTE FUNCTION refuse()`);
    try {
      await expect(settle(ids)).rejects.toMatchObject({ code: '23514' });
      expect(await Promise.all(ids.map(async (id) => (await row(id)).status))).toEqual(
        ids.map((id) => (id === refused ? 'STARTED' : 'DELIVERED')),
      );
    } finally {
      await store.pool.query('DROP FUNCTION refuse CASCADE');
    }
    expect(await settle(ids)).toEqual({ settled: 1, already: 3, superseded: 0 });
  });

  it('R20: what the database refuses of all at once, and takes of each, is told beside what was settled', async () => {
    const ids = await carried(3);
    await store.pool.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT count(*) FROM changed) > 1 THEN RAISE 'no' USING ERRCODE = '23514'; END IF; RETURN NULL; END $$;
      CREATE TRIGGER refuse AFTER UPDATE ON outbox.delivery REFERENCING NEW TABLE AS changed
      FOR EACH STATEMENT EXECUTE FUNCTION refuse()`);
    try {
      expect(await settle(ids)).toEqual({
        ...{ settled: 3, already: 0, superseded: 0 },
        bulkRefused: expect.objectContaining({ code: '23514' }),
      });
    } finally {
      await store.pool.query('DROP FUNCTION refuse CASCADE');
    }
  });

  it('R11, R16: with the database too slow nothing is settled one by one: STORE.UNAVAILABLE', async () => {
    const ids = await carried(2);
    const settleAlone = jest.fn<DeliveryStore['attempts']['settle']>();
    const batches = createBatchStore(store.pool, { settle: settleAlone });
    const other = await store.pool.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM outbox.delivery WHERE event_id = $1 FOR UPDATE', [ids[0]]);
      const receipts = refs(ids).map((ref) => ({ ref, receipt: receiptOf('r') }));
      await expect(batches.settleBatch(receipts, 100)).rejects.toMatchObject({ code: 'STORE.UNAVAILABLE' });
      expect(settleAlone).not.toHaveBeenCalled();
    } finally {
      await other.query('ROLLBACK');
      other.release();
    }
    // The server may come to it all the same, as after any statement whose answer was lost.
    const { settled, already } = await settle(ids);
    expect(settled + already).toBe(2);
  });
});

describe('falling out', () => {
  it('R20: PENDING in the next epoch, of no batch, due when it says, its attempts written with the batch they were made in', async () => {
    const [id] = (await carried(1)) as [string];
    await store.pool.query('UPDATE outbox.delivery SET start_tries = 2 WHERE event_id = $1', [id]);
    const local = { ...FAILURE, code: 'HTTP.TIMEOUT', status: null, local: true } as const;
    const text = { ...FAILURE, message: 'a\u0000b', stack: null, causes: [], response: null, field: null };
    expect(await fallOut([{ ...fallen(id), delayMs: 60_000, attempts: [local, text] }])).toEqual({
      fallen: 1,
      superseded: 0,
    });
    const { due_in: dueIn, ...fell } = await row(id);
    expect(fell).toMatchObject({
      ...{ status: 'PENDING', epoch: 1, carrier: null, lease_token: null, started: false, start_tries: 0 },
      ...{ budget_epoch: 0, no_coalesce: true, doubtful: false },
    });
    // A minute, less what it took to look.
    expect(dueIn).toBeGreaterThan(50);
    expect(dueIn).toBeLessThanOrEqual(60);
    expect(await attemptsOf(id)).toEqual([
      {
        ...{ epoch: 0, n: 1, local: true, code: 'HTTP.TIMEOUT', status: null, message: 'it broke', delay_ms: null },
        ...{ carrier: CARRIER, run_id: 'run-1', worker: 'w#1', finished: true, response: FAILURE.response },
      },
      {
        ...{
          epoch: 0,
          n: 2,
          local: false,
          code: 'HTTP.SERVER_ERROR',
          status: 503,
          message: 'a\uFFFDb',
          delay_ms: 60_000,
        },
        ...{ carrier: CARRIER, run_id: 'run-1', worker: 'w#1', finished: true, response: null },
      },
    ]);
  });

  it('R17, R20: only what it still carries, in the epoch it was started with; nothing is written of the others', async () => {
    const { own, pending, ...others } = await carriedAs({
      own: 'epoch = 0',
      pending: `status = 'PENDING', lease_token = gen_random_uuid()`,
      later: 'epoch = 1',
      otherBatch: `carrier = '${OTHER}'`,
      alone: 'carrier = NULL',
      delivered: `status = 'DELIVERED', receipt = '{}'`,
      dead: `status = 'DEAD'`,
    });
    const kept = Object.values(others);
    const before = await Promise.all(kept.map(row));
    const all = [own, pending, ...kept, randomUUID()].map((id) => ({ ...fallen(id), attempts: [FAILURE] }));
    expect(await fallOut(all)).toEqual({ fallen: 2, superseded: 6 });
    for (const id of [own, pending]) {
      expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1, carrier: null, lease_token: null });
      expect(await attemptsOf(id)).toHaveLength(1);
    }
    expect(await Promise.all(kept.map(row))).toEqual(before);
    for (const id of kept) expect(await attemptsOf(id)).toEqual([]);
  });

  it('R20: asked again, after an answer that was lost, it writes nothing more', async () => {
    const [id] = (await carried(1)) as [string];
    const once = [{ ...fallen(id), attempts: [FAILURE] }];
    expect([await fallOut(once), await fallOut(once)]).toEqual([
      { fallen: 1, superseded: 0 },
      { fallen: 0, superseded: 1 },
    ]);
    expect([(await row(id)).epoch, (await attemptsOf(id)).length]).toEqual([1, 1]);
  });

  it.each([
    ['untried, it keeps the right to a first attempt of its own', 0, [], 2, 'local'],
    ['tried, its budget goes on', 0, [FAILURE], 1, 'regular'],
    ['untried, but with attempts before: its budget goes on', 1, [], 0, 'regular'],
  ] as const)('R10, R20: %s', async (_, spentEpochs, attempts, budgetEpoch, firstAttempt) => {
    const [id] = (await carried(1)) as [string];
    await store.pool.query('UPDATE outbox.delivery SET epoch = 1, budget_epoch = 1 - $2 WHERE event_id = $1', [
      id,
      spentEpochs,
    ]);
    await fallOut([{ ...fallen(id, 1), delayMs: 0, attempts: [...attempts] }]);
    expect(await row(id)).toMatchObject({ epoch: 2, budget_epoch: budgetEpoch });
    const { events } = await claim();
    expect(events.find(({ eventId }) => eventId === id)).toMatchObject({ epoch: 2, firstAttempt });
  });

  it.each([
    ['it goes on alone', true, false, true],
    ['it may go together again', false, false, false],
    ['it went alone before, and does so still', false, true, true],
  ])('R20: %s', async (_, alone, before, after) => {
    const [id] = (await carried(1)) as [string];
    await store.pool.query('UPDATE outbox.delivery SET no_coalesce = $2 WHERE event_id = $1', [id, before]);
    await fallOut([{ ...fallen(id), alone }]);
    expect((await row(id)).no_coalesce).toBe(after);
  });

  it.each([
    [false, true, true],
    [true, false, true],
    [false, false, false],
  ])(
    'R18, R20: doubt that something took effect is kept for good (before: %s, now: %s)',
    async (before, now, after) => {
      const [id] = (await carried(1)) as [string];
      await store.pool.query('UPDATE outbox.delivery SET doubtful = $2 WHERE event_id = $1', [id, before]);
      await fallOut([fallen(id)], now);
      expect((await row(id)).doubtful).toBe(after);
    },
  );

  it('R4, R20: given back, it waits in the place of its age, before what came after it', async () => {
    const [old] = (await carried(1)) as [string];
    const younger = await store.append({ status: 'PENDING' });
    await store.pool.query(
      `UPDATE outbox.delivery SET due_at = (SELECT recorded_at + interval '1 microsecond' FROM outbox.event WHERE id = $2)
       WHERE event_id = $1`,
      [younger, old],
    );
    await fallOut([{ ...fallen(old), delayMs: null, alone: false }]);
    const { due_at, recorded_at } = await store.one<{ due_at: Date; recorded_at: Date }>(
      `SELECT d.due_at::text, e.recorded_at::text FROM outbox.delivery d JOIN outbox.event e ON e.id = d.event_id
       WHERE d.event_id = $1`,
      old,
    );
    expect(due_at).toBe(recorded_at);
    const order = (await claim()).events.map(({ eventId }) => eventId).filter((id) => id === old || id === younger);
    expect(order).toEqual([old, younger]);
  });
});

describe('at once', () => {
  it('R20: a batch that settles, or lets go, while its relay marks or releases: no two wait for each other', async () => {
    const relay = createRelayStore(store.pool);
    // Among many others, so that the one finds its rows by place and the other by id: locked in two orders, they would cross.
    await store.pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, status, receipt)
      SELECT gen_random_uuid(), 'audit.log', 'ORDER', 'DELIVERED', '{}' FROM generate_series(1, 20000)`);
    await store.pool.query('VACUUM ANALYZE outbox.delivery');
    for (let round = 0; round < 20; round += 1) {
      const { rows } = await store.pool.query<{ id: string }>(
        `INSERT INTO outbox.delivery (event_id, destination, event_type, carrier, lease_token)
         SELECT gen_random_uuid(), $1, 'ORDER', $2, $3 FROM generate_series(1, 200) RETURNING event_id AS id`,
        [DESTINATION, CARRIER, '00000000-0000-4000-8000-000000000001'],
      );
      const own = rows.map(({ id }) => ({ eventId: id, epoch: 0, carrier: CARRIER }));
      const token = '00000000-0000-4000-8000-000000000001';
      const releases = own.map((one) => ({ ...one, delayMs: 0, countTry: false }));
      const ids = own.map(({ eventId }) => eventId);
      const write = round % 2 === 0 ? () => relay.markStarted(token, own) : () => relay.release(token, releases);
      const [settled, left] = [ids.slice(0, 150), ids.slice(150)];
      const [answers, out, written] = await Promise.all([
        settle(settled),
        fallOut(left.map((id) => fallen(id))),
        write(),
      ]);
      expect(answers).toEqual({ settled: 150, already: 0, superseded: 0 });
      const done = 'marked' in written ? written.marked : written.released;
      // Released first, it was no longer the batch's to let go.
      expect([out.fallen + out.superseded, done + written.overtaken + written.fenced]).toEqual([50, 200]);
      const { rows: ends } = await store.pool.query(
        'SELECT DISTINCT status FROM outbox.delivery WHERE event_id = ANY ($1)',
        [settled],
      );
      expect(ends).toEqual([{ status: 'DELIVERED' }]);
      await store.pool.query('DELETE FROM outbox.delivery WHERE event_id = ANY ($1)', [ids]);
    }
  });

  it('R16, R20: a settling that waits for the transaction of a letter resolves that letter', async () => {
    const [id, other] = (await carried(2)) as [string, string];
    const dying = await store.pool.connect();
    try {
      await dying.query('BEGIN');
      await dying.query(`UPDATE outbox.delivery SET status = 'DEAD' WHERE event_id = $1`, [id]);
      const settling = settle([id, other]);
      await eventually('the settling to wait for the row', async () => {
        const text = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
        return (await store.pool.query(text)).rowCount === 1;
      });
      await dying.query('COMMIT');
      expect(await settling).toEqual({ settled: 2, already: 0, superseded: 0 });
    } finally {
      dying.release();
    }
    expect((await row(id)).status).toBe('DELIVERED');
  });
});

// ---- What the tests say in one word ------------------------------------------------------------------------------------

/** So many events in the batch `CARRIER`, as its relay has left them. */
async function carried(count: number, options: Parameters<DeliveryStore['append']>[0] = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) ids.push(await store.append(options));
  await store.pool.query('UPDATE outbox.delivery SET carrier = $2 WHERE event_id = ANY ($1)', [ids, CARRIER]);
  return ids;
}

/** One for each name, changed as it says. */
async function carriedAs<Name extends string>(columns: Readonly<Record<Name, string>>): Promise<Record<Name, string>> {
  const named: Partial<Record<Name, string>> = {};
  for (const name of Object.keys(columns) as Name[]) {
    const [id] = await carried(1);
    await store.pool.query(`UPDATE outbox.delivery SET ${columns[name]} WHERE event_id = $1`, [id]);
    named[name] = id as string;
  }
  return named as Record<Name, string>;
}

const refs = (ids: readonly string[]): EventRef[] => ids.map((eventId) => ({ eventId, epoch: 0 }));

function load(ids: readonly string[], bytes = BYTES) {
  return store.batches.loadBatch({ carrier: CARRIER, destination: DESTINATION, events: refs(ids) }, bytes, T);
}

const receiptOf = (id: string): Receipt => ({
  id: `rec-${id}`,
  hash: 'h',
  status: 201,
  at: '2026-01-01T00:00:00.000Z',
  replayed: false,
});

function settle(ids: readonly string[]) {
  const receipts = refs(ids).map((ref) => ({ ref, receipt: receiptOf(ref.eventId) }));
  return store.batches.settleBatch(receipts, T);
}

const fallen = (eventId: string, epoch = 0): FallenEvent => ({
  ref: { eventId, epoch },
  delayMs: 0,
  alone: true,
  attempts: [],
});

function fallOut(events: readonly FallenEvent[], doubtful = false) {
  return store.batches.fallOut(CARRIER, events, { runId: 'run-1', worker: 'w#1', doubtful }, T);
}

function claim() {
  const fixed = { leaseMs: 30_000, batch: 200, cursor: null, defaultMaxRuns: 500 };
  const policies = { byType: {}, otherwise: 'p' };
  return createRelayStore(store.pool).claim({
    ...{ ...fixed, policies, leaseToken: randomUUID(), probeHolder: randomUUID() },
  });
}

function row(id: string): Promise<Record<string, unknown>> {
  return store.one(
    `SELECT status, epoch, budget_epoch, carrier, lease_token, receipt, start_tries, no_coalesce, doubtful,
       started_at IS NOT NULL AS started, settled_at IS NOT NULL AS settled,
       round(extract(epoch FROM due_at - now()))::int AS due_in
     FROM outbox.delivery WHERE event_id = $1`,
    id,
  );
}

async function attemptsOf(id: string): Promise<Record<string, unknown>[]> {
  const text = `SELECT epoch, n, local, code, status, message, delay_ms::int, carrier, run_id, worker, response,
      finished_at IS NOT NULL AS finished
    FROM outbox.delivery_attempt WHERE event_id = $1 ORDER BY epoch, n`;
  return (await store.pool.query(text, [id])).rows;
}
