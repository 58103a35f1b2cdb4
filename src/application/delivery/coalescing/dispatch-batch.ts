/**
 * One attempt to deliver the events of a batch by one call of their handler (R20): load what it still carries, dispatch,
 * settle what has a receipt, and let fall out what failed. Never throws, and ends within `deadlines.totalMs` as long as the
 * dispatcher keeps `sendMs`. Whatever leaves the batch is written in one statement, fenced by its carrier: an attempt that
 * dies leaves every event where it was, or gone from the batch with all that is known of it.
 */
import { countAttempts } from '../../../domain/delivery/attempt-totals.js';
import { BATCH_TRIES, type BatchState, type BatchTally, type BatchTry } from '../../../domain/delivery/batch-state.js';
import { decideAfterFailure } from '../../../domain/delivery/decide-after-failure.js';
import { catalogEntry, type ErrorCode } from '../../../domain/delivery/error-catalog.js';
import { IntegrationError, isIntegrationError } from '../../../domain/delivery/integration-error.js';
import { DEFAULT_POLICY } from '../../../domain/delivery/policy.js';
import type { Receipt } from '../../../domain/delivery/receipt.js';
import { describeFailure } from '../describe-failure.js';
import type { BatchDispatcher, EventRef, FallenEvent, LoadedBatch } from '../ports.js';
import {
  add,
  type BatchAttempt,
  beginAttempt,
  type DispatchBatchDeps,
  type DispatchBatchInput,
  endTally,
  leftMs,
  logFields,
  recount,
  storeMs,
  tallySoFar,
} from './batch-attempt.js';
import {
  asFailure,
  fallAll,
  fallEach,
  fallOut,
  fallSpent,
  giveBack,
  isWholesRefusal,
  judge,
  mayTell,
} from './leave-batch.js';
import { settle, settleCarried, settleFalling } from './settle-batch.js';

export type BatchOutcome =
  | { readonly kind: 'done'; readonly tally: BatchTally }
  /** `tally`: of what it did all the same. */
  | { readonly kind: 'busy'; readonly tally?: BatchTally }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly status: number | null;
      /** null: final. */
      readonly delayMs: number | null;
      readonly state: BatchState;
    };

/** Of payloads, read at once; what is more is read and posted after it, in the same run. */
const MAX_BATCH_BYTES = 2 * 1024 * 1024;

/** How many batches of one destination a worker has in hand at once (`DispatchBatchDeps.placesOf`). */
export const BATCH_PLACES = 8;

const PLACE_WAIT_MS = 1_000;
/** Less, so that time is left for the post. Without it up to half of a busy worker's batches took the way round. */
const LOCAL_PLACE_WAIT_MS = 600;
/** Of a post: what is slower, or has less time left, does not begin with a local attempt. */
const QUICK_MS = 1_000;
/** A batch does not hold its events for longer than this between two tries. */
const LONGEST_PAUSE_MS = 20_000;
const MOST_UNEXPECTED = 3;

type Deps = DispatchBatchDeps;

export async function dispatchBatch(deps: Deps, input: DispatchBatchInput): Promise<BatchOutcome> {
  const attempt = beginAttempt(input);
  const release = await deps
    .placesOf(input.batch.destination)
    .enter(input.mode === 'local' ? LOCAL_PLACE_WAIT_MS : PLACE_WAIT_MS, input.signal);
  if (release === null) {
    if (input.mode === 'local') return busy(attempt);
    return wait(deps, attempt, new IntegrationError(input.signal.aborted ? 'DELIVERY.CANCELLED' : 'DESTINATION.BUSY'));
  }
  try {
    return await attemptBatch(deps, attempt);
  } catch (error) {
    if (isIntegrationError(error) && error.code === 'STORE.UNAVAILABLE') return wait(deps, attempt, error);
    return onUnexpected(deps, attempt, error);
  } finally {
    release();
  }
}

