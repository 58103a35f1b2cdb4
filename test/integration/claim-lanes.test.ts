// The claim on a real PostgreSQL: lanes, room, pauses, breaker, plans. Nothing is fake; delivery rows are written
// directly, so that a test says exactly what waits. Time is the database's own.
import { randomUUID } from 'node:crypto';
import type { Claim, ClaimRequest } from '../../src/application/delivery/ports.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { CLAIM, WAITING } from '../../src/infrastructure/prisma/relay-sql.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { tenAtATime } from '../support/ten-at-a-time.js';

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
beforeEach(async () => {
  await pool.query(`TRUNCATE outbox.delivery, outbox.destination, outbox.pause`);
});

describe('lanes', () => {
  it('R5: a lane with 5,000 waiting rows does not keep twenty others from their share', async () => {
    await wait({ eventType: 'HOT', count: 5_000, ageSeconds: 3_600 });
    for (let i = 0; i < 20; i += 1) await wait({ tenant: `t${i}`, count: 2 });
    const { events } = await claim({ batch: 200 });
    expect(events).toHaveLength(200);
    for (let i = 0; i < 20; i += 1) expect(count(events, (e) => e.tenantId === `t${i}`)).toBe(2);
    expect(count(events, (e) => e.eventType === 'HOT')).toBe(160);
  });

  it('R5: a lane that is alone takes the whole batch', async () => {
    await wait({ count: 300 });
    expect((await claim({ batch: 200 })).events).toHaveLength(200);
  });

  it('R5: what small lanes leave free goes to the large ones, every row once', async () => {
    await wait({ tenant: 'big-1', count: 500 });
    await wait({ tenant: 'big-2', count: 500 });
    await wait({ tenant: 'small', count: 1 });
    const { events } = await claim({ batch: 101 });
    expect(new Set(events.map((e) => e.eventId)).size).toBe(101);
    expect(count(events, (e) => e.tenantId === 'big-1')).toBe(50);
    expect(count(events, (e) => e.tenantId === 'big-2')).toBe(50);
  });

  it('R5: destinations share the batch evenly, whatever the number of their lanes', async () => {
    for (let i = 0; i < 10; i += 1) await wait({ destination: 'audit.log', tenant: `t${i}`, count: 50 });
    await wait({ destination: 'erp.sync', count: 500 });
    const { events } = await claim({ batch: 100 });
    expect(count(events, (e) => e.destination === 'erp.sync')).toBe(50);
  });

  it('R5: with room for one, the cursor gives every lane its turn', async () => {
    await setDestination({ max_runs: 1 });
    for (let i = 0; i < 8; i += 1) await wait({ tenant: `t${i}`, count: 3 });
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let i = 0; i < 8; i += 1) {
      const answer: Claim = await claim({ cursor });
      cursor = answer.cursor;
      seen.push(...answer.events.map((e) => e.tenantId));
    }
    expect(seen.sort()).toEqual(['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7']);
  });

  it('R5: a destination that is full between claims keeps its place among the lanes', async () => {
    await setDestination({ max_runs: 1 });
    for (let i = 0; i < 8; i += 1) await wait({ tenant: `t${i}`, count: 3 });
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let i = 0; i < 8; i += 1) {
      const answer: Claim = await claim({ cursor });
      seen.push(...answer.events.map((e) => e.tenantId));
      // The run is under way, so the next look finds no room.
      const ids = answer.events.map((e) => e.eventId);
      await pool.query(`UPDATE outbox.delivery SET status = 'STARTED', lease_token = NULL WHERE event_id = ANY ($1)`, [
        ids,
      ]);
      const full = await claim({ cursor: answer.cursor });
      expect(full.events).toEqual([]);
      cursor = full.cursor;
      await pool.query('DELETE FROM outbox.delivery WHERE event_id = ANY ($1)', [ids]);
    }
    expect(seen.sort()).toEqual(['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7']);
  });

  it('R5: with a batch of one, every destination gets its turn', async () => {
    const destinations = ['a', 'b', 'c', 'd'];
    for (const destination of destinations) await wait({ destination, count: 5 });
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let i = 0; i < 4; i += 1) {
      const answer: Claim = await claim({ cursor, batch: 1 });
      cursor = answer.cursor;
      seen.push(...answer.events.map((e) => e.destination));
    }
    expect(seen.sort()).toEqual(destinations);
  });

  it('R5: a destination behind 256 others that have nothing due is reached, and what it waits for is said', async () => {
    await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
      SELECT gen_random_uuid(), 'later.' || lpad(n::text, 4, '0'), 'AUTH', '', now() + interval '1 day'
      FROM generate_series(1, 600) n`);
    const [id] = await wait({ destination: 'zzz', count: 1 });
    let answer = await claim({});
    let claims = 1;
    while (answer.events.length === 0 && claims < 20) {
      expect(answer.unfinished).toBe(true);
      answer = await claim({ cursor: answer.cursor });
      claims += 1;
    }
    expect(answer.events.map((e) => e.eventId)).toEqual([id]);
    expect(claims).toBe(3);
  });

  it('R5: says once a round that nothing is left, however many lanes wait for later', async () => {
    await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
      SELECT gen_random_uuid(), d, 'LATER', 't' || n, now() + interval '1 day'
      FROM generate_series(1, 500) n, unnest(ARRAY['a', 'b']) d WHERE d = 'a' OR n <= 201`);
    let cursor: string | null = null;
    const unfinished: boolean[] = [];
    for (let i = 0; i < 24; i += 1) {
      const answer: Claim = await claim({ cursor });
      cursor = answer.cursor;
      unfinished.push(answer.unfinished);
    }
    // 500 lanes are walked by 200: a round is three claims at most.
    const rounds = unfinished.filter((left) => !left).length;
    expect(rounds).toBeGreaterThanOrEqual(8);
    expect(rounds).toBeLessThan(24);
  });

  it('R5: a due lane behind a thousand that wait for later is reached, and the claim says that lanes are left', async () => {
    await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
      SELECT gen_random_uuid(), 'audit.log', 'LATER', 't' || n, now() + interval '1 day' FROM generate_series(1, 1000) n`);
    await wait({ eventType: 'ZULU', count: 1 });
    let answer = await claim({});
    let claims = 1;
    while (answer.events.length === 0 && answer.unfinished && claims < 20) {
      answer = await claim({ cursor: answer.cursor });
      claims += 1;
    }
    expect(answer.events).toHaveLength(1);
    expect(claims).toBeGreaterThan(1);
  });

  it('R4: the oldest due rows of a lane come first, and what is not due stays', async () => {
    const [late] = await wait({ count: 1, ageSeconds: 10 });
    const [early] = await wait({ count: 1, ageSeconds: 100 });
    await wait({ count: 1, ageSeconds: -60 });
    expect((await claim({ batch: 1 })).events.map((e) => e.eventId)).toEqual([early]);
    expect((await claim({ batch: 9 })).events.map((e) => e.eventId)).toEqual([late]);
    expect((await claim({ batch: 9 })).events).toEqual([]);
  });
});

describe('room', () => {
  it('R6: room is the cap less the runs that are due within a minute', async () => {
    await setDestination({ max_runs: 10 });
    await wait({ count: 6, status: 'STARTED', ageSeconds: -30, tenant: 'a' });
    await wait({ count: 50, status: 'STARTED', ageSeconds: -600, tenant: 'b' }); // asleep in a backoff
    await wait({ count: 20 });
    expect((await claim({})).events).toHaveLength(4);
  });

  it('R6: a batch counts as one run, whatever it carries, and not while all of it sleeps', async () => {
    await setDestination({ max_runs: 10 });
    await carry('batch-1', await wait({ count: 40, status: 'STARTED', ageSeconds: 0 }));
    await carry('batch-2', await wait({ count: 1, status: 'STARTED', ageSeconds: 0, tenant: 'b' }));
    await carry('batch-2', await wait({ count: 9, status: 'STARTED', ageSeconds: -600, tenant: 'a' }));
    await carry('asleep', await wait({ count: 9, status: 'STARTED', ageSeconds: -600 }));
    await carry('elsewhere', await wait({ count: 9, status: 'STARTED', destination: 'erp.sync' }));
    await wait({ count: 3, status: 'STARTED' });
    await wait({ count: 20 });
    expect((await claim({})).events).toHaveLength(5);
  });

  it('R6: tells the destinations that are full of runs which should have moved five minutes ago', async () => {
    const full = () => createRelayStore(pool).findFull(4);
    await wait({ count: 3, status: 'STARTED', ageSeconds: 400 });
    await wait({ count: 9 });
    expect(await full()).toEqual([]); // room for one
    await carry('batch-1', await wait({ count: 5, status: 'STARTED', ageSeconds: 0 }));
    expect(await full()).toEqual([{ destination: 'audit.log', started: 4, pastDue: 3 }]);
    await wait({ count: 4, status: 'STARTED', ageSeconds: 400, destination: 'nothing.waits' });
    await wait({ count: 4, status: 'STARTED', ageSeconds: 200, destination: 'busy' });
    await wait({ count: 1, destination: 'busy' });
    expect((await full()).map(({ destination }) => destination)).toEqual(['audit.log']);
    await setDestination({ max_runs: 9 });
    expect(await full()).toEqual([]);
  });

  it('R6, R20: tells the destinations that have no room for a batch, where one should have moved five minutes ago', async () => {
    const full = async () => (await createRelayStore(pool).findFull(500)).map(({ destination }) => destination);
    await wait({ count: 9 });
    for (let n = 1; n <= 15; n++)
      await carry(`batch-${n}`, await wait({ count: 2, status: 'STARTED', ageSeconds: 200 }));
    await carry('late', await wait({ count: 1, status: 'STARTED', ageSeconds: 400, tenant: 'b' }));
    expect(await full()).toEqual(['audit.log']);
    await pool.query(`UPDATE outbox.delivery SET due_at = now() WHERE carrier = 'late'`);
    expect(await full()).toEqual([]); // all of them move
    await pool.query(`UPDATE outbox.delivery SET due_at = now() - interval '400 s' WHERE carrier = 'late'`);
    await pool.query(
      `UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{}', settled_at = now() WHERE carrier = 'batch-1'`,
    );
    expect(await full()).toEqual([]); // room for one
  });

  it('R6: runs are counted over all lanes of the destination, and none of another', async () => {
    await setDestination({ max_runs: 5 });
    for (const tenant of ['a', 'b', 'c']) await wait({ count: 1, status: 'STARTED', tenant });
    await wait({ count: 9, status: 'STARTED', destination: 'erp.sync' });
    await wait({ count: 20 });
    expect((await claim({})).events).toHaveLength(2);
  });

  it('R6: a destination without a row has the default cap', async () => {
    await wait({ count: 20 });
    expect((await claim({ defaultMaxRuns: 7 })).events).toHaveLength(7);
  });

  it('R6: a full destination keeps no other from its events', async () => {
    await setDestination({ max_runs: 0 });
    await wait({ count: 5_000 });
    await wait({ count: 3, destination: 'erp.sync' });
    expect((await claim({})).events.map((e) => e.destination)).toEqual(['erp.sync', 'erp.sync', 'erp.sync']);
  });

  it('R6: an open breaker gives no room, a half-open one room for one, to the holder of the probe lease', async () => {
    const holder = randomUUID();
    await wait({ count: 20 });
    await setDestination({ breaker: 'open' });
    expect((await claim({ probeHolder: holder })).events).toEqual([]);
    await setDestination({ open_until: new Date(Date.now() + 60_000) });
    expect((await claim({ probeHolder: holder })).events).toEqual([]);
    await setDestination({ breaker: 'half_open', probe_holder: holder, probe_until: new Date(Date.now() + 60_000) });
    expect((await claim({ probeHolder: randomUUID() })).events).toEqual([]);
    const { events } = await claim({ probeHolder: holder });
    expect(events).toHaveLength(1);
    expect(events[0]?.firstAttempt).toBe('regular');
    await setDestination({ probe_until: new Date(Date.now() - 1_000) });
    expect((await claim({ probeHolder: holder })).events).toEqual([]);
  });

  it('R6: an open breaker whose time is over gives room for one to the relay that holds the probe, none beside a run', async () => {
    const [one, other] = [randomUUID(), randomUUID()];
    const store = createRelayStore(pool);
    await wait({ count: 20 });
    await setDestination({ breaker: 'open', open_until: new Date(Date.now() + 60_000) });
    await store.holdProbes(one, 60_000);
    await setDestination({ open_until: new Date(Date.now() - 1_000) });
    expect((await claim({ probeHolder: one })).events).toEqual([]);
    await store.holdProbes(one, 60_000);
    await store.holdProbes(other, 60_000);
    expect((await claim({ probeHolder: other })).events).toEqual([]);
    expect((await claim({ probeHolder: one })).events).toHaveLength(1);
    await wait({ count: 1, status: 'STARTED' });
    expect((await claim({ probeHolder: one })).events).toEqual([]);
    // A holder that died: another takes over.
    await pool.query(`UPDATE outbox.delivery SET due_at = now() + interval '1 hour' WHERE status = 'STARTED'`);
    await setDestination({ probe_until: new Date(Date.now() - 1_000) });
    await store.holdProbes(other, 60_000);
    expect((await claim({ probeHolder: other })).events).toHaveLength(1);
  });

  it('R6: what is paused keeps nobody else out, of the cap or of a trial', async () => {
    const holder = randomUUID();
    await setDestination({ max_runs: 5 });
    await wait({ count: 5, status: 'STARTED', ageSeconds: -30, eventType: 'PAUSED' });
    await wait({ count: 2 });
    expect((await claim({})).events).toEqual([]);
    await pool.query(
      `INSERT INTO outbox.pause (id, destination, event_type, reason, actor) VALUES (gen_random_uuid(), 'audit.log', 'PAUSED', 'test', 'test')`,
    );
    const over = { open_until: new Date(Date.now() - 1_000), probe_until: new Date(Date.now() + 60_000) };
    await setDestination({ breaker: 'open', probe_holder: holder, ...over });
    expect((await claim({ probeHolder: holder })).events).toHaveLength(1);
    await setDestination({ breaker: 'closed' });
    expect((await claim({})).events).toHaveLength(1);
  });

  it('R6: runs that should have moved long ago keep nobody from trying whether a destination is well again', async () => {
    const holder = randomUUID();
    const over = { open_until: new Date(Date.now() - 1_000), probe_until: new Date(Date.now() + 60_000) };
    await setDestination({ breaker: 'open', probe_holder: holder, ...over });
    await wait({ count: 3, status: 'STARTED', ageSeconds: 600 });
    await wait({ count: 2 });
    expect((await claim({ probeHolder: holder })).events).toHaveLength(1);
  });

  it('R6: after an outage the cap comes back by and by', async () => {
    await wait({ count: 600 });
    const runsAfter = async (seconds: number) => {
      await pool.query(`UPDATE outbox.delivery SET due_at = now() - interval '1 hour', lease_token = NULL`);
      await setDestination({ closed_at: new Date(Date.now() - seconds * 1_000) });
      return (await claim({ batch: 1_000, defaultMaxRuns: 500 })).events.length;
    };
    for (const [seconds, least, most] of [
      [0, 10, 20],
      [10, 40, 80],
      [61, 500, 500],
    ] as const) {
      const runs = await runsAfter(seconds);
      expect([runs >= least, runs <= most]).toEqual([true, true]);
    }
  });

  it('a pause ends by itself', async () => {
    const pause = (until: Date) =>
      pool.query(
        `INSERT INTO outbox.pause (id, destination, until, reason, actor) VALUES ($1, 'audit.log', $2, 'test', 'test')
         ON CONFLICT ON CONSTRAINT pause_scope DO UPDATE SET until = excluded.until`,
        [randomUUID(), until],
      );
    await wait({ count: 3 });
    await pause(new Date(Date.now() + 60_000));
    expect((await claim({})).events).toEqual([]);
    await pause(new Date(Date.now() - 1_000));
    expect((await claim({})).events).toHaveLength(3);
  });

  it.each([
    ['destination', { destination: 'audit.log' }, ['erp.sync/AUTH/t1', 'erp.sync/ORDER/t2']],
    ['event type', { event_type: 'AUTH' }, ['audit.log/ORDER/t2', 'erp.sync/ORDER/t2']],
    ['tenant', { tenant: 't2' }, ['audit.log/AUTH/t1', 'erp.sync/AUTH/t1']],
    [
      'tenant at one destination',
      { destination: 'erp.sync', tenant: 't2' },
      ['audit.log/AUTH/t1', 'audit.log/ORDER/t2', 'erp.sync/AUTH/t1'],
    ],
    ['everything', {}, []],
  ])('R6: a pause of %s holds exactly that', async (_, scope, expected) => {
    for (const destination of ['audit.log', 'erp.sync']) {
      await wait({ count: 1, destination, eventType: 'AUTH', tenant: 't1' });
      await wait({ count: 1, destination, eventType: 'ORDER', tenant: 't2' });
    }
    const pause = { destination: null, event_type: null, tenant: null, ...scope };
    await pool.query(
      `INSERT INTO outbox.pause (id, destination, event_type, tenant, reason, actor) VALUES ($1, $2, $3, $4, 'test', 'test')`,
      [randomUUID(), pause.destination, pause.event_type, pause.tenant],
    );
    const { events } = await claim({});
    expect(events.map((e) => `${e.destination}/${e.eventType}/${e.tenantId}`).sort()).toEqual(expected);
  });

  it.each([
    ['ok', 'local'],
    ['slow', 'regular'],
    ['degraded', 'regular'],
  ] as const)('a destination whose health is %s gets a %s first attempt', async (health, firstAttempt) => {
    await setDestination({ health });
    await wait({ count: 1 });
    expect((await claim({})).events[0]?.firstAttempt).toBe(firstAttempt);
  });
});

