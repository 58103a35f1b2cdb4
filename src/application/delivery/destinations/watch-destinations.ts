/**
 * What one worker knows of its destinations: counts how attempts end, tells the shared breaker (R6, R19), and keeps this
 * worker's own calls within what the destination can take. All of it is in memory and may be lost at any time: the shared
 * row decides, and a trial that nobody ends is over by itself.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  admissionLimit,
  type BreakerSettings,
  type DestinationView,
  type FailureReason,
  type TrialEnd,
  waitForDestination,
} from '../../../domain/delivery/breaker.js';
import type { Weight } from '../../../domain/delivery/weigh-outcome.js';
import type { Logger } from '../ports.js';
import type { BreakerChange, BreakerStore } from './ports.js';

/** How one call ended, as far as it tells of its destination. */
export interface CallEnd {
  readonly weight: Weight;
  /** null with a success. */
  readonly reason: FailureReason | null;
  /** null: of many events at once, which says nothing of one. */
  readonly tookMs: number | null;
}

export interface DestinationWatch {
  /** How it stands, read with an event that is about to be sent. */
  see(view: DestinationView): void;
  /**
   * When to look again, where this worker's own failures in a row keep it away, or the breaker has changed since the event
   * was loaded; 0: it may send.
   */
  awayForMs(view: DestinationView): number;
  /** When a run looks again that must wait for it. */
  waitMs(view: DestinationView): number;
  /** Calls of this worker that may be under way at once. */
  limitOf(destination: string): number;
  /** `view`: with which the call was made. */
  note(view: DestinationView, end: CallEnd): void;
  /** The trial's token; null: somebody else has it. Throws what the store throws. */
  takeTrial(destination: string, trialMs: number, timeoutMs: number): Promise<string | null>;
  /** Not waited for: told again while the store does not answer, until the trial has ended by itself. */
  endTrial(destination: string, token: string, end: TrialEnd): void;
  /** Tells what it has not told yet. */
  stop(): Promise<void>;
}

export interface WatchDeps {
  readonly store: BreakerStore;
  readonly log: Logger;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  readonly random: () => number;
  readonly settings: BreakerSettings;
}

const FLUSH_EVERY_MS = 1_000;
const STORE_MS = 2_000;
/** As long as a trial holds its place at most, about: later there is nothing to give back. */
const TRIAL_TOLD_WITHIN_MS = 30_000;
const LOOK_AGAIN_MS = 1_000;
/** Longer than an event that was loaded before a change can still be on its way to its handler. */
const TAKES_BACK_MS = 5_000;
const LATENCIES = 128;
/** Producers choose routing keys: what has no handler is not remembered without end. */
const MOST_DESTINATIONS = 1_000;

interface Seen {
  readonly name: string;
  generation: number;
  /** Since when every view shows an earlier generation. */
  earlierSince: number | null;
  /** Of the shared row, as last read. */
  sharedFailures: number;
  closedAt: number | null;
  /** This worker's own in a row, in this generation. */
  failures: number;
  awayUntil: number;
  untold: Untold | null;
  /** Asked again although nothing is untold. */
  again: boolean;
  /** The last ones, in no order. */
  readonly latencies: number[];
  calls: number;
  timer: NodeJS.Timeout | null;
  telling: Promise<void> | null;
}

interface Untold {
  succeeded: boolean;
  failures: number;
  failingSince: number | null;
  reason: FailureReason | null;
}

