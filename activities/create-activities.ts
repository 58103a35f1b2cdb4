/**
 * The activities of the delivery, thin: read the task and its context, call the use case, and put its failure into the
 * only form that Temporal gets to see: the catalogue's message, code, status, attempt, and a receipt's id and hash.
 */
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { DispatchEventInput, DispatchOutcome } from '../src/application/delivery/dispatch-event.js';
import type { GroupNotifier } from '../src/application/delivery/notify/notify-group.js';
import type { NoticeTimes } from '../src/application/delivery/notify/ports.js';
import type { DeadLetterInput, Logger } from '../src/application/delivery/ports.js';
import type { RecordedDeadLetter } from '../src/application/delivery/record-dead-letter.js';
import type { CarriedState } from '../src/domain/delivery/carried-state.js';
import { catalogEntry, type ErrorCode } from '../src/domain/delivery/error-catalog.js';
import { isIntegrationError } from '../src/domain/delivery/integration-error.js';
import { notifyRunId, parseEventRunId } from '../src/domain/delivery/workflow-ids.js';
import type { DeliveryActivities, FailureDetails, NotifyActivities } from '../workflows/contract.js';
import { createNotifyActivities } from './notify-activities.js';

export interface ActivitiesDeps {
  readonly dispatchEvent: (input: DispatchEventInput) => Promise<DispatchOutcome>;
  readonly recordDeadLetter: (
    input: Omit<DeadLetterInput, 'message'>,
    signal: AbortSignal,
  ) => Promise<RecordedDeadLetter>;
  readonly notifier: GroupNotifier;
  readonly notices: NoticeTimes;
  readonly log: Logger;
  /** Names this worker in attempt rows: at most 100 characters. */
  readonly identity: string;
}

/** So often within its timeout; the SDK sends them on less often (`maxHeartbeatThrottleInterval`). */
const BEATS_IN_TIMEOUT = 6;

export function createActivities(deps: ActivitiesDeps): DeliveryActivities & NotifyActivities {
  return {
    ...createNotifyActivities(deps),

    async dispatchEvent({ eventId, epoch, carrier, previous, carried: given, deadlines, lost }) {
      if (lost) return { kind: 'lost' };
      const { isLocal, attempt, heartbeatDetails, heartbeatTimeoutMs = 0 } = activityInfo();
      const { workflowId, runId } = currentRun();
      const carried = (heartbeatDetails as CarriedState | undefined) ?? given;
      const stopBeating = heartbeatTimeoutMs > 0 ? keepBeating(carried, heartbeatTimeoutMs) : () => {};
      const outcome = await deps
        .dispatchEvent({
          run: { eventId, epoch, carrier },
          mode: isLocal ? 'local' : 'regular',
          previous,
          carried,
          runId,
          worker: `${deps.identity}#${attempt}`,
          deadlines,
          signal: cancellationSignal(),
        })
        .catch((error) => Promise.reject(unexpected(deps.log, error, workflowId)))
        // Before the last one: a plain beat after it would take its place.
        .finally(stopBeating);
      if (outcome.kind !== 'failed') return outcome;
      if (!isLocal && isWorthCarrying(outcome.carried)) heartbeat(outcome.carried);
      throw toFailure(outcome, isLocal);
    },

    async recordDeadLetter({ eventId, epoch, carrier, code, attempt }) {
      const run = currentRun();
      try {
        const input = { run: { eventId, epoch, carrier }, code, attempt, ...run };
        const { notify: rowId, ...answer } = await deps.recordDeadLetter(input, cancellationSignal());
        const deployment = parseEventRunId(run.workflowId)?.deployment;
        if (rowId === undefined || deployment === undefined) return answer;
        const workflowId = notifyRunId({ deployment, id: rowId });
        return { ...answer, notify: { workflowId, input: { rowId, ...deps.notices } } };
      } catch (error) {
        if (!isIntegrationError(error)) throw unexpected(deps.log, error, run.workflowId);
        deps.log.warn({ eventId, epoch, code, error }, 'delivery.dead_letter_failed');
        throw bare(ApplicationFailure.create(failureOptions({ code: error.code, status: null, attempt: null }, false)));
      }
    },
  };
}

/**
 * Tells the server that the attempt is under way, until called off. The last details are all that a retry gets to see, so
 * every beat hands on what this attempt was handed.
 */
function keepBeating(carried: CarriedState, timeoutMs: number): () => void {
  const timer = setInterval(() => heartbeat(carried), timeoutMs / BEATS_IN_TIMEOUT);
  return () => clearInterval(timer);
}

function toFailure(outcome: Extract<DispatchOutcome, { kind: 'failed' }>, isLocal: boolean): ApplicationFailure {
  const { code, status, attempt, delayMs, carried } = outcome;
  const details = { code, status, attempt, ...(isLocal ? { delayMs, carried } : {}) };
  const options = failureOptions(details, delayMs === null);
  return bare(ApplicationFailure.create(delayMs === null ? options : { ...options, nextRetryDelay: delayMs }));
}

function failureOptions(details: FailureDetails, final: boolean) {
  const { code, status } = details;
  return {
    message: catalogEntry(code).message,
    type: code,
    nonRetryable: final,
    details: [details],
    ...(!final && isExpected(code, status) ? { category: ApplicationFailureCategory.BENIGN } : {}),
  };
}

/** What a healthy system meets every day: not worth an error in the SDK's own logs and metrics. */
function isExpected(code: ErrorCode, status: number | null): boolean {
  return code === 'HTTP.RATE_LIMITED' || code === 'DESTINATION.BUSY' || code === 'DESTINATION.OPEN' || status === 503;
}

/** A bug of ours. Retried by the server's own policy; what it says stays in our log, for it may quote data. */
function unexpected(log: Logger, error: unknown, workflowId: string): ApplicationFailure {
  log.error({ error, workflowId }, 'activity.unexpected_error');
  const code = 'HANDLER.FAILED';
  return bare(ApplicationFailure.create(failureOptions({ code, status: null, attempt: null }, false)));
}

/** Without its stack, which would go to the server with it. */
function bare(failure: ApplicationFailure): ApplicationFailure {
  failure.stack = '';
  return failure;
}

function isWorthCarrying({ receipt, unwritten, notFound }: CarriedState): boolean {
  return receipt !== null || unwritten.length > 0 || notFound > 0;
}

function currentRun(): { workflowId: string; runId: string } {
  const { workflowExecution } = activityInfo();
  if (workflowExecution === undefined) throw new TypeError('expected to be called by a workflow');
  return workflowExecution;
}
