// The relay's writes on a real PostgreSQL: leases, fences, overtaken marks (R4, R7), of rows that batches carry, too (R20). Nothing is fake; a lease "ends" by
// moving its row's due time into the past, which is all that time itself would do.
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Claim } from '../../src/application/delivery/ports.js';
import type { CoalescedSizes } from '../../src/domain/delivery/coalescing.js';
import { DEFAULT_POLICY } from '../../src/domain/delivery/policy.js';
import { createAttemptStore } from '../../src/infrastructure/prisma/attempt-store.js';
import { createBatchStore } from '../../src/infrastructure/prisma/batch-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';

let databases: TestDatabases;
let pool: PgPool;

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl);
});
afterAll(async () => {
  await pool.end();
  await databases.drop();
});
beforeEach(async () => {
  await pool.query('TRUNCATE outbox.delivery');
});

describe('a claim', () => {
  it('R4: gives the lease to due_at and the token to the row, and takes it from every other claim', async () => {
    const id = await wait();
    const token = randomUUID();
    expect((await claim(token)).events).toHaveLength(1);
    const row = await read(id);
    expect(row).toMatchObject({ status: 'PENDING', lease_token: token, policy_hash: 'policy-1', carrier: null });
    expect(row.due_in).toBeGreaterThan(25);
    expect(row.due_in).toBeLessThanOrEqual(30);
    expect((await claim(randomUUID())).events).toEqual([]);
  });

  it('keeps the policy that a row was started with before', async () => {
    const id = await wait();
    await pool.query(`UPDATE outbox.delivery SET policy_hash = 'older' WHERE event_id = $1`, [id]);
    await pool.query('INSERT INTO outbox.policy (hash, body) VALUES ($1, $2)', [
      'older',
      { ...DEFAULT_POLICY, maxAttempts: 3 },
    ]);
    expect((await claim(randomUUID())).events[0]).toMatchObject({ policyHash: 'older', policy: { maxAttempts: 3 } });
  });

  it('gives a row without one the policy of its event type, or the one for all others', async () => {
    const [named, other] = [await wait('ORDER'), await wait()];
    const { events } = await claim(randomUUID(), { ORDER: 'policy-order' });
    expect(Object.fromEntries(events.map(({ eventId, policyHash }) => [eventId, policyHash]))).toEqual({
      [named]: 'policy-order',
      [other]: 'policy-1',
    });
  });

  it('R7: after the lease the row goes to the next claim; the stale mark and release match no row', async () => {
    const id = await wait();
    const [stale, current] = [randomUUID(), randomUUID()];
    await claim(stale);
    await endLease(id);
    expect((await claim(current)).events.map((e) => e.eventId)).toEqual([id]);
    const rows = [{ eventId: id, epoch: 0 }];
    expect(await store().markStarted(stale, rows)).toEqual({ marked: 0, overtaken: 0, fenced: 1 });
    expect(await store().release(stale, release(id))).toEqual({ released: 0, overtaken: 0, fenced: 1 });
    expect(await read(id)).toMatchObject({ status: 'PENDING', lease_token: current, start_tries: 0 });
    expect(await store().markStarted(current, rows)).toEqual({ marked: 1, overtaken: 0, fenced: 0 });
  });
});

