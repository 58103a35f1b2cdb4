/** Real: the deadlines of every handler timeout there may be, and the slots for any number of destinations. Nothing runs. */
import fc from 'fast-check';
import { mayWait } from '../../src/application/delivery/dispatcher.js';
import {
  DEFAULT_TIMEOUTS,
  deliveryTimeouts,
  HANDLER_MS,
  startsRegular,
} from '../../src/domain/delivery/delivery-timeouts.js';
import { slotsFor, WORKFLOW_POLLERS } from '../../src/infrastructure/temporal/worker-slots.js';
import { WORKFLOW_TASK_TIMEOUT_MS } from '../../src/infrastructure/temporal/workflow-starter.js';

const handlerMs = fc.integer({ min: HANDLER_MS.min, max: HANDLER_MS.max });

it('R13: each deadline lies inside the next, for every handler, and leaves time to load and to settle', () => {
  fc.assert(
    fc.property(handlerMs, (ms) => {
      for (const { storeMs, sendMs, totalMs, startToCloseMs } of Object.values(deliveryTimeouts(ms))) {
        expect(2 * storeMs + sendMs).toBeLessThanOrEqual(startToCloseMs);
        expect(sendMs).toBeLessThan(totalMs);
        expect(totalMs).toBeLessThan(startToCloseMs);
      }
    }),
  );
});

it('R13: a local attempt that waits as long and takes as long as it may ends before the SDK asks for a second task', () => {
  fc.assert(
    fc.property(handlerMs, (ms) => {
      const { scheduleToStartMs, startToCloseMs } = deliveryTimeouts(ms).local;
      // 80 %: sdk-core, WFT_HEARTBEAT_TIMEOUT_FRACTION; and a fifth of a second for the workflow's own part.
      expect(scheduleToStartMs + startToCloseMs).toBeLessThanOrEqual(0.8 * WORKFLOW_TASK_TIMEOUT_MS - 200);
    }),
  );
});

it('R13: the defaults are those of the rule, with a second for the wait for a place', () => {
  expect(DEFAULT_TIMEOUTS.local).toMatchObject({ storeMs: 300, sendMs: 2_000, scheduleToStartMs: 1_000 });
  expect(DEFAULT_TIMEOUTS.regular).toEqual({ storeMs: 2_000, sendMs: 16_000, totalMs: 19_500, startToCloseMs: 20_000 });
  expect(deliveryTimeouts(700).local).toMatchObject({ sendMs: 700, startToCloseMs: 1_500 });
  expect([15_000, 15_001].map((ms) => startsRegular(deliveryTimeouts(ms)))).toEqual([false, true]);
});

it('R14: with every place of every other destination taken, and as many waiting as may, one has room for its own', () => {
  const places = fc.record({ local: fc.integer({ min: 1, max: 90 }), regular: fc.integer({ min: 1, max: 180 }) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), places, (destinations, each) => {
      const slots = slotsFor(destinations, each);
      const regular = each.regular + mayWait(each);
      expect(slots.regularActivities - destinations * regular).toBeGreaterThanOrEqual((destinations * regular) / 4);
      expect(slots.localActivities - destinations * each.local).toBeGreaterThanOrEqual((destinations * each.local) / 4);
      // A local attempt holds its workflow task's slot, and so does a poller; an eager start needs one beside them.
      expect(slots.workflowTasks - 2 * WORKFLOW_POLLERS).toBeGreaterThan(destinations * each.local);
      expect(slots.cachedWorkflows).toBeGreaterThan(slots.workflowTasks);
    }),
  );
});

it('R14: one destination has what it always had', () => {
  const least = { workflowTasks: 100, localActivities: 100, regularActivities: 200, cachedWorkflows: 500 };
  expect(slotsFor(1, { local: 32, regular: 64 })).toEqual(least);
});
