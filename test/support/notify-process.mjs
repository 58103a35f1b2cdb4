// Runs `notifyGroup` in a process of its own, to be killed: the built package, by one webhook. Arguments: database URL,
// Temporal address, task queue, URL of the webhook, `before` (says "there" and never sends) or `after` (sends, then says
// "there" instead of answering).
import { fileURLToPath } from 'node:url';
import { NativeConnection } from '@temporalio/worker';
import { createActivities } from '../../dist/activities/create-activities.js';
import { createGroupNotifier } from '../../dist/src/application/delivery/notify/notify-group.js';
import { webhookNotifier } from '../../dist/src/index.js';
import { createNotificationStore } from '../../dist/src/infrastructure/prisma/notification-store.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createDeliveryWorker, readWorkflowBundle } from '../../dist/src/infrastructure/temporal/delivery-worker.js';
import { slotsFor } from '../../dist/src/infrastructure/temporal/worker-slots.js';

const [databaseUrl, address, taskQueue, url, when] = process.argv.slice(2);
const log = { debug() {}, info() {}, warn() {}, error() {} };
const hook = webhookNotifier({
  url,
  secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
  allowHosts: ['127.0.0.1'],
});
const notifier = {
  name: 'webhook',
  async send(notice, context) {
    if (when === 'after') await hook.send(notice, context);
    process.stdout.write('there\n');
    return new Promise(() => {});
  },
};
const worker = await createDeliveryWorker({
  connection: await NativeConnection.connect({ address }),
  namespace: 'default',
  taskQueue,
  identity: `killed-${process.pid}`,
  workflowBundle: await readWorkflowBundle(fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url))),
  slots: slotsFor(1, { local: 32, regular: 64 }),
  activities: createActivities({
    notifier: createGroupNotifier({
      store: createNotificationStore(createPool(databaseUrl)),
      notifiers: [notifier],
      routes: {},
      links: { deployment: 'test', monitorUrl: null },
      temporalUi: null,
      log,
    }),
    log,
    identity: `killed-${process.pid}`,
  }),
});
await worker.run();
