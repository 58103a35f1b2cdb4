/**
 * One event, one run: attempts until the destination has answered with a receipt, or until a dead letter is written.
 * The run then completes, or fails with the error code as the type of its ApplicationFailure.
 *
 * A person's cancellation is a final error (`WORKFLOW.TERMINATED`): an attempt under way is waited for and may still
 * deliver (a long one, which heartbeats, hears of it and is given up); else the letter is written, so that a cancelled
 * event is never stranded. What this code does not expect ends as a letter too (`WORKFLOW.STUCK`): a plain error would
 * be a workflow task that is retried for ever.
 */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  ActivityCancellationType,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  log,
  ParentClosePolicy,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  sleep,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { NO_ATTEMPTS } from '../src/domain/delivery/attempt-totals.js';
import { type CarriedState, NOTHING_CARRIED, type PreviousAttempt } from '../src/domain/delivery/carried-state.js';
import { decideAfterFailure } from '../src/domain/delivery/decide-after-failure.js';
import { describePolicy } from '../src/domain/delivery/describe-policy.js';
import { catalogEntry, type ErrorCode } from '../src/domain/delivery/error-catalog.js';
import {
  AFTER_NO_ANSWER,
  type DeliverEventInput,
  type DeliverEventResult,
  type DeliveryActivities,
  type DispatchEventAnswer,
  type FailureDetails,
  NOTIFY_GROUP,
  type RecordDeadLetterAnswer,
  type RecordDeadLetterTask,
} from './contract.js';
import { readFailure } from './read-failure.js';

/** Why a delivery ends without a receipt. */
interface End {
  readonly kind: 'ended';
  readonly code: ErrorCode;
  readonly attempt: RecordDeadLetterTask['attempt'];
}

type Delivered = Extract<DispatchEventAnswer, { kind: 'delivered' | 'superseded' }>;

/** What the regular attempts need to know of the first one. */
interface Handover {
  readonly kind: 'handover';
  readonly previous: PreviousAttempt | null;
  readonly carried: CarriedState;
  readonly delayMs: number;
  readonly code: ErrorCode | null;
}

const NO_HANDOVER: Handover = { kind: 'handover', previous: null, carried: NOTHING_CARRIED, delayMs: 0, code: null };
const LOST: Handover = { ...NO_HANDOVER, previous: { n: 1, code: 'DELIVERY.ATTEMPT_LOST', status: null } };

/** No attempt ended it: the last one's own end is written already, for it was to be retried. */
const TERMINATED: End = { kind: 'ended', code: 'WORKFLOW.TERMINATED', attempt: null };

export async function deliverEvent(input: DeliverEventInput): Promise<DeliverEventResult> {
  setCurrentDetails(`Policy \`${input.policyHash}\`: ${describePolicy(input.policy)}`);
  const outcome = await attemptUntilSettled(input).catch(endOfUnexpected);
  if (outcome.kind === 'ended') return CancellationScope.nonCancellable(() => endInDeadLetter(input, outcome));
  return outcome;
}

async function attemptUntilSettled(input: DeliverEventInput): Promise<Delivered | End> {
  // At most three seconds, and its effect may stand already: a cancellation waits for it.
  const first = await CancellationScope.nonCancellable(() => firstAttempt(input));
  if (first.kind !== 'handover') return first;
  const goOn = async () => {
    if (first.delayMs > 0) await sleep(first.delayMs, { summary: `next attempt, after ${first.code}` });
    return regularAttempts(input, first);
  };
  // R15: with a receipt in hand nothing is left to cancel, only to be written.
  return first.carried.receipt === null ? goOn() : CancellationScope.nonCancellable(goOn);
}

/**
 * R10: local only in the first workflow task of a history, which then has three events. More mean that a worker died or
 * timed out in an earlier task, so a local attempt may have been under way: it counts as lost, and a crash can repeat
 * locally at most once.
 *
 * The length must not choose the commands, only what the activity is told: where a local attempt outlasts 80 % of its
 * task, the SDK asks for a second one, and a replay then sees one first task of six events (SDK 1.23, tried). So the
 * local activity is scheduled in both cases, and what it answered stands in its marker.
 */
async function firstAttempt(input: DeliverEventInput): Promise<Delivered | End | Handover> {
  if (input.firstAttempt === 'regular') return NO_HANDOVER;
  const lost = workflowInfo().historyLength !== 3;
  const { local: timeouts } = input.timeouts;
  const { dispatchEvent } = proxyLocalActivities<DeliveryActivities>({
    scheduleToStartTimeout: timeouts.scheduleToStartMs,
    startToCloseTimeout: timeouts.startToCloseMs,
    retry: { maximumAttempts: 1 },
    summary: 'first attempt',
  });
  try {
    const { storeMs, sendMs, totalMs } = timeouts;
    const answer = await dispatchEvent({
      ...runOf(input),
      previous: null,
      carried: NOTHING_CARRIED,
      deadlines: { storeMs, sendMs, totalMs },
      runStartedAt: workflowInfo().startTime.getTime(),
      ...(lost ? { lost } : {}),
    });
    if (answer.kind === 'lost') return LOST;
    return answer.kind === 'busy' ? NO_HANDOVER : answer;
  } catch (error) {
    return afterFirstFailure(input, error, lost ? LOST : NO_HANDOVER);
  }
}

