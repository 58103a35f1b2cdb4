import { hostname } from 'node:os';
import { createEffectFinder } from '../application/delivery/find-effect.js';
import { AUDIT_ROUTING_KEY } from '../application/delivery/handlers/audit-handler.js';
import { reconcileRuns } from '../application/delivery/reconcile/reconcile-runs.js';
import { recordDeadLetter } from '../application/delivery/record-dead-letter.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { runUnderLease } from '../application/delivery/run-under-lease.js';
import { countSettled } from '../application/metrics/count-settled.js';
import { NO_METRICS } from '../application/metrics/metrics.js';
import { createHttpClient } from '../infrastructure/http/create-http-client.js';
import { createAttemptStore } from '../infrastructure/prisma/attempt-store.js';
import { createDeadLetterStore } from '../infrastructure/prisma/dead-letter-store.js';
import { createEffectStore } from '../infrastructure/prisma/effect-store.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { createReconcileStore } from '../infrastructure/prisma/reconcile-store.js';
import { createRunInspector } from '../infrastructure/temporal/run-inspector.js';
import { deliveryHandlers } from './delivery-handlers.js';
import { dutyLeaseMs } from './duty-lease.js';
import type { DeliveryContext } from './role.js';

const EVERY_MS = 5_000;

/** R21: beside the relay; of all relays of a deployment one does it at a time. */
export function startReconciler(context: DeliveryContext): { stop(): Promise<void> } {
  const { settings, log, counters, metrics = NO_METRICS, delivery } = context;
  const { pool, connection, deployment, taskQueue } = delivery;
  const handlers = deliveryHandlers(context);
  if (settings.auditApiKey === undefined) {
    // Then its letters are written unasked, and the workers ask a minute later (R18).
    log.info({ routingKey: AUDIT_ROUTING_KEY, setting: 'OUTBOX_AUDIT_API_KEY' }, 'reconcile.cannot_ask');
  }
  const http = createHttpClient();
  const letters = {
    deadLetters: createDeadLetterStore(pool),
    effects: createEffectStore(pool),
    attempts: createAttemptStore(pool, countSettled(metrics)),
    finder: createEffectFinder({ handlers, http, log }),
    log,
    metrics,
  };
  const deps = {
    ...delivery.alerts,
    store: createReconcileStore(pool),
    runs: createRunInspector({
      connection,
      namespace: delivery.target.namespace,
      taskQueue,
      identity: `outbox-reconciler@${hostname()}`,
    }),
    namespace: delivery.namespace,
    recordDeadLetter: (input: Parameters<typeof recordDeadLetter>[1], signal: AbortSignal) =>
      recordDeadLetter(letters, input, signal),
    time: systemTime,
    count: counters.count,
  };
  const duty = runUnderLease(
    { leases: createLeaseStore(pool), time: systemTime, log },
    {
      name: 'reconcile',
      leaseMs: dutyLeaseMs(settings),
      everyMs: EVERY_MS,
      turn: (hold, signal) => reconcileRuns(deps, { deployment, taskQueue }, hold, signal),
    },
  );
  return {
    async stop() {
      await duty.stop();
      await http.close();
    },
  };
}