/** Throws what the store throws: `attempt.state` then tells the next attempt how far this one came. */
async function attemptBatch(deps: Deps, attempt: BatchAttempt): Promise<BatchOutcome> {
  if (attempt.state.falling) {
    await fallAll(deps, attempt, await settleFalling(deps, attempt));
    return done(deps, attempt);
  }
  if (attempt.state.receipts.length > 0 && !(await settleCarried(deps, attempt))) {
    await fallAll(deps, attempt, []);
    return done(deps, attempt);
  }
  const { batch } = attempt.input;
  for (let part = batch; ; ) {
    const loaded = await deps.batches.loadBatch(part, MAX_BATCH_BYTES, storeMs(attempt));
    const { events, held, over, delivered, superseded, missing } = loaded;
    if (missing === batch.events.length) return notFound(deps, attempt);
    if (part === batch) recount(attempt, loaded);
    else add(attempt, { delivered, superseded: superseded + missing });
    const closed = loaded.destination.breaker === 'closed';
    const back = closed ? held : [...held, ...over, ...events.map(({ ref }) => ref)];
    if (back.length > 0) await giveBack(deps, attempt, back, null);
    if (!closed) return done(deps, attempt);
    if (events.length === 0) {
      // One fits always, so these have no event in this database: each meets that by itself.
      const fallen = over.map((ref) => ({
        ref,
        delayMs: 0,
        alone: true,
        attempts: attempt.state.tries.map(asFailure),
      }));
      if (fallen.length > 0) await fallOut(deps, attempt, { fallen });
      return done(deps, attempt);
    }
    const spent = await fallSpent(deps, attempt, events);
    const left = events.filter(({ ref }) => !spent.has(ref.eventId));
    const outcome = left.length === 0 ? 'sent' : await send(deps, attempt, { ...loaded, events: left, over });
    if (outcome !== 'sent') return outcome;
    if (over.length === 0) return done(deps, attempt);
    if (leftMs(attempt) < attempt.input.deadlines.totalMs / 2 || attempt.input.signal.aborted) {
      await giveBack(deps, attempt, over, null);
      return done(deps, attempt);
    }
    part = { ...part, events: over };
  }
}

type Part = Pick<LoadedBatch, 'events' | 'over' | 'destination'>;

/** One post. Unless it is answered event by event, `over`, which it has no room for, leaves with its events, or before them. */
async function send(deps: Deps, attempt: BatchAttempt, part: Part): Promise<BatchOutcome | 'sent'> {
  const { events, over, destination } = part;
  const { mode, deadlines, signal } = attempt.input;
  // What comes after it is writing: twice, with time to spare.
  const timeoutMs = Math.max(1, Math.min(deadlines.sendMs, leftMs(attempt) - 2 * deadlines.storeMs - 50));
  // Here a post that is not quick runs out of a local attempt's time, again and again: what that costs is a second post.
  const needsMs = Math.min(QUICK_MS, deadlines.sendMs / 2);
  const tooSlow = (deps.lastTookMs.get(destination.name) ?? 0) > QUICK_MS || timeoutMs < needsMs;
  if (mode === 'local' && tooSlow) return busy(attempt);
  const options = { mode, timeoutMs, signal, destination };
  const before = attempt.state;
  attempt.state = { ...before, postedTo: postedWith(attempt, part) };
  const sentAt = performance.now();
  let answers: Awaited<ReturnType<BatchDispatcher['dispatchBatch']>>;
  try {
    const outgoing = events.map(({ event }) => event);
    answers = await deps.dispatcher.dispatchBatch(outgoing, options);
    if (typeof answers !== 'string') deps.lastTookMs.set(destination.name, performance.now() - sentAt);
  } catch (thrown) {
    const error = isIntegrationError(thrown) ? thrown : new IntegrationError('HANDLER.FAILED', { cause: thrown });
    // It took longer than this attempt could wait: how long, the next one that is answered tells.
    if (error.code === 'HTTP.TIMEOUT') deps.lastTookMs.set(destination.name, Number.POSITIVE_INFINITY);
    if (error.code === 'DESTINATION.OPEN' || error.code === 'DESTINATION.BUSY') attempt.state = before;
    return onWholeFailure(deps, attempt, part, error);
  }
  if (typeof answers === 'string') attempt.state = before;
  if (answers === 'unsupported') {
    // The relay thinks otherwise: a worker of another release, or with another configuration.
    const attempts = before.tries.map(asFailure);
    const all = [...events.map(({ ref }) => ref), ...over];
    await fallOut(deps, attempt, { fallen: all.map((ref) => ({ ref, delayMs: 0, alone: true, attempts })) });
    return done(deps, attempt);
  }
  if (answers === 'busy') {
    return mode === 'local' ? busy(attempt) : wait(deps, attempt, new IntegrationError('DESTINATION.BUSY'));
  }
  const receipts: { ref: EventRef; receipt: Receipt }[] = [];
  const failed: { ref: EventRef; event: LoadedBatch['events'][number]['event']; error: IntegrationError }[] = [];
  for (const [index, { ref, event }] of events.entries()) {
    const answer = answers[index] ?? new IntegrationError('HTTP.BAD_RESPONSE');
    if (isIntegrationError(answer)) failed.push({ ref, event, error: answer });
    else receipts.push({ ref, receipt: answer });
  }
  // From here on effects stand: should settling not come through, the next attempt settles and sends none of them again.
  const answered = attempt.state;
  const places = new Map(attempt.input.batch.events.map(({ eventId }, place) => [eventId, place]));
  const carried = receipts.map(
    ({ ref, receipt }) => [places.get(ref.eventId) ?? -1, receipt.id, receipt.hash] as const,
  );
  // R18: of what failed, too, until its attempt is written.
  const sent = answered.sent || failed.some(({ error }) => catalogEntry(error.code).effect === 'unknown');
  attempt.state = { ...answered, sent, receipts: carried };
  const allSettled = await settle(deps, attempt, receipts);
  const refused = new Set(failed.map(({ ref }) => ref));
  // Which of them had been settled before is not told: then none of them is, rather than one twice.
  if (allSettled) {
    observeRecorded(
      deps,
      attempt,
      events.filter(({ ref }) => !refused.has(ref)),
    );
  }
  attempt.state = { ...answered, sent };
  if (failed.length > 0) await fallEach(deps, attempt, failed);
  return 'sent';
}

