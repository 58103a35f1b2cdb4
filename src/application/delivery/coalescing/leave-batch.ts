/** How events leave their batch (R20): each PENDING in the next epoch, with what is known of it, in one statement for all. */
import { countAttempts } from '../../../domain/delivery/attempt-totals.js';
import type { BatchTry } from '../../../domain/delivery/batch-state.js';
import { decideAfterFailure, endedBy, isCrashLoop } from '../../../domain/delivery/decide-after-failure.js';
import { catalogEntry, type ErrorCode } from '../../../domain/delivery/error-catalog.js';
import { IntegrationError } from '../../../domain/delivery/integration-error.js';
import type { OutboxEvent } from '../../../domain/delivery/outbox-event.js';
import { DEFAULT_POLICY } from '../../../domain/delivery/policy.js';
import { describeFailure } from '../describe-failure.js';
import type { AttemptFailure, Budget, EventRef, FallenEvent } from '../ports.js';
import { add, type BatchAttempt, type DispatchBatchDeps, logFields, storeMs, withinDeadline } from './batch-attempt.js';

type Deps = Pick<DispatchBatchDeps, 'batches' | 'log' | 'random' | 'redactor' | 'metrics'>;

/** Events that fall out of one batch come due no faster than this. */
const SPREAD_MS = 20;

/**
 * Those that failed by themselves: each by its own policy. Those of a request that was refused for good, after another one of
 * the same post was answered, were judged by nobody: nothing is booked on them, as where the whole post is refused.
 */
export async function fallEach(
  deps: Deps,
  attempt: BatchAttempt,
  failed: readonly { readonly ref: EventRef; readonly event: OutboxEvent; readonly error: IntegrationError }[],
): Promise<void> {
  const { mode } = attempt.input;
  const refs = failed.map(({ ref }) => ref);
  const budgets = await deps.batches.readBudgets(refs, storeMs(attempt));
  const { tries } = attempt.state;
  const local = mode === 'local';
  const told = mayTell(failed.filter(({ error }) => error.ofRequest));
  // R18: what spends nothing leaves no row that could tell of its effect.
  let doubtful = false;
  const fallen = failed.map((one) => {
    const { ref, event, error } = one;
    const { code, status, ofRequest } = error;
    const { delayMs } = judge(deps, attempt, { budget: budgets.get(ref.eventId), tries, error });
    const spent = catalogEntry(code).spends && !(ofRequest && isWholesRefusal(code) && delayMs === null);
    doubtful ||= !spent && catalogEntry(code).effect === 'unknown';
    const bare = asFailure({ code, status, local });
    const failure =
      ofRequest && one !== told ? bare : { ...bare, ...describeFailure(error, deps.redactor.forEvent(event)) };
    return {
      ref,
      delayMs: delayMs ?? 0,
      alone: true,
      attempts: [...tries.map(asFailure), ...(spent ? [failure] : [])],
    };
  });
  await fallOut(deps, attempt, { fallen, doubtful });
  const codes: Partial<Record<ErrorCode, number>> = {};
  for (const { ref, event, error } of failed) {
    const { code, status, field } = error;
    codes[code] = (codes[code] ?? 0) + 1;
    deps.metrics?.count('outbox_failed_attempts_total', { code });
    const of = { eventId: ref.eventId, epoch: ref.epoch, eventName: event.eventName };
    deps.log.debug({ ...logFields(attempt), ...of, code, status, field }, 'delivery.fell_out');
  }
  deps.log.warn({ ...logFields(attempt), codes }, 'batch.events_failed');
}

/** R12, those that the posts so far have ended: a local one that ran out of its time, or a lost one, was judged by nobody. */
export async function fallSpent(
  deps: Deps,
  attempt: BatchAttempt,
  events: readonly { readonly ref: EventRef }[],
): Promise<ReadonlySet<string>> {
  const { tries } = attempt.state;
  if (tries.length === 0) return new Set();
  const refs = events.map(({ ref }) => ref);
  const budgets = await deps.batches.readBudgets(refs, storeMs(attempt));
  const over = refs.filter(({ eventId }) => {
    const { policy = DEFAULT_POLICY, codes = [] } = budgets.get(eventId) ?? {};
    const totals = countAttempts([...codes, ...tries.map(({ code }) => code)], 0);
    return isCrashLoop(totals) || endedBy(totals, policy) !== null;
  });
  const attempts = tries.map(asFailure);
  const fallen = over.map((ref) => ({ ref, delayMs: 0, alone: true, attempts }));
  if (fallen.length > 0) await fallOut(deps, attempt, { fallen });
  return new Set(over.map(({ eventId }) => eventId));
}

