/**
 * The overview's parts of an outbox database, each ok, failing and away, and over HTTP. Real: PostgreSQL, its roles, the api.
 * Fake: nothing; what a part is about is written as rows.
 */
import { randomUUID } from 'node:crypto';
import type { DeliveryPartName, DeliveryReaders } from '../../src/application/delivery/monitor/read-overview.js';
import { FIGURES_PATH, OVERVIEW_PATH, type OverviewPart, overviewPartSchema } from '../../src/contract/overview-api.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createProcessStore } from '../../src/infrastructure/prisma/process-store.js';
import { openOverview } from '../../src/main/open-overview.js';
import { openMonitorPools } from '../../src/main/start-monitor.js';
import { createDatabaseRoles } from '../support/database-roles.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { plantDeliveries } from '../support/figures.js';
import { openTestOps } from '../support/ops.js';
import { type Answer, expectProblem, startIngestOn, type TestIngest } from './ingest-set-up.js';

const LAG_LIMIT = { lagLimitSeconds: 60 };

let databases: TestDatabases;
let outbox: PgPool;
let overview: DeliveryReaders;

beforeAll(async () => {
  databases = await createTestDatabases();
  outbox = createPool(databases.outboxUrl);
});
beforeEach(async () => {
  await outbox.query(`TRUNCATE outbox.delivery, outbox.delivery_attempt, outbox.dead_letter, outbox.destination, outbox.pause,
    outbox.outage, outbox.alert, outbox.book_check, outbox.process`);
  overview = openOverview({ outbox }, LAG_LIMIT);
});
afterAll(async () => {
  await outbox.end();
  await databases.drop();
});

/** Of a look that is not answered in its time, and of the next one where that waited for the same answer. */
const LATE = /^no answer within|expected an answer within/;

/** Looks at most five times, while it is too late for the part's time: on a busy machine that is the right thing to say. */
async function inTime<Read extends Pick<OverviewPart, 'reason'>>(look: () => Promise<Read>): Promise<Read> {
  for (let times = 1; ; times++) {
    const read = await look();
    if (times === 5 || !LATE.test(read.reason ?? '')) return read;
  }
}

/** Held against the contract, too. */
async function part<Name extends DeliveryPartName>(name: Name, from = overview) {
  const read = await inTime(from[name]);
  expect(overviewPartSchema.parse(read)).toEqual(read);
  return read;
}

const tellOf = (roles: readonly ('relay' | 'worker')[], temporalReason: string | null = null) =>
  createProcessStore(outbox).write(
    { id: randomUUID(), roles, host: 'h1', pid: 7, version: '1.2.3' },
    {
      temporal: { ok: temporalReason === null, reason: temporalReason, at: '2026-11-29T10:00:00.000Z' },
      auditApi: null,
      namespace: 'default',
      temporalAddress: 'temporal.example',
      policies: null,
      orderings: {},
      coalescing: [],
    },
  );

describe('an outbox with nothing in it', () => {
  it('is ok in every part but that nobody delivers', async () => {
    const read = await Promise.all(Object.values(overview).map((one) => inTime<OverviewPart>(one)));
    expect(read.map(({ name, state, reason }) => [name, state, state === 'ok' ? reason : '…'])).toEqual([
      ['outboxDatabase', 'ok', null],
      ['processes', 'failing', '…'],
      ['destinations', 'ok', null],
      ['backlog', 'ok', null],
      ['rate', 'ok', null],
      ['runs', 'ok', null],
      ['letters', 'ok', null],
      ['alerts', 'ok', null],
      ['books', 'ok', null],
    ]);
    expect((await part('backlog')).value).toEqual({ due: 0, lagSeconds: 0 });
    expect((await part('letters')).value).toEqual({ open: 0, oldestAt: null });
    expect((await part('books')).value).toEqual({
      hours: 0,
      withGaps: 0,
      oldestGap: null,
      checkedAt: null,
      lateSince: null,
      waitsFor: null,
    });
    expect((await part('rate')).value).toMatchObject({ perSecond: 0, overSeconds: 60, p50Ms: null, byTenant: [] });
  });
});

