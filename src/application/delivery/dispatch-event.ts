/**
 * One attempt to deliver one event, local or regular (R10 to R16): load, dispatch, settle; or say how it failed and
 * when to try again. Never throws, and ends within `deadlines.totalMs` as long as the dispatcher keeps `sendMs`.
 */
import { type AttemptTotals, NO_ATTEMPTS } from '../../domain/delivery/attempt-totals.js';
import { type DestinationView, type FailureReason, mayTakeTrial } from '../../domain/delivery/breaker.js';
import {
  addUnwritten,
  type CarriedReceipt,
  type CarriedState,
  type PreviousAttempt,
  type UnwrittenEnd,
} from '../../domain/delivery/carried-state.js';
import {
  decideAfterFailure,
  endedBy,
  isCrashLoop,
  maxAttemptsFor,
} from '../../domain/delivery/decide-after-failure.js';
import type { AttemptDeadlines } from '../../domain/delivery/delivery-timeouts.js';
import { catalogEntry, type ErrorCode } from '../../domain/delivery/error-catalog.js';
import { IntegrationError, isIntegrationError } from '../../domain/delivery/integration-error.js';
import type { OutboxEvent } from '../../domain/delivery/outbox-event.js';
import { DEFAULT_POLICY, type RetryPolicy } from '../../domain/delivery/policy.js';
import type { Receipt } from '../../domain/delivery/receipt.js';
import { type Weight, weighOutcome } from '../../domain/delivery/weigh-outcome.js';
import type { Redactor } from '../../domain/redaction/redactor.js';
import { traceIdOf } from '../../domain/trace-context.js';
import type { Metrics } from '../metrics/metrics.js';
import { describeFailure } from './describe-failure.js';
import type { DestinationWatch } from './destinations/watch-destinations.js';
import type { AttemptFailure, AttemptStore, Dispatcher, Logger, RunRef, SettleAnswer } from './ports.js';

export interface DispatchEventDeps {
  readonly attempts: AttemptStore;
  readonly dispatcher: Dispatcher;
  readonly log: Logger;
  readonly random: () => number;
  /** What is stored and logged of a failure goes through it. */
  readonly redactor: Redactor;
  /** R16: a receipt came for an epoch that is over. */
  readonly onFencedSettle: () => void;
  /** R19: the event is not in this database, and that was the last try. */
  readonly onEventNotFound: () => void;
  /** Trials and waits of destinations that are not well (R6); without it nothing is known of them. */
  readonly destinations?: Pick<DestinationWatch, 'takeTrial' | 'endTrial' | 'waitMs'>;
  readonly metrics?: Metrics;
}

export interface DispatchEventInput {
  readonly run: RunRef;
  readonly mode: 'local' | 'regular';
  readonly previous: PreviousAttempt | null;
  readonly carried: CarriedState;
  readonly runId: string;
  /** When the run began, in milliseconds since 1970, by Temporal's clock; left out: not known. */
  readonly runStartedAt?: number | undefined;
  /** Names this try of this worker: stored with the attempt, matched by `UnwrittenEnd`. */
  readonly worker: string;
  readonly deadlines: AttemptDeadlines;
  /** Aborted by our own shutdown, and when the attempt's end interests nobody any more. */
  readonly signal: AbortSignal;
}

export type DispatchOutcome =
  | { readonly kind: 'delivered'; readonly receiptId: string }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'busy' }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly status: number | null;
      readonly attempt: number | null;
      /** null: final. */
      readonly delayMs: number | null;
      readonly carried: CarriedState;
    };

/** An attempt under way: what it has loaded, and how much time is left. */
interface Attempt {
  readonly input: DispatchEventInput;
  readonly startedAt: number;
  /** null until the event is loaded. */
  readonly n: number | null;
  readonly event: OutboxEvent | null;
  readonly policy: RetryPolicy;
  readonly totals: AttemptTotals;
  /** The token of the one trial that a half-open destination takes; null: this is none. */
  readonly trial: string | null;
}

type Deps = DispatchEventDeps;