/** With the events of this part, up to which place of the batch something may have been posted. */
function postedWith({ input, state }: BatchAttempt, { events }: Part): number | null {
  if (state.postedTo === null) return null;
  const last = events.at(-1)?.ref.eventId;
  return Math.max(state.postedTo, input.batch.events.findIndex(({ eventId }) => eventId === last) + 1);
}

/**
 * R20: tried once more, but for the events whose policy says otherwise: those fall out at once. What is final by its nature is
 * a word on the post, not on any of its events: one that does not fit, or a wrong address, must not kill all that travelled
 * with it (R19). Nothing of it is counted then, and each is sent by itself.
 */
async function onWholeFailure(
  deps: Deps,
  attempt: BatchAttempt,
  { events, over }: Part,
  error: IntegrationError,
): Promise<BatchOutcome> {
  const { mode } = attempt.input;
  const { code, status } = error;
  const refs = events.map(({ ref }) => ref);
  if (code === 'DESTINATION.OPEN') {
    // This worker stays away, or the destination has changed since it was looked at.
    await giveBack(deps, attempt, [...refs, ...over], Math.max(1_000, error.retryAfterMs ?? 0) * (1 + deps.random()));
    return done(deps, attempt);
  }
  if (!catalogEntry(code).spends) {
    // A shutdown may have cut off a post that has its effect.
    attempt.state = { ...attempt.state, sent: attempt.state.sent || catalogEntry(code).effect === 'unknown' };
    return wait(deps, attempt, error);
  }
  const before = attempt.state;
  const last: BatchTry = { code, status, local: mode === 'local' };
  const tries = [...before.tries, last];
  // Until it is judged: with the store away nobody can tell whom the policies let stay, so all fall out when it is back.
  attempt.state = { ...before, tries, falling: true };
  if (over.length > 0) await giveBack(deps, attempt, over, null, before.tries);
  const budgets = await deps.batches.readBudgets(refs, storeMs(attempt));
  const told = mayTell(events);
  const fallen: (FallenEvent & { readonly delayMs: number })[] = [];
  const pauses: number[] = [];
  let doubtful = false;
  for (const one of events) {
    const { ref, event } = one;
    const budget = budgets.get(ref.eventId);
    const { delayMs, alone } = judge(deps, attempt, { budget, tries: before.tries, error });
    const refused = isWholesRefusal(code) && delayMs === null;
    doubtful ||= refused && catalogEntry(code).effect === 'unknown';
    if (tries.length < BATCH_TRIES && delayMs !== null && delayMs <= LONGEST_PAUSE_MS) {
      pauses.push(delayMs);
      continue;
    }
    const failure = {
      ...asFailure(last),
      ...(one === told ? describeFailure(error, deps.redactor.forEvent(event)) : {}),
    };
    const attempts = [...before.tries.map(asFailure), ...(refused ? [] : [failure])];
    fallen.push({ ref, delayMs: refused ? 0 : (delayMs ?? 0), alone, attempts });
  }
  if (fallen.length > 0) await fallOut(deps, attempt, { fallen, code, doubtful });
  attempt.state = { ...before, tries };
  deps.log.warn({ ...logFields(attempt), code, status, fellOut: fallen.length, goOn: pauses.length }, 'batch.failed');
  // Where it goes on, `fail` counts it.
  if (pauses.length === 0) deps.metrics?.count('outbox_failed_attempts_total', { code });
  return pauses.length === 0 ? done(deps, attempt) : fail(deps, attempt, error, Math.max(...pauses));
}