describe('processes', () => {
  it('are ok with a relay and a worker that tell of themselves and reach Temporal', async () => {
    await tellOf(['relay']);
    await tellOf(['worker']);
    const { state, reason, value } = await part('processes');
    expect([state, reason, value?.length]).toEqual(['ok', null, 2]);
  });

  it('fail where one of the two is silent, and say since when', async () => {
    await tellOf(['relay']);
    await tellOf(['worker']);
    await outbox.query(`UPDATE outbox.process SET seen_at = '2026-11-29T09:00:00Z' WHERE roles = '{worker}'`);
    const { state, reason, value } = await part('processes');
    expect([state, value?.map(({ silent }) => silent)]).toEqual(['failing', [false, true]]);
    expect(reason).toContain(
      'no worker has told of itself for 15 s (h1:7 was seen last, at 2026-11-29T09:00:00.000Z): ',
    );
  });

  it('fail where one of them says that Temporal does not answer; what a silent one said is no news', async () => {
    await tellOf(['relay', 'worker'], 'it does not answer at temporal.example');
    expect(await part('processes')).toMatchObject({
      state: 'failing',
      reason: expect.stringContaining('relay and worker h1:7 says of Temporal: it does not answer at temporal.example'),
    });
    await outbox.query(`UPDATE outbox.process SET seen_at = now() - interval '1 hour'`);
    await tellOf(['relay', 'worker']);
    expect(await part('processes')).toMatchObject({ state: 'ok', reason: null });
  });
});

describe('destinations', () => {
  const add = (name: string, breaker: string, failures: number) =>
    outbox.query(
      `INSERT INTO outbox.destination (name, breaker, failures, reason_code, reason_status, open_until)
       VALUES ($1, $2, $3::integer, CASE WHEN $3::integer > 0 THEN 'HTTP.SERVER_ERROR' END, CASE WHEN $3::integer > 0 THEN 503 END,
         now() + interval '1 minute')`,
      [name, breaker, failures],
    );

  it('are ok while they answer, and fail by what is worst first', async () => {
    await add('audit.log', 'closed', 0);
    expect(await part('destinations')).toMatchObject({ state: 'ok', value: { destinations: [{ name: 'audit.log' }] } });
    await add('crm.contact', 'closed', 3);
    await add('erp.sync', 'open', 12);
    const { state, reason } = await part('destinations');
    expect([state, reason?.split('; ')]).toEqual([
      'failing',
      [
        'destination erp.sync is left alone for a while, after 12 failures in a row (HTTP.SERVER_ERROR 503): docs/errors.md says what to do',
        'destination crm.contact fails, with 3 failures in a row (HTTP.SERVER_ERROR 503): docs/errors.md says what to do',
      ],
    ]);
  });

  it('say of many how many more there are', async () => {
    for (let n = 0; n < 7; n++) await add(`d${n}`, 'half_open', 10);
    expect((await part('destinations')).reason).toMatch(/; 4 more$/);
  });
});