export async function dispatchEvent(deps: Deps, input: DispatchEventInput): Promise<DispatchOutcome> {
  const unloaded: Attempt = {
    input,
    startedAt: performance.now(),
    n: null,
    event: null,
    policy: DEFAULT_POLICY,
    totals: NO_ATTEMPTS,
    trial: null,
  };
  const known = input.carried.receipt;
  if (known !== null)
    return settle(deps, { ...unloaded, n: known.attempt?.n ?? null }, receiptOf(known), known.attempt);

  let begun: Begun;
  let trial: string | null;
  try {
    ({ begun, trial } = await beginOrTry(deps, input));
  } catch (error) {
    // Nothing was sent, so nothing is spent. Our row may stand all the same, if only the answer was lost.
    return fail(deps, unloaded, storeError(error));
  }
  switch (begun.kind) {
    case 'superseded':
      return { kind: 'superseded' };
    case 'delivered':
      return { kind: 'delivered', receiptId: begun.receipt.id };
    case 'not-found':
      return fail(deps, unloaded, new IntegrationError('DISPATCH.EVENT_NOT_FOUND'));
    case 'blocked': {
      // R12: known before anything is sent or written, so it spends nothing and leaves no row.
      const retryAfterMs = deps.destinations?.waitMs(begun.destination);
      const options = retryAfterMs === undefined ? {} : { retryAfterMs };
      const { event, policy } = begun;
      return fail(deps, { ...unloaded, event, policy }, new IntegrationError('DESTINATION.OPEN', options));
    }
    case 'begun':
      // A worker that died has written no line of its own.
      if (begun.lost > 0) {
        const fields = { ...logFields({ ...unloaded, ...begun }), code: 'DELIVERY.ATTEMPT_LOST', lost: begun.lost };
        deps.log.warn(fields, 'delivery.attempts_lost');
        deps.metrics?.count('outbox_failed_attempts_total', { code: 'DELIVERY.ATTEMPT_LOST' }, begun.lost);
      }
      return send(deps, { ...unloaded, ...begun, trial }, begun.event, begun.destination);
  }
}

/** A trial that comes too late is over by itself; it must outlast the attempt. */
const LEAST_TRIAL_MS = 25_000;
const TRIAL_MARGIN_MS = 5_000;

type Begun = Awaited<ReturnType<typeof begin>>;

/** Where the destination may be tried again, this attempt asks to be the one that does. */
async function beginOrTry(
  deps: Deps,
  input: DispatchEventInput,
): Promise<{ readonly begun: Begun; readonly trial: string | null }> {
  const begun = await begin(deps, input, null);
  const { destinations } = deps;
  if (begun.kind !== 'blocked' || input.mode === 'local' || destinations === undefined) return { begun, trial: null };
  if (!mayTakeTrial(begun.destination)) return { begun, trial: null };
  const { name } = begun.destination;
  const { storeMs, totalMs } = input.deadlines;
  const trial = await destinations.takeTrial(name, Math.max(LEAST_TRIAL_MS, totalMs + TRIAL_MARGIN_MS), storeMs);
  if (trial === null) return { begun, trial };
  let tried: Begun | null = null;
  try {
    tried = await begin(deps, input, trial);
    return { begun: tried, trial };
  } finally {
    if (tried?.kind !== 'begun') destinations.endTrial(name, trial, { weight: 'none', reason: null });
  }
}

async function begin(
  { attempts }: Deps,
  { run, mode, previous, carried, runId, worker, deadlines }: DispatchEventInput,
  trial: string | null,
) {
  if (mode === 'regular') {
    const { unwritten } = carried;
    return attempts.beginAttempt(run, { previous, unwritten, runId, worker, trial }, deadlines.storeMs);
  }
  const loaded = await attempts.loadEvent(run, deadlines.storeMs);
  if (loaded.kind !== 'found') return loaded;
  return { ...loaded, kind: 'begun' as const, n: 1, lost: 0, totals: NO_ATTEMPTS };
}

async function send(
  deps: Deps,
  attempt: Attempt,
  event: OutboxEvent,
  destination: DestinationView,
): Promise<DispatchOutcome> {
  const { mode, deadlines, signal } = attempt.input;
  const endTrial = (weight: Weight, reason: FailureReason | null = null) => {
    if (attempt.trial !== null) deps.destinations?.endTrial(destination.name, attempt.trial, { weight, reason });
  };
  if (isCrashLoop(attempt.totals)) {
    endTrial('none');
    return fail(deps, attempt, new IntegrationError('DELIVERY.CRASH_LOOP'));
  }
  // Also of a run that goes on: its worker may have died between writing the last failure and telling the run that it was final.
  const over = endedBy(attempt.totals, attempt.policy);
  if (over !== null) {
    endTrial('none');
    return endUnsent(deps, attempt, over);
  }
  let answer: Receipt | 'busy';
  try {
    answer = await deps.dispatcher.dispatch(event, { mode, timeoutMs: deadlines.sendMs, signal, destination });
  } catch (thrown) {
    const error = isIntegrationError(thrown) ? thrown : new IntegrationError('HANDLER.FAILED', { cause: thrown });
    const { code, status } = error;
    endTrial(weighOutcome(code, status), { code, status });
    return fail(deps, attempt, error);
  }
  endTrial(answer === 'busy' ? 'none' : 'success');
  const { worker } = attempt.input;
  const row = mode === 'local' || attempt.n === null ? null : { n: attempt.n, worker };
  if (answer !== 'busy') return settle(deps, attempt, answer, row);
  if (mode === 'local') return { kind: 'busy' };
  return fail(deps, attempt, new IntegrationError('DESTINATION.BUSY'));
}

