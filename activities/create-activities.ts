/**
 * The activities of the delivery, thin: read the task and its context, call the use case, and put its failure into the
 * only form that Temporal gets to see: the catalogue's message, code, status, attempt, and a receipt's id and hash.
 */
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import type { DispatchEventInput, DispatchOutcome } from '../src/application/delivery/dispatch-event.js';
import type { GroupNotifier } from '../src/application/delivery/notify/notify-group.js';
import type { NoticeTimes } from '../src/application/delivery/notify/ports.js';
import type { DeadLetterInput, Logger } from '../src/application/delivery/ports.js';
import type { RecordedDeadLetter } from '../src/application/delivery/record-dead-letter.js';
import type { CarriedState } from '../src/domain/delivery/carried-state.js';
import { isIntegrationError } from '../src/domain/delivery/integration-error.js';
import { notifyRunId, parseEventRunId } from '../src/domain/delivery/workflow-ids.js';
import type { BatchActivities, DeliveryActivities, NotifyActivities } from '../workflows/contract.js';
import { type BatchActivitiesDeps, createBatchActivities } from './batch-activities.js';
import { currentRun, keepBeating, toFailure, toRetriedFailure, unexpected } from './failures.js';
import { createNotifyActivities } from './notify-activities.js';

export interface ActivitiesDeps extends BatchActivitiesDeps {
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

export function createActivities(deps: ActivitiesDeps): DeliveryActivities & BatchActivities & NotifyActivities {
  return {
    ...createBatchActivities(deps),
    ...createNotifyActivities(deps),

    async dispatchEvent({ eventId, epoch, carrier, previous, carried: given, deadlines, runStartedAt, lost }) {
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
          runStartedAt,
          worker: `${deps.identity}#${attempt}`,
          deadlines,
          signal: cancellationSignal(),
        })
        .catch((error) => Promise.reject(unexpected(deps.log, error, workflowId)))
        // Before the last one: a plain beat after it would take its place.
        .finally(stopBeating);
      if (outcome.kind !== 'failed') return outcome;
      if (!isLocal && isWorthCarrying(outcome.carried)) heartbeat(outcome.carried);
      const { code, status, attempt: n, delayMs, carried: next } = outcome;
      throw toFailure({ code, status, attempt: n, ...(isLocal ? { delayMs, carried: next } : {}) }, delayMs);
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
        throw toRetriedFailure(error.code);
      }
    },
  };
}

function isWorthCarrying({ receipt, unwritten, notFound }: CarriedState): boolean {
  return receipt !== null || unwritten.length > 0 || notFound > 0;
}
