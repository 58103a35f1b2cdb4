// The watch itself; the store is scripted and keeps what it was told. The real one is in test/integration/breaker-store.
import type { BreakerStore } from '../../src/application/delivery/destinations/ports.js';
import { watchDestinations } from '../../src/application/delivery/destinations/watch-destinations.js';
import { DEFAULT_BREAKER, healthyView, NEW_BREAKER } from '../../src/domain/delivery/breaker.js';

const LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

it('R6: a database that went back to an earlier generation is believed, a late event of an earlier one is not', () => {
  let time = 0;
  const deps = { store: {} as BreakerStore, log: LOG, random: () => 0, settings: DEFAULT_BREAKER };
  const watch = watchDestinations({ ...deps, now: () => time });
  const at = (generation: number) => ({ ...healthyView('crm'), generation });
  const awayAt = (generation: number) => {
    watch.see(at(generation));
    return watch.awayForMs(at(generation)) > 0;
  };
  expect([awayAt(2), awayAt(0)]).toEqual([false, true]);
  time = 4_000;
  expect(awayAt(2)).toBe(false);
  time = 6_000;
  expect(awayAt(0)).toBe(true); // one of the new in between: it is late
  time = 11_000;
  expect(awayAt(0)).toBe(false);
});

it('R6: one slow answer makes no slow destination; of twenty the p95 is told', async () => {
  const told: (number | null)[] = [];
  const store: BreakerStore = {
    report: async (_, { p95Ms }) => {
      told.push(p95Ms);
      return { before: NEW_BREAKER, after: NEW_BREAKER };
    },
    takeTrial: async () => false,
    endTrial: async () => ({ before: NEW_BREAKER, after: NEW_BREAKER }),
  };
  for (const samples of [19, 20]) {
    const watch = watchDestinations({ store, log: LOG, now: () => 0, random: () => 0, settings: DEFAULT_BREAKER });
    const view = healthyView('crm');
    for (let n = 0; n < samples; n += 1) {
      watch.see(view);
      watch.note(view, { weight: 'success', reason: null, tookMs: n < 18 ? 10 : 900 });
    }
    await watch.stop();
  }
  expect(told).toEqual([null, 900]);
});

describe('R6: a trial whose end the store did not take', () => {
  const AWAY = new Error('the store is away');
  const none = { weight: 'none', reason: null } as const;
  /** Away for so many calls; what it was told of ends. */
  const start = (awayFor: number) => {
    const ends: string[] = [];
    let taken = '';
    const store: BreakerStore = {
      report: async () => ({ before: NEW_BREAKER, after: NEW_BREAKER }),
      takeTrial: async (_, token) => {
        taken = token;
        throw AWAY; // written, and not answered
      },
      endTrial: async (_, token, { weight }) => {
        ends.push(`${token} ${weight}`);
        if (ends.length <= awayFor) throw AWAY;
        return null;
      },
    };
    const deps = { store, log: LOG, now: () => performance.now(), random: () => 0, settings: DEFAULT_BREAKER };
    return { watch: watchDestinations(deps), ends, taken: () => taken };
  };

  it('gives its place back once the store answers again, and then no more', async () => {
    const { watch, ends } = start(1);
    watch.endTrial('crm', 'a-token', none);
    while (ends.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    await watch.stop();
    expect(ends).toEqual(['a-token none', 'a-token none']);
  });

  it('gives its place back where it is not known whether it was taken', async () => {
    const { watch, ends, taken } = start(0);
    await expect(watch.takeTrial('crm', 25_000, 1_000)).rejects.toThrow(AWAY);
    await watch.stop();
    expect(ends).toEqual([`${taken()} none`]);
  });

  it('is told once more by a worker that stops, which waits for no store', async () => {
    const { watch, ends } = start(100);
    watch.endTrial('crm', 'a-token', none);
    await new Promise((resolve) => setImmediate(resolve)); // the first answer
    await watch.stop();
    expect(ends).toEqual(['a-token none', 'a-token none']);
  });
});