/** The attempts before this one have ended it: this one sends nothing, and leaves no row. */
async function endUnsent(deps: Deps, attempt: Attempt, code: ErrorCode): Promise<DispatchOutcome> {
  const { run, runId, worker } = attempt.input;
  const { n } = attempt;
  try {
    if (n !== null) {
      const row = { n, runId, worker, doubtful: false };
      await withinDeadline(attempt, (timeoutMs) => deps.attempts.removeAttempt(run, row, 0, timeoutMs));
    }
  } catch (error) {
    return fail(deps, attempt, storeError(error));
  }
  deps.log.warn({ ...logFields(attempt), code, outcome: 'final' }, 'delivery.ended_before');
  return { kind: 'failed', code, status: null, attempt: null, delayMs: null, carried: attempt.input.carried };
}

/** R15: settling is tried for the rest of the deadline; then the receipt travels on. */
async function settle(
  deps: Deps,
  attempt: Attempt,
  receipt: Receipt,
  row: CarriedReceipt['attempt'],
): Promise<DispatchOutcome> {
  const { input, startedAt } = attempt;
  // A receipt is carried within one run only.
  const rowRef = row === null ? null : { ...row, runId: input.runId };
  let answer: SettleAnswer;
  try {
    answer = await withinDeadline(attempt, (timeoutMs) => deps.attempts.settle(input.run, receipt, rowRef, timeoutMs));
  } catch (error) {
    return fail(deps, attempt, storeError(error), { id: receipt.id, hash: receipt.hash, attempt: row });
  }
  const fields = { ...logFields(attempt), receiptId: receipt.id, replayed: receipt.replayed, settled: answer };
  if (answer === 'superseded') {
    deps.onFencedSettle();
    deps.log.warn(fields, 'delivery.fenced');
    return { kind: 'superseded' };
  }
  if (answer === 'settled' && attempt.event !== null && input.runStartedAt !== undefined) {
    const seconds = (Date.now() - input.runStartedAt) / 1_000;
    deps.metrics?.observe('outbox_start_to_record_seconds', { event_type: attempt.event.eventType }, seconds);
  }
  deps.log.debug(
    { ...fields, outcome: 'delivered', durationMs: Math.round(performance.now() - startedAt) },
    'delivery.attempted',
  );
  return { kind: 'delivered', receiptId: receipt.id };
}

async function fail(
  deps: Deps,
  attempt: Attempt,
  error: IntegrationError,
  receipt: CarriedReceipt | null = null,
): Promise<DispatchOutcome> {
  const { input, policy } = attempt;
  const tookMs = Math.round(performance.now() - attempt.startedAt);
  const { notFound, unwritten: earlier } = input.carried;
  const missing = error.code === 'DISPATCH.EVENT_NOT_FOUND';
  const totals = missing
    ? { ...NO_ATTEMPTS, spent: notFound, spentByCode: { 'DISPATCH.EVENT_NOT_FOUND': notFound } }
    : { ...attempt.totals, sinceFirstMs: attempt.totals.sinceFirstMs + tookMs };
  const { retryAfterMs } = error;
  const decision = decideAfterFailure({ code: error.code, retryAfterMs, totals, policy, random: deps.random });
  const delayMs = decision.kind === 'retry' ? decision.delayMs : null;
  const code = decision.kind === 'final' ? decision.code : error.code;

  if (missing && delayMs === null) deps.onEventNotFound();
  deps.metrics?.count('outbox_failed_attempts_total', { code: error.code });

  const failure = describeFailure(error, deps.redactor.forEvent(attempt.event ?? {}));
  // With a receipt the attempt did not fail: its row waits for the settling that closes it.
  const unwritten = receipt === null ? await writeEnd(deps, attempt, failure, delayMs) : null;
  if (code === 'DESTINATION.OPEN' && delayMs !== null) await noteWait(deps, attempt, delayMs);
  // Once an attempt has begun, the ends carried so far are written.
  const before = attempt.n === null ? earlier : [];
  const outcome = {
    kind: 'failed' as const,
    code,
    status: error.status,
    attempt: attempt.n,
    delayMs,
    carried: {
      receipt,
      unwritten: unwritten === null ? before : addUnwritten(before, unwritten),
      notFound: missing ? notFound + 1 : notFound,
    },
  };
  // While a destination is open every run says so, again and again; that it opened is said once, where that is known.
  deps.log[code === 'DESTINATION.OPEN' ? 'debug' : 'warn'](
    {
      ...logFields(attempt),
      outcome: delayMs === null ? 'final' : 'retry',
      code,
      attemptCode: error.code,
      maxAttempts: maxAttemptsFor(error.code, policy),
      status: error.status,
      field: failure.field,
      delayMs,
      durationMs: tookMs,
      receiptId: receipt?.id,
      endWritten: unwritten === null,
      // Our own database, so the whole cause: without it a missing grant would look like a server that is away.
      ...(error.code === 'STORE.UNAVAILABLE' ? { err: error.cause } : {}),
      // Names only: what a handler wrote into a message may be anything.
      causes: failure.causes.map(({ name }) => name),
    },
    'delivery.attempted',
  );
  return outcome;
}

