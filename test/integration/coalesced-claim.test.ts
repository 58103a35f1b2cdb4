// R20 in the claim, on a real PostgreSQL: which rows travel together, and what a batch takes of room and of starts. Nothing is
// fake; delivery rows are written directly, so that a test says exactly what waits. A lease "ends" by moving its row's due time
// into the past.
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Claim, ClaimedEvent, ClaimRequest } from '../../src/application/delivery/ports.js';
import type { CoalescedSizes } from '../../src/domain/delivery/coalescing.js';
import { parseBatchRunId } from '../../src/domain/delivery/workflow-ids.js';
import { createAttemptStore } from '../../src/infrastructure/prisma/attempt-store.js';
import { createBatchStore } from '../../src/infrastructure/prisma/batch-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { CLAIM } from '../../src/infrastructure/prisma/relay-sql.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { tenAtATime } from '../support/ten-at-a-time.js';

const PREFIX = 'main:batch:';

let databases: TestDatabases;
let pool: PgPool;

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl, { max: 12 });
});
afterAll(async () => {
  await pool.end();
  await databases.drop();
});
beforeEach(reset);

describe('what travels together', () => {
  it('R20: groups of the size that the type says, each with a carrier of its own, which rows and answer name alike', async () => {
    await wait({ count: 450 });
    const { events } = await claim({ sizes: { 'audit.log': { AUTH: 200 } } });
    expect(sizesOf(events)).toEqual([200, 200, 50]);
    for (const carrier of batchesOf(events).keys()) expect(parseBatchRunId(carrier)?.deployment).toBe('main');
    const { rows } = await pool.query<{ id: string; carrier: string | null }>(
      'SELECT event_id AS id, carrier FROM outbox.delivery',
    );
    expect(new Map(rows.map(({ id, carrier }) => [id, carrier]))).toEqual(
      new Map(events.map(({ eventId, carrier }) => [eventId, carrier])),
    );
  });

  it('R20: one destination and one size in a batch, whatever the event types and tenants', async () => {
    const types = ['AUTH', 'ORDER', 'BILLING'];
    for (const destination of ['audit.log', 'erp.sync'])
      for (const eventType of types)
        for (const tenant of ['a', 'b']) await wait({ destination, eventType, tenant, count: 15 });
    const sizes = { AUTH: 20, ORDER: 20, BILLING: 30 };
    const { events } = await claim({ sizes: { 'audit.log': sizes, 'erp.sync': sizes } });
    const batches = [...batchesOf(events).values()];
    const kinds = (batch: readonly ClaimedEvent[], of: (event: ClaimedEvent) => string) => [...new Set(batch.map(of))];
    for (const batch of batches) {
      expect(kinds(batch, ({ destination }) => destination)).toHaveLength(1);
      expect([['AUTH', 'ORDER'], ['BILLING']]).toContainEqual(kinds(batch, ({ eventType }) => eventType).sort());
      expect(kinds(batch, ({ tenantId }) => tenantId)).toHaveLength(2);
    }
    expect(batches.map(({ length }) => length).sort()).toEqual([20, 20, 20, 20, 20, 20, 30, 30]);
  });

  it('R20: a type by its own size, any other by that of "*"; a named 0 keeps its type out', async () => {
    for (const eventType of ['AUTH', 'ORDER', 'OTHER']) await wait({ eventType, count: 12 });
    const { events } = await claim({ sizes: { 'audit.log': { AUTH: 6, ORDER: 0, '*': 4 } } });
    expect(sizesOf(events.filter(({ eventType }) => eventType === 'AUTH'))).toEqual([6, 6]);
    expect(sizesOf(events.filter(({ eventType }) => eventType === 'OTHER'))).toEqual([4, 4, 4]);
    const alone = events.filter(({ carrier }) => carrier === null);
    expect([alone.length, new Set(alone.map(({ eventType }) => eventType))]).toEqual([12, new Set(['ORDER'])]);
  });

  it('R20: an event without company has a run of its own, also the one that is left over', async () => {
    const [lone] = await wait({ destination: 'erp.sync', count: 1 });
    await wait({ count: 21 });
    const { events } = await claim({ sizes: { 'audit.log': { '*': 10 }, 'erp.sync': { '*': 10 } } });
    expect(sizesOf(events)).toEqual([10, 10]);
    const alone = events.filter(({ carrier }) => carrier === null);
    expect(alone.map(({ destination }) => destination).sort()).toEqual(['audit.log', 'erp.sync']);
    expect(alone.map(({ eventId }) => eventId)).toContain(lone);
  });

  it('R20: what is not named, and everything where nothing is, goes by itself', async () => {
    await wait({ count: 5 });
    await wait({ destination: 'erp.sync', count: 5 });
    const some = await claim({ sizes: { 'audit.log': { '*': 10 } } });
    expect(some.events.filter(({ carrier }) => carrier === null).map((e) => e.destination)).toEqual(
      Array.from({ length: 5 }, () => 'erp.sync'),
    );
    await reset();
    await wait({ count: 5 });
    expect((await createRelayStore(pool).claim(request({}))).events.map(({ carrier }) => carrier)).toEqual(
      Array.from({ length: 5 }, () => null),
    );
  });
});

