// Nothing is fake: plan, traffic, latencies, arithmetic and criteria of `npm run chaos:production`, all of them pure.
import { createTraffic } from '../../src/main/chaos/chaos-traffic.js';
import { seededRandom } from '../../src/main/dev/seeded-random.js';

const load = (name: string) => import(new URL(`../chaos/${name}.mjs`, import.meta.url).href);
const { planProduction, planOf: planAsked, rateAt, weatherAt, BURST_TIMES_MEAN } = await load('production/plan');
const { createProductionTraffic, NOISY } = await load('production/traffic');
const { answerOf, latencyMs, MEAN_SECONDS } = await load('production/weather');
const { drainSeconds } = await load('production/drain');
const { measureProduction, figuresOfRun, quantile } = await load('production/figures');
const { CRITERIA, judgeCriteria, worseOf } = await load('production-criteria');
const { describeProduction } = await load('production/report');

const SECONDS = 1_800;
const MEAN = 10;
const planOf = (seed: number) => planProduction({ seed, seconds: SECONDS, meanPerSecond: MEAN });
const PLAN = planOf(7);
const BURSTS = PLAN.spans.filter(({ kind }: { kind: string }) => kind === 'burst');
const STORMS = PLAN.spans.filter(({ kind }: { kind: string }) => kind === 'storm');

interface Given {
  readonly id: string;
  readonly tenantId: string;
  readonly eventType: string;
  readonly routingKey: string;
  readonly expect?: string;
  readonly aggregate: { readonly id: string; readonly version?: number };
}

function trafficOf(seed: number, plan = PLAN) {
  const traffic = createProductionTraffic({ seed, next: createTraffic({ random: seededRandom(seed), canary: 'c' }) });
  traffic.follow(plan);
  return traffic;
}

function offeredOf(seed: number, count = PLAN.events): Given[] {
  const { next } = trafficOf(seed);
  const events: Given[] = [];
  while (events.length < count) {
    const { rollBack, events: given } = next();
    if (!rollBack) events.push(...given);
  }
  return events;
}

describe('the plan', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(planOf(7)).toEqual(PLAN);
    expect(planOf(8).spans).not.toEqual(PLAN.spans);
  });

  it.each([1, 7, 99, 12_345])(
    'of seed %i has bursts of ten times the mean, and the mean that was asked for',
    (seed) => {
      const plan = planOf(seed);
      const rates = Array.from({ length: SECONDS * 100 }, (_, at) => rateAt(plan, at * 10));
      const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
      expect(mean).toBeCloseTo(MEAN, 0);
      expect(Math.max(...new Set(rates))).toBe(BURST_TIMES_MEAN * MEAN);
      expect(plan.calmPerSecond).toBeGreaterThan(MEAN / 2);
      expect(plan.events).toBe(SECONDS * MEAN);
    },
  );

  it('has a burst of five to six seconds every hundred to hundred and twenty', () => {
    expect(BURSTS.length).toBeGreaterThanOrEqual(14);
    let before = 0;
    for (const { fromMs, toMs } of BURSTS) {
      expect([
        toMs - fromMs >= 4_900 && toMs - fromMs <= 6_100,
        toMs - before >= 99_000 && toMs - before <= 121_000,
      ]).toEqual([true, true]);
      before = toMs;
    }
  });

  it('has one slow period and two storms that end before the flow, none of them in its first fifty-five seconds', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const { spans } = planProduction({ seed, seconds: 480, meanPerSecond: 10 });
      const others = spans.filter(({ kind }: { kind: string }) => kind !== 'burst');
      expect(others.map(({ kind }: { kind: string }) => kind)).toEqual(['slow', 'storm', 'storm']);
      for (const { fromMs, toMs, tenthUntilMs = toMs } of others) {
        expect([fromMs >= 55_000, tenthUntilMs <= 480_000]).toEqual([true, true]);
      }
    }
  });

  it.each([
    ['as long as the rate needs', {}, 50, [2_000, 50]],
    ['eight minutes at least, slower then', { events: 4_800 }, 50, [480, 10]],
    ['at a rate of its own', { rate: 100 }, 50, [1_000, 100]],
    ['as long as it may be, with fewer events', { minutes: 10 }, 50, [600, 50]],
    ['no faster than the events need', { minutes: 100 }, 50, [6_000, 100_000 / 6_000]],
  ])('is %s', (_, asked, offered, [seconds, mean]) => {
    const plan = planAsked({ seed: 1, events: 100_000, ...asked }, offered);
    expect([plan.seconds, plan.meanPerSecond]).toEqual([seconds, mean]);
  });

  it('refuses a flow that is too short to tell them apart', () => {
    expect(() => planProduction({ seed: 1, seconds: 479, meanPerSecond: 10 })).toThrow(
      'expected at least 480 s, got 479',
    );
  });
});