describe('a mark', () => {
  it('R7: sets STARTED, due in 30 s, clears the token and the failed starts', async () => {
    const id = await wait();
    await pool.query('UPDATE outbox.delivery SET start_tries = 3 WHERE event_id = $1', [id]);
    const token = randomUUID();
    await claim(token);
    await store().markStarted(token, [{ eventId: id, epoch: 0 }]);
    const row = await read(id);
    expect(row).toMatchObject({ status: 'STARTED', lease_token: null, start_tries: 0, started: true });
    expect(row.due_in).toBeGreaterThan(25);
    expect(row.due_in).toBeLessThanOrEqual(30);
  });

  it.each(['DELIVERED', 'DEAD', 'DISCARDED'])(
    'R7: that finds its row %s in this epoch is overtaken, not fenced',
    async (status) => {
      const id = await wait();
      const token = randomUUID();
      await claim(token);
      await settle(id, status);
      const rows = [{ eventId: id, epoch: 0 }];
      expect(await store().markStarted(token, rows)).toEqual({ marked: 0, overtaken: 1, fenced: 0 });
      expect(await store().release(token, release(id))).toEqual({ released: 0, overtaken: 1, fenced: 0 });
      expect((await read(id)).status).toBe(status);
    },
  );

  it('R7: that finds its row in a later epoch is fenced', async () => {
    const id = await wait();
    const token = randomUUID();
    await claim(token);
    await settle(id, 'DEAD');
    await pool.query(`UPDATE outbox.delivery SET status = 'PENDING', epoch = 1 WHERE event_id = $1`, [id]);
    expect(await store().markStarted(token, [{ eventId: id, epoch: 0 }])).toEqual({
      marked: 0,
      overtaken: 0,
      fenced: 1,
    });
    expect((await read(id)).status).toBe('PENDING');
  });

  it('R7: that waits for a run which is just settling is overtaken', async () => {
    const id = await wait();
    const token = randomUUID();
    await claim(token);
    const run = await pool.connect();
    try {
      await run.query('BEGIN');
      await run.query(SETTLE, [id, 'DELIVERED']);
      const marking = store().markStarted(token, [{ eventId: id, epoch: 0 }]);
      await eventually('the mark to wait for the row', async () => {
        const text = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
        return (await pool.query(text)).rowCount === 1;
      });
      await run.query('COMMIT');
      expect(await marking).toEqual({ marked: 0, overtaken: 1, fenced: 0 });
    } finally {
      run.release();
    }
  });

  it('R7: counts each row of a mixed batch for what it is', async () => {
    const [fine, settled, stolen] = [await wait(), await wait(), await wait()];
    const token = randomUUID();
    await claim(token);
    await settle(settled, 'DELIVERED');
    await pool.query('UPDATE outbox.delivery SET lease_token = $2 WHERE event_id = $1', [stolen, randomUUID()]);
    const rows = [fine, settled, stolen, randomUUID()].map((eventId) => ({ eventId, epoch: 0 }));
    expect(await store().markStarted(token, rows)).toEqual({ marked: 1, overtaken: 1, fenced: 2 });
  });
});

describe('a batch that is quicker than its relay', () => {
  const CARRIED = { 'audit.log': { '*': 10 } };

  it('R7, R20: a mark that finds its rows settled, or gone from their batch, is overtaken', async () => {
    const { token, rows } = await claimBatch(5);
    await settle(rows[0]?.eventId as string, 'DELIVERED');
    await leave(rows.slice(1, 3));
    expect(await store().markStarted(token, rows)).toEqual({ marked: 2, overtaken: 3, fenced: 0 });
    expect(await read(rows[1]?.eventId as string)).toMatchObject({ status: 'PENDING', epoch: 1, carrier: null });
    expect(await read(rows[3]?.eventId as string)).toMatchObject({ status: 'STARTED', carrier: rows[3]?.carrier });
  });

  it('R7, R20: a release that finds them so is overtaken, too, and takes nothing back', async () => {
    const { token, rows } = await claimBatch(4);
    await settle(rows[0]?.eventId as string, 'DELIVERED');
    await leave(rows.slice(1, 3));
    const answer = await store().release(
      token,
      rows.map((row) => ({ ...row, delayMs: 60_000, countTry: true, sent: true })),
    );
    expect(answer).toEqual({ released: 1, overtaken: 3, fenced: 0 });
    expect(await read(rows[1]?.eventId as string)).toMatchObject({ start_tries: 0, epoch: 1 });
  });

  it('R7, R20: a mark that comes with another relay in possession is fenced', async () => {
    const { token, rows } = await claimBatch(2);
    for (const { eventId } of rows) await endLease(eventId);
    await claim(randomUUID(), {}, CARRIED);
    expect(await store().markStarted(token, rows)).toEqual({ marked: 0, overtaken: 0, fenced: 2 });
  });

  it('R20: what the batch is just settling, a mark neither waits for nor touches, and is overtaken; so is a release', async () => {
    const { token, rows } = await claimBatch(3);
    const batch = await pool.connect();
    try {
      await batch.query('BEGIN');
      await batch.query(SETTLE, [rows[1]?.eventId, 'DELIVERED']);
      expect(await store().markStarted(token, rows)).toEqual({ marked: 2, overtaken: 1, fenced: 0 });
      const released = rows.map((row) => ({ ...row, delayMs: 0, countTry: false }));
      expect(await store().release(token, released.slice(1, 2))).toEqual({ released: 0, overtaken: 1, fenced: 0 });
      await batch.query('COMMIT');
    } finally {
      batch.release();
    }
    expect((await read(rows[1]?.eventId as string)).status).toBe('DELIVERED');
  });

  it('R7, R20: a mark made again finds what it marked, what was settled since, and what left', async () => {
    const { token, rows } = await claimBatch(4);
    expect(await store().markStarted(token, rows)).toEqual({ marked: 4, overtaken: 0, fenced: 0 });
    await settle(rows[0]?.eventId as string, 'DELIVERED');
    await leave(rows.slice(1, 2));
    expect(await store().markStarted(token, rows, true)).toEqual({ marked: 2, overtaken: 2, fenced: 0 });
  });

  it('R20: released, they wait without a carrier and may go together again', async () => {
    const { token, rows } = await claimBatch(3);
    const released = rows.map((row) => ({ ...row, delayMs: 0, countTry: false, sent: true }));
    expect(await store().release(token, released)).toEqual({ released: 3, overtaken: 0, fenced: 0 });
    for (const { eventId } of rows) expect(await read(eventId)).toMatchObject({ carrier: null, no_coalesce: false });
    expect((await claimBatch(0)).rows.map(({ eventId }) => eventId).sort()).toEqual(rows.map((r) => r.eventId).sort());
  });

  it.each([
    ['sent, it may be taken: no batch takes its event any more', true, true],
    ['not sent, it may go together with others', false, false],
  ])("R20: a start of an event's own that is released: %s", async (_, sent, alone) => {
    const id = await wait();
    const token = randomUUID();
    await claim(token);
    await store().release(token, [{ eventId: id, epoch: 0, carrier: null, delayMs: 0, countTry: false, sent }]);
    expect(await read(id)).toMatchObject({ no_coalesce: alone, lease_token: null });
  });

  /** So many more that wait, claimed with what waits already: for one batch. */
  async function claimBatch(count: number) {
    for (let i = 0; i < count; i += 1) await wait();
    const token = randomUUID();
    const { events } = await claim(token, {}, CARRIED);
    const rows = events.map(({ eventId, epoch, carrier }) => ({ eventId, epoch, carrier }));
    expect(new Set(rows.map(({ carrier }) => carrier)).size).toBe(1);
    expect(rows[0]?.carrier).not.toBeNull();
    return { token, rows };
  }

  async function leave(rows: readonly { eventId: string; epoch: number; carrier: string | null }[]) {
    const batches = createBatchStore(pool, createAttemptStore(pool));
    const fallen = rows.map((ref) => ({ ref, delayMs: 60_000, alone: true, attempts: [] }));
    const options = { runId: 'r', worker: 'w', doubtful: false };
    const answer = await batches.fallOut(rows[0]?.carrier as string, fallen, options, 5_000);
    expect(answer.fallen).toBe(rows.length);
  }
});

