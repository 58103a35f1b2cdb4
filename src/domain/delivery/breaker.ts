/**
 * The breaker of a destination, shared by every worker and relay (R6, R19). Pure: one state and one event in, the next
 * state out; the store applies it to the one row of the destination, never from a stale reading.
 *
 *   closed    --ten failures in a row, no success lately-->  open
 *   open      --its time is over, somebody takes the trial--> half_open
 *   half_open --trial succeeded--> closed, with a ramp        half_open --trial failed--> open, twice as long
 *
 * Every transition is a new generation. What was sent in one generation says nothing in another: a late failure of before
 * the outage does not open it again, and only the trial's own token moves a half-open one.
 */
import type { ErrorCode } from './error-catalog.js';

export type Breaker = 'closed' | 'open' | 'half_open';

/** The destination's last failure: code and status, never its text. */
export interface FailureReason {
  readonly code: ErrorCode;
  readonly status: number | null;
}

/** Times in milliseconds of the database's clock. */
export interface BreakerState {
  readonly breaker: Breaker;
  readonly generation: number;
  /** In a row, over all workers. */
  readonly failures: number;
  readonly firstFailureAt: number | null;
  readonly lastSuccessAt: number | null;
  /** Of the failures in a row, kept while open. */
  readonly reason: FailureReason | null;
  readonly openedAt: number | null;
  readonly openUntil: number | null;
  /** How long it stays open the next time; null: as configured. */
  readonly openMs: number | null;
  readonly closedAt: number | null;
  readonly trialToken: string | null;
  readonly trialUntil: number | null;
  readonly p95Ms: number | null;
}

export interface BreakerSettings {
  readonly failuresToOpen: number;
  /** Stays closed while any worker had a success so lately: then the failing worker is what is sick. */
  readonly quietMs: number;
  /** The same for what a deploy or one machine's clock or credentials may cause (`OWN_FAULT`). */
  readonly ownFaultQuietMs: number;
  readonly openMs: number;
  readonly longestOpenMs: number;
  /** A worker with as many failures in a row of its own stays away so long, whatever others see. */
  readonly staysAwayMs: number;
  /** How often an open run looks whether a pause is over. */
  readonly pauseCheckMs: number;
}

export const DEFAULT_BREAKER: BreakerSettings = {
  failuresToOpen: 10,
  quietMs: 3_000,
  ownFaultQuietMs: 60_000,
  openMs: 30_000,
  longestOpenMs: 300_000,
  staysAwayMs: 5_000,
  pauseCheckMs: 30_000,
};

/** After closing, so many runs at once at first, twice as many every `doublesMs`, without bound after `untilMs`. */
export const RAMP = { first: 10, doublesMs: 5_000, untilMs: 60_000 } as const;

/** The share of the waiting runs' next tries that falls into each moment stays small. */
export const LONGEST_SPREAD_MS = 60_000;

/** p95 of an attempt above this: slow, so first attempts are regular (a local one would hold its workflow task). */
const SLOW_MS = 500;

const OWN_FAULT: ReadonlySet<ErrorCode> = new Set(['HTTP.TLS', 'HTTP.UNAUTHORIZED', 'DISPATCH.HANDLER_NOT_FOUND']);

export const NEW_BREAKER: BreakerState = {
  breaker: 'closed',
  generation: 0,
  failures: 0,
  firstFailureAt: null,
  lastSuccessAt: null,
  reason: null,
  openedAt: null,
  openUntil: null,
  openMs: null,
  closedAt: null,
  trialToken: null,
  trialUntil: null,
  p95Ms: null,
};

/** What one worker saw since its last report. */
export interface DestinationReport {
  /** In which its attempts were sent. */
  readonly generation: number;
  readonly succeeded: boolean;
  /** In a row; after the last success, where there was one. */
  readonly failures: number;
  /** Since the first of them; 0 without. */
  readonly failingForMs: number;
  /** Of the last of them. */
  readonly reason: FailureReason | null;
  readonly p95Ms: number | null;
}

export function applyReport(
  before: BreakerState,
  report: DestinationReport,
  now: number,
  settings: BreakerSettings,
): BreakerState {
  const state = { ...before, p95Ms: report.p95Ms ?? before.p95Ms };
  if (state.breaker !== 'closed' || report.generation !== state.generation) return state;
  const failures = report.failures + (report.succeeded ? 0 : state.failures);
  const failingSince = report.failures === 0 ? null : now - report.failingForMs;
  const counted = {
    ...state,
    failures,
    firstFailureAt: failures === 0 ? null : firstOf(report.succeeded ? null : state.firstFailureAt, failingSince),
    lastSuccessAt: report.succeeded ? now : state.lastSuccessAt,
    reason: failures === 0 ? null : (report.reason ?? state.reason),
  };
  return opens(counted, now, settings) ? open(counted, now, settings) : counted;
}