describe('the traffic', () => {
  const events = offeredOf(7);

  it('gives the same events with the same ids for the same seed', () => {
    const first = offeredOf(7, 2_000);
    expect(first).toEqual(events.slice(0, first.length));
    expect(offeredOf(8, 1)[0]).not.toEqual(events[0]);
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    expect(
      events.every(({ id }) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)),
    ).toBe(true);
  });

  it('lets the noisy tenant send half of everything, nearly all of a burst, and the nine others alike', () => {
    const shareOf = (some: readonly Given[]) => some.filter(({ tenantId }) => tenantId === NOISY).length / some.length;
    expect(Math.abs(shareOf(events) - 0.5)).toBeLessThan(0.02);
    const [first] = PLAN.burstEvents;
    expect(shareOf(events.slice(Math.ceil(first.fromEvent), Math.floor(first.toEvent)))).toBeGreaterThan(0.9);
    expect(shareOf(events.slice(0, Math.floor(first.fromEvent)))).toBeLessThan(0.2);
    const perTenant = Map.groupBy(events, ({ tenantId }) => tenantId);
    const ordinary = ['tenant-3', 'tenant-6', 'tenant-9'].map((tenant) => perTenant.get(tenant)?.length ?? 0);
    expect([perTenant.size, Math.max(...ordinary) < 1.15 * Math.min(...ordinary)]).toEqual([10, true]);
  });

  it('gives one in ten to three hot aggregates, each of one tenant, ordered ones among them', () => {
    const hot = events.filter(({ aggregate }) => aggregate.id.startsWith('hot-'));
    expect(Math.abs(hot.length / events.length - 0.1)).toBeLessThan(0.01);
    expect(new Set(hot.map(({ aggregate, tenantId }) => `${aggregate.id} ${tenantId}`))).toEqual(
      new Set(['hot-0 tenant-0', 'hot-1 tenant-1', 'hot-2 tenant-2']),
    );
    const ordered = hot.filter(({ eventType }) => eventType === 'CHAOS_ORDERED');
    expect(Math.abs(ordered.length / hot.length - 0.2)).toBeLessThan(0.05);
  });

  it('counts versions up in each ordered line, and gives none to the others', () => {
    const { next } = trafficOf(3);
    const versions = new Map<string, number>();
    for (let at = 0; at < 1_000; at += 1) {
      for (const { aggregate, routingKey, tenantId, eventType } of next().events as Given[]) {
        const line = `${routingKey} ${tenantId} ${aggregate.id}`;
        const wanted = eventType === 'CHAOS_ORDERED' ? (versions.get(line) ?? 0) + 1 : undefined;
        expect(aggregate.version).toBe(wanted);
        if (wanted !== undefined) versions.set(line, wanted);
      }
    }
  });

  it('lets only strict events die', () => {
    expect(new Set(events.map(({ eventType, expect: wanted }) => `${eventType} ${wanted}`))).toEqual(
      new Set(['CHAOS undefined', 'CHAOS_ORDERED undefined', 'CHAOS_STRICT either']),
    );
  });
});

