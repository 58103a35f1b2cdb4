// R9: the order of an aggregate, on a real PostgreSQL: appended by record_event, claimed, marked, settled, dead and redriven by
// the real stores. Nothing is fake; a lease "ends" by moving its row's due time into the past.
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { discardLetters, redriveLetters } from '../../src/application/delivery/dead-letters/redrive-letters.js';
import type { Claim, ClaimedEvent, ClaimRequest, Logger } from '../../src/application/delivery/ports.js';
import { createAttemptStore } from '../../src/infrastructure/prisma/attempt-store.js';
import { createDeadLetterActions } from '../../src/infrastructure/prisma/dead-letter-actions.js';
import { createDeadLetterStore } from '../../src/infrastructure/prisma/dead-letter-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { CLAIM } from '../../src/infrastructure/prisma/relay-sql.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';

const T = 5_000;
let databases: TestDatabases;
let pool: PgPool;

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl, { max: 16 });
});
afterAll(async () => {
  await pool.end();
  await databases.drop();
});
beforeEach(reset);

describe('appending', () => {
  it('R9: an ordered type needs the version of its aggregate; nothing of a batch without one stands', async () => {
    const batch = [eventOf('a', 1), eventOf('a', null)];
    await expect(pool.query('SELECT outbox.record_events($1::jsonb)', [JSON.stringify(batch)])).rejects.toMatchObject({
      code: '22023',
      message: expect.stringMatching(
        /^event 1: aggregate\.version: expected a whole number, got nothing; .* type BLOCK /,
      ),
    });
    expect((await pool.query('SELECT FROM outbox.event')).rowCount).toBe(0);
    await append('a', null, { type: 'FREE' });
  });

  it('R9: gives it the key of its aggregate and its version; a type that is not ordered gets neither', async () => {
    const [a, again, b, free] = [
      await append('a', 7),
      await append('a', 8, { type: 'SKIP' }),
      await append('b', 7),
      await append('a', 9, { type: 'FREE' }),
    ];
    const { rows } = await pool.query('SELECT event_id, order_key AS key, order_no::int AS no FROM outbox.delivery');
    const of = (id: string) => rows.find((row) => row.event_id === id);
    expect([of(a).no, of(again).no, of(free).no, of(free).key]).toEqual([7, 8, null, null]);
    expect(of(again).key).toBe(of(a).key);
    expect(of(b).key).not.toBe(of(a).key);
  });
});

describe('the lowest version alone', () => {
  it('R9: is claimed, whatever came first; the next one once it is settled', async () => {
    const [third, first, second] = [await append('a', 3), await append('a', 1), await append('a', 2)];
    for (const id of [first, second, third]) {
      const events = await claim();
      expect(idsOf(events)).toEqual([id]);
      expect(await claim()).toEqual([]); // leased
      await mark(events);
      expect(await claim()).toEqual([]); // STARTED
      await settle(id);
    }
    expect(await claim()).toEqual([]);
  });

  it('R9: one that waits for later holds those behind it; a start put off does, too', async () => {
    const later = await append('a', 1, { availableAt: '2999-01-01T00:00:00Z' });
    const next = await append('a', 2);
    expect(await claim()).toEqual([]);
    await pool.query('UPDATE outbox.delivery SET due_at = now() WHERE event_id = $1', [later]);
    const events = await claim();
    await store().release(events[0]?.token as string, [{ ...ref(events[0]), delayMs: 60_000, countTry: true }]);
    expect(await claim()).toEqual([]);
    await settle(later);
    expect(idsOf(await claim())).toEqual([next]);
  });

  it('R9: other aggregates, types, tenants and destinations are not held', async () => {
    const ids = [
      await append('a', 1),
      await append('b', 1),
      await append('a', 2, { type: 'SKIP' }),
      await append('a', 2, { tenantId: 't' }),
      await append('a', 2, { routingKey: 'erp.sync' }),
      await append('a', 2, { type: 'FREE' }),
    ];
    await append('a', 2);
    expect(idsOf(await claim()).sort()).toEqual(ids.sort());
  });

  it('R9: while a lease that ended may have been started, that event goes on and no other of its aggregate', async () => {
    const second = await append('a', 2);
    await claim();
    const first = await append('a', 1);
    expect(await claim()).toEqual([]);
    await endLease(second);
    const again = await claim();
    expect(idsOf(again)).toEqual([second]);
    await mark(again);
    await settle(second);
    expect(idsOf(await claim())).toEqual([first]);
  });

  it('R9: a version committed after a higher one was delivered still goes, out of order', async () => {
    const producer = await pool.connect();
    await producer.query('BEGIN');
    const late = (await producer.query('SELECT outbox.record_event($1::jsonb) AS id', [eventOf('a', 1)])).rows[0].id;
    const early = await append('a', 2);
    const events = await claim();
    expect(idsOf(events)).toEqual([early]);
    await mark(events);
    await producer.query('COMMIT');
    producer.release();
    expect(await claim()).toEqual([]);
    await settle(early);
    expect(idsOf(await claim())).toEqual([late]);
  });
});