function firstOf(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

function opens({ failures, lastSuccessAt, reason }: BreakerState, now: number, settings: BreakerSettings): boolean {
  if (failures < settings.failuresToOpen) return false;
  const quietMs = reason !== null && OWN_FAULT.has(reason.code) ? settings.ownFaultQuietMs : settings.quietMs;
  return lastSuccessAt === null || now - lastSuccessAt >= quietMs;
}

function open(state: BreakerState, now: number, settings: BreakerSettings): BreakerState {
  const openMs = state.openMs ?? settings.openMs;
  return {
    ...state,
    breaker: 'open',
    generation: state.generation + 1,
    openedAt: state.breaker === 'closed' ? now : state.openedAt,
    openUntil: now + openMs,
    openMs: Math.max(openMs, Math.min(settings.longestOpenMs, openMs * 2)),
    trialToken: null,
    trialUntil: null,
  };
}

/** null: there is no trial to take, since it is closed, still open, or somebody has it. */
export function takeTrial(state: BreakerState, token: string, now: number, trialMs: number): BreakerState | null {
  const due =
    state.breaker === 'open'
      ? now >= (state.openUntil ?? 0)
      : state.breaker === 'half_open' && (state.trialToken === null || now >= (state.trialUntil ?? 0));
  if (!due) return null;
  const generation = state.breaker === 'open' ? state.generation + 1 : state.generation;
  return { ...state, breaker: 'half_open', generation, trialToken: token, trialUntil: now + trialMs };
}

export interface TrialEnd {
  /** `none`: it said nothing, the next one may try. */
  readonly weight: 'failure' | 'success' | 'none';
  readonly reason: FailureReason | null;
}

/** null: this token has no trial any more. */
export function endTrial(
  state: BreakerState,
  token: string,
  { weight, reason }: TrialEnd,
  now: number,
  settings: BreakerSettings,
): BreakerState | null {
  if (state.breaker !== 'half_open' || state.trialToken !== token) return null;
  switch (weight) {
    case 'none':
      return { ...state, trialToken: null, trialUntil: null };
    case 'failure':
      return open({ ...state, failures: state.failures + 1, reason: reason ?? state.reason }, now, settings);
    case 'success':
      return {
        ...NEW_BREAKER,
        generation: state.generation + 1,
        lastSuccessAt: now,
        closedAt: now,
        p95Ms: state.p95Ms,
      };
  }
}

export type Health = 'ok' | 'slow' | 'degraded';

/** As the relay reads it: only `ok` gets local first attempts. */
export function healthOf({ breaker, failures, p95Ms }: BreakerState, { failuresToOpen }: BreakerSettings): Health {
  if (breaker !== 'closed' || failures * 2 >= failuresToOpen) return 'degraded';
  return p95Ms !== null && p95Ms > SLOW_MS ? 'slow' : 'ok';
}

/** What a worker is told of a destination with each event that it loads; in milliseconds from then. */
export interface DestinationView {
  readonly name: string;
  readonly breaker: Breaker;
  readonly generation: number;
  readonly failures: number;
  /** Until a trial may be taken: 0 when it may. Of a closed one 0. */
  readonly blockedForMs: number;
  /** Since it closed; null where it never did. */
  readonly closedForMs: number | null;
  /** How long it stays open the next time; null: as configured. */
  readonly openMs: number | null;
  /** Of a pause by a person: until its end, null without one; undefined when there is no pause. */
  readonly pausedForMs?: number | null;
}

export function mayTakeTrial({ breaker, blockedForMs, pausedForMs }: DestinationView): boolean {
  return pausedForMs === undefined && breaker !== 'closed' && blockedForMs <= 0;
}

/** A destination of which nothing is known. */
export function healthyView(name: string): DestinationView {
  return { name, breaker: 'closed', generation: 0, failures: 0, blockedForMs: 0, closedForMs: null, openMs: null };
}

/** When a run that must wait looks again: once the destination may be tried, spread so that they do not come at once. */
export function waitForDestination(view: DestinationView, random: () => number, settings: BreakerSettings): number {
  const { pausedForMs, blockedForMs } = view;
  if (pausedForMs !== undefined) {
    const { pauseCheckMs } = settings;
    return Math.min(pausedForMs ?? pauseCheckMs, pauseCheckMs) + random() * pauseCheckMs;
  }
  const spreadMs = Math.min(LONGEST_SPREAD_MS, view.openMs ?? settings.openMs);
  return Math.max(0, blockedForMs) + random() * spreadMs;
}

/**
 * Calls at once that one worker makes. After a first failure only as many as may still fail before the breaker opens, or
 * a destination that answers every event with a final error would end all that are under way; one at least, so that a
 * success can be seen. After closing: the ramp.
 */
export function admissionLimit(failures: number, closedForMs: number | null, settings: BreakerSettings): number {
  const byFailures = failures === 0 ? Number.POSITIVE_INFINITY : Math.max(1, settings.failuresToOpen - failures);
  return Math.min(byFailures, rampLimit(closedForMs));
}

export function rampLimit(closedForMs: number | null): number {
  if (closedForMs === null || closedForMs >= RAMP.untilMs) return Number.POSITIVE_INFINITY;
  return Math.floor(RAMP.first * 2 ** (Math.max(0, closedForMs) / RAMP.doublesMs));
}