/** `unsent`: what it means that no attempt was made. */
function afterFirstFailure(input: DeliverEventInput, error: unknown, unsent: Handover): End | Handover {
  const failure = readFailure(error);
  switch (failure.kind) {
    case 'failed': {
      const { code, status, carried, delayMs } = failure;
      if (failure.final) return { kind: 'ended', code, attempt: { n: 1, local: true, status } };
      const previous = catalogEntry(code).spends ? ({ n: 1, code, status } as const) : null;
      return { kind: 'handover', previous, carried, delayMs: delayMs ?? 0, code };
    }
    case 'timeout': {
      const code = 'HTTP.TIMEOUT';
      const decision = decideAfterFailure({
        code,
        retryAfterMs: null,
        totals: NO_ATTEMPTS,
        policy: input.policy,
        random: Math.random,
      });
      if (decision.kind === 'final') {
        return { kind: 'ended', code: decision.code, attempt: { n: 1, local: true, status: null } };
      }
      return { ...NO_HANDOVER, previous: { n: 1, code, status: null }, delayMs: decision.delayMs, code };
    }
    case 'not-started':
    case 'cancelled':
      return unsent;
    case 'unknown':
      log.warn('The first attempt failed outside of the agreement: going on with a regular one', { error });
      return unsent;
  }
}

/** R13: the server retries, for as long as the activity asks for it. */
async function regularAttempts(input: DeliverEventInput, first: Handover): Promise<Delivered | End> {
  const { startToCloseMs, heartbeatMs, storeMs, sendMs, totalMs } = input.timeouts.regular;
  const { dispatchEvent } = proxyActivities<DeliveryActivities>({
    startToCloseTimeout: startToCloseMs,
    ...(heartbeatMs === undefined ? {} : { heartbeatTimeout: heartbeatMs }),
    retry: AFTER_NO_ANSWER,
    // The SDK's default tells of the cancellation at once, while the attempt may still deliver.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary: 'regular attempts',
  });
  try {
    const answer = await dispatchEvent({
      ...runOf(input),
      previous: first.previous,
      carried: first.carried,
      deadlines: { storeMs, sendMs, totalMs },
      runStartedAt: workflowInfo().startTime.getTime(),
    });
    if (answer.kind === 'busy' || answer.kind === 'lost') {
      throw ApplicationFailure.nonRetryable(`a regular attempt answered "${answer.kind}"`);
    }
    return answer;
  } catch (error) {
    const failure = readFailure(error);
    if (failure.kind === 'cancelled' || failure.kind === 'timeout') return TERMINATED;
    if (failure.kind !== 'failed') throw error;
    const { code, status, attempt: n } = failure;
    return { kind: 'ended', code, attempt: n === null ? null : { n, local: false, status } };
  }
}

function endOfUnexpected(error: unknown): End {
  if (isCancellation(error)) return TERMINATED;
  log.error('The workflow met an error that it does not know: it ends the delivery', { error });
  return { kind: 'ended', code: 'WORKFLOW.STUCK', attempt: null };
}

async function endInDeadLetter(input: DeliverEventInput, end: End): Promise<DeliverEventResult> {
  const { code, attempt } = end;
  // Without the event there is nothing to write a letter about: a worker on the wrong database (R19).
  if (code !== 'DISPATCH.EVENT_NOT_FOUND') {
    const { recordDeadLetter } = proxyActivities<DeliveryActivities>({
      // The destination is asked (2 s) between two statements (R18).
      startToCloseTimeout: '20 s',
      retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '1 min' },
      summary: 'dead letter',
    });
    const answer = await recordDeadLetter({ ...runOf(input), code, attempt });
    if (answer.kind === 'superseded') return answer as DeliverEventResult;
    if (answer.notify !== undefined) await startNotifying(answer.notify);
  }
  if (input.errorCodeAttribute !== null) {
    const key = defineSearchAttributeKey(input.errorCodeAttribute, SearchAttributeType.KEYWORD);
    upsertSearchAttributes([{ key, value: code }]);
  }
  const details: FailureDetails = { code, status: attempt?.status ?? null, attempt: attempt?.n ?? null };
  const failure = ApplicationFailure.create({
    message: catalogEntry(code).message,
    type: code,
    nonRetryable: true,
    details: [details],
  });
  failure.stack = '';
  throw failure;
}

/**
 * R24. The start is waited for, since a run that closes at once may take it along unsent; whatever it answers, the delivery
 * ends as it would have. A group whose run is not there is found by the relay.
 */
async function startNotifying({ workflowId, input }: NonNullable<RecordDeadLetterAnswer['notify']>): Promise<void> {
  try {
    await startChild(NOTIFY_GROUP, {
      workflowId,
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      // The claim decides who tells, not an earlier run's end.
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
  } catch (error) {
    log.warn('The notification of a dead letter was not started: the relay starts it later', { workflowId, error });
  }
}

function runOf({ eventId, epoch, carrier }: DeliverEventInput) {
  return { eventId, epoch, carrier };
}