it('R20: a budget that goes on from an earlier epoch begins with a regular attempt, which reads what it has spent', async () => {
  const [anew, goesOn] = [await wait({ count: 1 }), await wait({ count: 1 })].flat();
  await pool.query('UPDATE outbox.delivery SET epoch = 2, budget_epoch = 2 WHERE event_id = $1', [anew]);
  await pool.query('UPDATE outbox.delivery SET epoch = 2, budget_epoch = 1 WHERE event_id = $1', [goesOn]);
  const { events } = await claim({});
  expect(new Map(events.map((e) => [e.eventId, e.firstAttempt]))).toEqual(
    new Map([
      [anew, 'local'],
      [goesOn, 'regular'],
    ]),
  );
  // What it waited for us, or for a pause, is no time of the destination's: it is left out of the deadline.
  const { rows } = await pool.query('SELECT waited_ms::int AS ms FROM outbox.delivery WHERE event_id = ANY ($1)', [
    [anew, goesOn],
  ]);
  const waited = rows.map(({ ms }) => ms).sort((a, b) => a - b);
  expect([waited[0], waited[1] >= 60_000]).toEqual([0, true]);
});

describe('claims beside claims', () => {
  it('R4: sixty claims at once take every row exactly once', async () => {
    for (let i = 0; i < 6; i += 1) await wait({ tenant: `t${i}`, count: 100 });
    const answers = await tenAtATime(60, () => claim({ batch: 20, defaultMaxRuns: 10_000 }));
    const ids = answers.flatMap((answer) => answer.events.map((e) => e.eventId));
    expect(new Set(ids).size).toBe(ids.length);
    const rest = await claim({ batch: 1_000, defaultMaxRuns: 10_000 });
    expect(ids.length + rest.events.length).toBe(600);
  });

  it('R4: a claim neither waits for nor takes rows that another claim has locked', async () => {
    await wait({ count: 10 });
    const other = await pool.connect();
    try {
      await other.query('BEGIN');
      await other.query(`SELECT FROM outbox.delivery ORDER BY due_at LIMIT 4 FOR UPDATE`);
      expect((await claim({})).events).toHaveLength(6);
    } finally {
      await other.query('ROLLBACK');
      other.release();
    }
    expect((await claim({})).events).toHaveLength(4);
  });

  it('R5: every access to deliveries and events is by index, with 200,000 rows in 21 lanes', async () => {
    await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at)
      SELECT gen_random_uuid(), CASE WHEN n % 10 = 0 THEN 'erp.sync' ELSE 'audit.log' END,
        (ARRAY['AUTH', 'ORDER', 'BILLING'])[1 + n % 3], CASE WHEN n % 10 < 9 THEN 't0' ELSE 't' || (n % 25) END,
        now() - interval '1 hour' + n * interval '1 ms' FROM generate_series(1, 200000) n`);
    await pool.query(`INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type,
        aggregate_id, payload, content_hash, occurred_at)
      SELECT event_id, 'a.b.v1', event_type, destination, 's', 'u', '1', '{}', 'x', now() FROM outbox.delivery`);
    await pool.query('VACUUM ANALYZE outbox.delivery, outbox.event');
    const client = await pool.connect();
    try {
      await client.query(
        `PREPARE claim(uuid, integer, integer, jsonb, integer, jsonb, uuid, integer, jsonb, text) AS ${CLAIM}`,
      );
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        await client.query(`SET plan_cache_mode = ${mode}`);
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(
          `EXPLAIN EXECUTE claim('${randomUUID()}', 30000, 200, '{}', 500, '{"otherwise":"p"}', '${randomUUID()}', 200, '{}', '')`,
        );
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        for (const index of ['waiting', 'running', 'carried']) expect(plan).toContain(`delivery_${index}`);
        expect(plan).not.toMatch(/Seq Scan on (delivery|event)\b/);
      }
      // Left to itself the server keeps one plan: to make one for each claim would cost as much as the claim.
      await client.query('RESET plan_cache_mode; DEALLOCATE ALL');
      await client.query(
        `PREPARE claim(uuid, integer, integer, jsonb, integer, jsonb, uuid, integer, jsonb, text) AS ${CLAIM}`,
      );
      for (let i = 0; i < 20; i += 1) {
        await client.query('BEGIN');
        await client.query(
          `EXECUTE claim('${randomUUID()}', 30000, 200, '{}', 500, '{}', '${randomUUID()}', 200, '{}', '')`,
        );
        await client.query('ROLLBACK');
      }
      const { rows } = await client.query(`SELECT generic_plans::int AS kept FROM pg_prepared_statements`);
      expect(rows[0].kept).toBeGreaterThan(0);
    } finally {
      client.release(true); // without its statements, which pg believes it still has
    }
  });
});

it('R6: the runs of thousands of tenants that sleep in a backoff cost a claim nothing', async () => {
  await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, status, due_at, carrier)
    SELECT gen_random_uuid(), 'audit.log', 'AUTH', 't' || n % 5000, 'STARTED', now() + interval '2 minutes',
      CASE WHEN n % 2 = 0 THEN 'batch-' || n % 20 END
    FROM generate_series(1, 100000) n`);
  await wait({ count: 1 });
  await pool.query('VACUUM ANALYZE outbox.delivery');
  const client = await pool.connect();
  try {
    await client.query(
      `PREPARE claim(uuid, integer, integer, jsonb, integer, jsonb, uuid, integer, jsonb, text) AS ${CLAIM}`,
    );
    const { rows } = await client.query(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim('${randomUUID()}', 30000, 200, '{}', 500, '{"otherwise":"p"}', '${randomUUID()}', 200, '{}', '')`,
    );
    const { Plan: plan } = rows[0]['QUERY PLAN'][0];
    expect(plan['Actual Rows']).toBe(1);
    expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(150);
  } finally {
    client.release(true);
  }
});

it('R5: after a claim that found nothing, the next one asks first whether anything waits; what then waits is found at once', async () => {
  const store = createRelayStore(pool);
  const found = async (cursor: string | null) => {
    const { events, ...rest } = await claim({ cursor }, store);
    return { ...rest, events: events.length };
  };
  const nothing = await found(null);
  expect(nothing).toMatchObject({ events: 0, unfinished: false });
  expect(await found(nothing.cursor)).toEqual(nothing);
  const [tomorrow] = await wait({ count: 1, ageSeconds: -86_400 });
  expect(await found(nothing.cursor)).toMatchObject({ events: 0 });
  await pool.query('UPDATE outbox.delivery SET due_at = clock_timestamp() WHERE event_id = $1', [tomorrow]);
  expect(await found(nothing.cursor)).toMatchObject({ events: 1 });
  await pool.query('DELETE FROM outbox.delivery');
  expect(await found(null)).toMatchObject({ events: 0 });
  await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, due_at, order_key, order_no)
    VALUES (gen_random_uuid(), 'audit.log', 'AUTH', clock_timestamp(), 'k', 1)`);
  expect(await found(null)).toMatchObject({ events: 1 });
});