export function watchDestinations({ store, log, now, random, settings }: WatchDeps): DestinationWatch {
  const known = new Map<string, Seen>();
  const trials = new Set<Promise<void>>();
  const stopping = new AbortController();
  let stopped = false;

  const seenOf = (name: string): Seen => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const fresh: Seen = {
      name,
      generation: 0,
      earlierSince: null,
      sharedFailures: 0,
      closedAt: null,
      failures: 0,
      awayUntil: 0,
      untold: null,
      again: false,
      latencies: [],
      calls: 0,
      timer: null,
      telling: null,
    };
    if (known.size < MOST_DESTINATIONS) known.set(name, fresh);
    return fresh;
  };

  /**
   * What was counted in another generation says nothing in this one. An earlier one is an event that was loaded before a
   * change; when nothing else comes for a while, the database has gone back (a restore, a failover that lost a write).
   */
  const enter = (seen: Seen, generation: number): void => {
    if (generation >= seen.generation) seen.earlierSince = null;
    else seen.earlierSince ??= now();
    const wentBack = seen.earlierSince !== null && now() - seen.earlierSince >= TAKES_BACK_MS;
    if (generation <= seen.generation && !wentBack) return;
    const fresh = { failures: 0, sharedFailures: 0, awayUntil: 0, untold: null, earlierSince: null };
    Object.assign(seen, { generation, ...fresh });
  };

  const tellLater = (seen: Seen, delayMs: number): void => {
    if (stopped || seen.timer !== null) return;
    seen.timer = setTimeout(() => {
      seen.timer = null;
      if (seen.untold !== null || seen.again) void tell(seen);
    }, delayMs).unref();
  };

  const tell = (seen: Seen): Promise<void> => {
    seen.telling ??= report(seen).finally(() => {
      seen.telling = null;
    });
    return seen.telling;
  };

  async function report(seen: Seen): Promise<void> {
    const { generation } = seen;
    const untold = seen.untold ?? { succeeded: false, failures: 0, failingSince: null, reason: null };
    seen.untold = null;
    seen.again = false;
    const { succeeded, failures, failingSince, reason } = untold;
    const failingForMs = failingSince === null ? 0 : now() - failingSince;
    try {
      const p95Ms = p95(seen.latencies);
      const change = await store.report(
        seen.name,
        { generation, succeeded, failures, failingForMs, reason, p95Ms },
        STORE_MS,
      );
      say(seen.name, change);
      enter(seen, change.after.generation);
      seen.sharedFailures = change.after.breaker === 'closed' ? change.after.failures : 0;
      // Enough failures, but a success not long ago: asked again once that is long enough ago.
      if (change.after.breaker === 'closed' && change.after.failures >= settings.failuresToOpen) {
        seen.again = true;
        tellLater(seen, settings.quietMs);
      }
    } catch (error) {
      log.debug({ destination: seen.name, error }, 'destination.not_reported');
      if (seen.generation === generation) seen.untold = seen.untold === null ? untold : join(untold, seen.untold);
      tellLater(seen, FLUSH_EVERY_MS);
    }
  }

  function say(destination: string, { before, after }: BreakerChange): void {
    if (before.breaker === after.breaker) return;
    const { reason, failures } = after.breaker === 'closed' ? before : after;
    const fields = { destination, code: reason?.code, status: reason?.status, failures };
    if (after.breaker === 'closed') log.info(fields, 'destination.closed');
    else if (before.breaker === 'closed') log.error({ ...fields, p95Ms: after.p95Ms }, 'destination.opened');
    else log.warn(fields, `destination.${after.breaker}`);
  }

  function endTrial(destination: string, token: string, end: TrialEnd): void {
    const ending = tellEnd(destination, token, end).finally(() => trials.delete(ending));
    trials.add(ending);
  }

  /** Where the store was cut when a trial began, its place would be held for longer than the store was away. */
  async function tellEnd(destination: string, token: string, end: TrialEnd): Promise<void> {
    const until = now() + TRIAL_TOLD_WITHIN_MS;
    for (;;) {
      try {
        const change = await store.endTrial(destination, token, end, STORE_MS);
        if (change !== null) say(destination, change);
        return;
      } catch (error) {
        log.debug({ destination, error }, 'destination.trial_not_ended');
        if (stopped || now() >= until) return;
      }
      await sleep(FLUSH_EVERY_MS, undefined, { signal: stopping.signal, ref: false }).catch(() => {}); // stops: once more
    }
  }

  return {
    see(view) {
      const seen = seenOf(view.name);
      enter(seen, view.generation);
      if (view.generation !== seen.generation) return;
      seen.sharedFailures = view.failures;
      seen.closedAt = view.closedForMs === null ? null : now() - view.closedForMs;
    },

    awayForMs({ name, generation }) {
      const seen = seenOf(name);
      if (generation < seen.generation) return 1 + random() * LOOK_AGAIN_MS;
      const leftMs = seen.awayUntil - now();
      return leftMs <= 0 ? 0 : leftMs + random() * settings.staysAwayMs;
    },

    waitMs: (view) => waitForDestination(view, random, settings),

    limitOf(destination) {
      const { failures, sharedFailures, closedAt } = seenOf(destination);
      return admissionLimit(Math.max(failures, sharedFailures), closedAt === null ? null : now() - closedAt, settings);
    },

    note(view, { weight, reason, tookMs }) {
      const seen = seenOf(view.name);
      if (weight === 'none' || view.generation !== seen.generation) return;
      if (tookMs !== null) seen.latencies[seen.calls++ % LATENCIES] = tookMs;
      if (weight === 'success') {
        Object.assign(seen, { failures: 0, sharedFailures: 0, awayUntil: 0 });
        seen.untold = { succeeded: true, failures: 0, failingSince: null, reason: null };
        return tellLater(seen, FLUSH_EVERY_MS);
      }
      seen.failures += 1;
      const { succeeded = false, failures = 0, failingSince = null } = seen.untold ?? {};
      seen.untold = { succeeded, failures: failures + 1, failingSince: failingSince ?? now(), reason };
      if (seen.failures >= settings.failuresToOpen) seen.awayUntil = now() + settings.staysAwayMs;
      if (seen.failures + seen.sharedFailures >= settings.failuresToOpen) void tell(seen);
      tellLater(seen, FLUSH_EVERY_MS);
    },

    async takeTrial(destination, trialMs, timeoutMs) {
      const token = randomUUID();
      try {
        return (await store.takeTrial(destination, token, trialMs, timeoutMs)) ? token : null;
      } catch (error) {
        // It may be written all the same, and nobody goes on with it.
        endTrial(destination, token, { weight: 'none', reason: null });
        throw error;
      }
    },

    endTrial,

    async stop() {
      stopped = true;
      stopping.abort();
      for (const seen of known.values()) {
        if (seen.timer !== null) clearTimeout(seen.timer);
        seen.timer = null;
      }
      const untold = [...known.values()].filter((seen) => seen.untold !== null || seen.telling !== null);
      await Promise.all([
        ...trials,
        ...untold.map(async (seen) => {
          await seen.telling;
          if (seen.untold !== null) await tell(seen);
        }),
      ]);
    },
  };
}

/** `later` happened after `earlier`. */
function join(earlier: Untold, later: Untold): Untold {
  if (later.succeeded) return later;
  return {
    succeeded: earlier.succeeded,
    failures: earlier.failures + later.failures,
    failingSince: earlier.failingSince ?? later.failingSince,
    reason: later.reason ?? earlier.reason,
  };
}

/** Of fewer it would be the slowest one, and one slow answer makes no slow destination. */
const LEAST_SAMPLES = 20;

function p95(latencies: readonly number[]): number | null {
  if (latencies.length < LEAST_SAMPLES) return null;
  const sorted = [...latencies].sort((a, b) => a - b);
  return Math.round(sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0);
}