describe('a dead head', () => {
  it('R9: blocks those behind it until it is discarded', async () => {
    const [head, next] = [await append('a', 1), await append('a', 2)];
    await die(await claim());
    expect(await claim()).toEqual([]);
    await discard(head);
    expect(idsOf(await claim())).toEqual([next]);
  });

  it('R9: redriven, it goes before those it held', async () => {
    const [head, next] = [await append('a', 1), await append('a', 2)];
    await die(await claim());
    await redrive(head);
    const events = await claim();
    expect(idsOf(events)).toEqual([head]);
    await mark(events);
    await settle(head, 1);
    expect(idsOf(await claim())).toEqual([next]);
  });

  it('R9: blocks nothing below it', async () => {
    const head = await append('a', 2);
    await die(await claim());
    const below = await append('a', 1);
    await append('a', 3);
    expect(idsOf(await claim())).toEqual([below]);
    expect(head).toBeDefined();
  });

  it('R9: is passed by where the type says skip; redriven, it goes before what still waits', async () => {
    const skip = { type: 'SKIP' };
    const [head, next, last] = [await append('a', 1, skip), await append('a', 2, skip), await append('a', 3, skip)];
    await die(await claim());
    const events = await claim();
    expect(idsOf(events)).toEqual([next]);
    await mark(events);
    await redrive(head);
    expect(await claim()).toEqual([]);
    await settle(next);
    const again = await claim();
    expect(idsOf(again)).toEqual([head]);
    await mark(again);
    await settle(head, 1);
    expect(idsOf(await claim())).toEqual([last]);
  });
});

describe('many', () => {
  it('R5, R9: more aggregates than one claim looks at are all reached, each once, and the claim says that some are left', async () => {
    await fill(1_300, 2);
    const claimed: string[] = [];
    let unfinished = 0;
    let cursor: string | null = null;
    for (let claims = 0; claimed.length < 1_300 && claims < 40; claims += 1) {
      const answer: Claim = await store().claim(request({ defaultMaxRuns: 100_000, cursor }));
      cursor = answer.cursor;
      claimed.push(...idsOf(answer.events));
      unfinished += answer.unfinished ? 1 : 0;
    }
    expect(new Set(claimed).size).toBe(1_300);
    expect(unfinished).toBeGreaterThan(0);
    expect(idsOf(await claim())).toEqual([]);
  });

  it('R5, R9: a round over aggregates that may not go ends, and says so', async () => {
    await fill(1_300, 1);
    await pool.query(`UPDATE outbox.delivery SET due_at = now() + interval '1 day'`);
    const last = await append('due', 1);
    let cursor: string | null = null;
    const unfinished: boolean[] = [];
    const claimed: string[] = [];
    for (let claims = 0; claims < 12; claims += 1) {
      const answer: Claim = await store().claim(request({ cursor }));
      cursor = answer.cursor;
      unfinished.push(answer.unfinished);
      claimed.push(...idsOf(answer.events));
    }
    // By 500 at a time: three claims or so are a round.
    expect(claimed).toEqual([last]);
    expect(unfinished.filter((left) => !left).length).toBeGreaterThanOrEqual(3);
    expect(unfinished.filter((left) => left).length).toBeGreaterThanOrEqual(6);
  });

  it('R5, R9: ordered and unordered lanes share a batch, and with room for one take turns', async () => {
    await fill(50, 1);
    for (let i = 0; i < 50; i += 1) await append('x', null, { type: 'FREE' });
    const shared = await claim({ batch: 20 });
    expect(shared.filter(({ eventType }) => eventType === 'BLOCK')).toHaveLength(10);
    await reset();
    for (const tenantId of ['t1', 't2', 't3']) await append('a', 1, { tenantId });
    await pool.query(`INSERT INTO outbox.destination (name, max_runs) VALUES ('audit.log', 1)`);
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let i = 0; i < 3; i += 1) {
      const answer = await store().claim(request({ cursor }));
      cursor = answer.cursor;
      seen.push(...answer.events.map(({ tenantId }) => tenantId));
    }
    expect(seen.sort()).toEqual(['t1', 't2', 't3']);
  });

  it('R6, R9: a pause holds ordered lanes, too', async () => {
    await append('a', 1);
    await pool.query(`INSERT INTO outbox.pause (id, event_type, reason, actor) VALUES ($1, 'BLOCK', 'test', 'test')`, [
      randomUUID(),
    ]);
    expect(await claim()).toEqual([]);
  });

  it('R9: what waits behind the heads costs a claim nothing', async () => {
    const before = await buffersOf(async () => fill(10, 2));
    await reset();
    const after = await buffersOf(async () => fill(10, 5_000));
    // The indexes are a page deeper, for each of the ten; 50,000 rows would be thousands.
    expect(after.buffers).toBeLessThan(before.buffers + 500);
    for (const index of ['order', 'order_busy', 'order_dead']) expect(after.plan).toContain(`delivery_${index}"`);
    expect(after.plan).not.toContain('Seq Scan on delivery');
  });
});

