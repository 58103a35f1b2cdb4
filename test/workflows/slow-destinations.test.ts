/**
 * R14 on one worker with five destinations, four of them with every place taken. Real: Temporal, PostgreSQL, the worker with
 * the slots it is given in production, dispatcher and definitions. Fake: the handlers' destinations, which answer on demand.
 */
import { isDeepStrictEqual } from 'node:util';
import { defineHandler } from '../../src/application/delivery/define-handler.js';
import { createDispatcher } from '../../src/application/delivery/dispatcher.js';
import type { ClaimedEvent } from '../../src/application/delivery/ports.js';
import { type DeliveryTimeouts, deliveryTimeouts } from '../../src/domain/delivery/delivery-timeouts.js';
import { FakeHttpClient } from '../../src/infrastructure/http/fake-http-client.js';
import { createTaskSlots, tellLocalCalls } from '../../src/infrastructure/temporal/task-slots.js';
import { slotsFor } from '../../src/infrastructure/temporal/worker-slots.js';
import {
  createDeliveryLine,
  createDeliveryStore,
  type DeliveryStore,
  PLACES,
  readHistory,
  silentLog,
  TEST_TIMEOUTS,
} from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';

const SLOW = ['slow.one', 'slow.two', 'slow.three', 'slow.four'];
let store: DeliveryStore;
/** Called off and stopped whatever becomes of a test. */
const open: (() => Promise<void>)[] = [];
beforeAll(async () => {
  store = await createDeliveryStore();
});
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});
afterAll(() => store.close());

/** Far longer than a local attempt may take, so that they all hold their places and their workflow tasks until let go. */
const HELD: DeliveryTimeouts = {
  ...TEST_TIMEOUTS,
  local: { ...TEST_TIMEOUTS.local, sendMs: 50_000, totalMs: 55_000, startToCloseMs: 60_000 },
};

it.each<[ClaimedEvent['firstAttempt'], string, number, DeliveryTimeouts, readonly string[]]>([
  // Above its 64 places some wait for one, and hold a slot meanwhile.
  ['regular', 'with a relay', 70, deliveryTimeouts(600_000), ['scheduled dispatchEvent']],
  ['local', 'with a relay', 32, HELD, ['marker']],
  ['local', 'alone', 32, HELD, ['marker']],
])(
  'R14: four slow destinations with all %s places taken, in a worker %s: twenty events of a fast one are DELIVERED meanwhile',
  async (firstAttempt, beside, each, timeouts, steps) => {
    const places = PLACES[firstAttempt];
    const letGo = Promise.withResolvers<void>();
    const called: string[] = [];
    const ended: string[] = [];
    const slow = SLOW.map((routingKey) =>
      defineHandler({
        routingKey,
        timeoutMs: 600_000,
        deliver: async ({ id }) => {
          called.push(id);
          await letGo.promise;
          ended.push(id);
          return { id };
        },
      }),
    );
    const fast = defineHandler({ routingKey: 'fast', deliver: async ({ id }) => ({ id }) });
    const handlers = [...slow, fast];
    const own = createDispatcher({ handlers, http: new FakeHttpClient(), log: silentLog, places: PLACES });
    const slots = slotsFor(handlers.length, PLACES);
    const taskSlots = createTaskSlots(slots.workflowTasks);
    const line = await (beside === 'alone'
      ? createDeliveryLine({
          ...{ store, timeouts, slots, taskSlots, eager: false },
          dispatcher: tellLocalCalls(own, taskSlots),
        })
      : createDeliveryLine({ store, dispatcher: own, timeouts, slots }));
    open.push(async () => {
      letGo.resolve();
      await line.stop();
    });
    const start = async (routingKey: string) => {
      const id = await store.append({ routingKey });
      expect(await line.start(id, { firstAttempt, destination: routingKey })).toMatchObject({ kind: 'started' });
      return id;
    };
    const slowIds = (await Promise.all(SLOW.map((key) => startAll(key, each)))).flat();
    await eventually('every place taken', async () => new Set(called).size === SLOW.length * places, 40_000);

    const fastIds = await startAll('fast', 20);
    const asMeant: string[] = [];
    for (const id of fastIds) {
      expect(await line.run(id).result()).toMatchObject({ kind: 'delivered' });
      if (isDeepStrictEqual(await readHistory(line.run(id)), steps)) asMeant.push(id);
    }
    // Local attempts: workflow tasks that are held run out where the machine stands still: theirs are called again, as regular ones.
    expect(asMeant.length).toBeGreaterThanOrEqual(firstAttempt === 'regular' ? fastIds.length : fastIds.length / 2);
    expect(ended).toEqual([]);
    expect(new Set(called).size).toBe(SLOW.length * places);
    const statuses = await store.pool.query('SELECT DISTINCT status FROM outbox.delivery WHERE event_id = ANY ($1)', [
      slowIds,
    ]);
    expect(statuses.rows).toEqual([{ status: 'STARTED' }]);

    letGo.resolve();
    for (const id of slowIds) expect(await line.run(id).result()).toMatchObject({ kind: 'delivered' });
    if (firstAttempt === 'regular') expect(new Set(called).size).toBe(called.length);

    async function startAll(routingKey: string, count: number): Promise<string[]> {
      const ids: string[] = [];
      for (let n = 0; n < count; n++) ids.push(await start(routingKey));
      return ids;
    }
  },
  120_000,
);
