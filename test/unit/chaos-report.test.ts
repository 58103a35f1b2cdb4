/** Recovery, memory, and the page that tells of a run, from a record written by hand. Nothing is fake. */
import fc from 'fast-check';
import { measureRecovery } from '../../src/main/chaos/recovery.js';
import { describeRun } from '../../src/main/chaos/report.js';
import { slopePerMinute, watchUsage } from '../../src/main/chaos/watch-usage.js';
import { partTried, type WrittenRun, withoutPaths } from '../../src/main/chaos/write-run.js';

describe('recovery of a fault', () => {
  const fault = (place: number, begunAt: number, healedAt: number) => ({ place, begunAt, healedAt });

  test('is the time until something is settled that began only after it was healed', () => {
    const events = [
      { beganAt: 900, settledAt: 1_100 }, // of before
      { beganAt: 1_000, settledAt: 9_000 },
      { beganAt: 2_000, settledAt: 3_500 },
    ];
    expect(measureRecovery([fault(1, 500, 1_000)], events)).toEqual({ 1: 2.5 });
  });

  test('is null where all that came after it is still open, and is left out where nothing came after it', () => {
    const events = [{ beganAt: 1_500, settledAt: null }];
    expect(measureRecovery([fault(1, 500, 1_000), fault(2, 1_600, 2_000)], events)).toEqual({ 1: null });
  });

  test('is left out where another fault was still under way', () => {
    const events = [{ beganAt: 3_000, settledAt: 3_200 }];
    expect(measureRecovery([fault(1, 500, 1_000), fault(2, 800, 2_500)], events)).toEqual({ 2: 0.7 });
  });

  test('agrees with looking at every event', () => {
    const event = fc.record({
      beganAt: fc.integer({ min: 0, max: 5_000 }),
      settledAt: fc.option(fc.integer({ min: 0, max: 9_000 })),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), fc.integer({ min: 0, max: 5_000 }), (events, healedAt) => {
        const after = events.filter(({ beganAt }) => beganAt >= healedAt);
        const ends = after.flatMap(({ settledAt }) => (settledAt === null ? [] : [settledAt]));
        const seconds = ends.length === 0 ? null : Math.max(0, Math.round((Math.min(...ends) - healedAt) / 100) / 10);
        expect(measureRecovery([fault(1, 0, healedAt)], events)).toEqual(after.length === 0 ? {} : { 1: seconds });
      }),
    );
  });
});

test('growth is the slope of a line through the samples, whatever they jump', () => {
  const points = Array.from({ length: 60 }, (_, at): [number, number] => [
    at * 60_000,
    1_000 + at * 7 + (at % 2 ? 3 : -3),
  ]);
  expect(slopePerMinute(points)).toBeCloseTo(7, 1);
  expect(slopePerMinute([[0, 5]])).toBe(0);
});

it('growth is of the process that grew most, whatever ran after it', async () => {
  let [at, bytes] = [0, 0];
  const member = { name: 'worker-1', pid: 1 };
  const fleet = { members: [member] } as unknown as Parameters<typeof watchUsage>[0];
  const watch = watchUsage(
    fleet,
    async () => new Map([['worker-1', bytes]]),
    () => at,
  );
  const live = async (pid: number, aMinute: number) => {
    member.pid = pid;
    for (let minute = 0; minute <= 35; minute += 1, at += 60_000, bytes += aMinute) await watch.sample();
    return Math.round(watch.figures().growthPerMinute['worker-1'] ?? Number.NaN);
  };
  expect([await live(1, 5), await live(2, 1), await live(3, 8)]).toEqual([5, 5, 8]);
});

it('tells usage once a minute, of the process that runs now', async () => {
  let [at, pid] = [0, 1];
  const member = { name: 'worker-1', pid: 1 };
  const fleet = { members: [member] } as unknown as Parameters<typeof watchUsage>[0];
  const watch = watchUsage(
    fleet,
    async () => new Map([['worker-1', at / 1_000 + pid]]),
    () => at,
  );
  for (; at <= 130_000; at += 10_000) await watch.sample();
  expect(watch.figures().eachMinute).toEqual({ 'worker-1': [1, 61, 121] });
  [pid, member.pid] = [2, 2];
  await watch.sample();
  expect(watch.figures()).toEqual({
    peak: { 'worker-1': 142 },
    growthPerMinute: {},
    eachMinute: { 'worker-1': [142] },
  });
});