describe('at once', () => {
  it('R9: two claims that see different versions of an aggregate do not both take one', async () => {
    const second = await append('a', 2);
    const other = await pool.connect();
    await other.query('BEGIN');
    const { rows } = await other.query(CLAIM, claimValues());
    expect(rows.map((row) => row.event_id)).toEqual([second]);
    const first = await append('a', 1);
    const bystander = await append('b', 1);
    const claiming = claim();
    await eventually('the second claim waits for the first', async () => {
      const waiting = await pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.rowCount === 1;
    });
    await other.query('COMMIT');
    other.release();
    expect(idsOf(await claiming)).toEqual([bystander]);
    await settle(second);
    expect(idsOf(await claim())).toEqual([first]);
  });

  it('R9: eight relays at once take every aggregate in its order, one at a time', async () => {
    await fill(6, 25);
    const order = new Map<string, number[]>();
    const underWay = new Set<string>();
    let done = 0;
    const relay = async () => {
      for (let idle = 0; done < 150 && idle < 2_000; idle += 1) {
        const events = await claim({ batch: 3 });
        const keys = await keysOf(events);
        for (const { key, no } of keys) {
          expect(underWay).not.toContain(key);
          underWay.add(key);
          order.set(key, [...(order.get(key) ?? []), no]);
        }
        await mark(events);
        for (const { id, key } of keys) {
          underWay.delete(key);
          await settle(id);
          done += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, relay));
    expect(done).toBe(150);
    for (const numbers of order.values()) expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
  });

  it('R9: whatever happens to an aggregate, a claim takes exactly what may go', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 5, maxLength: 40 }), async (steps) => {
        await reset();
        const model: Row[] = [];
        for (const step of steps) await take(model, step);
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});

// ---- The model -------------------------------------------------------------------------------------------------------

interface Row {
  readonly id: string;
  readonly type: 'BLOCK' | 'SKIP';
  readonly aggregate: string;
  readonly version: number;
  epoch: number;
  status: 'PENDING' | 'STARTED' | 'DELIVERED' | 'DEAD' | 'DISCARDED';
  lease: { token: string; ended: boolean } | null;
  event: Claimed | null;
}

const STEP = fc.record({
  op: fc.constantFrom(
    'append',
    'append',
    'append',
    'claim',
    'claim',
    'mark',
    'settle',
    'settle',
    'die',
    'end',
    'release',
    'redrive',
    'discard',
  ),
  type: fc.constantFrom('BLOCK' as const, 'SKIP' as const),
  aggregate: fc.constantFrom('a', 'b'),
  version: fc.integer({ min: 1, max: 9 }),
  pick: fc.nat(20),
});

async function take(
  model: Row[],
  step: { op: string; type: 'BLOCK' | 'SKIP'; aggregate: string; version: number; pick: number },
) {
  const one = (fits: (row: Row) => boolean): Row | undefined => {
    const found = model.filter(fits);
    return found[step.pick % Math.max(1, found.length)];
  };
  switch (step.op) {
    case 'append': {
      const { type, aggregate, version } = step;
      const id = await append(aggregate, version, { type });
      model.push({ id, type, aggregate, version, epoch: 0, status: 'PENDING', lease: null, event: null });
      break;
    }
    case 'claim': {
      const events = await claim();
      expect(idsOf(events).sort()).toEqual(mayGo(model).sort());
      for (const event of events) {
        const row = model.find(({ id }) => id === event.eventId) as Row;
        Object.assign(row, { lease: { token: event.token, ended: false }, event });
      }
      break;
    }
    case 'mark': {
      const row = one(({ lease }) => lease !== null);
      if (row === undefined) break;
      await mark([row.event as Claimed]);
      Object.assign(row, { status: 'STARTED', lease: null });
      break;
    }
    case 'release': {
      const row = one(({ lease }) => lease !== null);
      if (row?.lease == null) break;
      await store().release(row.lease.token, [{ eventId: row.id, epoch: row.epoch, delayMs: 0, countTry: false }]);
      row.lease = null;
      break;
    }
    case 'end': {
      const row = one(({ lease }) => lease !== null);
      if (row?.lease == null) break;
      await endLease(row.id);
      row.lease.ended = true;
      break;
    }
    case 'settle':
    case 'die': {
      const row = one(({ status, lease }) => status === 'STARTED' || lease !== null);
      if (row === undefined) break;
      await (step.op === 'settle' ? settle(row.id, row.epoch) : die([{ ...(row.event as Claimed), epoch: row.epoch }]));
      Object.assign(row, { status: step.op === 'settle' ? 'DELIVERED' : 'DEAD', lease: null });
      break;
    }
    case 'redrive': {
      const row = one(({ status }) => status === 'DEAD');
      if (row === undefined) break;
      await redrive(row.id);
      Object.assign(row, { status: 'PENDING', epoch: row.epoch + 1 });
      break;
    }
    default: {
      const row = one(({ status }) => status === 'DEAD');
      if (row === undefined) break;
      await discard(row.id);
      row.status = 'DISCARDED';
    }
  }
}

/** The rule in words: of each aggregate what is under way and lost its lease; else, with nothing under way, the lowest. */
function mayGo(model: readonly Row[]): string[] {
  const groups = Map.groupBy(model, ({ type, aggregate }) => `${type}/${aggregate}`);
  return [...groups.values()].flatMap((rows) => {
    const underWay = rows.filter(({ status, lease }) => status === 'STARTED' || lease !== null);
    expect(underWay.length).toBeLessThanOrEqual(1);
    if (underWay[0] !== undefined) return underWay[0].lease?.ended ? [underWay[0].id] : [];
    const below = (a: Row, b: Row) => a.version - b.version || (a.id < b.id ? -1 : 1);
    const [lowest] = rows.filter(({ status }) => status === 'PENDING').sort(below);
    if (lowest === undefined) return [];
    const blocked = lowest.type === 'BLOCK' && rows.some((row) => row.status === 'DEAD' && below(row, lowest) < 0);
    return blocked ? [] : [lowest.id];
  });
}

// ---- What the tests say in one word ------------------------------------------------------------------------------------

type Claimed = ClaimedEvent & { readonly token: string };

async function reset(): Promise<void> {
  await pool.query(`
    DELETE FROM outbox.delivery; DELETE FROM outbox.event; DELETE FROM outbox.dead_letter; DELETE FROM outbox.notification;
    DELETE FROM outbox.destination; DELETE FROM outbox.pause;
    INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('BLOCK', 'block', 'test'), ('SKIP', 'skip', 'test')
    ON CONFLICT DO NOTHING`);
}

interface Parts {
  readonly type?: string;
  readonly tenantId?: string;
  readonly routingKey?: string;
  readonly availableAt?: string;
}

function eventOf(aggregate: string, version: number | null, { type = 'BLOCK', ...parts }: Parts = {}) {
  const own = { type: 'order', id: aggregate, version };
  return { eventName: 'order.order.placed.v1', eventType: type, aggregate: own, payload: {}, ...parts };
}

async function append(aggregate: string, version: number | null, parts: Parts = {}): Promise<string> {
  const event = JSON.stringify(eventOf(aggregate, version, parts));
  return (await pool.query('SELECT outbox.record_event($1::jsonb) AS id', [event])).rows[0].id;
}

/** So many aggregates with so many events each, appended by one statement, the highest versions first. */
async function fill(aggregates: number, each: number): Promise<void> {
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, order_key, order_no, due_at)
     SELECT gen_random_uuid(), 'audit.log', 'BLOCK', outbox.order_key('order', a::text), $2 - n, now()
     FROM generate_series(1, $1::integer) a, generate_series(1, $2::integer) n`,
    [aggregates, each],
  );
}

const store = () => createRelayStore(pool);

function request(overrides: Partial<ClaimRequest> = {}): ClaimRequest {
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

const claimValues = () => [
  randomUUID(),
  30_000,
  200,
  '{}',
  500,
  '{"byType":{},"otherwise":"p"}',
  randomUUID(),
  200,
  '{}',
  '',
];

async function claim(overrides: Partial<ClaimRequest> = {}): Promise<Claimed[]> {
  const asked = request(overrides);
  const { events } = await store().claim(asked);
  // What a redrive tells the audit log is an event like any other; here it is beside the point.
  const own = events.filter(({ eventType }) => ['BLOCK', 'SKIP', 'FREE'].includes(eventType));
  return own.map((event) => ({ ...event, token: asked.leaseToken }));
}

async function mark(events: readonly Claimed[]): Promise<void> {
  for (const event of events) {
    expect(await store().markStarted(event.token, [ref(event)])).toMatchObject({ marked: 1 });
  }
}

async function settle(eventId: string, epoch = 0): Promise<void> {
  const receipt = { id: 'rec-1', hash: null, status: 201, receivedAt: '2026-01-01T00:00:00.000Z' };
  const run = { eventId, epoch, carrier: null };
  expect(await createAttemptStore(pool).settle(run, receipt as never, null, T)).toBe('settled');
}

async function die(events: readonly Claimed[]): Promise<void> {
  for (const { eventId, epoch } of events) {
    const input = { run: { eventId, epoch, carrier: null }, code: 'HTTP.CLIENT_ERROR', message: 'refused' } as const;
    const dead = createDeadLetterStore(pool);
    const answer = await dead.recordDeadLetter({ ...input, attempt: null, workflowId: null, runId: null }, T);
    expect(answer.kind).toBe('recorded');
  }
}

const WORD = { actor: 'ada', reason: 'mended' };
const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const byHand = () => ({
  actions: createDeadLetterActions(pool),
  ask: async () => ({ kind: 'not-asked' }) as const,
  log: silent,
});

async function redrive(eventId: string): Promise<void> {
  const [outcome] = await redriveLetters(byHand(), { ids: [eventId], tenantId: null }, WORD);
  expect(outcome?.kind).toBe('redriven');
}

async function discard(eventId: string): Promise<void> {
  const [outcome] = await discardLetters(byHand(), { ids: [eventId], tenantId: null }, WORD);
  expect(outcome?.kind).toBe('discarded');
}

async function endLease(eventId: string): Promise<void> {
  await pool.query(`UPDATE outbox.delivery SET due_at = now() - interval '1 second' WHERE event_id = $1`, [eventId]);
}

async function keysOf(events: readonly Claimed[]): Promise<{ id: string; key: string; no: number }[]> {
  const text = `SELECT event_id AS id, order_key AS key, order_no::int AS no FROM outbox.delivery WHERE event_id = ANY ($1)`;
  return (await pool.query(text, [idsOf(events)])).rows;
}

async function buffersOf(prepare: () => Promise<void>): Promise<{ buffers: number; plan: string }> {
  await prepare();
  await pool.query('VACUUM ANALYZE outbox.delivery');
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${CLAIM}`, claimValues());
    const [{ Plan: plan }] = rows[0]['QUERY PLAN'];
    expect(plan['Actual Rows']).toBe(10);
    return { buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], plan: JSON.stringify(plan) };
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

const ref = (event: ClaimedEvent | undefined) => ({ eventId: event?.eventId as string, epoch: event?.epoch as number });
const idsOf = (events: readonly { eventId: string }[]) => events.map(({ eventId }) => eventId);