/** Writes how the attempt ended. Where the store does not take it, the answer is what must travel on instead. */
async function writeEnd(
  deps: Deps,
  attempt: Attempt,
  failure: AttemptFailure,
  delayMs: number | null,
): Promise<UnwrittenEnd | null> {
  const { mode, run, runId, worker, deadlines } = attempt.input;
  const { spends, effect } = catalogEntry(failure.code);
  // R18: what spends nothing leaves no row that could tell that something may have been sent.
  const doubtful = !spends && effect === 'unknown';
  const unwritten: UnwrittenEnd = {
    worker,
    code: spends ? failure.code : null,
    status: failure.status,
    ...(doubtful ? { doubtful } : {}),
  };
  // A local attempt's end is in the workflow's history in any case, and the next attempt inserts it (`previous`).
  if (mode === 'local' && (!(spends || doubtful) || attempt.event === null)) return null;
  if (attempt.n === null) return failure.code === 'STORE.UNAVAILABLE' ? unwritten : null;
  const row = { n: attempt.n, runId, worker };
  try {
    const local = mode === 'local';
    const write = (timeoutMs: number) =>
      spends
        ? deps.attempts.failAttempt(run, { ...row, local }, failure, delayMs, timeoutMs)
        : deps.attempts.removeAttempt(run, { ...row, doubtful }, delayMs ?? 0, timeoutMs);
    await (local ? write(deadlines.storeMs) : withinDeadline(attempt, write));
    return null;
  } catch (storeFailure) {
    deps.log.warn({ ...logFields(attempt), error: storeError(storeFailure) }, 'delivery.end_not_written');
    return mode === 'local' && spends ? null : unwritten;
  }
}

/** Not written, the wait counts as part of the deadline, nothing else. */
async function noteWait(deps: Deps, attempt: Attempt, delayMs: number): Promise<void> {
  const { run, deadlines } = attempt.input;
  try {
    await deps.attempts.waitForDestination(run, delayMs, deadlines.storeMs);
  } catch (error) {
    deps.log.warn({ ...logFields(attempt), error: storeError(error) }, 'delivery.wait_not_written');
  }
}

/** Tries again, 100 ms apart, until the attempt's deadline or a shutdown; then throws the last error. */
async function withinDeadline<T>({ input, startedAt }: Attempt, work: (timeoutMs: number) => Promise<T>): Promise<T> {
  const leftMs = () => input.deadlines.totalMs - (performance.now() - startedAt);
  for (;;) {
    try {
      // The first call is made however late it is: a deadline that a handler used up must not cost the receipt.
      return await work(Math.max(50, Math.min(input.deadlines.storeMs, leftMs())));
    } catch (error) {
      if (input.signal.aborted || leftMs() < 150) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function receiptOf({ id, hash }: CarriedReceipt): Receipt {
  return { id, hash, status: null, at: new Date().toISOString(), replayed: false };
}

/** Whatever our own store throws is our own fault: waited out, never booked on the event. */
function storeError(error: unknown): IntegrationError {
  if (isIntegrationError(error) && error.code === 'STORE.UNAVAILABLE') return error;
  return new IntegrationError('STORE.UNAVAILABLE', { cause: error });
}

function logFields({ input, n, event }: Attempt) {
  return {
    eventId: input.run.eventId,
    epoch: input.run.epoch,
    carrier: input.run.carrier ?? undefined,
    eventName: event?.eventName,
    destination: event?.routingKey,
    mode: input.mode,
    attempt: n,
    runId: input.runId,
    worker: input.worker,
    trace_id: traceIdOf(event?.headers.traceparent),
  };
}
