// R20: how much waits, by which adaptive types are switched, on a real PostgreSQL. Nothing is fake; delivery rows are written
// directly.
import type { WaitingType } from '../../src/application/delivery/ports.js';
import { COUNT_WAITING } from '../../src/infrastructure/prisma/count-waiting-sql.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';

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
  await pool.query('TRUNCATE outbox.delivery, outbox.pause');
});

describe('below the limit', () => {
  it('R20: counts what is due, by destination and event type, over all tenants', async () => {
    for (const tenant of ['', 'a', 'b']) await rows({ count: 30, tenant });
    await rows({ count: 7, eventType: 'ORDER', tenant: 'a' });
    await rows({ count: 5, destination: 'erp.sync' });
    await rows({ count: 11, destination: 'nobody.asks' });
    expect(await counted(['audit.log', 'erp.sync', 'nothing.waits'], 1_000)).toEqual({
      'audit.log AUTH': 90,
      'audit.log ORDER': 7,
      'erp.sync AUTH': 5,
    });
  });

  it('R20: not what waits for later, is leased, is under way or has an end', async () => {
    await rows({ count: 4 });
    await rows({ count: 8, dueInSeconds: 3_600 });
    await rows({ count: 16, dueInSeconds: 30, set: 'lease_token = gen_random_uuid()' });
    await rows({ count: 32, set: "status = 'STARTED'" });
    await rows({ count: 64, set: `status = 'DELIVERED', receipt = '{}'` });
    await rows({ count: 128, set: "status = 'DEAD'" });
    expect(await counted(['audit.log'], 1_000)).toEqual({ 'audit.log AUTH': 4 });
  });

  it('R20: not what a person has paused: what no batch may carry is no backlog', async () => {
    for (const ordered of [false, true]) {
      for (const tenant of ['held', 'free']) await rows({ count: 20, tenant, ordered });
      await rows({ count: 5, eventType: 'HELD', ordered });
      await rows({ count: 7, destination: 'erp.sync', ordered });
    }
    await pause({ tenant: 'held' });
    await pause({ event_type: 'HELD' });
    await pause({ destination: 'erp.sync' });
    await pause({ tenant: 'free' }, "now() - interval '1 second'");
    expect(await counted(['audit.log', 'erp.sync'], 1_000)).toEqual({
      'audit.log AUTH': 40,
      'audit.log HELD': 0,
      'erp.sync AUTH': 0,
    });
  });

  it('R20: not what goes alone: fallen out of a run, its start not accepted, or perhaps under way', async () => {
    for (const ordered of [false, true]) {
      await rows({ count: 10, ordered, tenant: 'a' });
      await rows({ count: 20, ordered, tenant: 'b', set: 'no_coalesce = true' });
      await rows({ count: 40, ordered, tenant: 'c', set: 'start_tries = 1' });
      await rows({ count: 80, ordered, tenant: 'd', set: 'lease_token = gen_random_uuid()' });
    }
    expect(await counted(['audit.log'], 1_000)).toEqual({ 'audit.log AUTH': 20 });
  });

  it('R9, R20: not what is behind a dead one of its aggregate, where its type blocks', async () => {
    await pool.query(
      `INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('BLOCKS', 'block', 't'), ('SKIPS', 'skip', 't')`,
    );
    for (const eventType of ['BLOCKS', 'SKIPS']) {
      await rows({ count: 30, ordered: true, eventType });
      // Of three of the thirty aggregates, one before and one behind what waits.
      for (const [dead, orderNo] of [
        [2, 0],
        [1, 9],
      ] as const) {
        await pool.query(
          `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at, order_key, order_no, status)
           SELECT gen_random_uuid(), 'audit.log', $1, '', now(), md5(n::text), $3, 'DEAD' FROM generate_series(1, $2::int) n`,
          [eventType, dead, orderNo],
        );
      }
    }
    expect(await counted(['audit.log'], 1_000)).toEqual({ 'audit.log BLOCKS': 28, 'audit.log SKIPS': 30 });
  });

  it('R20: behind more that go alone than are looked at, what nobody has looked at is a backlog', async () => {
    await rows({ count: 199, dueInSeconds: -120, set: 'no_coalesce = true' });
    expect(await counted(['audit.log'], 100)).toEqual({ 'audit.log AUTH': 0 });
    await rows({ count: 500 });
    expect(await counted(['audit.log'], 100)).toEqual({ 'audit.log AUTH': 100 });
  });

  it('R20: ordered events and others of a type together, whatever is due of them', async () => {
    await rows({ count: 10 });
    await rows({ count: 20, ordered: true });
    await rows({ count: 40, ordered: true, dueInSeconds: 60 });
    await rows({ count: 5, ordered: true, eventType: 'ORDER', tenant: 'a' });
    await rows({ count: 6, ordered: true, eventType: 'ORDER', tenant: 'b' });
    expect(await counted(['audit.log'], 1_000)).toEqual({ 'audit.log AUTH': 30, 'audit.log ORDER': 11 });
  });

  it('R20: a backlog of one event for each of thousands of tenants is a backlog', async () => {
    await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
      SELECT gen_random_uuid(), 'audit.log', 'AUTH', 't' || n, now() FROM generate_series(1, 3000) n`);
    expect(await counted(['audit.log'], 4_000)).toEqual({ 'audit.log AUTH': 3_000 });
    expect(await counted(['audit.log'], 1_000)).toEqual({ 'audit.log AUTH': 1_000 });
  });
});

describe('at the limit', () => {
  it('R20: stops there, for each type by itself', async () => {
    for (const tenant of ['a', 'b', 'c']) await rows({ count: 60, tenant });
    for (const tenant of ['a', 'b', 'c']) await rows({ count: 60, tenant, ordered: true, eventType: 'ORDERED' });
    await rows({ count: 99, eventType: 'FEW' });
    const both = { count: 80, eventType: 'MIXED' };
    await rows(both);
    await rows({ ...both, ordered: true });
    expect(await counted(['audit.log'], 100)).toEqual({
      'audit.log AUTH': 100,
      'audit.log ORDERED': 100,
      'audit.log FEW': 99,
      'audit.log MIXED': 100,
    });
  });

  it('R20: an ordered type reaches it, although some of its first events are leased', async () => {
    await rows({ count: 90, ordered: true, tenant: 'a', dueInSeconds: 30 });
    await rows({ count: 500, ordered: true, tenant: 'b' });
    expect(await counted(['audit.log'], 100)).toEqual({ 'audit.log AUTH': 100 });
  });
});

describe('what it costs', () => {
  it.each([
    ['50,000 that are due', {}],
    ['50,000 that wait for later', { dueInSeconds: 86_400 }],
    ['50,000 ordered ones that are due', { ordered: true }],
    ['50,000 ordered ones that wait for later, in fifty tenants', { ordered: true, dueInSeconds: 86_400, tenants: 50 }],
    ['50,000 that wait for later, of five thousand tenants', { dueInSeconds: 86_400, tenants: 5_000 }],
  ])('R20: is bounded by the limit: %s', async (_, of) => {
    await rows({ count: 50_000, ...of });
    await rows({ count: 3, eventType: 'ZULU' });
    const { buffers, plan } = await costOf(1_000);
    // A probe or two for each tenant up to the limit, a page or so for each ordered row.
    expect(buffers).toBeLessThan(7_500);
    expect(plan).not.toMatch(/"Node Type":"Seq Scan"[^{}]*"Relation Name":"delivery"/);
    expect(await counted(['audit.log'], 1_000)).toMatchObject({ 'audit.log ZULU': 3 });
  });

  it('R20: is bounded, whatever the number of types', async () => {
    await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
      SELECT gen_random_uuid(), 'audit.log', 'T' || n % 100, 't' || n / 100 % 200, now() + interval '1 day'
      FROM generate_series(1, 20000) n`);
    expect((await costOf(1_000)).buffers).toBeLessThan(50_000);
  });
});

