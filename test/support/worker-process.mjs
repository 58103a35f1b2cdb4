// A worker in a process of its own, to be killed: the built package, and a dispatcher that says where it is and then
// never answers. Arguments: database URL, Temporal address, task queue.

import { fileURLToPath } from 'node:url';
import { NativeConnection } from '@temporalio/worker';
import { createActivities } from '../../dist/activities/create-activities.js';
import { dispatchBatch } from '../../dist/src/application/delivery/coalescing/dispatch-batch.js';
import { dispatchEvent } from '../../dist/src/application/delivery/dispatch-event.js';
import { recordDeadLetter } from '../../dist/src/application/delivery/record-dead-letter.js';
import { createSemaphore } from '../../dist/src/application/delivery/semaphore.js';
import { createRedactor } from '../../dist/src/domain/redaction/redactor.js';
import { createAttemptStore } from '../../dist/src/infrastructure/prisma/attempt-store.js';
import { createBatchStore } from '../../dist/src/infrastructure/prisma/batch-store.js';
import { createDeadLetterStore } from '../../dist/src/infrastructure/prisma/dead-letter-store.js';
import { createEffectStore } from '../../dist/src/infrastructure/prisma/effect-store.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createDeliveryWorker, readWorkflowBundle } from '../../dist/src/infrastructure/temporal/delivery-worker.js';
import { slotsFor } from '../../dist/src/infrastructure/temporal/worker-slots.js';

const [databaseUrl, address, taskQueue] = process.argv.slice(2);
const pool = createPool(databaseUrl);
const redactor = createRedactor();
const log = { debug() {}, info() {}, warn() {}, error() {} };
const dispatcher = {
  dispatch(event, { mode }) {
    process.stdout.write(`dispatching ${mode} ${event.id}\n`);
    return new Promise(() => {});
  },
  dispatchBatch(events, { mode }) {
    process.stdout.write(`dispatching ${mode} ${events.length} events\n`);
    return new Promise(() => {});
  },
};
const batchPlaces = createSemaphore(() => 4, 4);
const worker = await createDeliveryWorker({
  connection: await NativeConnection.connect({ address }),
  namespace: 'default',
  taskQueue,
  identity: `killed-${process.pid}`,
  workflowBundle: await readWorkflowBundle(fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url))),
  slots: slotsFor(1, { local: 32, regular: 64 }),
  activities: createActivities({
    dispatchBatch: (input) =>
      dispatchBatch(
        {
          batches: createBatchStore(pool, createAttemptStore(pool)),
          dispatcher,
          log,
          redactor,
          random: Math.random,
          placesOf: () => batchPlaces,
          lastTookMs: new Map(),
          onFencedSettle() {},
          onEventNotFound() {},
        },
        input,
      ),
    dispatchEvent: (input) =>
      dispatchEvent(
        {
          attempts: createAttemptStore(pool),
          dispatcher,
          log,
          redactor,
          random: Math.random,
          onFencedSettle() {},
          onEventNotFound() {},
        },
        input,
      ),
    recordDeadLetter: (input, signal) =>
      recordDeadLetter(
        {
          deadLetters: createDeadLetterStore(pool),
          effects: createEffectStore(pool),
          attempts: createAttemptStore(pool),
          finder: { find: async () => ({ kind: 'unsupported' }) },
          log,
        },
        input,
        signal,
      ),
    log,
    identity: `killed-${process.pid}`,
  }),
});
await worker.run();
