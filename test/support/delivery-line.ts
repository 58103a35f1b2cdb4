/**
 * What a test of the delivery needs around it: rows as the producer and the relay would leave them, the real stores,
 * workflow, activities and starter on a real PostgreSQL and Temporal. Only the dispatcher is scripted.
 */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, type WorkflowBundleOption } from '@temporalio/worker';
import type pg from 'pg';
import { createActivities } from '../../activities/create-activities.js';
import { dispatchBatch } from '../../src/application/delivery/coalescing/dispatch-batch.js';
import { type RedriveOutcome, redriveLetters } from '../../src/application/delivery/dead-letters/redrive-letters.js';
import { dispatchEvent } from '../../src/application/delivery/dispatch-event.js';
import { createGroupNotifier } from '../../src/application/delivery/notify/notify-group.js';
import type { NoticeTimes, Notifier } from '../../src/application/delivery/notify/ports.js';
import type {
  AttemptStore,
  BatchDispatcher,
  BatchStore,
  ClaimedEvent,
  DeadLetterStore,
  Dispatcher,
  DispatchOptions,
  EffectFinder,
  Logger,
} from '../../src/application/delivery/ports.js';
import { recordDeadLetter } from '../../src/application/delivery/record-dead-letter.js';
import { createSemaphore } from '../../src/application/delivery/semaphore.js';
import { DEFAULT_TIMEOUTS, type DeliveryTimeouts } from '../../src/domain/delivery/delivery-timeouts.js';
import type { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { DEFAULT_POLICY, type RetryPolicy } from '../../src/domain/delivery/policy.js';
import type { Receipt } from '../../src/domain/delivery/receipt.js';
import { batchRunId, eventRunId } from '../../src/domain/delivery/workflow-ids.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { createAttemptStore } from '../../src/infrastructure/prisma/attempt-store.js';
import { createBatchStore } from '../../src/infrastructure/prisma/batch-store.js';
import { createDeadLetterActions } from '../../src/infrastructure/prisma/dead-letter-actions.js';
import { createDeadLetterStore } from '../../src/infrastructure/prisma/dead-letter-store.js';
import { createEffectStore } from '../../src/infrastructure/prisma/effect-store.js';
import { createNotificationStore } from '../../src/infrastructure/prisma/notification-store.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createDeliveryWorker, readWorkflowBundle } from '../../src/infrastructure/temporal/delivery-worker.js';
import { searchAttributeNames } from '../../src/infrastructure/temporal/search-attributes.js';
import type { TaskSlots } from '../../src/infrastructure/temporal/task-slots.js';
import { slotsFor, type WorkerSlots } from '../../src/infrastructure/temporal/worker-slots.js';
import { createWorkflowStarter } from '../../src/infrastructure/temporal/workflow-starter.js';
import type { BatchActivities, DeliveryActivities } from '../../workflows/contract.js';
import { built } from './built.js';
import { createTestDatabases } from './databases.js';
import { temporalAddress } from './temporal.js';

/** Retries at once, so that no test waits for a backoff that it is not about. */
export const FAST_POLICY: RetryPolicy = {
  ...DEFAULT_POLICY,
  maxAttempts: 4,
  backoff: { kind: 'fixed', intervalMs: 1 },
};
export const FAST_POLICY_HASH = 'fast';

/**
 * The defaults, with more time for everything in a local attempt: a machine that stands still for seconds makes none of them
 * regular, and lets none be lost that only gives up late. A batch writes twice after it has sent.
 */
export const TEST_TIMEOUTS: DeliveryTimeouts = {
  ...DEFAULT_TIMEOUTS,
  local: { storeMs: 10_000, sendMs: 6_000, totalMs: 27_000, startToCloseMs: 37_000, scheduleToStartMs: 10_000 },
};
/** A local attempt that holds a receipt gives up soon where it cannot settle, long before its workflow task runs out. */
export const GIVES_UP_SOON: DeliveryTimeouts = {
  ...TEST_TIMEOUTS,
  local: { ...TEST_TIMEOUTS.local, storeMs: 900, sendMs: 1_000, totalMs: 3_000 },
};

/** The defaults of the settings. */
export const PLACES = { local: 32, regular: 64 };

export const silentLog: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface DeliveryRow {
  readonly status: string;
  readonly epoch: number;
  readonly receipt: { id: string } | null;
}

export interface AttemptRow {
  readonly n: number;
  readonly local: boolean;
  readonly code: string | null;
  readonly finished: boolean;
}

/** A row that was carried, and what left its batch with it. */
export interface CarriedRow {
  readonly status: string;
  readonly epoch: number;
  readonly carrier: string | null;
  readonly budget_epoch: number;
  readonly no_coalesce: boolean;
  readonly doubtful: boolean;
  readonly receipt: string | null;
  /** `<epoch>/<n> <code>`, and ` local` and ` carried` where it was. */
  readonly attempts: readonly string[];
}

/** Databases with a policy that retries at once, and the rows of a test. */
export async function createDeliveryStore() {
  const databases = await createTestDatabases();
  const pool = createPool(databases.outboxUrl);
  await pool.query('INSERT INTO outbox.policy (hash, body) VALUES ($1, $2)', [FAST_POLICY_HASH, FAST_POLICY]);
  const one = async <T>(text: string, ...values: unknown[]) => (await pool.query(text, values)).rows[0] as T;
  const actions = createDeadLetterActions(pool);
  return {
    pool,
    url: databases.outboxUrl,
    attempts: createAttemptStore(pool),
    batches: createBatchStore(pool, createAttemptStore(pool)),
    deadLetters: createDeadLetterStore(pool),
    effects: createEffectStore(pool),
    one,

    /** As the producer appends it and the relay marks it; `status` PENDING: as a run meets it that is faster. */
    async append(
      options: {
        status?: 'PENDING' | 'STARTED';
        policyHash?: string;
        payload?: string;
        routingKey?: string;
        eventType?: string;
        tenantId?: string;
        carrier?: string;
      } = {},
    ) {
      const { status = 'STARTED', policyHash = FAST_POLICY_HASH, payload = '{"total":1}' } = options;
      const { routingKey = 'test.destination', eventType = 'ORDER', tenantId = 'acme', carrier = null } = options;
      const { id } = await one<{ id: string }>(
        `SELECT outbox.record_event(jsonb_build_object('eventName', 'order.order.placed.v1', 'eventType', $3::text,
           'routingKey', $2::text, 'tenantId', $4::text, 'aggregate', jsonb_build_object('type', 'order', 'id', '1'),
           'headers', jsonb_build_object('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
           'payload', $1::jsonb)) AS id`,
        payload,
        routingKey,
        eventType,
        tenantId,
      );
      await pool.query(
        'UPDATE outbox.delivery SET status = $2, policy_hash = $3, started_at = now(), carrier = $4 WHERE event_id = $1',
        [id, status, policyHash, carrier],
      );
      return id;
    },

    /** R2: the event's latest letter. */
    async redrive(eventId: string, actor = 'ada') {
      const which = { ids: [eventId], tenantId: null };
      const [outcome] = await redriveLetters(
        { actions, ask: async () => ({ kind: 'not-asked' }), log: silentLog },
        which,
        { actor, reason: 'mended' },
      );
      return outcome as RedriveOutcome;
    },
    actions,

    delivery: (id: string) =>
      one<DeliveryRow>('SELECT status, epoch, receipt FROM outbox.delivery WHERE event_id = $1', id),
    /** In their order: where each stands, and what travels on with it. */
    async carriedRows(ids: readonly string[]): Promise<CarriedRow[]> {
      const text = `SELECT d.status, d.epoch, d.carrier, d.budget_epoch, d.no_coalesce, d.doubtful, d.receipt->>'id' AS receipt,
          ARRAY(SELECT a.epoch || '/' || a.n || ' ' || coalesce(a.code, 'delivered') || CASE WHEN a.local THEN ' local' ELSE '' END
            || CASE WHEN a.carrier IS NULL THEN '' ELSE ' carried' END
            FROM outbox.delivery_attempt a WHERE a.event_id = d.event_id ORDER BY a.epoch, a.n) AS attempts
        FROM unnest($1::uuid[]) WITH ORDINALITY AS i(id, place) JOIN outbox.delivery d ON d.event_id = i.id ORDER BY i.place`;
      return (await pool.query(text, [ids])).rows;
    },
    async attemptRows(id: string): Promise<AttemptRow[]> {
      const text = `SELECT n, local, code, finished_at IS NOT NULL AS finished FROM outbox.delivery_attempt
        WHERE event_id = $1 ORDER BY epoch, n`;
      return (await pool.query(text, [id])).rows;
    },
    async letters(id: string): Promise<pg.QueryResultRow[]> {
      return (await pool.query('SELECT * FROM outbox.dead_letter WHERE event_id = $1 ORDER BY epoch', [id])).rows;
    },
    async notifications(id: string): Promise<pg.QueryResultRow[]> {
      return (await pool.query('SELECT * FROM outbox.notification WHERE event_id = $1', [id])).rows;
    },
    async close() {
      await pool.end();
      await databases.drop();
    },
  };
}

export type DeliveryStore = Awaited<ReturnType<typeof createDeliveryStore>>;

let bundle: Promise<WorkflowBundleOption> | undefined;

/** The workflows as they were built: a bundler for each file that runs some would be the most that it does. */
export function workflowBundle(): Promise<WorkflowBundleOption> {
  bundle ??= readWorkflowBundle(fileURLToPath(built('workflow-bundle.js')));
  return bundle;
}

export interface LineOptions {
  readonly store: DeliveryStore;
  readonly dispatcher: Dispatcher & Partial<BatchDispatcher>;
  readonly attempts?: AttemptStore;
  readonly batches?: BatchStore;
  readonly deadLetters?: DeadLetterStore;
  /** Default: no handler can say whether its effect stands. */
  readonly finder?: EffectFinder;
  /** Default: `TEST_TIMEOUTS`. */
  readonly timeouts?: DeliveryTimeouts;
  readonly policy?: RetryPolicy;
  readonly eager?: boolean;
  /** Instead of ours, for answers that ours never give. */
  readonly activities?: Partial<DeliveryActivities & BatchActivities>;
  /** Default: nobody listens. */
  readonly log?: Logger;
  /** By which notices go out; default none. */
  readonly notifiers?: readonly Notifier[];
  /** Default: no window, given up after a minute. */
  readonly notices?: NoticeTimes;
  readonly slots?: Partial<WorkerSlots>;
  /** As in a worker without a relay; with `eager: false`, and of a dispatcher that tells them of its calls. */
  readonly taskSlots?: TaskSlots;
  /** False: no worker, only the starter. */
  readonly run?: boolean;
  /** Other workflows than ours. */
  readonly bundle?: WorkflowBundleOption;
  /** Of a line that stopped: this one goes on with its task queue. */
  readonly deployment?: string;
}

/** A worker that runs, and a starter, on a task queue of their own. */
export async function createDeliveryLine(options: LineOptions) {
  const batchPlaces = createSemaphore(() => 4, 4);
  if (Runtime._instance === undefined) Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  const {
    store,
    dispatcher,
    attempts = store.attempts,
    batches = store.batches,
    deadLetters = store.deadLetters,
  } = options;
  const { finder = { find: async () => ({ kind: 'unsupported' }) } } = options;
  const connection = await NativeConnection.connect({ address: temporalAddress() });
  const client = new Client({ connection });
  const deployment = options.deployment ?? `t${randomUUID().slice(0, 8)}`;
  const taskQueue = `outbox-${deployment}`;
  const fenced: string[] = [];
  const { log = silentLog } = options;
  const worker =
    options.run === false
      ? null
      : await createDeliveryWorker({
          connection,
          namespace: 'default',
          taskQueue,
          identity: 'test-worker',
          workflowBundle: options.bundle ?? (await workflowBundle()),
          shutdownGraceMs: 500,
          slots: { ...slotsFor(1, PLACES), ...options.slots },
          taskSlots: options.taskSlots,
          activities: {
            ...createActivities({
              dispatchBatch: (input) =>
                dispatchBatch(
                  {
                    ...{ batches, log, random: () => 0.5, redactor: createRedactor() },
                    dispatcher: { dispatchBatch: async () => 'unsupported', ...dispatcher },
                    placesOf: () => batchPlaces,
                    lastTookMs: new Map(),
                    onFencedSettle: (count) => void fenced.push(`batch: ${count}`),
                    onEventNotFound: () => {},
                  },
                  input,
                ),
              dispatchEvent: (input) =>
                dispatchEvent(
                  {
                    attempts,
                    dispatcher,
                    log,
                    random: () => 0.5,
                    redactor: createRedactor(),
                    onFencedSettle: () => fenced.push(input.run.eventId),
                    onEventNotFound: () => {},
                  },
                  input,
                ),
              recordDeadLetter: (input, signal) =>
                recordDeadLetter({ deadLetters, effects: store.effects, attempts, finder, log }, input, signal),
              notifier: createGroupNotifier({
                store: createNotificationStore(store.pool),
                notifiers: options.notifiers ?? [],
                routes: {},
                links: { deployment, monitorUrl: null },
                temporalUi: { url: 'https://temporal.example', namespace: 'default' },
                log,
              }),
              notices: options.notices ?? { windowMs: 0, giveUpMs: 60_000 },
              log,
              identity: 'test-worker',
            }),
            ...options.activities,
          },
        });
  const running = worker?.run();
  const starter = createWorkflowStarter({
    connection,
    namespace: 'default',
    deployment,
    taskQueue,
    timeoutsOf: () => options.timeouts ?? TEST_TIMEOUTS,
    searchAttributes: searchAttributeNames('Outbox'),
    eager: options.eager ?? true,
  });
  return {
    client,
    connection,
    deployment,
    taskQueue,
    starter,
    fenced,
    start: (eventId: string, overrides: Partial<ClaimedEvent> = {}) =>
      starter.start(
        { ...claimed(eventId), ...(options.policy === undefined ? {} : { policy: options.policy }), ...overrides },
        5_000,
      ),
    run: (eventId: string, epoch = 0): WorkflowHandle =>
      client.workflow.getHandle(eventRunId({ deployment, eventId, epoch })),
    /** R20: a carrier's name, as a claim makes it; it is the id of its run. */
    carrier: () => batchRunId({ deployment, id: randomUUID() }),
    startBatch: (carrier: string, eventIds: readonly string[], overrides: Partial<ClaimedEvent> = {}) =>
      starter.startBatch({ carrier, events: eventIds.map((id) => ({ ...claimed(id), carrier, ...overrides })) }, 5_000),
    batch: (carrier: string): WorkflowHandle => client.workflow.getHandle(carrier),
    async stop() {
      worker?.shutdown();
      await running;
      await connection.close();
    },
  };
}

export type DeliveryLine = Awaited<ReturnType<typeof createDeliveryLine>>;

export function claimed(eventId: string): ClaimedEvent {
  return {
    eventId,
    epoch: 0,
    carrier: null,
    destination: 'test.destination',
    eventName: 'order.order.placed.v1',
    eventType: 'ORDER',
    tenantId: 'acme',
    aggregateType: 'order',
    aggregateId: '1',
    policyHash: FAST_POLICY_HASH,
    policy: FAST_POLICY,
    firstAttempt: 'local',
    destinationWell: true,
    startTries: 0,
  };
}

export const RECEIPT: Receipt = {
  id: 'rec-1',
  hash: 'h1',
  status: 201,
  at: '2026-01-01T00:00:00.000Z',
  replayed: false,
};

/** One try's answer: a receipt, no place, an error to throw, or code that ends in one of these. */
export type Step = Receipt | 'busy' | Error | ((options: DispatchOptions) => Promise<Receipt | 'busy'>);

/** What a whole batch is answered with, where it is not each event by its own script. */
export type WholeStep = 'each' | 'busy' | 'unsupported' | Error | ((options: DispatchOptions) => Promise<'each'>);

/** Answers each event by its own script, one step a try; the last step stands for all that follow. Batches have a script too. */
export function createScriptedDispatcher() {
  const scripts = new Map<string, Step[]>();
  const calls = new Map<string, DispatchOptions[]>();
  const wholes: WholeStep[] = [];
  const posts: { readonly ids: string[]; readonly mode: string }[] = [];
  const take = (eventId: string, options: DispatchOptions): Step => {
    const made = calls.get(eventId) ?? [];
    calls.set(eventId, [...made, options]);
    const steps = scripts.get(eventId) ?? [RECEIPT];
    return steps[Math.min(made.length, steps.length - 1)] ?? RECEIPT;
  };
  const dispatcher: Dispatcher & BatchDispatcher = {
    async dispatch(event, options) {
      const step = take(event.id, options);
      if (step instanceof Error) throw step;
      return typeof step === 'function' ? step(options) : step;
    },
    async dispatchBatch(events, options) {
      const whole = wholes.length > 1 ? (wholes.shift() ?? 'each') : (wholes[0] ?? 'each');
      posts.push({ ids: events.map(({ id }) => id), mode: options.mode });
      if (whole instanceof Error) throw whole;
      if (typeof whole === 'string' && whole !== 'each') return whole;
      if (typeof whole === 'function') await whole(options);
      return events.map(({ id }) => take(id, options) as Receipt | IntegrationError);
    },
  };
  return {
    dispatcher,
    /** Of whole batches, one step a post; the last stands for all that follow. */
    scriptBatch: (...steps: WholeStep[]) => void wholes.splice(0, wholes.length, ...steps),
    /** Posts of batches so far. */
    posts,
    script: (eventId: string, ...steps: Step[]) => void scripts.set(eventId, steps),
    /** The modes of the tries so far. */
    modes: (eventId: string) => (calls.get(eventId) ?? []).map(({ mode }) => mode),
  };
}

/** A run's history in words: `timer 2000`, `scheduled dispatchEvent`, `marker`, in order. */
export async function readHistory(handle: WorkflowHandle): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap((event) => {
    const timer = event.timerStartedEventAttributes?.startToFireTimeout;
    if (timer) return [`timer ${Number(timer.seconds ?? 0) * 1_000 + (timer.nanos ?? 0) / 1_000_000}`];
    const scheduled = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (scheduled) return [`scheduled ${scheduled}`];
    if (event.markerRecordedEventAttributes?.markerName === 'core_local_activity') return ['marker'];
    return [];
  });
}