describe('the destination', () => {
  const ids = Array.from({ length: 10_000 }, (_, at) => `event-${at}`);

  it('takes fifty milliseconds as a rule and ten seconds at most, for the same seed and event the same', () => {
    const taken = ids.map((eventId) => latencyMs({ seed: 7, eventId }));
    expect(ids.slice(0, 100).map((eventId) => latencyMs({ seed: 7, eventId }))).toEqual(taken.slice(0, 100));
    expect([quantile(taken, 0.5), quantile(taken, 1)]).toEqual([expect.any(Number), 10_000]);
    expect(quantile(taken, 0.5)).toBeLessThan(52);
    expect(taken.filter((ms) => ms > 2_000).length / taken.length).toBeCloseTo(0.007, 2);
  });

  it.each([
    ['usual', false],
    ['slow', true],
  ])('%s, has the mean that the arithmetic goes by', (weather, slow) => {
    const taken = ids.map((eventId) => latencyMs({ seed: 7, eventId, slow }));
    const mean = taken.reduce((sum, ms) => sum + ms, 0) / taken.length / 1_000;
    expect(Math.abs(mean - MEAN_SECONDS[weather]) / mean).toBeLessThan(0.1);
  });

  it('refuses everything in a storm, then one in ten, then nothing', () => {
    const [{ fromMs, toMs, tenthUntilMs }] = STORMS;
    const refused = (atMs: number) =>
      ids.filter((eventId) => answerOf({ seed: 7, plan: PLAN, atMs, eventId, n: 1 }).kind === 'status').length /
      ids.length;
    expect([weatherAt(PLAN, fromMs), weatherAt(PLAN, toMs)]).toEqual(['storm', 'tenth']);
    expect([refused(fromMs), refused(toMs - 1), refused(tenthUntilMs)]).toEqual([1, 1, 0]);
    expect(refused(toMs)).toBeCloseTo(0.1, 1);
  });
});

describe('the arithmetic of a drain', () => {
  it('is what offered and delivered differ by, and longer for a line that delivers less', () => {
    const at = PLAN.spans.findIndex((span: { fromMs: number }) => span.fromMs === BURSTS[0].fromMs);
    const seconds = (BURSTS[0].toMs - BURSTS[0].fromMs) / 1_000;
    const [slow, fast] = [20, 40].map((capacity) => drainSeconds(PLAN, capacity)[at]);
    const byHand = (seconds * (100 - 40)) / (40 - PLAN.calmPerSecond);
    // Beside it, at most what goes one by one.
    expect(fast).toBeGreaterThanOrEqual(byHand - 1);
    expect(fast).toBeLessThan(byHand + 20);
    expect(slow).toBeGreaterThan(fast);
  });

  it('lets nothing through to the ledger in a storm', () => {
    const plan = { ...PLAN, spans: [STORMS[0]] };
    const { fromMs, toMs } = STORMS[0];
    // Six in ten of thirty seconds, which leave as fast as the line is faster than its load.
    const byHand = (0.6 * ((toMs - fromMs) / 1_000) * plan.calmPerSecond) / (12 - plan.calmPerSecond);
    const [seconds] = drainSeconds(plan, 12);
    expect([seconds > 0.8 * byHand, seconds < 1.5 * byHand]).toEqual([true, true]);
  });

  it('says of a line that delivers less than is offered that its backlog stays', () => {
    expect(drainSeconds(PLAN, 4).every((seconds: number | null) => seconds === null || seconds > 600)).toBe(true);
  });
});

