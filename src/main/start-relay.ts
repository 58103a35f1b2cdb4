import { watchBacklog } from '../application/delivery/coalescing/watch-backlog.js';
import { runRedriveJobs } from '../application/delivery/dead-letters/redrive-job.js';
import { AUDIT_ROUTING_KEY } from '../application/delivery/handlers/audit-handler.js';
import type { CoalescingLane } from '../application/delivery/monitor/ports.js';
import { DEFAULT_POLL } from '../application/delivery/poll-schedule.js';
import { relayOutbox } from '../application/delivery/relay-outbox.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { runUnderLease } from '../application/delivery/run-under-lease.js';
import { NO_METRICS } from '../application/metrics/metrics.js';
import { DEFAULT_TIMEOUTS, deliveryTimeouts } from '../domain/delivery/delivery-timeouts.js';
import { batchRunPrefix } from '../domain/delivery/workflow-ids.js';
import { createDeadLetterStore } from '../infrastructure/prisma/dead-letter-store.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { createRedriveJobStore } from '../infrastructure/prisma/redrive-job-store.js';
import { createRelayStore } from '../infrastructure/prisma/relay-store.js';
import { createWorkflowStarter } from '../infrastructure/temporal/workflow-starter.js';
import { dutyLeaseMs } from './duty-lease.js';
import { failAt } from './fail-at.js';
import type { DeliveryContext, StartedRole } from './role.js';
import { startBooks } from './start-books.js';
import { startEventRetention } from './start-event-retention.js';
import { startFigures } from './start-figures.js';
import { raiseRefusedStarts, startNoticeDuties } from './start-notices.js';
import { startReconciler } from './start-reconciler.js';
import { watchNamespace } from './watch-namespace.js';

export interface StartedRelay extends StartedRole {
  /** What may travel many to a run, and whether it does now. */
  readCoalescing(): readonly CoalescingLane[];
}

/** The `relay` role. `eager`: a worker shares this process and its connection. */
export function startRelayRole(context: DeliveryContext, options: { eager: boolean }): StartedRelay {
  const { settings, config, log, counters, metrics = NO_METRICS, delivery, traces } = context;
  const tracing = traces?.tracing;
  const interceptor = traces?.temporal?.client;
  // A handler that only the worker's configuration has gets the default, and the worker says so.
  const timeouts = new Map((config.handlers ?? []).map((h) => [h.routingKey, deliveryTimeouts(h.timeoutMs)]));
  const namespace = watchNamespace(
    delivery.namespace,
    createWorkflowStarter({
      connection: delivery.connection,
      namespace: delivery.target.namespace,
      deployment: delivery.deployment,
      taskQueue: delivery.taskQueue,
      timeoutsOf: (destination) => timeouts.get(destination) ?? DEFAULT_TIMEOUTS,
      searchAttributes: delivery.searchAttributes,
      eager: options.eager,
      monitorUrl: settings.monitorUrl,
      traced: tracing && interceptor && { tracing, interceptor },
    }),
  );
  const reconciler = startReconciler(context);
  for (const { eventType, from: stored, to: configured } of delivery.orderingChanges) {
    const mend = 'run `outbox policies apply --ordering`';
    log.warn({ eventType, configured, stored, mend }, 'relay.ordering_differs');
  }
  const onClaimTook = (ms: number) => metrics.observe('outbox_claim_duration_seconds', {}, ms / 1_000);
  const store = createRelayStore(delivery.pool, { onClaimTook });
  // Every destination that this configuration knows to take events together; a worker that knows it otherwise says so, and
  // its events go on one by one.
  const own = (config.handlers ?? []).filter((handler) => handler.deliverBatch !== undefined);
  const together = [AUDIT_ROUTING_KEY, ...own.map(({ routingKey }) => routingKey)];
  const backlog = watchBacklog(
    { store, time: systemTime, log },
    { destinations: together, coalescings: delivery.coalescings },
  );
  const relay = relayOutbox(
    {
      store,
      starter: namespace.starter,
      deadLetters: createDeadLetterStore(delivery.pool),
      time: systemTime,
      telemetry: { log, count: (name, by) => counters.count(name, by), metrics },
      onStartsRefused: raiseRefusedStarts(context),
      tracing,
    },
    {
      policies: delivery.policies,
      coalescing: { backlog, carrierPrefix: batchRunPrefix(delivery.deployment) },
      leaseMs: settings.leaseMs,
      batch: settings.batch,
      inFlight: settings.startsAtOnce,
      startTimeoutMs: settings.startTimeoutMs,
      maxRuns: settings.maxRuns,
      poll: { ...DEFAULT_POLL, floorMs: settings.pollFloorMs, idleMs: settings.pollIdleMs },
      graceMs: Math.floor(settings.shutdownGraceMs / 3),
      failpoint: failAt(settings.testFailpoint),
    },
  );
  const jobs = createRedriveJobStore(delivery.pool, { failpoint: failAt(settings.testFailpoint) });
  const duties = [
    runUnderLease(
      { leases: createLeaseStore(delivery.pool), time: systemTime, log },
      {
        name: 'jobs',
        leaseMs: dutyLeaseMs(settings),
        everyMs: 1_000,
        turn: (hold, signal) => runRedriveJobs({ jobs, time: systemTime, log }, hold, signal),
      },
    ),
    startNoticeDuties(context),
    startBooks(context),
    startFigures(context),
    startEventRetention(context),
  ];
  return {
    name: 'relay',
    port: null,
    notReady: async () =>
      delivery.namespace.isOurs() ? null : "Temporal's namespace is not the one that this outbox's runs are in",
    hint: () => relay.hint(),
    readCoalescing: () => backlog.read(),
    stop: async () => {
      await Promise.all([relay.stop(), reconciler.stop(), namespace.stop(), ...duties.map((duty) => duty?.stop())]);
    },
  };
}
