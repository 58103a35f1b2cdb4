/**
 * What of telling people is a relay's: starting the groups that were left behind, watching the limits, and sending alerts.
 * Three duties, each done by one process of the deployment at a time, so that Temporal's absence does not keep an alert
 * about it back, nor a channel that hangs a group.
 */
import type { OutboxConfig } from '../application/delivery/define-config.js';
import { createGroupNotifier, type GroupNotifier } from '../application/delivery/notify/notify-group.js';
import {
  NOTICE_GIVE_UP_MS,
  type NoticeLinks,
  type NoticeTimes,
  type Notifier,
} from '../application/delivery/notify/ports.js';
import { raiseAlert } from '../application/delivery/notify/raise-alert.js';
import { createLeftBehindStarter } from '../application/delivery/notify/start-left-behind.js';
import { tellAlerts } from '../application/delivery/notify/tell-alerts.js';
import { watchLimits } from '../application/delivery/notify/watch-limits.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { type RunningDuty, runUnderLease } from '../application/delivery/run-under-lease.js';
import { NO_METRICS } from '../application/metrics/metrics.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { logNotifier } from '../infrastructure/notifiers/log-notifier.js';
import { createAlertStore } from '../infrastructure/prisma/alert-store.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { measureBacklog } from '../infrastructure/prisma/measure-backlog.js';
import { createNotificationStore } from '../infrastructure/prisma/notification-store.js';
import { createNoticeStarter } from '../infrastructure/temporal/notice-starter.js';
import { dutyLeaseMs } from './duty-lease.js';
import type { DeliveryContext } from './role.js';

/** Every other: a start that nobody made, a limit that was passed. */
const LOOK_EVERY_MS = 15_000;
const TELL_EVERY_MS = 2_000;

export function startNoticeDuties(given: DeliveryContext): RunningDuty {
  const { settings, config, log, metrics = NO_METRICS, delivery } = given;
  const { pool, connection, target, deployment, taskQueue } = delivery;
  const alerts = createAlertStore(pool);
  const times = noticeTimes(settings);
  const starter = createNoticeStarter({
    connection,
    namespace: target.namespace,
    deployment,
    taskQueue,
    giveUpMs: times.giveUpMs,
  });
  const startLeftBehind = createLeftBehindStarter({ store: createNotificationStore(pool), starter, log }, times);
  const limits = { lagSeconds: settings.lagLimitSeconds, backlog: settings.backlogLimit };
  const telling = {
    alerts,
    notifiers: noticeChannels(config),
    routes: config.notify ?? {},
    links: noticeLinks(settings),
    context: { log, time: systemTime, metrics },
  };
  const deps = { leases: createLeaseStore(pool), time: systemTime, log };
  const duties = [
    {
      name: 'notices',
      everyMs: LOOK_EVERY_MS,
      turn: (_: unknown, signal: AbortSignal) => startLeftBehind(signal),
    },
    {
      name: 'limits',
      everyMs: LOOK_EVERY_MS,
      turn: () => watchLimits({ measure: () => measureBacklog(pool, limits.backlog), alerts, log }, limits),
    },
    { name: 'alerts', everyMs: TELL_EVERY_MS, turn: tellAlerts.bind(null, telling) },
  ].map((duty) => runUnderLease(deps, { ...duty, leaseMs: dutyLeaseMs(settings) }));
  return { stop: async () => void (await Promise.all(duties.map((duty) => duty.stop()))) };
}

/** What a worker's `notifyGroup` runs call. */
export function groupNotifier(context: DeliveryContext): GroupNotifier {
  const { settings, config, log, metrics = NO_METRICS, delivery } = context;
  const { temporalUiUrl } = settings;
  return createGroupNotifier({
    store: createNotificationStore(delivery.pool),
    notifiers: noticeChannels(config),
    routes: config.notify ?? {},
    links: noticeLinks(settings),
    temporalUi: temporalUiUrl === undefined ? null : { url: temporalUiUrl, namespace: delivery.target.namespace },
    log,
    metrics,
  });
}

export function noticeTimes(settings: Settings): NoticeTimes {
  return { windowMs: settings.noticeWindowMs, giveUpMs: NOTICE_GIVE_UP_MS };
}

/** Kept, so that a person is told from any relay; a failure to keep it is logged and no relay's concern. */
export function raiseRefusedStarts({
  log,
  delivery,
}: DeliveryContext): (refusal: { reason: string; count: number }) => void {
  const alerts = createAlertStore(delivery.pool);
  return ({ reason, count }) => {
    const code = /^(\d{1,2}): /.exec(reason)?.[1];
    const fields = { reason: code === undefined ? 'NO_ANSWER' : (GRPC_CODES[Number(code)] ?? 'UNKNOWN'), count };
    void raiseAlert({ alerts, log }, { kind: 'relay_batch_failed', subject: '', fields });
  };
}

/** By number. What the server said beside it stays in the log. */
const GRPC_CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** Without a channel nobody would hear of anything: then the log does. */
function noticeChannels(config: OutboxConfig): readonly Notifier[] {
  return config.notifiers ?? [logNotifier()];
}

function noticeLinks({ deployment, monitorUrl }: Settings): NoticeLinks {
  return { deployment, monitorUrl: monitorUrl ?? null };
}
