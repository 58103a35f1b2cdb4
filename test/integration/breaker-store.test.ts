// The breaker as several workers share it (R6, R19), on a real PostgreSQL: each worker has a pool of its own, as a process
// has. Nothing is fake; the destinations are scripted by what the workers say that they saw.
import { randomUUID } from 'node:crypto';
import type { BreakerStore } from '../../src/application/delivery/destinations/ports.js';
import { watchDestinations } from '../../src/application/delivery/destinations/watch-destinations.js';
import {
  DEFAULT_BREAKER,
  type DestinationReport,
  type DestinationView,
  healthyView,
} from '../../src/domain/delivery/breaker.js';
import { createBreakerStore } from '../../src/infrastructure/prisma/breaker-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';

const WORKERS = 6;
let databases: TestDatabases;
let pools: PgPool[];
let stores: BreakerStore[];

beforeAll(async () => {
  databases = await createTestDatabases();
  pools = Array.from({ length: WORKERS }, () => createPool(databases.outboxUrl, { max: 3 }));
  stores = pools.map((pool) => createBreakerStore(pool, DEFAULT_BREAKER));
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await databases.drop();
});

const store = () => stores[0] as BreakerStore;
const one = async <T>(text: string, ...values: unknown[]) =>
  (await (pools[0] as PgPool).query(text, values)).rows[0] as T;
const rowOf = (name: string) => one<Record<string, unknown>>('SELECT * FROM outbox.destination WHERE name = $1', name);
const outagesOf = async (name: string) =>
  (await (pools[0] as PgPool).query('SELECT * FROM outbox.outage WHERE destination = $1 ORDER BY opened_at', [name]))
    .rows;
const alertOf = (name: string) =>
  one(`SELECT * FROM outbox.alert WHERE kind = 'breaker_opened' AND subject = $1`, name);
const failed = (failures: number, more: Partial<DestinationReport> = {}): DestinationReport => ({
  generation: 0,
  succeeded: false,
  failures,
  failingForMs: 0,
  reason: { code: 'HTTP.TLS', status: null },
  p95Ms: 7,
  ...more,
});
const overdue = (name: string, column: string) =>
  one(`UPDATE outbox.destination SET ${column} = now() - interval '1 second' WHERE name = $1`, name);

it('R19: workers that report at once lose no failure, and open it once', async () => {
  const name = `d.${randomUUID()}`;
  const changes = await Promise.all(stores.map((worker) => worker.report(name, failed(1), 5_000)));
  expect(await rowOf(name)).toMatchObject({ breaker: 'closed', failures: WORKERS, p95_ms: 7, health: 'degraded' });
  expect(changes.map(({ after }) => after.failures).sort()).toEqual([1, 2, 3, 4, 5, 6]);

  const more = await Promise.all(stores.map((worker) => worker.report(name, failed(2), 5_000)));
  expect(more.filter(({ before, after }) => before.breaker !== after.breaker)).toHaveLength(1);
  // Those that came after the opening were of the generation before it: they say nothing.
  expect(await rowOf(name)).toMatchObject({ breaker: 'open', generation: 1, failures: 10, reason_code: 'HTTP.TLS' });
  expect(await outagesOf(name)).toMatchObject([{ code: 'HTTP.TLS', closed_at: null }]);
  expect(await alertOf(name)).toMatchObject({
    fields: { destination: name, code: 'HTTP.TLS', failures: 10 },
    times: '1',
    over_at: null,
  });
});

it('R6: of workers that would try it at once one may; its word ends the outage, a late one says nothing', async () => {
  const name = `d.${randomUUID()}`;
  await store().report(name, failed(10, { failingForMs: 5_000 }), 5_000);
  expect(await store().takeTrial(name, randomUUID(), 25_000, 5_000)).toBe(false);
  await overdue(name, 'open_until');
  const tokens = stores.map(() => randomUUID());
  const taken = await Promise.all(
    stores.map((worker, i) => worker.takeTrial(name, tokens[i] as string, 25_000, 5_000)),
  );
  expect(taken.filter(Boolean)).toHaveLength(1);
  const holder = tokens[taken.indexOf(true)] as string;
  const success = { weight: 'success', reason: null } as const;
  for (const token of tokens.filter((other) => other !== holder)) {
    expect(await store().endTrial(name, token, success, 5_000)).toBeNull();
  }
  // The holder dies: once its time is over another has the trial, and the first one's word counts no more.
  await overdue(name, 'trial_until');
  const second = randomUUID();
  expect(await store().takeTrial(name, second, 25_000, 5_000)).toBe(true);
  expect(await store().endTrial(name, holder, success, 5_000)).toBeNull();
  expect(await rowOf(name)).toMatchObject({ breaker: 'half_open' });
  expect(await store().endTrial(name, second, { weight: 'none', reason: null }, 5_000)).not.toBeNull();
  expect(await store().takeTrial(name, second, 25_000, 5_000)).toBe(true);
  expect(await store().endTrial(name, second, success, 5_000)).toMatchObject({ after: { breaker: 'closed' } });
  expect(await rowOf(name)).toMatchObject({ breaker: 'closed', generation: 3, failures: 0, health: 'ok' });
  const [outage] = await outagesOf(name);
  expect(outage.opened_at.getTime() - outage.first_failure_at.getTime()).toBe(5_000);
  expect(outage.closed_at).toBeInstanceOf(Date);
  expect(await alertOf(name)).toMatchObject({ times: '1', over_at: expect.any(Date) });
});