const RUN: WrittenRun = {
  version: '0.0.0',
  node: '24.0.0',
  machine: '2 CPUs',
  asked: { seed: 7, minutes: 3, faults: ['F1', 'F7'], events: 100, short: true, overlap: false, planted: null },
  notTried: ['F30'],
  verdict: 'failed',
  problems: ['I1 e1: expected an end,\n came STARTED'],
  missing: ['it was interrupted'],
  looked: ['I8: 4 records of 4 leaves verified'],
  recovery: { flowsAfter: { 1: 1.5, 2: null }, newestAfter: { 1: 4.5 } },
  record: {
    startedAt: 0,
    endedAt: 200_000,
    short: true,
    capacityPerSecond: 80,
    offeredPerSecond: 48,
    flowSeconds: 180,
    schedule: [],
    faults: [1, 2].map((place) => ({
      fault: place === 1 ? 'F1' : 'F7',
      title: 'kill | one',
      place,
      salt: 1,
      plannedAtMs: 0,
      atMs: 10_000,
      plannedMs: 1,
      tookMs: 1,
      happened: 3,
      what: 'three killed',
      begunAt: 1_000,
      healedAt: 3_000,
      problems: [],
      boundSeconds: 10,
      breakerSeconds: place === 1 ? 2.5 : 0,
    })),
    baselineOpen: 4,
    drainSeconds: { 1: 2, 2: null },
    committed: 100,
    rolledBack: 5,
    inDoubt: 2,
    neverAppended: 0,
    refused: { ECONNREFUSED: 9 },
    settled: { open: 0, unsent: 0, silent: true, tookMs: 2_000 },
    memory: { peak: { 'relay-1': 104_857_600 }, growthPerMinute: {}, eachMinute: {} },
    handles: { peak: { 'relay-1': 61 }, growthPerMinute: { 'relay-1': 0.25 }, eachMinute: {} },
    unwanted: [],
    problems: [],
    missing: [],
    interrupted: true,
  },
  books: {
    ...{
      committed: 100,
      rolledBack: 5,
      inDoubt: { stand: 1, gone: 1, unresolved: 1 },
      delivered: 90,
      dead: 8,
      discarded: 0,
      open: 3,
    },
    ...{ lost: ['I1 e1: …'], doubled: [], phantoms: [], violations: ['I1 e1: …'], effectsToAsk: 0, untold: 0 },
    duplicates: { ledger: 12, audit: 3, unexplained: 1, carried: 2 },
    either: { events: 9, deadOf: { 'HTTP.SERVER_ERROR': 2 } },
  },
  booksAfterStop: null,
};

describe('the page of a run', () => {
  test('tells how it is run again, what was found, and what was not shown', () => {
    const page = describeRun(RUN);
    for (const part of [
      '# Chaos run, seed 7: failed',
      '`npm run chaos -- --seed 7 --minutes 3 --events 100 --rate 48 --faults F1,F7 --short`',
      '| 1 | F1 kill \\| one | 10 | 2 | 3: three killed | 1.5 (≤ 10 + 2.5 of a breaker) | 4.5 | 2 |',
      '| 2 | F7 kill \\| one | 10 | 2 | 3: three killed | never (≤ 10) | – | never |',
      'Not tried, for want of time: F30.',
      '| lost | 1 |',
      '| duplicates that were collapsed | 12 at the ledger, 3 at the audit log |',
      '| events that might die or be delivered, as it came | 9, dead of them 2 × HTTP.SERVER_ERROR |',
      '| relay-1 | 100 | too short to say | 61 | 0.25 |',
      '- I1 e1: expected an end, came STARTED',
      '- it was interrupted',
      '| appends refused | 9 × ECONNREFUSED |',
    ]) {
      expect(page).toContain(part);
    }
    expect(page).not.toMatch(/undefined|NaN|\[object/);
  });

  test('gives the command as it was typed: without faults where none were named', () => {
    const commandOf = (named: string | null) => describeRun({ ...RUN, asked: { ...RUN.asked, named } }).split('\n')[2];
    expect(commandOf(null)).toBe('`npm run chaos -- --seed 7 --minutes 3 --events 100 --rate 48 --short`');
    expect(commandOf('f7,F1')).toContain(' --faults f7,F1 ');
  });

  test('gives whoever asked by outbox verify a command that they have', () => {
    const commandOf = (command: string) =>
      describeRun({
        ...RUN,
        asked: { seed: 7, minutes: 3, rate: 20, faults: [], short: false, overlap: false, command },
      });
    expect(commandOf('outbox verify')).toContain('`outbox verify --seed 7 --rate 20`');
    expect(commandOf('outbox verify --chaos')).toContain(
      '`outbox verify --chaos --seed 7 --minutes 3 --rate 20 --faults none`',
    );
  });

  test('says of the faults of a mix which had no time to come', () => {
    const asked = { ...RUN.asked, faults: ['F1', 'F7', 'F30'] };
    const tried = partTried(asked, [{ fault: 'F7' }, { fault: 'F1' }, { fault: 'F7' }]);
    expect([tried.asked.faults, tried.notTried]).toEqual([['F1', 'F7'], ['F30']]);
  });

  test('names no folder of the machine it ran on', () => {
    const told = withoutPaths({ a: ['/srv/shop/work/journal: closed', 3], b: null }, [
      '/srv/shop',
      '/srv/shop/work',
      '/',
    ]);
    expect(told).toEqual({ a: ['…/journal: closed', 3], b: null });
  });
});
