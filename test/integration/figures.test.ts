/**
 * Figures of minutes that are over, beside a plain recount of the rows that they are of. Real: PostgreSQL, leases, the
 * statements. Fake: nothing; deliveries are planted as rows, at times that are over.
 */
import { randomUUID } from 'node:crypto';
import { readFigures } from '../../src/application/delivery/monitor/read-figures.js';
import { rollFigures } from '../../src/application/delivery/monitor/roll-figures.js';
import type { LeaseHold } from '../../src/application/delivery/ports.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { type FigureWindow, figuresSchema } from '../../src/contract/overview-api.js';
import { COUNTED_AFTER_MS, MINUTE_MS } from '../../src/domain/delivery/figure-window.js';
import { bucketOf, LATENCY_BOUNDS_MS, NO_LATENCIES } from '../../src/domain/delivery/latency-histogram.js';
import { FIGURE_NAMES, MOST_TIMED } from '../../src/infrastructure/prisma/figure-statements.js';
import { createFigureStore } from '../../src/infrastructure/prisma/figure-store.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import type { PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createDeliveryStore, type DeliveryStore, RECEIPT, silentLog } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { figureRows, type PlantedDelivery, plantDeliveries, recount } from '../support/figures.js';

let delivery: DeliveryStore;
let pool: PgPool;
let store: ReturnType<typeof createFigureStore>;
let hold: LeaseHold;
/** Where the last closed minute ends. */
let closed: number;

beforeAll(async () => {
  delivery = await createDeliveryStore();
  pool = delivery.pool;
  store = createFigureStore(pool);
});
afterAll(() => delivery.close());
beforeEach(async () => {
  await pool.query('TRUNCATE outbox.figure, outbox.delivery, outbox.dead_letter, outbox.lease, outbox.process');
  hold = { name: 'figures', holder: randomUUID() };
  await createLeaseStore(pool).take(hold, 600_000);
  closed = Date.parse((await store.findUncounted(null)).closed);
});

/** The n-th closed minute before now, and a time in it. */
const minute = (n: number) => new Date(closed - n * MINUTE_MS).toISOString();
const within = (n: number, ms: number) => new Date(closed - n * MINUTE_MS + ms).toISOString();
const read = (window: FigureWindow) => readFigures({ store, time: systemTime })({ window });
const signal = new AbortController().signal;
/** Minutes that closed, and were counted, since the test began. */
const shiftOf = ({ until }: { readonly until: string }) => (Date.parse(until) - closed) / MINUTE_MS;

/** One row of each minute that has none, up to so many minutes ago: as if they had been counted. */
const standAll = (from: number, to: number, more = '') =>
  pool.query(
    `INSERT INTO outbox.figure (span, begins_at, dimension, name, delivered, died, timed, latency)
     SELECT 1, m, d.dimension, d.name, 2, 1, 2, (SELECT array_agg(CASE WHEN i = 10 THEN 2 ELSE 0 END) FROM generate_series(0, 52) i)
     FROM generate_series($1::timestamptz, $2::timestamptz, interval '1 minute') m
     CROSS JOIN (VALUES ('all', ''), ('destination', 'audit.log'), ('event_type', 'ORDER'), ('tenant', '')) d(dimension, name)
     ${more}`,
    [minute(from), minute(to)],
  );