describe('what is due and under way', () => {
  const append = async (count: number, set: string) => {
    await outbox.query(
      `INSERT INTO outbox.delivery (event_id, destination, event_type, due_at)
       SELECT gen_random_uuid(), CASE n % 2 WHEN 0 THEN 'audit.log' ELSE 'erp.sync' END, 'ORDER', now() - interval '90 seconds'
       FROM generate_series(1, $1::integer) n`,
      [count],
    );
    await outbox.query(`UPDATE outbox.delivery SET ${set} WHERE status = 'PENDING' AND started_at IS NULL`);
  };

  it('is counted, with the age of the oldest; behind the limit it fails and says which', async () => {
    await append(5, 'due_at = due_at');
    const { state, value, reason } = await part('backlog');
    expect([state, value?.due]).toEqual(['failing', 5]);
    expect(value?.lagSeconds).toBeGreaterThanOrEqual(90);
    expect(reason).toContain('longer than OUTBOX_LAG_LIMIT_SECONDS (60)');
    const unlimited = await part('backlog', openOverview({ outbox }, { lagLimitSeconds: 0 }));
    expect([unlimited.state, unlimited.value?.due]).toEqual(['ok', 5]);
  });

  it('counts runs, those of batches with them, and those that have failed within their budget', async () => {
    await append(6, `status = 'STARTED', started_at = now()`);
    await append(4, `status = 'STARTED', started_at = now(), carrier = 'main:batch:1'`);
    // Of four runs: one has failed, one only before its budget, one has an attempt under way, one none.
    const { rows } = await outbox.query<{ id: string }>(
      'SELECT event_id AS id FROM outbox.delivery WHERE carrier IS NULL ORDER BY event_id LIMIT 4',
    );
    const [failed, before, open] = rows.map(({ id }) => id);
    await outbox.query('UPDATE outbox.delivery SET epoch = 2, budget_epoch = 2 WHERE event_id = $1', [before]);
    await outbox.query(
      `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, code) VALUES ($1, 0, 1, 'HTTP.TIMEOUT'), ($2, 1, 1, 'HTTP.TIMEOUT'),
         ($3, 0, 1, NULL)`,
      [failed, before, open],
    );
    expect((await part('runs')).value).toEqual({ inFlight: 10, retrying: 1, retryingAtLeast: false });
  });

  it('where more run than can be asked, most of those that retry are found, and that there may be more is said', async () => {
    await outbox.query(
      `INSERT INTO outbox.delivery (event_id, destination, event_type, status, started_at, due_at)
       SELECT gen_random_uuid(), 'audit.log', 'ORDER', 'STARTED', now(), now() + interval '20 seconds' FROM generate_series(1, 10100)`,
    );
    // In the backoff they are due later than what has just begun.
    await outbox.query(
      `WITH late AS (
         INSERT INTO outbox.delivery (event_id, destination, event_type, status, started_at, due_at)
         SELECT gen_random_uuid(), 'audit.log', 'ORDER', 'STARTED', now(), now() + interval '5 minutes' FROM generate_series(1, 50)
         RETURNING event_id)
       INSERT INTO outbox.delivery_attempt (event_id, epoch, n, code) SELECT event_id, 0, 1, 'HTTP.TIMEOUT' FROM late`,
    );
    expect((await part('runs')).value).toEqual({ inFlight: 10_000, retrying: 50, retryingAtLeast: true });
  });

  it('tells the rate of now, how fast, and of whom', async () => {
    const at = (agoMs: number) => new Date(Date.now() - agoMs).toISOString();
    await plantDeliveries(outbox, [
      ...Array.from({ length: 30 }, (_, n) => ({ at: at(2_000 + n), tookMs: n < 15 ? 10 : 500, tenant: 'acme' })),
      ...Array.from({ length: 6 }, (_, n) => ({ at: at(2_000 + n), destination: 'erp.sync', tenant: '', tookMs: 10 })),
      { at: at(2_000), status: 'DEAD' as const },
      { at: at(90_000) },
    ]);
    const { value } = await part('rate');
    expect(value).toEqual({
      perSecond: 0.6,
      overSeconds: 60,
      p50Ms: 10,
      p95Ms: 500,
      p99Ms: 500,
      byDestination: [
        { name: 'audit.log', perSecond: 0.5 },
        { name: 'erp.sync', perSecond: 0.1 },
      ],
      byEventType: [{ name: 'ORDER', perSecond: 0.6 }],
      byTenant: [
        { name: 'acme', perSecond: 0.5 },
        { name: '', perSecond: 0.1 },
      ],
    });
  });

  it('tells a rate that is high by the time that the latest ones cover', async () => {
    await outbox.query(
      `INSERT INTO outbox.delivery (event_id, destination, event_type, settled_at, status, receipt)
       SELECT gen_random_uuid(), 'audit.log', 'ORDER', now() - n * interval '1 millisecond', 'DELIVERED', '{"id":"r"}'
       FROM generate_series(1, 6000) n`,
    );
    const { value } = await part('rate');
    expect(value?.overSeconds).toBeGreaterThanOrEqual(5);
    expect(value?.overSeconds).toBeLessThan(30);
    expect(value?.perSecond).toBeCloseTo(5_000 / (value?.overSeconds as number), 1);
    // Their events are gone: how long they took is not known.
    expect([value?.p50Ms, value?.p99Ms]).toEqual([null, null]);
  });
});