async function costOf(most: number): Promise<{ readonly buffers: number; readonly plan: string }> {
  await pool.query('VACUUM ANALYZE outbox.delivery');
  const values = [['audit.log'], most];
  const { rows: answer } = await pool.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${COUNT_WAITING}`, values);
  const { Plan: top } = answer[0]['QUERY PLAN'][0];
  return { buffers: top['Shared Hit Blocks'] + top['Shared Read Blocks'], plan: JSON.stringify(top) };
}

async function pause(
  { destination = null, event_type = null, tenant = null }: { [scope: string]: string | null },
  until = 'NULL',
): Promise<void> {
  await pool.query(
    `INSERT INTO outbox.pause (id, destination, event_type, tenant, until, reason, actor)
     VALUES (gen_random_uuid(), $1, $2, $3, ${until}, 'a test', 'ada')`,
    [destination, event_type, tenant],
  );
}

async function counted(destinations: readonly string[], most: number): Promise<Record<string, number>> {
  const types: readonly WaitingType[] = await createRelayStore(pool).countWaiting(destinations, most);
  return Object.fromEntries(
    types.map(({ destination, eventType, waiting }) => [`${destination} ${eventType}`, waiting]),
  );
}

/** Rows that are due, an ordered one of an aggregate of its own; `set`: what else is in them. */
async function rows(of: {
  readonly count: number;
  readonly destination?: string;
  readonly eventType?: string;
  readonly tenant?: string;
  /** Instead of `tenant`: so many of them. */
  readonly tenants?: number;
  readonly dueInSeconds?: number;
  readonly ordered?: boolean;
  readonly set?: string;
}): Promise<void> {
  const { count, destination = 'audit.log', eventType = 'AUTH', tenant = '', tenants = 0, dueInSeconds = -60 } = of;
  const { rows: written } = await pool.query<{ id: string }>(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at, order_key, order_no)
     SELECT gen_random_uuid(), $2, $3, CASE WHEN $5::int > 0 THEN 't' || n % $5 ELSE $4 END,
       now() + $6::integer * interval '1 second', CASE WHEN $7 THEN md5(n::text || $4) END, CASE WHEN $7 THEN 1 END
     FROM generate_series(1, $1::integer) n RETURNING event_id AS id`,
    [count, destination, eventType, tenant, tenants, dueInSeconds, of.ordered ?? false],
  );
  if (of.set === undefined) return;
  const ids = written.map(({ id }) => id);
  await pool.query(`UPDATE outbox.delivery SET ${of.set} WHERE event_id = ANY ($1)`, [ids]);
}
