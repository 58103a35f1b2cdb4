// Nothing is fake: the schedule of a chaos run is a pure function.
import fc from 'fast-check';
import type { FaultId, Resource } from '../../src/main/chaos/ports.js';
import { boutsOf, planSchedule, refuseUnplaced } from '../../src/main/chaos/schedule.js';

const idOf = fc.integer({ min: 1, max: 31 }).map((n): FaultId => `F${n}`);
const faultOf = fc
  .record({
    id: idOf,
    weight: fc.integer({ min: 0, max: 5 }),
    resources: fc.subarray<Resource>(['outbox-db', 'temporal', 'relay', 'worker']),
    longest: fc.oneof(fc.integer({ min: 0, max: 60_000 }), fc.constant(2)),
  })
  .map(({ id, weight, longest, resources }) => ({
    id,
    resources,
    weight,
    longest,
    duration: (random: () => number, short: boolean) => random() * (short ? longest / 4 : longest),
  }));
const optionsOf = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  minutes: fc.double({ min: 0.1, max: 90, noNaN: true }),
  faults: fc.uniqueArray(faultOf, { selector: ({ id }) => id, maxLength: 12 }),
  short: fc.boolean(),
  overlap: fc.boolean(),
});

it('the same seed gives the same schedule, in whatever order the faults were named', () => {
  fc.assert(
    fc.property(optionsOf, (options) => {
      const again = { ...options, faults: [...options.faults].reverse() };
      expect(planSchedule(again)).toEqual(planSchedule(options));
    }),
  );
});

it('how often a fault asks its random moves nothing that comes after it', () => {
  const fault = (id: FaultId, asks: number) => ({
    id,
    weight: 1,
    duration: (random: () => number) => {
      for (let i = 1; i < asks; i += 1) random();
      return 5_000;
    },
  });
  const plan = (asks: number) =>
    planSchedule({ seed: 7, minutes: 10, faults: [fault('F1', asks), fault('F3', 1)], short: false });
  expect(plan(9)).toEqual(plan(1));
  expect(plan(1).length).toBeGreaterThan(10);
});

it('another seed gives another schedule', () => {
  const faults = (['F1', 'F3', 'F7'] as const).map((id) => ({ id, weight: 1, duration: () => 1_000 }));
  const plans = Array.from({ length: 20 }, (_, seed) =>
    planSchedule({ seed, minutes: 5, faults, short: false })
      .map(({ fault }) => fault)
      .join(),
  );
  expect(new Set(plans).size).toBeGreaterThan(15);
});

it('every fault ends within the flow, and the faults that overlap are two at most, of a soak', () => {
  fc.assert(
    fc.property(optionsOf, (options) => {
      const plan = planSchedule(options);
      const bouts = boutsOf(plan);
      expect(bouts.flat()).toEqual(plan);
      for (const { atMs, durationMs, salt } of plan) {
        expect(atMs + durationMs).toBeLessThan(options.minutes * 60_000);
        expect(salt).toBe(salt >>> 0);
      }
      for (const bout of bouts) expect(bout.length).toBeLessThanOrEqual(options.overlap ? 2 : 1);
    }),
  );
});

it('between two bouts of faults there is a gap in which recovery is measured', () => {
  fc.assert(
    fc.property(optionsOf, (options) => {
      const bouts = boutsOf(planSchedule(options));
      bouts.slice(1).forEach((bout, i) => {
        const endMs = Math.max(...(bouts[i] ?? []).map(({ atMs, durationMs }) => atMs + durationMs));
        expect(Math.min(...bout.map(({ atMs }) => atMs)) - endMs).toBeGreaterThanOrEqual(options.short ? 2_000 : 6_000);
      });
    }),
  );
});

it('each chosen fault comes at least once where the time allows', () => {
  fc.assert(
    fc.property(optionsOf, (options) => {
      const longest = options.faults.reduce((sum, fault) => sum + fault.longest + 14_000, 10_000 + 14_000);
      const minutes = longest / 60_000;
      const came = new Set(planSchedule({ ...options, minutes }).map(({ fault }) => fault));
      expect([...came].sort()).toEqual(options.faults.map(({ id }) => id).sort());
    }),
  );
});

it('one fault alone comes again and again, also one that a mixed run never draws', () => {
  const plan = planSchedule({
    seed: 3,
    minutes: 5,
    faults: [{ id: 'F27', weight: 0, duration: () => 5_000 }],
    short: false,
  });
  expect(plan.length).toBeGreaterThan(8);
  expect(new Set(plan.map(({ fault }) => fault))).toEqual(new Set(['F27']));
});

it('in a mixed run what has no weight comes once, and the others by theirs', () => {
  const faults = [
    { id: 'F1' as const, weight: 9, duration: () => 100 },
    { id: 'F3' as const, weight: 1, duration: () => 100 },
    { id: 'F27' as const, weight: 0, duration: () => 100 },
  ];
  const plan = planSchedule({ seed: 1, minutes: 600, faults, short: true }).map(({ fault }) => fault);
  const times = (id: FaultId) => plan.filter((fault) => fault === id).length;
  expect(times('F27')).toBe(1);
  expect(times('F1') / times('F3')).toBeGreaterThan(6);
  expect(times('F1') / times('F3')).toBeLessThan(13);
});

it('a soak overlaps faults that take hold of different things, and never two that share one', () => {
  const held: [FaultId, readonly Resource[] | undefined][] = [
    ['F1', ['relay']],
    ['F6', ['relay', 'worker']],
    ['F8', ['outbox-db']],
    ['F18', ['ledger']],
    ['F7', undefined],
  ];
  const faults = held.map(([id, resources]) => ({
    id,
    weight: 1,
    duration: () => 10_000,
    ...(resources && { resources }),
  }));
  const bouts = boutsOf(planSchedule({ seed: 5, minutes: 120, faults, short: false, overlap: true }));
  const pairs = bouts.filter(({ length }) => length === 2).map((bout) => bout.map(({ fault }) => fault));
  expect(pairs.length).toBeGreaterThan(10);
  for (const pair of pairs) {
    expect(pair).not.toContain('F7');
    expect(pair.filter((id) => id === 'F1' || id === 'F6').length).toBeLessThan(2);
  }
});

it('no faults: no schedule', () => {
  expect(planSchedule({ seed: 1, minutes: 60, faults: [], short: false })).toEqual([]);
});

it('what was asked for by name and has no time to come is refused, with the minutes that do', () => {
  const faults = (['F1', 'F9'] as const).map((id) => ({ id, weight: 1, duration: () => 50_000 }));
  const options = { seed: 3, faults, short: false };
  expect(() => refuseUnplaced({ ...options, minutes: 1 })).toThrow(
    /^no time for F\d, F\d in 1 minute: .* --minutes 3$/,
  );
  expect(() => refuseUnplaced({ ...options, minutes: 2 })).toThrow(/^no time for F\d in 2 minutes: .* --minutes 3$/);
  expect(() => refuseUnplaced({ ...options, minutes: 3 })).not.toThrow();
});