it('a failed trial keeps one outage going; the next opening begins another', async () => {
  const name = `d.${randomUUID()}`;
  await store().report(name, failed(10), 5_000);
  for (const weight of ['failure', 'success'] as const) {
    await overdue(name, 'open_until');
    const token = randomUUID();
    await store().takeTrial(name, token, 25_000, 5_000);
    await store().endTrial(name, token, { weight, reason: null }, 5_000);
  }
  expect(await outagesOf(name)).toHaveLength(1);
  await one(`UPDATE outbox.destination SET last_success_at = now() - interval '1 hour' WHERE name = $1`, name);
  const { generation } = (await rowOf(name)) as { generation: number };
  await store().report(name, failed(10, { generation }), 5_000);
  expect(await outagesOf(name)).toMatchObject([{ closed_at: expect.any(Date) }, { closed_at: null }]);
});

describe('one worker', () => {
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const watch = (settings = DEFAULT_BREAKER, worker: BreakerStore = store()) =>
    watchDestinations({ store: worker, log, now: () => performance.now(), random: () => 0, settings });
  const failure = { weight: 'failure', reason: { code: 'HTTP.NETWORK', status: null }, tookMs: 3 } as const;
  const success = { weight: 'success', reason: null, tookMs: 3 } as const;

  it('tells ten failures in a row at once, and stays away until the shared breaker says more', async () => {
    const view = healthyView(`d.${randomUUID()}`);
    const own = watch();
    own.see(view);
    for (let i = 0; i < 9; i += 1) own.note(view, failure);
    expect([own.awayForMs(view), own.limitOf(view.name)]).toEqual([0, 1]);
    own.note(view, failure);
    expect(own.awayForMs(view)).toBeGreaterThan(4_000);
    // Work is to flow within ten seconds of a destination's return, also where no breaker opened.
    expect(own.awayForMs(view)).toBeLessThanOrEqual(5_000);
    await eventually('open', async () => (await rowOf(view.name))?.breaker === 'open');
    // The trial's generation is another one: what was counted before says nothing in it.
    const trial = { ...view, breaker: 'half_open', generation: 2, failures: 10 } as const;
    own.see(trial);
    expect([own.awayForMs(trial), own.limitOf(view.name)]).toEqual([0, 1]);
    // What was loaded before it opened is not sent any more.
    expect(own.awayForMs(view)).toBeGreaterThan(0);
    own.see({ ...view, generation: 3, closedForMs: 0 });
    expect(own.limitOf(view.name)).toBeGreaterThanOrEqual(10);
    await own.stop();
  });

  it('a success not long ago holds it back only as long as it is not long ago', async () => {
    const view = healthyView(`d.${randomUUID()}`);
    const settings = { ...DEFAULT_BREAKER, quietMs: 300 };
    const own = watch(settings, createBreakerStore(pools[1] as PgPool, settings));
    own.note(view, success);
    for (let i = 0; i < 10; i += 1) own.note(view, failure);
    await eventually('counted', async () => (await rowOf(view.name))?.failures === 10);
    // Nothing more is sent or seen.
    await eventually('open', async () => (await rowOf(view.name))?.breaker === 'open');
    await own.stop();
  });

  it('what could not be told is told later, and at the end', async () => {
    const view: DestinationView = healthyView(`d.${randomUUID()}`);
    let away = true;
    const own = watch(DEFAULT_BREAKER, {
      ...store(),
      report: (...args) => (away ? Promise.reject(new Error('away')) : store().report(...args)),
    });
    for (let i = 0; i < 4; i += 1) own.note(view, failure);
    await own.stop(); // the store is away: it is lost, and nobody waits for it
    expect(await rowOf(view.name)).toBeUndefined();
    const again = watch(DEFAULT_BREAKER, {
      ...store(),
      report: (...args) => {
        if (!away) return store().report(...args);
        away = false;
        return Promise.reject(new Error('away'));
      },
    });
    for (let i = 0; i < 10; i += 1) again.note(view, failure);
    await eventually('open', async () => (await rowOf(view.name))?.breaker === 'open');
    again.note(view, success);
    await again.stop();
    expect(await rowOf(view.name)).toMatchObject({ failures: 10 });
  });
});
