import type { DeadLetterSample } from '../../../domain/delivery/dead-letter-group.js';
import { monitorLettersUrl } from '../../../domain/delivery/monitor-links.js';
import { type TemporalUi, temporalRunUrl } from '../../../domain/delivery/temporal-links.js';
import { eventRunId, parseNotifyRunId } from '../../../domain/delivery/workflow-ids.js';
import type { Metrics } from '../../metrics/metrics.js';
import type { Logger } from '../ports.js';
import { toLogLine } from './log-line.js';
import { NotifyError } from './notify-error.js';
import type {
  ClaimedGroup,
  DeadLettersNotice,
  GroupOutcome,
  NoticeLinks,
  NotificationStore,
  Notifier,
} from './ports.js';
import { type NoticeRoutes, routeNotice } from './route-notice.js';
import { sendNotice } from './send-notice.js';

export interface NotifyGroupDeps {
  readonly store: NotificationStore;
  readonly notifiers: readonly Notifier[];
  readonly routes: NoticeRoutes;
  readonly links: NoticeLinks;
  /** Where a person opens a run; null: nowhere. */
  readonly temporalUi: TemporalUi | null;
  readonly log: Logger;
  readonly metrics?: Metrics;
}

/** The steps of a run that tells of a group of dead letters (R24). `claimant` is the run; it is the idempotency key, too. */
export interface GroupNotifier {
  /** The group with the channels that this configuration routes it to; null: nothing to tell. */
  claim(claim: {
    readonly rowId: string;
    readonly claimant: string;
  }): Promise<{ readonly told: ClaimedGroup; readonly channels: readonly string[] } | null>;
  /** One try through one channel. Throws a NotifyError and nothing else. */
  send(one: {
    readonly told: ClaimedGroup;
    readonly channel: string;
    readonly claimant: string;
    readonly signal: AbortSignal;
  }): Promise<void>;
  /** What no channel took is said in the log, as an error. */
  finish(end: { readonly claimant: string; readonly outcome: GroupOutcome }): Promise<void>;
}

/** Notices on their way at once, so that channels that hang hold few of a worker's slots: the rest are deliveries'. */
export const NOTICES_AT_ONCE = 8;
const BUSY_RETRY_MS = 2_000;
/** A worker with another configuration may know it. */
const UNKNOWN_RETRY_MS = 30_000;

export function createGroupNotifier(deps: NotifyGroupDeps): GroupNotifier {
  const { store, notifiers, routes, log } = deps;
  let underWay = 0;
  return {
    async claim(claim) {
      const told = await store.claimGroup(claim);
      if (told === null) return null;
      const channels = routeNotice({ notifiers, notify: routes }, toNotice(deps, told)).map(({ name }) => name);
      return { told, channels };
    },

    async send({ told, channel, claimant, signal }) {
      const notifier = notifiers.find(({ name }) => name === channel);
      if (notifier === undefined) throw retry('DISPATCH.HANDLER_NOT_FOUND', channel, UNKNOWN_RETRY_MS);
      if (underWay >= NOTICES_AT_ONCE) throw retry('DESTINATION.BUSY', channel, BUSY_RETRY_MS);
      underWay += 1;
      try {
        await sendNotice(toNotice(deps, told), { notifier, idempotencyKey: claimant, signal, log });
        deps.metrics?.count('outbox_notices_total', { channel, outcome: 'sent' });
      } catch (error) {
        const { message, code, retryable } = error as NotifyError;
        deps.metrics?.count('outbox_notices_total', { channel, outcome: 'failed' });
        log.warn({ channel, code, retryable, reason: message, workflowId: claimant }, 'notice.not_sent');
        throw error;
      } finally {
        underWay -= 1;
      }
    },

    async finish(end) {
      if (isTakenByNobody(end.outcome)) await sayInLog(deps, end);
      await store.finishGroup(end);
    },
  };
}

/** An empty outcome is a route to nobody, and meant. */
function isTakenByNobody(outcome: GroupOutcome): boolean {
  const ends = Object.values(outcome);
  return ends.length > 0 && !ends.includes('sent');
}

/** The channel that always stands. Before the group is done: a process that dies between the two says it twice, not never. */
async function sayInLog(
  deps: NotifyGroupDeps,
  { claimant, outcome }: { readonly claimant: string; readonly outcome: GroupOutcome },
): Promise<void> {
  const rowId = parseNotifyRunId(claimant)?.id;
  const told = rowId === undefined ? null : await deps.store.claimGroup({ rowId, claimant });
  if (told === null) return;
  const { fields, message } = toLogLine(toNotice(deps, told));
  deps.log.error({ ...fields, notTaken: outcome, workflowId: claimant }, message);
}

function toNotice({ links, temporalUi }: NotifyGroupDeps, { group, at }: ClaimedGroup): DeadLettersNotice {
  const { deployment, monitorUrl } = links;
  return {
    kind: 'dead_letters',
    ...group,
    deployment,
    at,
    monitorUrl: monitorUrl === null ? null : monitorLettersUrl(monitorUrl, group),
    temporalUrl: temporalUi === null ? null : firstRunUrl(temporalUi, deployment, group.samples[0]),
  };
}

/** Of the group's first letter: one run shows what the others met, too. */
function firstRunUrl(temporalUi: TemporalUi, deployment: string, first: DeadLetterSample | undefined): string | null {
  if (first === undefined) return null;
  const { eventId, epoch } = first;
  return temporalRunUrl(temporalUi, { workflowId: eventRunId({ deployment, eventId, epoch }), runId: null });
}

function retry(code: 'DISPATCH.HANDLER_NOT_FOUND' | 'DESTINATION.BUSY', channel: string, retryAfterMs: number) {
  return new NotifyError(`${channel}: ${code}`, { retryable: true, retryAfterMs, code });
}