describe('what a batch takes', () => {
  const sizes = { 'audit.log': { AUTH: 200 } };

  it('R6, R20: of the room one run: with room for one a claim takes one full batch, and none beside it', async () => {
    await setDestination({ max_runs: 1 });
    await wait({ count: 500 });
    const first = await claim({ sizes });
    expect(sizesOf(first.events)).toEqual([200]);
    expect(first.events).toHaveLength(200);
    await createRelayStore(pool).markStarted(first.leaseToken, first.events);
    expect((await claim({ sizes })).events).toEqual([]);
    await pool.query(`UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{}' WHERE status = 'STARTED'`);
    expect(sizesOf((await claim({ sizes })).events)).toEqual([200]);
  });

  it('R6, R20: beside runs under way, as many batches as runs would have found room', async () => {
    await setDestination({ max_runs: 4 });
    await wait({ count: 2, eventType: 'OTHER', status: 'STARTED' });
    await wait({ count: 900 });
    expect(sizesOf((await claim({ sizes })).events)).toEqual([200, 200]);
  });

  it('R6, R20: of one room a coalesced type and one that is not have their halves', async () => {
    await setDestination({ max_runs: 4 });
    await wait({ count: 900 });
    await wait({ count: 900, eventType: 'ORDER', ageSeconds: 3_600 });
    const { events } = await claim({ sizes });
    expect(sizesOf(events)).toEqual([200, 200]);
    expect(count(events, ({ carrier }) => carrier === null)).toBe(2);
  });

  it.each([
    ['few starts, many events', 200, 200, 5, 1_000],
    ['as many starts as any claim', 200, 2, 200, 400],
    ['both', 200, 5, 200, 1_000],
    ['one start, as after refusals', 1, 200, 1, 200],
  ])('R20: of one claim: %s', async (_, batch, size, starts, events) => {
    await wait({ count: 2_500 });
    const claimed = await claim({ batch, sizes: { 'audit.log': { '*': size } } });
    expect(batchesOf(claimed.events).size).toBe(starts);
    expect(claimed.events).toHaveLength(events);
  });

  it('R20: several destinations share those bounds evenly', async () => {
    const names = ['a', 'b', 'c', 'd'];
    for (const destination of names) await wait({ destination, count: 800 });
    const { events } = await claim({ sizes: Object.fromEntries(names.map((name) => [name, { '*': 100 }])) });
    expect(events).toHaveLength(1_000);
    for (const name of names) expect(count(events, ({ destination }) => destination === name)).toBe(250);
  });

  it('R4, R20: the oldest go first; claim by claim every row goes once, and nothing is left', async () => {
    const late = await wait({ count: 1_000, ageSeconds: 10 });
    const early = await wait({ count: 1_000, ageSeconds: 100 });
    const first = await claim({ sizes });
    expect(idsOf(first.events).sort()).toEqual(early.sort());
    const second = await claim({ sizes });
    expect(idsOf(second.events).sort()).toEqual(late.sort());
    expect((await claim({ sizes })).events).toEqual([]);
  });
});