it('R7: a mark made again after its answer was lost finds its own rows marked, and a real fence still counts', async () => {
  const [own, settled, stolen] = [await wait(), await wait(), await wait()];
  const token = randomUUID();
  await claim(token);
  await pool.query('UPDATE outbox.delivery SET lease_token = $2 WHERE event_id = $1', [stolen, randomUUID()]);
  const rows = [own, settled, stolen].map((eventId) => ({ eventId, epoch: 0 }));
  expect(await store().markStarted(token, rows)).toEqual({ marked: 2, overtaken: 0, fenced: 1 });
  await settle(settled, 'DELIVERED');
  expect(await store().markStarted(token, rows, true)).toEqual({ marked: 1, overtaken: 1, fenced: 1 });
  expect(await store().markStarted(token, rows)).toEqual({ marked: 0, overtaken: 1, fenced: 2 });
});

it('R7: a release made again counts what it released, claimed anew or not, and not what went on to a later epoch', async () => {
  const [own, taken, redriven] = [await wait(), await wait(), await wait()];
  const token = randomUUID();
  await claim(token);
  const rows = [own, taken, redriven].flatMap((id) => release(id));
  expect(await store().release(token, rows)).toEqual({ released: 3, overtaken: 0, fenced: 0 });
  await pool.query('UPDATE outbox.delivery SET lease_token = $2 WHERE event_id = $1', [taken, randomUUID()]);
  await pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [redriven]);
  expect(await store().release(token, rows, true)).toEqual({ released: 2, overtaken: 0, fenced: 1 });
});

it('R7: a release clears token and carrier, sets the delay, and counts a try only when told', async () => {
  const [counted, spared] = [await wait(), await wait()];
  const token = randomUUID();
  await claim(token);
  await pool.query(`UPDATE outbox.delivery SET carrier = 'batch-1'`);
  const answer = await store().release(token, [
    { eventId: counted, epoch: 0, delayMs: 300_000, countTry: true },
    { eventId: spared, epoch: 0, delayMs: 0, countTry: false },
  ]);
  expect(answer).toEqual({ released: 2, overtaken: 0, fenced: 0 });
  const row = await read(counted);
  expect(row).toMatchObject({ status: 'PENDING', lease_token: null, carrier: null, start_tries: 1 });
  expect(row.due_in).toBeGreaterThan(295);
  expect(await read(spared)).toMatchObject({ lease_token: null, carrier: null, start_tries: 0 });
  expect((await claim(randomUUID())).events.map((e) => e.eventId)).toEqual([spared]);
});

