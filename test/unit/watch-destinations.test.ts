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