describe('the figures', () => {
  const flowBeganAt = 1_000_000;
  const event = (id: string, tenantId: string, atMs: number, tookMs: number, more: object = {}) => ({
    id,
    tenantId,
    routingKey: 'chaos.ledger',
    committed: flowBeganAt + atMs,
    settled: flowBeganAt + atMs + tookMs,
    startedAt: null as number | null,
    ordered: false,
    failures: {},
    replayed: false,
    ...more,
  });
  const runOf = (events: ReturnType<typeof event>[], requests: object[] = [], samples: object[] = []) => ({
    seed: 7,
    plan: PLAN,
    capacityPerSecond: 20,
    flowBeganAt,
    samples,
    requests,
    journal: new Map(
      events.map(({ id, tenantId, committed }) => [id, { id, fate: 'committed', tenantId, endedAt: committed }]),
    ),
    books: {
      aheadMs: 0,
      rows: new Map(
        events.map(({ id, routingKey, startedAt, settled, ordered, failures, replayed }) => [
          id,
          {
            id,
            routingKey,
            delivery: { status: 'DELIVERED', startedAt, settledAt: settled, ordered, failures, replayed },
          },
        ]),
      ),
    },
  });
  const calm = (atMs: number) => ({ atMs, lagSeconds: 0.1, open: 5, owed: 0 });

  it('hold the lag until it is back against the arithmetic, and know a lag that never comes back', () => {
    const { toMs } = BURSTS[0];
    const everySecond = Array.from({ length: SECONDS }, (_, at) => calm(at * 1_000));
    const late = everySecond.map((sample) =>
      sample.atMs >= toMs && sample.atMs < toMs + 200_000 ? { ...sample, lagSeconds: 9 } : sample,
    );
    const found = measureProduction(runOf([], [], late));
    const [first] = found.recoveries.filter(({ kind }: { kind: string }) => kind === 'burst');
    expect([first.tookSeconds > 199, first.tookSeconds < 202]).toEqual([true, true]);
    expect(found.figures.recoveryOverArithmeticSeconds).toBeGreaterThan(30);
    expect(found.figures.neverRecovered).toBe(0);
    const never = late.map((sample) => (sample.atMs > 60_000 ? { ...sample, open: 100 } : sample));
    expect(measureProduction(runOf([], [], never)).figures.neverRecovered).toBe(PLAN.spans.length);
    const blind = everySecond.map((sample) => ({ ...sample, lagSeconds: null }));
    expect(measureProduction(runOf([], [], blind)).figures).toMatchObject({ neverRecovered: null, sampledShare: 0 });
    expect(found.figures.sampledShare).toBe(1);
  });

  it('know of a storm whose lag was still there when a burst began that it took longer, and judge the rest at the burst', () => {
    const storm = { kind: 'storm', fromMs: 100_000, toMs: 130_000, tenthUntilMs: 190_000 };
    const burst = { kind: 'burst', fromMs: 150_000, toMs: 155_000 };
    const samples = Array.from({ length: SECONDS }, (_, at) =>
      at >= 100 && at < 200 ? { ...calm(at * 1_000), lagSeconds: 9 } : calm(at * 1_000),
    );
    const run = { ...runOf([], [], samples), plan: { ...PLAN, spans: [storm, burst] } };
    const { recoveries, figures } = measureProduction(run);
    expect(
      recoveries.map(({ joined, tookSeconds }: { joined: number | null; tookSeconds: number }) => [
        joined,
        tookSeconds,
      ]),
    ).toEqual([
      [20, 70],
      [null, 45],
    ]);
    const [ofStorm, ofBurst] = recoveries;
    expect(figures.recoveryOverArithmeticSeconds).toBe(
      Math.max(20 - ofStorm.arithmeticSeconds, 45 - ofBurst.arithmeticSeconds),
    );
  });

  it('take the rests of the breaker for its own, and say how long it stayed away after a storm', () => {
    const storm = { kind: 'storm', fromMs: 100_000, toMs: 130_000, tenthUntilMs: 190_000 };
    const figuresWith = (isAway: (second: number) => boolean | null) => {
      const samples = Array.from({ length: SECONDS }, (_, at) => ({
        ...calm(at * 1_000),
        ...(at >= 100 && at < 190 && { lagSeconds: 9 }),
        away: isAway(at),
      }));
      return measureProduction({ ...runOf([], [], samples), plan: { ...PLAN, spans: [storm] } });
    };
    const soon = figuresWith((at) => at >= 102 && at < 131);
    const late = figuresWith((at) => at >= 102 && at < 170);
    expect([soon, late].map(({ figures }) => figures.breakerAfterStormSeconds)).toEqual([1, 40]);
    const [arithmeticSoon, arithmeticLate] = [soon, late].map(({ recoveries }) => recoveries[0].arithmeticSeconds);
    expect(arithmeticLate - arithmeticSoon).toBeGreaterThan(39);
    expect(figuresWith((at) => (at >= 102 ? true : null)).figures.breakerAfterStormSeconds).toBeNull();
  });

  it('know a line that comes back only once nothing is offered any more', () => {
    const { toMs } = BURSTS[0];
    const samples = Array.from({ length: SECONDS + 300 }, (_, at) =>
      at * 1_000 >= toMs && at < SECONDS ? { ...calm(at * 1_000), lagSeconds: 9 } : calm(at * 1_000),
    );
    expect(measureProduction(runOf([], [], samples)).figures.neverRecovered).toBe(1);
    const usual = samples.map(({ atMs }) => calm(atMs));
    expect(measureProduction(runOf([], [], usual)).figures.neverRecovered).toBe(0);
  });

  it('hold the quiet tenants in a burst against themselves outside, and leave out what a storm touched', () => {
    const everySecond = Array.from({ length: SECONDS }, (_, at) => calm(at * 1_000));
    const [{ fromMs }] = BURSTS;
    const [storm] = STORMS;
    const events = [
      event('a', 'tenant-1', 20_000, 1_000),
      event('b', 'tenant-2', fromMs + 10, 6_000, { startedAt: flowBeganAt + fromMs + 4_010 }),
      event('e', 'tenant-2', fromMs + 10, 5_000, { ordered: true, startedAt: flowBeganAt + fromMs + 9_010 }),
      event('c', NOISY, fromMs + 10, 60_000),
      event('d', 'tenant-3', storm.fromMs + 10, 90_000),
    ];
    const { figures, fairness } = measureProduction(runOf(events, [], everySecond));
    expect(fairness.quiet).toEqual({
      burst: { events: 2, p50: 5, p95: 6 },
      outside: { events: 1, p50: 1, p95: 1 },
      // A run may be quicker than the mark of its start.
      untilStarted: { events: 2, p50: 4, p95: 5 },
      inOrder: { events: 1, p50: 5, p95: 5 },
    });
    expect(figures.quietOverOwnSeconds).toBe(3);
  });

  it('leave out a burst that a storm fell into', () => {
    const [burst] = BURSTS;
    const storm = {
      kind: 'storm',
      fromMs: burst.fromMs - 1_000,
      toMs: burst.fromMs + 29_000,
      tenthUntilMs: burst.fromMs + 89_000,
    };
    const everySecond = Array.from({ length: SECONDS }, (_, at) => calm(at * 1_000));
    const run = runOf([event('b', 'tenant-2', burst.fromMs + 10, 6_000)], [], everySecond);
    const cleanWith = (spans: object[]) => measureProduction({ ...run, plan: { ...PLAN, spans } }).fairness.cleanBursts;
    expect([cleanWith([burst]), cleanWith([storm, burst])]).toEqual([1, 0]);
    // One that begins while the burst's backlog is still there has met it, too.
    const [fromMs, toMs] = [burst.toMs + 5_000, burst.toMs + 35_000];
    const later = { ...storm, fromMs, toMs, tenthUntilMs: toMs };
    expect(cleanWith([burst, later])).toBe(1);
    run.samples = everySecond.map((one) =>
      one.atMs > 60_000 && one.atMs < burst.toMs + 8_000 ? { ...one, lagSeconds: 9 } : one,
    );
    expect(cleanWith([burst, later])).toBe(0);
  });

  it('count what came twice unless an attempt of that very event says that its answer was lost', () => {
    const again = (eventId: string) => ({ eventId, did: 'again', at: flowBeganAt });
    const events = [
      event('timed-out', 'tenant-1', 0, 1, { failures: { 'HTTP.TIMEOUT': 1 } }),
      event('refused', 'tenant-1', 0, 1, { failures: { 'HTTP.SERVER_ERROR': 3 } }),
      event('record', 'tenant-1', 0, 1, { routingKey: 'audit.log', replayed: true }),
    ];
    const count = (...ids: string[]) =>
      measureProduction(runOf(events.slice(0, 2), ids.map(again))).figures.unexplainedDuplicates;
    expect([count('timed-out'), count('timed-out', 'timed-out'), count('refused')]).toEqual([0, 1, 1]);
    expect(measureProduction(runOf(events)).figures.unexplainedDuplicates).toBe(1);
  });

  it('of a run are those of its books and its record', () => {
    const books = {
      lost: [],
      doubled: ['x'],
      phantoms: [],
      violations: ['v'],
      committed: 10,
      inDoubt: { stand: 1, gone: 0 },
      delivered: 8,
      dead: 1,
      discarded: 0,
    };
    const record = { unwanted: ['one'], neverAppended: 2, memory: { growthPerMinute: { a: 2 ** 20, b: 2 ** 19 } } };
    expect(figuresOfRun({ record, books, booksAfterStop: { violations: ['v', 'w'] } })).toEqual({
      unwantedExits: 1,
      memoryGrowthMebibytesPerMinute: 1,
      lost: 0,
      doubled: 1,
      phantoms: 0,
      uncompleted: 4,
      violations: 2,
    });
    expect(figuresOfRun({ record: { ...record, memory: { growthPerMinute: {} } }, books: null })).toEqual({
      unwantedExits: 1,
      memoryGrowthMebibytesPerMinute: null,
    });
  });
});

