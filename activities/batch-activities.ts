/** The activity of a batch (R20), as thin as those of a single event. */
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import type { DispatchBatchInput } from '../src/application/delivery/coalescing/batch-attempt.js';
import type { BatchOutcome } from '../src/application/delivery/coalescing/dispatch-batch.js';
import type { Logger } from '../src/application/delivery/ports.js';
import { BATCH_TRIES, type BatchState, type BatchTry } from '../src/domain/delivery/batch-state.js';
import type { BatchActivities, DispatchBatchTask } from '../workflows/contract.js';
import { currentRun, keepBeating, toFailure, unexpected } from './failures.js';

export interface BatchActivitiesDeps {
  readonly dispatchBatch: (input: DispatchBatchInput) => Promise<BatchOutcome>;
  readonly log: Logger;
  readonly identity: string;
}

export function createBatchActivities(deps: BatchActivitiesDeps): BatchActivities {
  return {
    async dispatchBatch(task: DispatchBatchTask) {
      const { carrier, destination, events, state: given, deadlines, runStartedAt, lost } = task;
      if (lost) return { kind: 'lost' };
      const { isLocal, attempt, heartbeatDetails, heartbeatTimeoutMs = 0 } = activityInfo();
      const { workflowId, runId } = currentRun();
      const state = isLocal ? given : afterLost((heartbeatDetails as BatchState | undefined) ?? given, attempt);
      const stopBeating = heartbeatTimeoutMs > 0 ? keepBeating(state, heartbeatTimeoutMs) : () => {};
      const outcome = await deps
        .dispatchBatch({
          batch: { carrier, destination, events: events.map(([eventId, epoch]) => ({ eventId, epoch })) },
          mode: isLocal ? 'local' : 'regular',
          state,
          runId,
          runStartedAt,
          worker: `${deps.identity}#${attempt}`,
          deadlines,
          signal: cancellationSignal(),
        })
        .catch((error) => Promise.reject(unexpected(deps.log, error, workflowId)))
        .finally(stopBeating);
      if (outcome.kind !== 'failed') return outcome;
      const next: BatchState = { ...outcome.state, ended: isLocal ? 0 : attempt };
      if (!isLocal) heartbeat(next);
      const { code, status, delayMs } = outcome;
      const details = { code, status, attempt: null, ...(isLocal ? { delayMs, batch: next } : {}) };
      throw toFailure(details, delayMs);
    },
  };
}

/**
 * Every attempt that ends hands on its number. Those since then did not end: they were lost, with whatever they had sent. Each
 * counts as a try (R20), so that what kills its workers kills few.
 */
function afterLost(state: BatchState, attempt: number): BatchState {
  const lost = attempt - 1 - state.ended;
  if (lost <= 0) return state;
  const ended = attempt - 1;
  if (state.falling) return { ...state, ended, sent: true };
  const lostOnes = Array.from({ length: Math.min(lost, BATCH_TRIES) }, () => LOST);
  const tries = [...state.tries, ...lostOnes].slice(0, BATCH_TRIES);
  return { ...state, tries, ended, sent: true, postedTo: null, falling: state.tries.length + lost >= BATCH_TRIES };
}

const LOST: BatchTry = { code: 'DELIVERY.ATTEMPT_LOST', status: null, local: false };