describe('beside others', () => {
  it('R5, R20: tenants interleave in a batch, and a small one is in the first', async () => {
    await wait({ tenant: 'big', count: 5_000, ageSeconds: 3_600 });
    for (const tenant of ['t1', 't2']) await wait({ tenant, count: 400 });
    const small = await wait({ tenant: 'small', count: 3 });
    const { events } = await claim({ sizes: { 'audit.log': { '*': 100 } } });
    const [first] = batchesOf(events).values();
    const share = (tenant: string) => count(first ?? [], ({ tenantId }) => tenantId === tenant);
    expect(idsOf(first ?? [])).toEqual(expect.arrayContaining(small));
    for (const tenant of ['big', 't1', 't2']) expect([32, 33]).toContain(share(tenant));
    expect(events).toHaveLength(1_000);
  });

  it('R5, R20: a backlog that is coalesced leaves room in the claim for what has runs of its own, and that for it', async () => {
    await wait({ eventType: 'HOT', count: 5_000, ageSeconds: 3_600 });
    await wait({ eventType: 'ORDER', count: 30 });
    const hot = await claim({ sizes: { 'audit.log': { HOT: 200 } } });
    expect(count(hot.events, ({ eventType }) => eventType === 'ORDER')).toBe(30);
    expect(hot.events).toHaveLength(1_000);
    await reset();
    await wait({ eventType: 'HOT', count: 5_000, ageSeconds: 3_600 });
    await wait({ eventType: 'ORDER', count: 30 });
    const order = await claim({ sizes: { 'audit.log': { ORDER: 30 } } });
    expect(sizesOf(order.events)).toEqual([30]);
    expect(count(order.events, ({ carrier }) => carrier === null)).toBe(199);
  });

  it('R6, R20: a paused type waits, the others go together', async () => {
    for (const eventType of ['AUTH', 'ORDER']) await wait({ eventType, count: 10 });
    await pool.query(
      `INSERT INTO outbox.pause (id, event_type, reason, actor) VALUES (gen_random_uuid(), 'AUTH', 'test', 'test')`,
    );
    const { events } = await claim({ sizes: { 'audit.log': { '*': 50 } } });
    expect(sizesOf(events)).toEqual([10]);
    expect(new Set(events.map(({ eventType }) => eventType))).toEqual(new Set(['ORDER']));
  });

  it('R20: a claim says of each event whether its destination is well, for a batch may begin with a local attempt there', async () => {
    await setDestination({ health: 'slow' });
    await wait({ count: 2 });
    await wait({ count: 2, destination: 'erp.sync' });
    const { events } = await claim({ sizes: { 'audit.log': { '*': 9 }, 'erp.sync': { '*': 9 } } });
    expect(new Set(events.map((e) => `${e.destination} ${e.destinationWell}`))).toEqual(
      new Set(['audit.log false', 'erp.sync true']),
    );
  });
});