describe('the criteria', () => {
  type Criterion = {
    id: string;
    kind: string;
    most?: number;
    least?: number;
    reason: string;
    source: string;
    unlessBecause?: string;
  };
  const all: readonly Criterion[] = CRITERIA;
  const good = Object.fromEntries(all.map(({ id, most, least }) => [id, most ?? least]));

  it('have one bound each, a reason and a source, and a name of their own', () => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    for (const { most, least, reason, source } of all) {
      expect([(most === undefined) !== (least === undefined), reason !== '', source !== '']).toEqual([
        true,
        true,
        true,
      ]);
    }
  });

  it('make no run better than its oracle found it, and none better than they found it', () => {
    expect([
      worseOf('passed', 'passed'),
      worseOf('passed', 'incomplete'),
      worseOf('failed', 'incomplete'),
      worseOf('passed', 'failed'),
    ]).toEqual(['passed', 'incomplete', 'failed', 'failed']);
  });

  it('stand in the report with bound, measured and verdict, also where nothing was measured', () => {
    const { verdict, judged } = judgeCriteria({ ...good, lost: 2, violations: null });
    const page = describeProduction({
      asked: { seed: 7, events: 100_000, coalesced: false },
      verdict,
      criteria: judged,
      plan: null,
      measured: null,
      books: null,
      carriedShare: null,
      peakBytes: { 'relay-1': 2 ** 20 },
      machine: '2 CPUs',
      record: { startedAt: 0, endedAt: 1, capacityPerSecond: null, memory: { growthPerMinute: {} } },
      problems: ['I1 x: gone'],
      missing: [],
      looked: [],
    });
    expect(page.startsWith('# Production-like run, seed 7, per event: failed')).toBe(true);
    expect(page).toContain('| events lost | ≤ 0 events | 2 | broken |');
    expect(page).toContain('also once the roles have stopped | ≤ 0 violations | – | not shown |');
    expect(page).toContain('| relay-1 | 1 | too short to say |');
    expect(page).toContain('- I1 x: gone');
  });

  it('hold at their bounds', () => {
    const { verdict, judged } = judgeCriteria(good);
    expect([verdict, new Set(judged.map((one: { verdict: string }) => one.verdict))]).toEqual([
      'passed',
      new Set(['holds']),
    ]);
  });

  it.each(all.map((criterion) => [criterion.id, criterion] as const))(
    '%s is broken beyond its bound',
    (id, criterion) => {
      const beyond = criterion.most === undefined ? (criterion.least as number) - 0.001 : criterion.most + 0.001;
      const wanted = criterion.kind === 'promise' ? 'failed' : 'incomplete';
      expect(judgeCriteria({ ...good, [id]: beyond }).verdict).toBe(wanted);
      expect(judgeCriteria({ ...good, [id]: Number.NaN }).verdict).toBe(wanted);
    },
  );

  it.each(all.map((criterion) => [criterion.id, criterion] as const))(
    'without %s a run is not passed, unless it says why',
    (id, { unlessBecause }) => {
      expect(judgeCriteria({ ...good, [id]: null }).verdict).toBe(
        unlessBecause === undefined ? 'incomplete' : 'passed',
      );
    },
  );
});