describe('a counted minute', () => {
  it('says what a plain recount of its rows says, by every name', async () => {
    const pick = <T>(some: readonly T[], n: number) => some[n % some.length] as T;
    const planted = Array.from({ length: 400 }, (_, n): PlantedDelivery => {
      const status = n % 17 === 0 ? 'DEAD' : n % 29 === 0 ? 'DISCARDED' : 'DELIVERED';
      return {
        destination: pick(['audit.log', 'erp.sync', 'crm.contact'], n),
        eventType: pick(['AUTH', 'ORDER'], n >> 2),
        tenant: pick(['', 'acme', 'other'], n >> 1),
        at: within(3, (n * 149) % MINUTE_MS),
        tookMs: Math.floor(1.07 ** (n % 300)),
        status,
        letter: pick(['open', 'redriven', 'resolved', 'discarded'] as const, n),
      };
    });
    await plantDeliveries(pool, planted);
    // Of the minutes beside it, to the millisecond.
    await plantDeliveries(pool, [{ at: within(3, -1) }, { at: minute(2) }, { at: within(3, -1), status: 'DEAD' }]);
    expect(await store.countMinute(hold, minute(3))).toBe(true);
    expect(await figureRows(pool, minute(3))).toEqual(recount(planted));
  });

  it('without a delivery stands with nothing in it: that is known', async () => {
    expect(await store.countMinute(hold, minute(1))).toBe(true);
    const latency = [...NO_LATENCIES];
    expect(await figureRows(pool, minute(1))).toEqual([
      { dimension: 'all', folded: false, name: '', delivered: 0, died: 0, timed: 0, latency },
    ]);
  });

  it('has the same buckets as the database', async () => {
    const around = LATENCY_BOUNDS_MS.flatMap((bound) => [bound - 0.001, bound, bound + 0.001]);
    const thresholds = LATENCY_BOUNDS_MS.slice(0, -1);
    const { rows } = await pool.query<{ bucket: number }>(
      'SELECT width_bucket(ms, $2::float8[]) AS bucket FROM unnest($1::float8[]) WITH ORDINALITY AS t(ms, n) ORDER BY n',
      [around, thresholds],
    );
    expect(rows.map(({ bucket }) => bucket)).toEqual(around.map(bucketOf));
  });

  it('has a row for each of the first names, and one for all others: nothing is lost', async () => {
    const tenants = Array.from({ length: FIGURE_NAMES + 5 }, (_, n) => `t${String(n).padStart(2, '0')}`);
    // The later, the more.
    const planted = tenants.flatMap((tenant, n) => Array.from({ length: n + 1 }, () => ({ tenant, at: within(1, n) })));
    await plantDeliveries(pool, planted);
    await store.countMinute(hold, minute(1));
    const rows = (await figureRows(pool, minute(1))).filter(({ dimension }) => dimension === 'tenant');
    const named = rows.filter(({ folded }) => !folded);
    expect(named.map(({ name }) => name)).toEqual(tenants.slice(5));
    expect(rows.filter(({ folded }) => folded)).toMatchObject([{ name: '', delivered: 1 + 2 + 3 + 4 + 5, timed: 15 }]);
    expect(rows.reduce((sum, row) => sum + row.delivered, 0)).toBe(planted.length);
  });

  it('with very many deliveries has latencies of a part of them, and says of how many', async () => {
    const count = MOST_TIMED + 500;
    await pool.query(
      `WITH e AS (
         INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id, payload,
           content_hash, occurred_at, recorded_at)
         SELECT gen_random_uuid(), 'order.order.placed.v1', 'ORDER', 'audit.log', 'outbox:main', 'order', '1', '{}', 'sha-256:0',
           $1::timestamptz, $1::timestamptz - interval '20 milliseconds' FROM generate_series(1, $2::integer)
         RETURNING id
       )
       INSERT INTO outbox.delivery (event_id, destination, event_type, settled_at, status, receipt)
       SELECT id, 'audit.log', 'ORDER', $1::timestamptz, 'DELIVERED', '{"id":"r"}' FROM e`,
      [within(1, 5_000), count],
    );
    await store.countMinute(hold, minute(1));
    const [all] = await figureRows(pool, minute(1));
    expect(all?.delivered).toBe(count);
    // Every second one by its hash: half of them, give or take what chance does to so many.
    expect(all?.timed).toBeGreaterThan(count / 2 - 1_000);
    expect(all?.timed).toBeLessThan(count / 2 + 1_000);
    expect(all?.latency[bucketOf(20)]).toBe(all?.timed);
    expect((await read('15m')).total).toMatchObject({ delivered: count, sampled: true });
  });

  it('has a delivery whose settling waited for its row: it is of the time that it says', async () => {
    const id = await delivery.append();
    const other = await pool.connect();
    await other.query('BEGIN');
    await other.query('SELECT FROM outbox.delivery WHERE event_id = $1 FOR UPDATE', [id]);
    const settling = delivery.attempts.settle({ eventId: id, epoch: 0, carrier: null }, RECEIPT, null, 20_000);
    await eventually('the settling to wait for the row', async () => {
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%DELIVERED%'
        AND datname = current_database()`;
      return (await pool.query(waiting)).rowCount === 1;
    });
    const { rows } = await other.query<{ at: Date }>('SELECT clock_timestamp() AS at');
    await other.query('COMMIT');
    other.release();
    expect(await settling).toBe('settled');
    const text = 'SELECT settled_at AS at FROM outbox.delivery WHERE event_id = $1';
    const settled = await delivery.one<{ at: Date }>(text, id);
    // Told from before the wait, written behind it: a minute may get one until the longest statement of ours has ended.
    expect(settled.at.getTime()).toBeLessThanOrEqual((rows[0] as { at: Date }).at.getTime());
    expect(COUNTED_AFTER_MS).toBeGreaterThan(30_000);
    const begins = new Date(Math.floor(settled.at.getTime() / MINUTE_MS) * MINUTE_MS).toISOString();
    expect(Date.parse((await store.findUncounted(null)).closed)).toBeLessThanOrEqual(Date.parse(begins));
    await store.countMinute(hold, begins);
    expect(await figureRows(pool, begins)).toMatchObject([{ dimension: 'all', delivered: 1, died: 0 }, {}, {}, {}]);
  });

  it('is written once, whole, by two that count it at once; and not without the lease', async () => {
    await plantDeliveries(
      pool,
      Array.from({ length: 50 }, (_, n) => ({ at: within(1, n), tenant: `t${n % 7}` })),
    );
    expect(await store.countMinute({ ...hold, holder: randomUUID() }, minute(1))).toBe(false);
    expect(await figureRows(pool, minute(1))).toEqual([]);
    expect(await Promise.all(Array.from({ length: 6 }, () => store.countMinute(hold, minute(1))))).toEqual(
      Array.from({ length: 6 }, () => true),
    );
    const rows = await figureRows(pool, minute(1));
    expect(rows).toHaveLength(1 + 1 + 1 + 7);
    for (const dimension of ['all', 'destination', 'event_type', 'tenant']) {
      const of = rows.filter((row) => row.dimension === dimension);
      expect([dimension, of.reduce((sum, row) => sum + row.delivered, 0)]).toEqual([dimension, 50]);
    }
  });

  it('stays what it was: what is redriven or delivered again later takes nothing out of it', async () => {
    const [first] = await plantDeliveries(pool, [{ at: within(1, 5) }, { at: within(1, 6), status: 'DEAD' }]);
    await store.countMinute(hold, minute(1));
    const before = await figureRows(pool, minute(1));
    await pool.query(
      `UPDATE outbox.delivery SET status = 'PENDING', settled_at = NULL, receipt = NULL, epoch = 1 WHERE event_id = $1`,
      [first],
    );
    await pool.query(`UPDATE outbox.dead_letter SET state = 'redriven', state_at = now()`);
    expect(await store.countMinute(hold, minute(1))).toBe(true);
    expect(await figureRows(pool, minute(1))).toEqual(before);
    expect(before[0]).toMatchObject({ delivered: 1, died: 1 });
  });
});

describe('the duty', () => {
  it('counts closed minutes that nobody counted, the last twenty before the oldest, and adds up quarters of an hour that are whole', async () => {
    await standAll(24 * 60, 46);
    await plantDeliveries(pool, [{ at: within(40, 10) }, { at: within(1, 10) }, { at: within(1, 20), status: 'DEAD' }]);
    const counted: string[] = [];
    const spy: typeof store = {
      ...store,
      countMinute: (held, begins) => {
        counted.push(begins);
        return store.countMinute(held, begins);
      },
    };
    const turn = rollFigures({ store: spy, log: silentLog });
    await turn(hold, signal);
    expect(counted).toHaveLength(30);
    const times = counted.map((one) => Date.parse(one));
    // One minute more may have closed by then.
    const [newest = 0] = times;
    expect(newest).toBeGreaterThanOrEqual(Date.parse(minute(1)));
    expect(times).toEqual([
      ...Array.from({ length: 20 }, (_, n) => newest - n * MINUTE_MS),
      ...Array.from({ length: 10 }, (_, n) => Date.parse(minute(45 - n))),
    ]);
    for (let more = 0; more < 16; more++) await turn(hold, signal);
    const figures = await read('1h');
    const stood = 15 - shiftOf(figures);
    expect(figures).toMatchObject({ missingMinutes: 0, total: { delivered: 2 + stood * 2, died: 1 + stood } });
    const { rows } = await pool.query<{ missing: number; quarters: number }>(
      `SELECT (SELECT count(*)::int FROM outbox.figure WHERE span = 15 AND dimension = 'all') AS quarters,
        (SELECT count(*)::int FROM outbox.figure q WHERE q.span = 15 AND q.dimension = 'all' AND q.delivered <> (
          SELECT sum(f.delivered) FROM outbox.figure f WHERE f.span = 1 AND f.dimension = 'all'
            AND f.begins_at >= q.begins_at AND f.begins_at < q.begins_at + interval '15 minutes')) AS missing`,
    );
    expect(rows[0]).toMatchObject({ missing: 0 });
    expect(rows[0]?.quarters).toBeGreaterThanOrEqual(94);
  });

  it('adds up no quarter that lacks a minute', async () => {
    const begins = new Date(Math.floor((closed - 30 * MINUTE_MS) / (15 * MINUTE_MS)) * 15 * MINUTE_MS).toISOString();
    await standAll(60, 1, `WHERE m <> '${begins}'::timestamptz + interval '7 minutes'`);
    expect(await store.addQuarter(hold, begins)).toBe(true);
    expect(await figureRows(pool, begins, 15)).toEqual([]);
    const whole = await store.findWhole(100);
    expect(whole.map((one) => Date.parse(one))).not.toContain(Date.parse(begins));
    expect(whole.length).toBeGreaterThanOrEqual(2);
  });

  it('folds names of a quarter as those of a minute', async () => {
    const begins = new Date(Math.floor((closed - 15 * MINUTE_MS) / (15 * MINUTE_MS)) * 15 * MINUTE_MS).toISOString();
    await pool.query(
      `INSERT INTO outbox.figure (span, begins_at, dimension, folded, name, delivered, died, timed, latency)
       SELECT 1, m, d.dimension, d.folded, d.name, d.delivered, 0, d.delivered, array_fill(d.delivered, ARRAY[53])
       FROM generate_series($1::timestamptz, $1::timestamptz + interval '14 minutes', interval '1 minute') m
       CROSS JOIN LATERAL (SELECT 'all' AS dimension, false AS folded, '' AS name, 10 AS delivered
         UNION ALL SELECT 'tenant', true, '', 1
         UNION ALL SELECT 'tenant', false, 'n' || extract(minute FROM m)::integer % 15 || '-' || i, 3 FROM generate_series(1, 3) i) d`,
      [begins],
    );
    await store.addQuarter(hold, begins);
    const rows = await figureRows(pool, begins, 15);
    expect(rows.filter(({ folded }) => !folded)).toHaveLength(1 + FIGURE_NAMES);
    // 45 names of 3, of which 30 have a row, and what was folded in each minute.
    expect(rows.find(({ folded }) => folded)).toMatchObject({ dimension: 'tenant', delivered: 15 * 3 + 15 * 1 });
    expect(rows[0]).toMatchObject({ dimension: 'all', delivered: 150, latency: Array.from({ length: 53 }, () => 150) });
  });

  it('removes what no window reaches any more, and processes that were not seen for a day, so many at once', async () => {
    const latency = 'array_fill(0, ARRAY[53])';
    await pool.query(
      `INSERT INTO outbox.figure (span, begins_at, dimension, delivered, died, timed, latency) VALUES
       (1, now() - interval '27 hours', 'all', 0, 0, 0, ${latency}), (1, now() - interval '28 hours', 'all', 0, 0, 0, ${latency}),
       (1, now() - interval '25 hours', 'all', 0, 0, 0, ${latency}),
       (15, now() - interval '50 hours', 'all', 0, 0, 0, ${latency}), (15, now() - interval '48 hours', 'all', 0, 0, 0, ${latency})`,
    );
    await pool.query(
      `INSERT INTO outbox.process (id, roles, host, pid, version, seen_at, skew_ms, says)
       SELECT gen_random_uuid(), '{relay}', 'h', 1, '1', now() - age, 0, '{}' FROM unnest('{25 hours,23 hours}'::interval[]) age`,
    );
    const left = async () => {
      const { rows } = await pool.query<{ hours: number }>(
        'SELECT round(extract(epoch FROM now() - begins_at) / 3600)::int AS hours FROM outbox.figure ORDER BY 1',
      );
      return rows.map(({ hours }) => hours);
    };
    await store.removeOld({ ...hold, holder: randomUUID() }, 5_000);
    expect(await left()).toHaveLength(5);
    await store.removeOld(hold, 1);
    expect(await left()).toEqual([25, 27, 48, 50]);
    await store.removeOld(hold, 5_000);
    expect(await left()).toEqual([25, 48]);
    expect((await pool.query('SELECT FROM outbox.process')).rowCount).toBe(1);
  });
});

describe('a window', () => {
  it('says of a minute that nobody counted that it does not know it, and of one without deliveries that there were none', async () => {
    await plantDeliveries(pool, [{ at: within(2, 1) }, { at: within(6, 1) }, { at: within(4, 1) }]);
    for (let n = 1; n <= 15; n++) if (n !== 4 && n !== 5) await store.countMinute(hold, minute(n));
    const figures = figuresSchema.parse(await read('15m'));
    expect(figures).toMatchObject({
      window: '15m',
      since: minute(15),
      until: minute(0),
      missingMinutes: 2,
      total: { delivered: 2, died: 0, successRate: 1, sampled: false },
    });
    const gap = { at: minute(5), minutes: 2, delivered: null, died: null, p95Ms: null };
    expect(figures.series).toHaveLength(14);
    expect(figures.series[10]).toEqual(gap);
    expect(figures.series[9]).toEqual({ at: minute(6), minutes: 1, delivered: 1, died: 0, p95Ms: 22.6 });
    expect(figures.series[0]).toEqual({ at: minute(15), minutes: 1, delivered: 0, died: 0, p95Ms: null });
    expect(figures.byDestination).toEqual([
      { ...figures.total, name: 'audit.log', delivered: 2, successRate: 1, p50Ms: 22.6, p99Ms: 22.6 },
    ]);
  });

  it('of an outbox that nobody counts is unknown, whole', async () => {
    const figures = await read('1h');
    expect(figures).toMatchObject({
      missingMinutes: 60,
      total: { delivered: 0, successRate: null, p50Ms: null },
      byTenant: [],
    });
    expect(figures.series).toMatchObject([{ minutes: 60, delivered: null }]);
  });

  it('of a day is made of quarters of an hour and of the minutes beside them, with the names of both', async () => {
    await standAll(24 * 60, 1);
    const turn = rollFigures({ store, log: silentLog });
    for (let n = 0; n < 13; n++) await turn(hold, signal);
    // A quarter is taken for itself: its minutes may say something else by now.
    await pool.query(
      `UPDATE outbox.figure SET delivered = 1000 WHERE span = 1 AND date_bin('15 minutes', begins_at, '2000-01-01 00:00:00+00') IN (
         SELECT begins_at FROM outbox.figure WHERE span = 15)
         AND begins_at >= $1::timestamptz + interval '15 minutes'`,
      [minute(24 * 60)],
    );
    const figures = await read('24h');
    const died = 24 * 60 - shiftOf(figures);
    const delivered = 2 * died;
    expect([figures.missingMinutes, Date.parse(figures.until) - Date.parse(figures.since)]).toEqual([0, 86_400_000]);
    expect(figures.total).toMatchObject({ delivered, died, p50Ms: 32, sampled: false });
    expect(figures.byDestination).toMatchObject([{ name: 'audit.log', delivered, died }]);
    expect(figures.byTenant).toMatchObject([{ name: '', delivered }]);
    expect(figures.series.reduce((sum, { minutes }) => sum + minutes, 0)).toBe(24 * 60);
    expect(figures.series.filter(({ minutes }) => minutes === 15).length).toBeGreaterThanOrEqual(94);
  });

  it('is read once by all who ask at once, and again when the next minute is due', async () => {
    await standAll(60, 1);
    let reads = 0;
    let later = 0;
    const counting = {
      ...store,
      readSpans: (minutes: number, quarters: boolean) => {
        reads++;
        return store.readSpans(minutes, quarters);
      },
    };
    const figures = readFigures({ store: counting, time: { now: () => systemTime.now() + later } });
    await Promise.all(Array.from({ length: 10 }, () => figures({ window: '1h' })));
    await figures({ window: '1h' });
    expect(reads).toBe(1);
    await figures({ window: '15m' });
    expect(reads).toBe(2);
    later = MINUTE_MS + 1_000;
    await figures({ window: '1h' });
    expect(reads).toBe(3);
  });
});
