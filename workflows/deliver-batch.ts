/**
 * Many events, one run (R20): tried twice as a whole, then what is left goes on by itself. The run completes and says how many
 * it delivered; it writes no dead letter, for each event that failed has left it.
 *
 * Nothing that happens to the run keeps an event: a person's cancellation, or an error that this code does not know, lets fall
 * out all that it still carries, once the receipts of its local attempt are written (R15). Those that a regular attempt could
 * not write are in its heartbeat, which the server keeps to itself when it cancels an activity between two attempts: their
 * events fall out with a doubt, and are posted again.
 */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  ActivityCancellationType,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  log,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { type BatchState, type BatchTally, NEW_BATCH } from '../src/domain/delivery/batch-state.js';
import { catalogEntry, type ErrorCode } from '../src/domain/delivery/error-catalog.js';
import {
  AFTER_NO_ANSWER,
  type BatchActivities,
  type DeliverBatchInput,
  type DeliverBatchResult,
  type FailureDetails,
} from './contract.js';
import { readFailure } from './read-failure.js';

/** What the regular attempts go on with. */
interface Handover {
  readonly kind: 'handover';
  readonly state: BatchState;
  readonly delayMs: number;
  readonly code: ErrorCode | null;
}

const NOTHING_TRIED: Handover = { kind: 'handover', state: NEW_BATCH, delayMs: 0, code: null };

/** Of an attempt that did not tell how far it came. */
const ANY_POSTED: BatchState = { ...NEW_BATCH, postedTo: null };

const FIRST_LOST: Handover = {
  ...NOTHING_TRIED,
  state: { ...ANY_POSTED, sent: true, tries: [{ code: 'DELIVERY.ATTEMPT_LOST', status: null, local: true }] },
};

/** After a local attempt that ran out of its time. */
const TIMED_OUT: Handover = {
  ...NOTHING_TRIED,
  state: { ...ANY_POSTED, tries: [{ code: 'HTTP.TIMEOUT', status: null, local: true }] },
  delayMs: 1_000,
  code: 'HTTP.TIMEOUT',
};

export async function deliverBatch(input: DeliverBatchInput): Promise<DeliverBatchResult> {
  let handover = NOTHING_TRIED;
  try {
    // Its effects may stand already: a cancellation waits for it.
    const first = await CancellationScope.nonCancellable(() => firstAttempt(input));
    if (first.kind === 'done') return end(input, first.tally);
    handover = first;
    return end(input, await regularAttempts(input, first));
  } catch (error) {
    const failure = readFailure(error);
    // R19: a worker whose database has none of the events. The reconciler gives them to another run.
    if (failure.kind === 'failed' && failure.code === 'DISPATCH.EVENT_NOT_FOUND') throw asFailure(failure.code);
    if (!isCancellation(error) && failure.kind !== 'cancelled') {
      log.error('The batch met an error that it does not know: its events go on by themselves', { error });
    }
    const state = { ...handover.state, falling: true, sent: true };
    return end(
      input,
      await CancellationScope.nonCancellable(() => regularAttempts(input, { ...NOTHING_TRIED, state })),
    );
  }
}

/** R10, as in `deliverEvent`: the local activity is scheduled in any case, and what it answered stands in its marker. */
async function firstAttempt(
  input: DeliverBatchInput,
): Promise<{ readonly kind: 'done'; readonly tally: BatchTally } | Handover> {
  if (input.firstAttempt === 'regular') return NOTHING_TRIED;
  const lost = workflowInfo().historyLength !== 3;
  const { startToCloseMs, scheduleToStartMs, storeMs, sendMs, totalMs } = input.timeouts.local;
  const { dispatchBatch } = proxyLocalActivities<BatchActivities>({
    scheduleToStartTimeout: scheduleToStartMs,
    startToCloseTimeout: startToCloseMs,
    retry: { maximumAttempts: 1 },
    summary: 'first attempt',
  });
  try {
    const { carrier, destination, events } = input;
    const deadlines = { storeMs, sendMs, totalMs };
    const runStartedAt = workflowInfo().startTime.getTime();
    const task = { carrier, destination, events, state: NEW_BATCH, deadlines, runStartedAt, ...(lost ? { lost } : {}) };
    const answer = await dispatchBatch(task);
    if (answer.kind === 'lost') return FIRST_LOST;
    if (answer.kind === 'done') return answer;
    const { tally } = answer;
    return tally === undefined ? NOTHING_TRIED : { ...NOTHING_TRIED, state: { ...NEW_BATCH, tally } };
  } catch (error) {
    const failure = readFailure(error);
    switch (failure.kind) {
      case 'failed':
        if (failure.final) throw error;
        return {
          kind: 'handover',
          state: failure.batch ?? NEW_BATCH,
          delayMs: failure.delayMs ?? 0,
          code: failure.code,
        };
      case 'timeout':
        return TIMED_OUT;
      case 'not-started':
      case 'cancelled':
        return lost ? FIRST_LOST : NOTHING_TRIED;
      case 'unknown':
        log.warn('The first attempt failed outside of the agreement: going on with a regular one', { error });
        return lost ? FIRST_LOST : { ...NOTHING_TRIED, state: { ...ANY_POSTED, sent: true } };
    }
  }
}

/** The server retries for as long as the activity asks for it; a second post that fails as a whole is an answer. */
async function regularAttempts(input: DeliverBatchInput, { state, delayMs, code }: Handover): Promise<BatchTally> {
  if (delayMs > 0) await sleep(delayMs, { summary: `next attempt, after ${code}` });
  const { startToCloseMs, heartbeatMs, storeMs, sendMs, totalMs } = input.timeouts.regular;
  const { dispatchBatch } = proxyActivities<BatchActivities>({
    startToCloseTimeout: startToCloseMs,
    ...(heartbeatMs === undefined ? {} : { heartbeatTimeout: heartbeatMs }),
    retry: AFTER_NO_ANSWER,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary: state.falling ? 'events go on by themselves' : 'regular attempts',
  });
  const { carrier, destination, events } = input;
  const runStartedAt = workflowInfo().startTime.getTime();
  const deadlines = { storeMs, sendMs, totalMs };
  const answer = await dispatchBatch({ carrier, destination, events, state, deadlines, runStartedAt });
  if (answer.kind !== 'done') throw ApplicationFailure.nonRetryable(`a regular attempt answered "${answer.kind}"`);
  return answer.tally;
}

function end(input: DeliverBatchInput, tally: BatchTally): BatchTally {
  if (input.errorCodeAttribute !== null && tally.code !== null) {
    const key = defineSearchAttributeKey(input.errorCodeAttribute, SearchAttributeType.KEYWORD);
    upsertSearchAttributes([{ key, value: tally.code }]);
  }
  return tally;
}

function asFailure(code: ErrorCode): ApplicationFailure {
  const details: FailureDetails = { code, status: null, attempt: null };
  const { message } = catalogEntry(code);
  const failure = ApplicationFailure.create({ message, type: code, nonRetryable: true, details: [details] });
  failure.stack = '';
  return failure;
}