it('R7: in no interleaving of two relays does a stale token change a row', async () => {
  // The model is what the rules say: who holds the row, and nothing else. Every answer of the store must follow it.
  const step = fc.record({
    relay: fc.constantFrom(0, 1),
    act: fc.constantFrom('claim', 'mark', 'release', 'lease ends', 'settles', 'redriven'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      await pool.query('TRUNCATE outbox.delivery');
      const id = await wait();
      const held: { token: string; epoch: number }[] = [];
      const model = { status: 'PENDING', epoch: 0, holder: null as string | null, due: true };
      for (const { relay, act } of steps) {
        const mine = held[relay];
        const valid = mine !== undefined && model.status === 'PENDING' && model.holder === mine.token;
        const overtaken =
          mine !== undefined && mine.epoch === model.epoch && ['DELIVERED', 'DEAD'].includes(model.status);
        if (act === 'claim') {
          const token = randomUUID();
          const { events } = await claim(token);
          expect(events.length).toBe(model.status === 'PENDING' && model.due ? 1 : 0);
          if (events.length === 1) {
            held[relay] = { token, epoch: events[0]?.epoch ?? -1 };
            Object.assign(model, { holder: token, due: false });
          }
        } else if (act === 'mark' && mine !== undefined) {
          const answer = await store().markStarted(mine.token, [{ eventId: id, epoch: mine.epoch }]);
          expect(answer).toEqual(outcome('marked', valid, overtaken));
          if (valid) Object.assign(model, { status: 'STARTED', holder: null, due: false });
        } else if (act === 'release' && mine !== undefined) {
          const answer = await store().release(mine.token, release(id, mine.epoch));
          expect(answer).toEqual(outcome('released', valid, overtaken));
          if (valid) Object.assign(model, { holder: null, due: true });
        } else if (act === 'lease ends') {
          await endLease(id);
          model.due = true;
        } else if (act === 'settles' && ['PENDING', 'STARTED'].includes(model.status)) {
          await settle(id, 'DEAD');
          Object.assign(model, { status: 'DEAD', holder: null });
        } else if (act === 'redriven' && model.status === 'DEAD') {
          await pool.query(REDRIVE, [id]);
          Object.assign(model, { status: 'PENDING', epoch: model.epoch + 1, holder: null, due: true });
        }
        const { status, epoch, lease_token } = await read(id);
        expect({ status, epoch, holder: lease_token }).toEqual({
          status: model.status,
          epoch: model.epoch,
          holder: model.holder,
        });
      }
    }),
    { numRuns: 120 },
  );
});

const SETTLE = `UPDATE outbox.delivery SET status = $2, settled_at = now(), lease_token = NULL,
  receipt = '{"id": "r"}' WHERE event_id = $1`;
const REDRIVE = `UPDATE outbox.delivery SET status = 'PENDING', epoch = epoch + 1, due_at = now() - interval '1 second',
  lease_token = NULL WHERE event_id = $1`;

function outcome(done: 'marked' | 'released', valid: boolean, overtaken: boolean) {
  return { [done]: valid ? 1 : 0, overtaken: !valid && overtaken ? 1 : 0, fenced: valid || overtaken ? 0 : 1 };
}

function store() {
  return createRelayStore(pool);
}

function claim(leaseToken: string, byType: Record<string, string> = {}, sizes: CoalescedSizes = {}): Promise<Claim> {
  const policies = { byType, otherwise: 'policy-1' };
  const fixed = { leaseMs: 30_000, batch: 200, cursor: null, defaultMaxRuns: 500, policies };
  const coalesced = { sizes, carrierPrefix: 'main:batch:' };
  return store().claim({ leaseToken, probeHolder: randomUUID(), ...fixed, coalesced });
}

function release(eventId: string, epoch = 0) {
  return [{ eventId, epoch, delayMs: 0, countTry: false }];
}

async function wait(eventType = 'AUTH'): Promise<string> {
  const id = randomUUID();
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, due_at)
     VALUES ($1, 'audit.log', $2, clock_timestamp() - interval '1 second')`,
    [id, eventType],
  );
  return id;
}

async function endLease(id: string): Promise<void> {
  await pool.query(`UPDATE outbox.delivery SET due_at = clock_timestamp() - interval '1 second' WHERE event_id = $1`, [
    id,
  ]);
}

async function settle(id: string, status: string): Promise<void> {
  await pool.query(SETTLE, [id, status]);
}

async function read(id: string): Promise<Record<string, unknown> & { due_in: number }> {
  const { rows } = await pool.query(
    `SELECT *, started_at IS NOT NULL AS started, extract(epoch FROM due_at - clock_timestamp())::float AS due_in
     FROM outbox.delivery WHERE event_id = $1`,
    [id],
  );
  return rows[0];
}