it('R5: asking whether anything waits reads a handful of pages, however many rows are done', async () => {
  await wait({ count: 20_000, status: 'STARTED' });
  await pool.query('VACUUM ANALYZE outbox.delivery');
  const { rows } = await pool.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${WAITING}`);
  const { Plan: plan } = rows[0]['QUERY PLAN'][0];
  expect(plan['Actual Rows']).toBe(0);
  expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(10);
});

function claim(overrides: Partial<ClaimRequest>, store = createRelayStore(pool)): Promise<Claim> {
  return store.claim({
    leaseToken: randomUUID(),
    leaseMs: 30_000,
    batch: 200,
    cursor: null,
    defaultMaxRuns: 500,
    policies: { byType: {}, otherwise: 'policy-1' },
    probeHolder: randomUUID(),
    ...overrides,
  });
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
  const { rows: written } = await pool.query<{ event_id: string }>(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, status, due_at)
     SELECT gen_random_uuid(), $2, $3, $4, $5, clock_timestamp() - $6::integer * interval '1 second'
     FROM generate_series(1, $1::integer) RETURNING event_id`,
    [
      rows.count,
      rows.destination ?? 'audit.log',
      rows.eventType ?? 'AUTH',
      rows.tenant ?? '',
      rows.status ?? 'PENDING',
      rows.ageSeconds ?? 60,
    ],
  );
  return written.map((row) => row.event_id);
}

async function carry(carrier: string, ids: string[]): Promise<void> {
  await pool.query('UPDATE outbox.delivery SET carrier = $1 WHERE event_id = ANY ($2)', [carrier, ids]);
}

async function setDestination(columns: Record<string, unknown>): Promise<void> {
  await pool.query(`INSERT INTO outbox.destination (name) VALUES ('audit.log') ON CONFLICT DO NOTHING`);
  for (const [column, value] of Object.entries(columns)) {
    await pool.query(`UPDATE outbox.destination SET ${column} = $1 WHERE name = 'audit.log'`, [value]);
  }
}

function count<T>(items: readonly T[], matches: (item: T) => boolean): number {
  return items.filter(matches).length;
}