describe('a destination that is not well', () => {
  const sizes = { 'audit.log': { '*': 10 }, 'erp.sync': { '*': 10 } };

  it.each(['open', 'half_open'])(
    'R6, R20: %s: one event tries it, alone; elsewhere they go together',
    async (breaker) => {
      const holder = randomUUID();
      const tried = { open_until: new Date(Date.now() - 1_000), probe_until: new Date(Date.now() + 60_000) };
      await setDestination({ breaker, probe_holder: holder, ...tried });
      await wait({ count: 20 });
      await wait({ count: 20, destination: 'erp.sync' });
      const { events } = await claim({ sizes, probeHolder: holder });
      expect(events.filter((e) => e.destination === 'audit.log').map(({ carrier }) => carrier)).toEqual([null]);
      expect(sizesOf(events)).toEqual([10, 10]);
    },
  );

  it('R6, R20: just back, its cap grows by runs of one event; a minute later they go together again', async () => {
    await wait({ count: 20 });
    await setDestination({ closed_at: new Date(Date.now() - 50_000) });
    const back = await claim({ sizes });
    expect([back.events.length > 0, sizesOf(back.events)]).toEqual([true, []]);
    await reset();
    await wait({ count: 20 });
    await setDestination({ closed_at: new Date(Date.now() - 61_000) });
    expect(sizesOf((await claim({ sizes })).events)).toEqual([10, 10]);
  });
});

describe('what goes alone', () => {
  const sizes = { 'audit.log': { '*': 10 } };

  it.each([
    ['fell out of a run', 'no_coalesce = true'],
    ['had its start refused', 'start_tries = 1'],
  ])('R20: what %s; the others go without it', async (_, columns) => {
    const marked = await wait({ count: 3 });
    await pool.query(`UPDATE outbox.delivery SET ${columns} WHERE event_id = ANY ($1)`, [marked]);
    await wait({ count: 7 });
    const { events } = await claim({ sizes });
    expect(sizesOf(events)).toEqual([7]);
    expect(idsOf(events.filter(({ carrier }) => carrier === null)).sort()).toEqual(marked.sort());
  });

  it('R20: of the room what goes alone takes a run, beside batches', async () => {
    await setDestination({ max_runs: 3 });
    await pool.query('UPDATE outbox.delivery SET no_coalesce = true WHERE event_id = ANY ($1)', [
      await wait({ count: 5, ageSeconds: 100 }),
    ]);
    await wait({ count: 30 });
    const { events } = await claim({ sizes });
    expect(count(events, ({ carrier }) => carrier === null) + batchesOf(events).size).toBe(3);
  });

  it('R20: what was claimed for a run of its own and not marked: that run may be under way, and no other can be', async () => {
    const own = await wait({ count: 3 });
    await claim({ sizes: {} });
    await endLeases();
    await wait({ count: 4 });
    const { events } = await claim({ sizes });
    expect(sizesOf(events)).toEqual([4]);
    expect(idsOf(events.filter(({ carrier }) => carrier === null)).sort()).toEqual(own.sort());
  });

  it('R20: what was claimed for a run of its own and not marked goes by itself also after another relay gave it back', async () => {
    const own = await wait({ count: 3 });
    await claim({ sizes: {} });
    await endLeases();
    const { leaseToken, events } = await claim({ sizes });
    // Never sent: that relay was stopped, or away until its lease had nearly ended.
    const unsent = events.map(({ eventId, epoch }) => ({ eventId, epoch, delayMs: 0, countTry: false }));
    await createRelayStore(pool).release(leaseToken, unsent);
    await wait({ count: 4 });
    const { events: again } = await claim({ sizes });
    expect(sizesOf(again)).toEqual([4]);
    expect(idsOf(again.filter(({ carrier }) => carrier === null)).sort()).toEqual(own.sort());
  });

  it('R20: what a batch carried and nobody marked goes again, in another batch, and the first has lost it', async () => {
    await wait({ count: 10 });
    const first = await claim({ sizes });
    const [before] = batchesOf(first.events).keys();
    await endLeases();
    const second = await claim({ sizes });
    expect(idsOf(second.events).sort()).toEqual(idsOf(first.events).sort());
    const [after] = batchesOf(second.events).keys();
    expect([batchesOf(second.events).size, after === before]).toEqual([1, false]);
    expect(await createRelayStore(pool).markStarted(first.leaseToken, first.events)).toMatchObject({ fenced: 10 });
    const batch = { destination: 'audit.log', events: first.events };
    const load = async (carrier: string | undefined) =>
      createBatchStore(pool, createAttemptStore(pool)).loadBatch({ ...batch, carrier: carrier ?? '' }, 1, 5_000);
    expect([(await load(before)).superseded, (await load(after)).superseded]).toEqual([10, 0]);
  });

  it('R20: what a batch carried and nobody marked has a run of its own once its type is no longer coalesced', async () => {
    await wait({ count: 10 });
    await claim({ sizes });
    await endLeases();
    const { events } = await claim({ sizes: { 'audit.log': { '*': 0 } } });
    expect([events.length, sizesOf(events)]).toEqual([10, []]);
    expect((await pool.query('SELECT FROM outbox.delivery WHERE carrier IS NOT NULL')).rowCount).toBe(0);
  });
});