it('letters that are open are counted, and are no failure of the delivery', async () => {
  await plantDeliveries(outbox, [
    { at: '2026-11-28T10:00:00.000Z', status: 'DEAD' },
    { at: '2026-11-28T11:00:00.000Z', status: 'DEAD' },
    { at: '2026-11-28T09:00:00.000Z', status: 'DEAD', letter: 'resolved' },
  ]);
  expect(await part('letters')).toMatchObject({
    state: 'ok',
    value: { open: 2, oldestAt: '2026-11-28T10:00:00.000Z' },
  });
});

it('alerts in force fail, those that are over do not', async () => {
  await outbox.query(
    `INSERT INTO outbox.alert (kind, subject, fields, since, over_at) VALUES
     ('worker_missing', 'outbox-main', '{"taskQueue":"outbox-main"}', '2026-11-29T08:00:00Z', NULL),
     ('books_unbalanced', '2026-11-28T10:00:00Z', '{}', '2026-11-28T11:00:00Z', now())`,
  );
  const { state, reason, value } = await part('alerts');
  expect([state, value?.length]).toEqual(['failing', 1]);
  expect(value?.[0]).toMatchObject({ kind: 'worker_missing', fields: { taskQueue: 'outbox-main' }, times: 1 });
  expect(reason).toBe(
    'alert worker_missing (outbox-main) since 2026-11-29T08:00:00.000Z: what to do stands in docs/notifications.md',
  );
  await outbox.query('UPDATE outbox.alert SET over_at = now()');
  expect(await part('alerts')).toMatchObject({ state: 'ok', reason: null, value: [] });
});

it('books with gaps fail, and name the oldest hour', async () => {
  await outbox.query(
    `INSERT INTO outbox.book_check (hour, checked_at, gap_count) VALUES ('2026-11-28T10:00:00Z', '2026-11-28T11:20:00Z', 0),
     ('2026-11-28T11:00:00Z', '2026-11-28T12:20:00Z', 3), ('2026-11-28T12:00:00Z', NULL, 0)`,
  );
  expect(await part('books')).toMatchObject({
    state: 'failing',
    reason: expect.stringContaining('the books of one hour do not balance, the oldest 2026-11-28T11:00:00.000Z'),
    value: { hours: 2, withGaps: 1, oldestGap: '2026-11-28T11:00:00.000Z', checkedAt: '2026-11-28T12:20:00.000Z' },
  });
});

