import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createActivities } from '../../activities/create-activities.js';
import { askEffectsAgain } from '../application/delivery/ask-effects-again.js';
import { BATCH_PLACES, dispatchBatch } from '../application/delivery/coalescing/dispatch-batch.js';
import { watchDestinations } from '../application/delivery/destinations/watch-destinations.js';
import { dispatchEvent } from '../application/delivery/dispatch-event.js';
import { createDispatcher } from '../application/delivery/dispatcher.js';
import { createEffectFinder } from '../application/delivery/find-effect.js';
import { raiseAlert } from '../application/delivery/notify/raise-alert.js';
import { recordDeadLetter } from '../application/delivery/record-dead-letter.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { runUnderLease } from '../application/delivery/run-under-lease.js';
import { createSemaphore, type Semaphore } from '../application/delivery/semaphore.js';
import { noteOutcome, traceDispatcher, traceFinder, traceHttp } from '../application/delivery/trace-dispatch.js';
import type { WorkerVersion } from '../application/delivery/worker-version.js';
import { countSettled } from '../application/metrics/count-settled.js';
import { type MetricSample, NO_METRICS, sampleOf } from '../application/metrics/metrics.js';
import { DEFAULT_BREAKER } from '../domain/delivery/breaker.js';
import { createRedactor } from '../domain/redaction/redactor.js';
import { createHttpClient } from '../infrastructure/http/create-http-client.js';
import { createAttemptStore } from '../infrastructure/prisma/attempt-store.js';
import { createBatchStore } from '../infrastructure/prisma/batch-store.js';
import { createBreakerStore } from '../infrastructure/prisma/breaker-store.js';
import { createDeadLetterStore } from '../infrastructure/prisma/dead-letter-store.js';
import { createEffectStore } from '../infrastructure/prisma/effect-store.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { createDeliveryWorker, readWorkflowBundle } from '../infrastructure/temporal/delivery-worker.js';
import { createTaskSlots, type TaskSlots, tellLocalCalls, tellWaits } from '../infrastructure/temporal/task-slots.js';
import { readVersionRouting } from '../infrastructure/temporal/version-routing.js';
import { slotsFor } from '../infrastructure/temporal/worker-slots.js';
import { deliveryHandlers } from './delivery-handlers.js';
import { dutyLeaseMs } from './duty-lease.js';
import { TransactionPooledError } from './refuse-transaction-pooling.js';
import type { DeliveryContext, StartedRole } from './role.js';
import { createSessionCheck, type SessionCheck } from './session-check.js';
import { groupNotifier, noticeTimes } from './start-notices.js';
import { startRetention } from './start-retention.js';
import { startSealer } from './start-sealer.js';
import { startVerifications } from './start-verifications.js';
import { type WorkerVersionWatch, watchWorkerVersion, workerVersionOf } from './watch-worker-version.js';

/** How soon after its time a letter's destination is asked again (R18). */
const EFFECTS_EVERY_MS = 5_000;