describe('ordered events', () => {
  const sizes = { 'audit.log': { '*': 10 } };

  it('R9, R20: of an aggregate at most one is under way in all batches, and its versions go in their order', async () => {
    await fill(25, 3);
    for (const version of [1, 2, 3]) {
      const { leaseToken, events } = await claim({ sizes });
      expect(sizesOf(events)).toEqual([10, 10, 5]);
      const aggregates = await aggregatesOf(events);
      expect(new Set(aggregates.map(({ key }) => key)).size).toBe(25);
      expect(new Set(aggregates.map(({ no }) => no))).toEqual(new Set([version]));
      expect((await claim({ sizes })).events).toEqual([]); // leased
      await createRelayStore(pool).markStarted(leaseToken, events);
      expect((await claim({ sizes })).events).toEqual([]); // STARTED
      await pool.query(`UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{}' WHERE status = 'STARTED'`);
    }
    expect((await claim({ sizes })).events).toEqual([]);
  });

  it('R9, R20: claims at once take no two of an aggregate', async () => {
    await fill(40, 5);
    const claims = await Promise.all(Array.from({ length: 8 }, () => claim({ sizes, batch: 20 })));
    const keys = (await aggregatesOf(claims.flatMap(({ events }) => events))).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThan(0);
  });
});

describe('claims beside claims', () => {
  it('R4, R20: twenty at once share neither a row nor a carrier', async () => {
    for (let i = 0; i < 4; i += 1) await wait({ tenant: `t${i}`, count: 1_000 });
    const ask = () => claim({ sizes: { 'audit.log': { '*': 50 } }, batch: 10, defaultMaxRuns: 10_000 });
    const claims = await tenAtATime(20, ask);
    const ids = claims.flatMap(({ events }) => idsOf(events));
    expect(new Set(ids).size).toBe(ids.length);
    const carriers = claims.flatMap(({ events }) => [...batchesOf(events).keys()]);
    expect(new Set(carriers).size).toBe(carriers.length);
    const rest = await claim({ sizes: {}, batch: 5_000, defaultMaxRuns: 10_000 });
    expect(ids.length + rest.events.length).toBe(4_000);
  });

  it('R20: whatever happens to its events, a claim takes what is due, and together exactly what may go together', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 5, maxLength: 25 }), async (steps) => {
        await reset();
        const model: Row[] = [];
        for (const step of steps) await take(model, step);
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});

