// Tells alerts in a process of its own, to be killed: the built package under a real lease, by one webhook. Arguments:
// database URL, URL of the webhook, `before` (says "sending" and never sends) or `after` (sends, says "sent" and hangs).

import { tellAlerts } from '../../dist/src/application/delivery/notify/tell-alerts.js';
import { systemTime } from '../../dist/src/application/delivery/relay-time.js';
import { runUnderLease } from '../../dist/src/application/delivery/run-under-lease.js';
import { webhookNotifier } from '../../dist/src/index.js';
import { createAlertStore } from '../../dist/src/infrastructure/prisma/alert-store.js';
import { createLeaseStore } from '../../dist/src/infrastructure/prisma/lease-store.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';

const [databaseUrl, url, when] = process.argv.slice(2);
const pool = createPool(databaseUrl);
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
const deps = {
  alerts: createAlertStore(pool),
  notifiers: [notifier],
  routes: {},
  links: { deployment: 'test', monitorUrl: null },
  context: { log, time: systemTime },
};
runUnderLease(
  { leases: createLeaseStore(pool), time: systemTime, log },
  { name: 'alerts', everyMs: 10, leaseMs: 1_500, turn: (hold, signal) => tellAlerts(deps, hold, signal) },
);