/** The `worker` role: workflows, activities, dispatcher, handlers; beside them what seals, keeps and verifies the audit log. */
export async function startWorkerRole(
  context: DeliveryContext,
  { besideRelay }: { readonly besideRelay: boolean },
): Promise<StartedRole> {
  const sessions = createSessionCheck(context.settings.auditDatabaseUrl);
  await refusePooledAuditLog(context, sessions);
  const { settings, config, log, counters, metrics = NO_METRICS, delivery, traces } = context;
  const tracing = traces?.tracing;
  const plainHttp = createHttpClient();
  const http = tracing === undefined ? plainHttp : traceHttp(tracing, plainHttp);
  const redactor = createRedactor(config.redaction);
  const handlers = deliveryHandlers(context);
  const places = { local: settings.localPlaces, regular: settings.regularPlaces };
  const breaker = { ...DEFAULT_BREAKER, openMs: settings.breakerOpenMs };
  const destinations = watchDestinations({
    store: createBreakerStore(delivery.pool, breaker),
    log,
    now: () => performance.now(),
    random: Math.random,
    settings: breaker,
  });
  const slots = slotsFor(handlers.length, places);
  const taskSlots = besideRelay ? undefined : createTaskSlots(slots.workflowTasks);
  const ownDispatcher = createDispatcher({ handlers, http, log, places, watch: destinations });
  const plainDispatcher = taskSlots === undefined ? ownDispatcher : tellLocalCalls(ownDispatcher, taskSlots);
  const dispatcher = tracing === undefined ? plainDispatcher : traceDispatcher(tracing, plainDispatcher, handlers);
  const onSettled = countSettled(metrics);
  const attempts = createAttemptStore(delivery.pool, onSettled);
  const deadLetters = createDeadLetterStore(delivery.pool);
  const effects = createEffectStore(delivery.pool);
  const plainFinder = createEffectFinder({ handlers, http, log });
  const finder = tracing === undefined ? plainFinder : traceFinder(tracing, plainFinder, handlers);
  const asking = { effects, attempts, finder, log };
  const { taskQueue } = delivery;
  const notFound = { kind: 'event_not_found', subject: taskQueue, fields: { taskQueue } } as const;
  const onEventNotFound = () => void raiseAlert(delivery.alerts, notFound);
  const onFencedSettle = (rows = 1) => {
    counters.count('fenced_settles', rows);
    metrics.count('outbox_fenced_writes_total', { write: 'settle' }, rows);
  };
  const batches = {
    ...{
      batches: createBatchStore(delivery.pool, attempts, onSettled),
      dispatcher,
      log,
      random: Math.random,
      redactor,
      onEventNotFound,
    },
    placesOf: placesByDestination(taskSlots),
    lastTookMs: new Map<string, number>(),
    onFencedSettle,
    metrics,
  };
  const identity = `${hostname()}:${process.pid}`.slice(-80);
  // Untraced, the bundle and its histories are what they are without any of this.
  const plainBundle = await readBundle('workflow-bundle.js');
  const workflowBundle = traces === undefined ? plainBundle : await readBundle('workflow-bundle-traced.js');
  const version = workerVersionOf(settings, plainBundle.code);
  const worker = await createDeliveryWorker({
    connection: delivery.connection,
    namespace: delivery.target.namespace,
    taskQueue,
    identity,
    workflowBundle,
    traced: traces?.temporal?.worker,
    ...(version === null ? {} : { version }),
    activities: createActivities({
      dispatchEvent: async (input) => {
        const outcome = await dispatchEvent(
          {
            attempts,
            dispatcher,
            log,
            random: Math.random,
            redactor,
            onFencedSettle: () => onFencedSettle(),
            onEventNotFound,
            destinations,
            metrics,
          },
          input,
        );
        if (tracing !== undefined) noteOutcome(tracing, input.run, outcome);
        return outcome;
      },
      dispatchBatch: (input) => dispatchBatch(batches, input),
      recordDeadLetter: (input, signal) => recordDeadLetter({ ...asking, deadLetters, metrics }, input, signal),
      notifier: groupNotifier(context),
      notices: noticeTimes(settings),
      log,
      identity,
    }),
    slots,
    taskSlots,
    // After the relay's third, and before the rest is closed.
    shutdownGraceMs: Math.max(500, Math.floor((settings.shutdownGraceMs * 2) / 3) - 2_000),
  });
  const asks = runUnderLease(
    { leases: createLeaseStore(delivery.pool), time: systemTime, log },
    {
      name: 'effects',
      leaseMs: dutyLeaseMs(settings),
      everyMs: EFFECTS_EVERY_MS,
      turn: (hold, signal) => askEffectsAgain(asking, hold, signal),
    },
  );
  const sealer = startSealer(context, sessions);
  const retention = startRetention(context, sessions);
  const verifications = startVerifications(context, sessions);
  const versions = version === null ? null : watchVersion(context, version);
  let stopping = false;
  const running = worker.run();
  const failed = new Promise<never>((_, reject) => {
    const end = (cause?: unknown) => {
      if (!stopping) reject(new Error('the Temporal worker ended by itself', { cause }));
    };
    running.then(() => end(), end);
  });
  failed.catch(() => {}); // for whoever listens; nobody has to
  return {
    name: 'worker',
    port: null,
    notReady: async () =>
      worker.getState() === 'RUNNING' ? (versions?.notReady() ?? null) : `the Temporal worker is ${worker.getState()}`,
    samples: () => routedSamples(versions),
    warnings: async () => [
      ...(versions?.warnings() ?? []),
      ...sessions.warnings(),
      ...((await sealer?.warnings()) ?? []),
      ...(retention?.warnings() ?? []),
      ...(verifications?.warnings() ?? []),
    ],
    hint: () => {},
    failed,
    async stop() {
      stopping = true;
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.all([versions?.stop(), asks.stop(), sealer?.stop(), retention?.stop(), verifications?.stop()]);
      await running.catch(() => {}); // told by `failed`; what stands behind it must be closed all the same
      await destinations.stop();
      await http.close();
    },
  };
}

const readBundle = (name: string) => readWorkflowBundle(fileURLToPath(new URL(`../../${name}`, import.meta.url)));

function watchVersion({ delivery, log }: DeliveryContext, version: WorkerVersion) {
  const { connection, target } = delivery;
  const readRouting = () => readVersionRouting(connection, target.namespace, version.deploymentName);
  return watchWorkerVersion({ readRouting, log }, version);
}

/** Without a version a worker is one of all that may get any run. */
function routedSamples(versions: WorkerVersionWatch | null): readonly MetricSample[] {
  const routed = versions === null ? true : versions.routed();
  return routed === null ? [] : [sampleOf('outbox_worker_version_routed', {}, routed ? 1 : 0)];
}

/** Only of destinations that a relay coalesces for, which are those of a configuration. */
function placesByDestination(taskSlots: TaskSlots | undefined): (destination: string) => Semaphore {
  const places = new Map<string, Semaphore>();
  return (destination) => {
    const known = places.get(destination);
    if (known !== undefined) return known;
    const own = createSemaphore(() => BATCH_PLACES, BATCH_PLACES);
    const made = taskSlots === undefined ? own : tellWaits(own, taskSlots);
    places.set(destination, made);
    return made;
  };
}

/** Where it seals. What cannot be asked is no reason not to start: the sealer waits, says so, and asks before its first turn. */
async function refusePooledAuditLog({ log }: DeliveryContext, sessions: SessionCheck): Promise<void> {
  try {
    await sessions.ask();
  } catch (error) {
    if (error instanceof TransactionPooledError) throw error;
    log.warn(
      { waitingFor: 'the audit database', reason: error instanceof Error ? error.message : String(error) },
      'start.waiting',
    );
  }
}