describe('with 200,000 rows in 21 lanes', () => {
  it('R5, R20: a claim that coalesces, as one that does not, reads by index alone, and no more than what it takes', async () => {
    await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
      SELECT gen_random_uuid(), CASE WHEN n % 10 = 0 THEN 'erp.sync' ELSE 'audit.log' END,
        (ARRAY['AUTH', 'ORDER', 'BILLING'])[1 + n % 3], CASE WHEN n % 10 < 9 THEN 't0' ELSE 't' || (n % 25) END,
        now() - interval '1 hour' + n * interval '1 ms' FROM generate_series(1, 200000) n`);
    await pool.query(`INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type,
        aggregate_id, payload, content_hash, occurred_at)
      SELECT event_id, 'a.b.v1', event_type, destination, 's', 'u', '1', '{}', 'x', now() FROM outbox.delivery`);
    await pool.query('VACUUM ANALYZE outbox.delivery, outbox.event');
    const both = { 'audit.log': { '*': 200 }, 'erp.sync': { AUTH: 50 } };
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      const plain = await explain(mode, {});
      const coalesced = await explain(mode, both);
      expect([...plain.scans, ...coalesced.scans]).toEqual([]);
      expect([plain.rows, coalesced.rows]).toEqual([200, 1_000]);
      // A row is read, locked and written, each by a few pages of table and indexes: a scan would be thousands more.

      expect(plain.buffers).toBeLessThan(200 * 30 + 1_000);
      expect(coalesced.buffers).toBeLessThan(1_000 * 30 + 1_000);
    }
  });
});

// ---- The model ---------------------------------------------------------------------------------------------------------

interface Row {
  readonly id: string;
  readonly destination: string;
  readonly eventType: string;
  epoch: number;
  alone: boolean;
  tries: number;
  status: 'PENDING' | 'STARTED';
  lease: { readonly token: string; ended: boolean } | null;
  carrier: string | null;
}

const SIZES = { 'audit.log': { AUTH: 3, '*': 2 }, 'erp.sync': { AUTH: 3 } } as const;
const SIZE_OF: Readonly<Record<string, number>> = { 'audit.log/AUTH': 3, 'audit.log/ORDER': 2, 'erp.sync/AUTH': 3 };

const STEP = fc.record({
  op: fc.constantFrom('append', 'append', 'claim', 'claim', 'claim plain', 'mark', 'release', 'end', 'fall out'),
  destination: fc.constantFrom('audit.log', 'erp.sync'),
  eventType: fc.constantFrom('AUTH', 'ORDER'),
  count: fc.integer({ min: 1, max: 7 }),
  pick: fc.nat(20),
  yes: fc.boolean(),
  really: fc.boolean(),
});
type Step = typeof STEP extends fc.Arbitrary<infer T> ? T : never;

async function take(model: Row[], step: Step): Promise<void> {
  const { destination, eventType } = step;
  const leased = () => {
    const found = model.filter(({ lease }) => lease !== null);
    return found[step.pick % Math.max(1, found.length)];
  };
  switch (step.op) {
    case 'append':
      for (const id of await wait({ destination, eventType, count: step.count }))
        model.push({
          ...{ id, destination, eventType, epoch: 0, alone: false, tries: 0 },
          ...{ status: 'PENDING', lease: null, carrier: null },
        });
      break;
    case 'claim':
      await claimBeside(model, SIZES);
      break;
    case 'claim plain':
      await claimBeside(model, {});
      break;
    case 'mark': {
      const row = leased();
      if (row?.lease == null) break;
      const { token } = row.lease;
      expect(await createRelayStore(pool).markStarted(token, [refOf(row)])).toMatchObject({ marked: 1 });
      Object.assign(row, { status: 'STARTED', lease: null, tries: 0 });
      break;
    }
    case 'release': {
      const row = leased();
      if (row?.lease == null) break;
      const released = { ...refOf(row), delayMs: 0, countTry: step.yes, sent: step.really };
      await createRelayStore(pool).release(row.lease.token, [released]);
      row.alone ||= step.really && row.carrier === null;
      Object.assign(row, { lease: null, carrier: null, tries: row.tries + Number(step.yes) });
      break;
    }
    case 'end': {
      const row = leased();
      if (row?.lease == null) break;
      await endLeases(row.id);
      row.lease.ended = true;
      break;
    }
    default: {
      const carried = model.filter(({ carrier }) => carrier !== null);
      const row = carried[step.pick % Math.max(1, carried.length)];
      if (row?.carrier == null) break;
      const fallen = { ref: refOf(row), delayMs: 0, alone: step.yes, attempts: [] };
      const store = createBatchStore(pool, createAttemptStore(pool));
      const options = { runId: 'r', worker: 'w', doubtful: false };
      expect(await store.fallOut(row.carrier, [fallen], options, 5_000)).toEqual({ fallen: 1, superseded: 0 });
      row.alone ||= step.yes;
      Object.assign(row, { status: 'PENDING', lease: null, carrier: null, tries: 0, epoch: row.epoch + 1 });
    }
  }
}

/** The rule in words: all that is due; of each destination and size what may go together by so many, and never one by one. */
async function claimBeside(model: Row[], sizes: CoalescedSizes): Promise<void> {
  const due = model.filter(({ status, lease }) => status === 'PENDING' && (lease === null || lease.ended));
  const sizeOf = ({ destination, eventType }: Row) =>
    sizes === SIZES ? (SIZE_OF[`${destination}/${eventType}`] ?? 1) : 1;
  const mayBeCarried = (row: Row) =>
    sizeOf(row) > 1 && !row.alone && row.tries === 0 && (row.lease === null || row.carrier !== null);
  const { leaseToken, events } = await claim({ sizes });
  expect(idsOf(events).sort()).toEqual(due.map(({ id }) => id).sort());
  const together = Map.groupBy(due.filter(mayBeCarried), (row) => `${row.destination} ${sizeOf(row)}`);
  const expected = [...together].flatMap(([kind, rows]) => {
    const size = Number(kind.split(' ')[1]);
    const groups = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
      Math.min(size, rows.length - i * size),
    );
    return groups.filter((group) => group > 1).map((group) => `${kind} ${group}`);
  });
  const byId = new Map(model.map((row) => [row.id, row]));
  const seen = [...batchesOf(events).values()].map((batch) => {
    const rows = batch.map(({ eventId }) => byId.get(eventId) as Row);
    expect(rows.every(mayBeCarried)).toBe(true);
    const kinds = new Set(rows.map((row) => `${row.destination} ${sizeOf(row)}`));
    expect(kinds.size).toBe(1);
    return `${[...kinds][0]} ${rows.length}`;
  });
  expect(seen.sort()).toEqual(expected.sort());
  for (const { eventId, carrier } of events) {
    const row = byId.get(eventId) as Row;
    // A run of its own may be under way, whatever becomes of this claim.
    row.alone ||= row.lease !== null && row.carrier === null;
    Object.assign(row, { lease: { token: leaseToken, ended: false }, carrier });
  }
}

// ---- What the tests say in one word ------------------------------------------------------------------------------------

async function reset(): Promise<void> {
  await pool.query('TRUNCATE outbox.delivery, outbox.delivery_attempt, outbox.destination, outbox.pause');
}

function request(overrides: Partial<ClaimRequest>): ClaimRequest {
  return {
    leaseToken: randomUUID(),
    leaseMs: 30_000,
    batch: 200,
    cursor: null,
    defaultMaxRuns: 500,
    policies: { byType: {}, otherwise: 'policy-1' },
    probeHolder: randomUUID(),
    ...overrides,
  };
}

async function claim({
  sizes,
  ...overrides
}: Partial<ClaimRequest> & { readonly sizes: CoalescedSizes }): Promise<Claim & { readonly leaseToken: string }> {
  const asked = request({ coalesced: { sizes, carrierPrefix: PREFIX }, ...overrides });
  return { ...(await createRelayStore(pool).claim(asked)), leaseToken: asked.leaseToken };
}

/** Writes waiting (or started) rows, due `ageSeconds` ago, and returns their ids. */
async function wait(rows: {
  count: number;
  destination?: string;
  eventType?: string;
  tenant?: string;
  status?: 'PENDING' | 'STARTED';
  ageSeconds?: number;
}): Promise<string[]> {
  const { destination = 'audit.log', eventType = 'AUTH', tenant = '', status = 'PENDING', ageSeconds = 60 } = rows;
  const { rows: written } = await pool.query<{ event_id: string }>(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, status, due_at)
     SELECT gen_random_uuid(), $2, $3, $4, $5, clock_timestamp() - $6::integer * interval '1 second'
     FROM generate_series(1, $1::integer) RETURNING event_id`,
    [rows.count, destination, eventType, tenant, status, ageSeconds],
  );
  return written.map((row) => row.event_id);
}

/** So many aggregates with so many events each, the highest versions first. */
async function fill(aggregates: number, each: number): Promise<void> {
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, order_key, order_no, due_at)
     SELECT gen_random_uuid(), 'audit.log', 'ORDERED', outbox.order_key('order', a::text), $2 + 1 - n, now()
     FROM generate_series(1, $1::integer) a, generate_series(1, $2::integer) n`,
    [aggregates, each],
  );
}

async function aggregatesOf(events: readonly ClaimedEvent[]): Promise<{ key: string; no: number }[]> {
  const text = 'SELECT order_key AS key, order_no::int AS no FROM outbox.delivery WHERE event_id = ANY ($1)';
  return (await pool.query(text, [idsOf(events)])).rows;
}

async function endLeases(eventId: string | null = null): Promise<void> {
  await pool.query(
    `UPDATE outbox.delivery SET due_at = clock_timestamp() - interval '1 second'
     WHERE lease_token IS NOT NULL AND event_id = coalesce($1, event_id)`,
    [eventId],
  );
}

async function setDestination(columns: Record<string, unknown>): Promise<void> {
  await pool.query(`INSERT INTO outbox.destination (name) VALUES ('audit.log') ON CONFLICT DO NOTHING`);
  for (const [column, value] of Object.entries(columns)) {
    await pool.query(`UPDATE outbox.destination SET ${column} = $1 WHERE name = 'audit.log'`, [value]);
  }
}

/** What a claim would do, and does not. */
async function explain(
  mode: string,
  sizes: CoalescedSizes,
): Promise<{ scans: string[]; rows: number; buffers: number }> {
  const client = await pool.connect();
  try {
    await client.query(
      `PREPARE claim(uuid, integer, integer, jsonb, integer, jsonb, uuid, integer, jsonb, text) AS ${CLAIM}`,
    );
    await client.query(`SET plan_cache_mode = ${mode}`);
    await client.query('BEGIN');
    const { rows } = await client.query(
      `EXPLAIN (ANALYZE, BUFFERS) EXECUTE claim('${randomUUID()}', 30000, 200, '{}', 500, '{"otherwise":"p"}', '${randomUUID()}', 200, '${JSON.stringify(sizes)}', '${PREFIX}')`,
    );
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    const first = (pattern: RegExp) => Number(pattern.exec(plan)?.[1] ?? Number.NaN);
    const buffers =
      first(/Buffers: shared hit=(\d+)/) + (Number(/Buffers: shared[^\n]* read=(\d+)/.exec(plan)?.[1]) || 0);
    const scans = plan.match(/Seq Scan on (delivery|event)\b.*/g) ?? [];
    return { scans: [...scans], rows: first(/actual [^)]*rows=(\d+)/), buffers };
  } finally {
    await client.query('ROLLBACK; DEALLOCATE ALL; RESET ALL');
    client.release();
  }
}

function batchesOf(events: readonly ClaimedEvent[]): Map<string, ClaimedEvent[]> {
  const carried = events.filter((event): event is ClaimedEvent & { carrier: string } => event.carrier !== null);
  return Map.groupBy(carried, ({ carrier }) => carrier);
}

/** Of the batches, the largest first. */
function sizesOf(events: readonly ClaimedEvent[]): number[] {
  return [...batchesOf(events).values()].map(({ length }) => length).sort((a, b) => b - a);
}

const refOf = ({ id, epoch, carrier }: Row) => ({ eventId: id, epoch, carrier });
const idsOf = (events: readonly { eventId: string }[]) => events.map(({ eventId }) => eventId);
const count = <T>(items: readonly T[], matches: (item: T) => boolean) => items.filter(matches).length;