/** R19: a worker whose database has none of the events. After five tries the run fails, with an alert and no letter. */
function notFound(deps: Deps, attempt: BatchAttempt): BatchOutcome {
  const code = 'DISPATCH.EVENT_NOT_FOUND';
  const { notFound: times } = attempt.state;
  const totals = { ...countAttempts([], 0), spent: times, spentByCode: { [code]: times } };
  const { random } = deps;
  const decision = decideAfterFailure({ code, retryAfterMs: null, totals, policy: DEFAULT_POLICY, random });
  attempt.state = { ...attempt.state, notFound: times + 1 };
  if (decision.kind === 'final') deps.onEventNotFound();
  return fail(deps, attempt, new IntegrationError(code), decision.kind === 'retry' ? decision.delayMs : null);
}

/** For what spends nothing. */
function wait(deps: Deps, attempt: BatchAttempt, error: IntegrationError): BatchOutcome {
  const { code, retryAfterMs } = error;
  const totals = countAttempts([], 0);
  const { random } = deps;
  const decision = decideAfterFailure({ code, retryAfterMs, totals, policy: DEFAULT_POLICY, random });
  return fail(deps, attempt, error, decision.kind === 'retry' ? decision.delayMs : 1_000);
}

/** A bug of ours, or of a library: after a few, every event goes on by itself, where it meets the same or does not. */
function onUnexpected(deps: Deps, attempt: BatchAttempt, error: unknown): BatchOutcome {
  deps.log.error({ ...logFields(attempt), err: error }, 'batch.unexpected_error');
  const unexpected = attempt.state.unexpected + 1;
  attempt.state = { ...attempt.state, unexpected, falling: attempt.state.falling || unexpected >= MOST_UNEXPECTED };
  return fail(deps, attempt, new IntegrationError('HANDLER.FAILED'), 1_000);
}

function observeRecorded({ metrics }: Deps, { input }: BatchAttempt, recorded: Part['events']): void {
  const { runStartedAt } = input;
  if (runStartedAt === undefined) return;
  const seconds = (Date.now() - runStartedAt) / 1_000;
  for (const { event } of recorded) {
    metrics?.observe('outbox_start_to_record_seconds', { event_type: event.eventType }, seconds);
  }
}

function fail(deps: Deps, attempt: BatchAttempt, error: IntegrationError, delayMs: number | null): BatchOutcome {
  const { code, status } = error;
  deps.metrics?.count('outbox_failed_attempts_total', { code });
  const cause = code === 'STORE.UNAVAILABLE' ? { err: error.cause } : {};
  const level = code === 'DESTINATION.BUSY' ? 'debug' : 'warn';
  deps.log[level]({ ...logFields(attempt), ...endTally(attempt), code, status, delayMs, ...cause }, 'batch.attempted');
  const { tally: _before, ...state } = attempt.state;
  const tally = tallySoFar(attempt);
  return { kind: 'failed', code, status, delayMs, state: tally === undefined ? state : { ...state, tally } };
}

function busy(attempt: BatchAttempt): BatchOutcome {
  const tally = tallySoFar(attempt);
  return tally === undefined ? { kind: 'busy' } : { kind: 'busy', tally };
}

function done(deps: Deps, attempt: BatchAttempt): BatchOutcome {
  const durationMs = Math.round(performance.now() - attempt.startedAt);
  const tally = endTally(attempt);
  deps.log.debug({ ...logFields(attempt), ...tally, durationMs }, 'batch.attempted');
  return { kind: 'done', tally };
}