/** What is still carried but `settled`, by what `tries` tells of it; nothing is read of the events, and nothing sent. */
export async function fallAll(deps: Deps, attempt: BatchAttempt, settled: readonly EventRef[]): Promise<void> {
  const { batch } = attempt.input;
  const { receipts } = attempt.state;
  const tries = attempt.state.tries.filter(({ code }) => !isWholesRefusal(code));
  const untold = attempt.state.tries.some(
    ({ code }) => isWholesRefusal(code) && catalogEntry(code).effect === 'unknown',
  );
  const last = tries.at(-1);
  const left = batch.events.filter((ref) => !settled.includes(ref));
  const { postedTo } = attempt.state;
  const unposted = new Set(postedTo === null ? [] : batch.events.slice(postedTo));
  const budgets = last === undefined ? new Map() : await deps.batches.readBudgets(left, storeMs(attempt));
  const fallen = left.map((ref) => {
    if (last === undefined || unposted.has(ref)) return { ref, delayMs: 0, alone: true, attempts: [] };
    const error = new IntegrationError(last.code, last.status === null ? {} : { status: last.status });
    const { delayMs, alone } = judge(deps, attempt, {
      budget: budgets.get(ref.eventId),
      tries: tries.slice(0, -1),
      error,
    });
    return { ref, delayMs: delayMs ?? 0, alone, attempts: tries.map(asFailure) };
  });
  await fallOut(deps, attempt, {
    fallen,
    code: attempt.state.tries.at(-1)?.code ?? null,
    doubtful: untold || attempt.state.sent || receipts.length > 0,
  });
}

/**
 * A post that is refused for good is so for one of its events, or for its size, or for all of them: nobody knows. It is nothing
 * that each of them has spent; their own runs are told.
 */
export function isWholesRefusal(code: ErrorCode): boolean {
  return catalogEntry(code).rule.kind === 'final';
}

/**
 * What a destination says of a whole post may quote any of its events: it is kept only where all are of one tenant, and of
 * this one of them.
 */
export function mayTell<One extends { readonly event: OutboxEvent }>(events: readonly One[]): One | undefined {
  return new Set(events.map(({ event }) => event.tenantId)).size === 1 ? events[0] : undefined;
}

/**
 * When the event comes again, by its own policy; null: it has no try left, and its own run ends it. `alone`: it is not tried
 * in a batch again; what says nothing of the event itself leaves it in.
 */
export function judge(
  { random }: Pick<Deps, 'random'>,
  attempt: BatchAttempt,
  given: { readonly budget: Budget | undefined; readonly tries: readonly BatchTry[]; readonly error: IntegrationError },
): { readonly delayMs: number | null; readonly alone: boolean } {
  const { policy = DEFAULT_POLICY, codes = [], sinceFirstMs = 0 } = given.budget ?? {};
  const { code, retryAfterMs } = given.error;
  const tookMs = performance.now() - attempt.startedAt;
  const totals = countAttempts([...codes, ...given.tries.map((one) => one.code)], sinceFirstMs + tookMs);
  const decision = decideAfterFailure({ code, retryAfterMs, totals, policy, random });
  if (decision.kind === 'final') return { delayMs: null, alone: true };
  const passing = code === 'HTTP.RATE_LIMITED' || (code === 'DELIVERY.ATTEMPT_LOST' && totals.lostInRow === 0);
  return { delayMs: decision.delayMs, alone: !passing };
}

export async function fallOut(
  deps: Deps,
  attempt: BatchAttempt,
  given: {
    readonly fallen: readonly (FallenEvent & { readonly delayMs: number })[];
    /** Of what falls out with the whole batch. */
    readonly code?: ErrorCode | null;
    readonly doubtful?: boolean;
  },
): Promise<void> {
  const { batch, runId, worker } = attempt.input;
  const spread = given.fallen.map((one, index) => ({ ...one, delayMs: Math.max(one.delayMs, index * SPREAD_MS) }));
  const options = { runId, worker, doubtful: attempt.input.state.sent || (given.doubtful ?? false) };
  const { fallen, superseded } = await withinDeadline(attempt, (timeoutMs) =>
    deps.batches.fallOut(batch.carrier, spread, options, timeoutMs),
  );
  fenced(deps, superseded);
  add(attempt, { fellOut: fallen, superseded, code: given.code ?? null });
}

/**
 * Not sent, and nothing spent but by the posts that `tries` tells of. They wait again: after `delayMs`, or, where it is null,
 * in the place that their age gives them. Who has spent something does so alone: another batch would not look at it.
 */
export async function giveBack(
  deps: Deps,
  attempt: BatchAttempt,
  refs: readonly EventRef[],
  delayMs: number | null,
  tries: readonly BatchTry[] = attempt.state.tries,
): Promise<void> {
  const { batch, runId, worker, state } = attempt.input;
  const attempts = tries.map(asFailure);
  const back = refs.map((ref) => ({ ref, delayMs, alone: tries.length > 0, attempts }));
  const options = { runId, worker, doubtful: state.sent };
  const { fallen, superseded } = await deps.batches.fallOut(batch.carrier, back, options, storeMs(attempt));
  fenced(deps, superseded);
  add(attempt, { gaveBack: fallen, superseded });
}

function fenced({ metrics }: Deps, rows: number): void {
  if (rows > 0) metrics?.count('outbox_fenced_writes_total', { write: 'fall_out' }, rows);
}

/** An attempt of which only this is known, or may be told. */
export function asFailure({ code, status, local }: BatchTry): AttemptFailure & { readonly local: boolean } {
  const { message } = catalogEntry(code);
  return { code, status, message, stack: null, causes: [], response: null, field: null, local };
}