describe('books that nobody looks at', () => {
  const hoursAgo = (hours: number) => new Date(Math.floor(Date.now() / 3_600_000 - hours) * 3_600_000).toISOString();
  const book = (hours: number, againAt: string | null, look: object | null = null) =>
    outbox.query('INSERT INTO outbox.book_check (hour, checked_at, again_at, look) VALUES ($1, now(), $2, $3)', [
      hoursAgo(hours),
      againAt,
      look,
    ]);

  it('fail with since when a look is due, and for what one waits', async () => {
    await book(2, null);
    expect(await part('books')).toMatchObject({ state: 'ok', value: { lateSince: null, waitsFor: null } });
    await book(3, new Date(Date.now() - 60 * 60_000).toISOString(), { waitsFor: 'HTTP.UNAUTHORIZED' });
    // Waiting for an hour: the next look may do.
    expect(await part('books')).toMatchObject({
      state: 'ok',
      value: { lateSince: null, waitsFor: 'HTTP.UNAUTHORIZED' },
    });
    const due = new Date(Date.now() - 3 * 60 * 60_000).toISOString();
    await outbox.query('UPDATE outbox.book_check SET again_at = $1 WHERE again_at IS NOT NULL', [due]);
    expect(await part('books')).toMatchObject({
      state: 'failing',
      reason: expect.stringContaining(`a look at the books is due since ${due}, and one waits for HTTP.UNAUTHORIZED: `),
      value: { lateSince: due, hours: 2, withGaps: 0 },
    });
  });

  it('fail where hours are not even opened: behind the last one, or from the first event on', async () => {
    await book(7, null);
    expect((await part('books')).value?.lateSince).toBe(new Date(Date.parse(hoursAgo(6)) + 70 * 60_000).toISOString());
    await outbox.query('TRUNCATE outbox.book_check');
    await outbox.query('DELETE FROM outbox.event');
    expect((await part('books')).value?.lateSince).toBeNull(); // nothing was ever appended
    await plantDeliveries(outbox, [{ at: new Date().toISOString() }]);
    expect((await part('books')).value?.lateSince).toBeNull();
    await plantDeliveries(outbox, [{ at: new Date(Date.parse(hoursAgo(9)) + 5_000).toISOString() }]);
    expect((await part('books')).value?.lateSince).toBe(new Date(Date.parse(hoursAgo(9)) + 70 * 60_000).toISOString());
  });
});

describe('away', () => {
  it('is every part of a database that does not answer, with why, and none of them is empty instead', async () => {
    const nowhere = createPool('postgresql://postgres@127.0.0.1:1/nothing', { max: 3 });
    try {
      for (const read of await Promise.all(
        Object.values(openOverview({ outbox: nowhere }, LAG_LIMIT)).map((one) => one()),
      )) {
        expect(read).toMatchObject({ state: 'away', at: null, value: null });
        expect(read.reason).toMatch(/^the outbox database does not answer: /);
      }
    } finally {
      await nowhere.end();
    }
  });

  it('is one part whose look hangs, with its last value and that one’s time; the others are well, and it comes back', async () => {
    await tellOf(['relay', 'worker']);
    const before = await part('alerts');
    await Promise.all(Object.values(overview).map((one) => one()));
    const other = await outbox.connect();
    try {
      await other.query('BEGIN');
      await other.query('LOCK TABLE outbox.alert IN ACCESS EXCLUSIVE MODE');
      const read = await Promise.all(Object.values(overview).map((one) => one()));
      expect(read.filter(({ state }) => state === 'away').map(({ name }) => name)).toEqual(['alerts']);
      const away = read.find(({ name }) => name === 'alerts');
      expect(away).toMatchObject({ value: [], reason: expect.stringMatching(/^no answer within \d+ ms$/) });
      expect(Date.parse(away?.at as string)).toBeGreaterThanOrEqual(Date.parse(before.at as string));
      await other.query('COMMIT');
    } finally {
      other.release();
    }
    await eventually('the part to come back', async () => (await part('alerts')).state === 'ok');
  });

  it('is what counts deliveries while that table is locked, for as long as it is; not the database, nor who works by it', async () => {
    await tellOf(['relay', 'worker']);
    const pools = openMonitorPools({ outbox: databases.outboxUrl, audit: databases.auditUrl }, () => {});
    const other = await outbox.connect();
    try {
      const readers = Object.values(openOverview(pools, LAG_LIMIT));
      await other.query('BEGIN');
      await other.query('LOCK TABLE outbox.delivery IN ACCESS EXCLUSIVE MODE');
      // More than once: what waits from the first look on has the connections then.
      for (let n = 0; n < 3; n++) {
        const read = await Promise.all(readers.map((one) => one()));
        const stateOf = (name: DeliveryPartName) => read.find((one) => one.name === name)?.state;
        expect([stateOf('outboxDatabase'), stateOf('processes')]).toEqual(['ok', 'ok']);
        expect([stateOf('backlog'), stateOf('runs')]).toEqual(['away', 'away']);
      }
    } finally {
      // Closed, it lets go of the lock, also where this has failed.
      other.release(true);
      await pools.close();
    }
  });

  it('is what this role may not read, and says what to do', async () => {
    const roles = await createDatabaseRoles();
    const own = createPool(roles.urlAs('api', databases.outboxUrl), { max: 3 });
    try {
      for (const read of await Promise.all(
        Object.values(openOverview({ outbox: own }, LAG_LIMIT)).map((one) => one()),
      )) {
        expect(read).toMatchObject({ state: 'away', value: null });
        expect(read.reason).toMatch(/permission denied.*run `outbox grants` again/);
      }
    } finally {
      await own.end();
      await roles.drop([databases.outboxUrl]);
    }
  });
});

