// The faults are written here, and the world is not touched by them: what is tried is what becomes of one that misbehaves.
import { jest } from '@jest/globals';
import { injectBout, type Planned } from '../../src/main/chaos/inject-bout.js';
import type { ChaosWorld, Fault, FaultOutcome } from '../../src/main/chaos/ports.js';

const WORLD = {} as ChaosWorld;
const planned = (inject: Fault['inject'], more: Partial<Fault> = {}): Planned => ({
  entry: { atMs: 0, fault: 'F1', durationMs: 50, salt: 7 },
  fault: { id: 'F1', title: 'kill', needs: 'staging', weight: 1, duration: () => 50, inject, ...more },
  place: 3,
});
const OUTCOME: FaultOutcome = { happened: 2, what: 'two killed', healedAt: 5, problems: [] };
const options = (signal = new AbortController().signal) => ({ flowBeganAt: Date.now(), short: true, signal });

it('what a fault says stands in the record, with the bound that it names', async () => {
  const [record] = await injectBout(WORLD, [planned(async () => OUTCOME, { recoversWithinSeconds: 35 })], options());
  expect(record).toMatchObject({
    fault: 'F1',
    place: 3,
    happened: 2,
    what: 'two killed',
    healedAt: 5,
    boundSeconds: 35,
    problems: [],
  });
});

it('a run that is to be patient gives each part so many times its seconds, and tells the fault', async () => {
  const seen: number[] = [];
  const inject: Fault['inject'] = async (_, { patience }) => {
    seen.push(patience);
    return OUTCOME;
  };
  const bounds = async (more: { patience?: number }) =>
    (await injectBout(WORLD, [planned(inject)], { ...options(), ...more })).map(({ boundSeconds }) => boundSeconds);
  expect([await bounds({}), await bounds({ patience: 3 })]).toEqual([[10], [30]]);
  expect(seen).toEqual([1, 3]);
});

it('one that did not happen, and one that throws, are problems', async () => {
  const [unseen] = await injectBout(WORLD, [planned(async () => ({ ...OUTCOME, happened: 0 }))], options());
  expect(unseen?.problems).toEqual(['F1 did not happen, so it shows nothing: two killed']);
  const [thrown] = await injectBout(WORLD, [planned(() => Promise.reject(new Error('no relay')))], options());
  expect(thrown?.problems).toEqual([
    'F1 could not be injected: no relay',
    'F1 did not happen, so it shows nothing: no relay',
  ]);
});

it('one that this machine cannot show is no problem of anybody, and is said', async () => {
  const error = Object.assign(new Error('only root may'), { cannotBeShown: true });
  const [thrown] = await injectBout(WORLD, [planned(() => Promise.reject(error))], options());
  expect(thrown).toMatchObject({ happened: 0, problems: [], cannotBeShown: 'only root may' });
});

it('the same salt gives a fault the same numbers, and each of a bout its own duration', async () => {
  const seen: number[] = [];
  const inject: Fault['inject'] = async (_, { random, durationMs, short }) => {
    seen.push(random(), durationMs);
    expect(short).toBe(true);
    return OUTCOME;
  };
  await injectBout(WORLD, [planned(inject)], options());
  await injectBout(WORLD, [planned(inject)], options());
  expect(seen.slice(0, 2)).toEqual(seen.slice(2));
  expect(seen[1]).toBe(50);
});

it('a run that is given up tells its fault, waits until it has healed, and holds nothing against it', async () => {
  const stop = new AbortController();
  let healed = false;
  const inject: Fault['inject'] = async (_, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    healed = true;
    return { ...OUTCOME, happened: 0, problems: [] };
  };
  const running = injectBout(WORLD, [planned(inject)], options(stop.signal));
  stop.abort();
  const [record] = await running;
  expect([healed, record?.problems]).toEqual([true, []]);
});

it('of a bout that is given up the faults that had not begun do not begin', async () => {
  const stop = new AbortController();
  const begun: string[] = [];
  const first = planned(async (_, { signal }) => {
    begun.push('first');
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return OUTCOME;
  });
  const later = planned(async () => {
    begun.push('later');
    return OUTCOME;
  });
  const running = injectBout(
    WORLD,
    [first, { ...later, entry: { ...later.entry, atMs: 60_000 } }],
    options(stop.signal),
  );
  stop.abort();
  expect([await running, begun]).toEqual([[expect.objectContaining({ what: 'two killed' })], ['first']]);
});

it('one that never returns is told to heal and given up, and the run goes on', async () => {
  jest.useFakeTimers();
  try {
    const running = injectBout(WORLD, [planned(() => new Promise(() => {}))], options());
    await jest.advanceTimersByTimeAsync(270_000);
    const [record] = await running;
    expect(record).toMatchObject({ happened: 0, what: 'given up' });
    expect(record?.problems[0]).toBe('F1 to be over: expected within 240 s');
    expect(record?.problems[1]).toBe('F1 to heal once it was given up: expected within 20 s');
  } finally {
    jest.useRealTimers();
  }
});