describe('over HTTP', () => {
  let ingest: TestIngest;
  let operator: string;
  beforeAll(async () => {
    ingest = await startIngestOn(databases.auditUrl, { ops: openTestOps(outbox) });
    operator = await ingest.key(['dlq:read']);
  });
  afterAll(() => ingest.stop());

  // Each answer is held against the OpenAPI document.
  const get = (path: string, key: string | null = operator): Promise<Answer> =>
    ingest.post(null, { method: 'GET', path, key });

  it('GET /ops/v1/overview answers every part, whatever is in it', async () => {
    await tellOf(['relay', 'worker'], 'it does not answer at temporal.example');
    await outbox.query(
      `INSERT INTO outbox.alert (kind, subject, fields) VALUES ('worker_missing', 'q', '{"a":[1,{"b":null}]}')`,
    );
    await outbox.query(
      `INSERT INTO outbox.destination (name, failures, reason_code) VALUES ('erp.sync', 2, 'HTTP.NETWORK')`,
    );
    const { status, body } = await get(OVERVIEW_PATH);
    expect(status).toBe(200);
    expect(body.parts.map(({ name }: { name: string }) => name)).toEqual(Object.keys(overview));
    expect(Math.abs(Date.parse(body.at) - Date.now())).toBeLessThan(60_000);
  });

  it('GET /ops/v1/figures answers the window that is asked for, and refuses any other', async () => {
    expect((await get(FIGURES_PATH)).body).toMatchObject({ window: '15m', missingMinutes: 15 });
    for (const window of ['15m', '1h', '24h']) {
      expect(await get(`${FIGURES_PATH}?window=${window}`)).toMatchObject({ status: 200, body: { window } });
    }
    for (const query of ['window=1d', 'window=', 'windows=1h', 'window=1h&window=24h']) {
      expectProblem(await get(`${FIGURES_PATH}?${query}`), 400, 'invalid_query');
    }
  });

  it('they are everybody’s: without a key 401, without the scope or bound to a tenant 403', async () => {
    const producer = await ingest.key(['audit:write', 'audit:read']);
    const tenant = await ingest.key(['dlq:write'], 'acme');
    for (const path of [OVERVIEW_PATH, FIGURES_PATH]) {
      expectProblem(await get(path, null), 401, 'unauthorized');
      expectProblem(await get(path, producer), 403, 'scope_missing');
      expectProblem(await get(path, tenant), 403, 'tenant_forbidden');
      expectProblem(await ingest.post({}, { path, key: operator }), 405, 'method_not_allowed');
    }
  });

  it('with the outbox database away the overview says so, and figures are 503', async () => {
    const nowhere = createPool('postgresql://postgres@127.0.0.1:1/nothing', { max: 3 });
    const other = await startIngestOn(databases.auditUrl, { ops: openTestOps(nowhere) });
    try {
      const ask = (path: string) => other.post(null, { method: 'GET', path, key: operator });
      const { status, body } = await ask(OVERVIEW_PATH);
      const states = new Set(body.parts.map(({ state }: { state: string }) => state));
      expect([status, states]).toEqual([200, new Set(['away'])]);
      expectProblem(await ask(FIGURES_PATH), 503, 'store_unavailable');
    } finally {
      await other.stop();
      await nowhere.end();
    }
  });
});
