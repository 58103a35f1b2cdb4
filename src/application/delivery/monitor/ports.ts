/**
 * What the monitor reads of the delivery, and what is kept for it alone: figures of minutes, and what processes tell of
 * themselves. Times are RFC 3339, UTC, by the database's clock. Every method throws IntegrationError `STORE.UNAVAILABLE`
 * when the database cannot answer now.
 */
import type { FigureTally } from '../../../domain/delivery/figure-window.js';
import type { Backlog } from '../notify/watch-limits.js';
import type { LeaseHold, PolicyHashes } from '../ports.js';

// ---- Figures ---------------------------------------------------------------------------------------------------------

/** Counts minutes behind their end. Every write is fenced by the lease, and one minute or quarter is written at once, or not. */
export interface FigureWriter {
  /**
   * Closed minutes that were not counted, the oldest first: from `since` on, and not longer than a day ago, so 1,440 at most.
   * `closed`: where the last closed minute ends.
   */
  findUncounted(since: string | null): Promise<{ readonly minutes: readonly string[]; readonly closed: string }>;
  /** Counts one minute from the rows. A minute that stands stays as it is. False: the lease is gone, and nothing was written. */
  countMinute(hold: LeaseHold, begins: string): Promise<boolean>;
  /** Quarters of an hour whose 15 minutes stand, and which do not stand themselves, the oldest first. */
  findWhole(most: number): Promise<readonly string[]>;
  /** Adds up one quarter from its minutes. False as above. */
  addQuarter(hold: LeaseHold, begins: string): Promise<boolean>;
  /** Removes what no window reaches any more, and processes that were not seen for a day; at most `most` rows of each. */
  removeOld(hold: LeaseHold, most: number): Promise<void>;
}

/** One span of one name. */
export interface NamedTally extends FigureTally {
  readonly dimension: 'destination' | 'event_type' | 'tenant';
  /** null: all whose names had no row of their own. */
  readonly name: string | null;
}

/** A counted span, over all names. */
export interface SpanTally extends FigureTally {
  readonly span: 1 | 15;
  /** Milliseconds since 1970. */
  readonly begins: number;
}

export interface FigureReader {
  /** Spans that stand of the last so many minutes, and a few more; quarters where `quarters` says so. */
  readSpans(
    minutes: number,
    quarters: boolean,
  ): Promise<{ readonly now: number; readonly spans: readonly SpanTally[] }>;
  /** Sums over spans, by name: of each dimension the first `most` names, then the rest in one. `begins` in milliseconds. */
  readNamed(
    spans: readonly { readonly span: 1 | 15; readonly begins: number }[],
    most: number,
  ): Promise<readonly NamedTally[]>;
}

// ---- Processes -------------------------------------------------------------------------------------------------------

/** How a part that a process needs looks from there. */
export interface SeenFromThere {
  readonly ok: boolean;
  /** One sentence without a full stop; null where it is ok. */
  readonly reason: string | null;
  /** By the process's own clock. */
  readonly at: string;
}

/** Whether a type's events travel many to a run (R20). */
export interface CoalescingLane {
  readonly destination: string;
  /** `*`: every one that is not named. */
  readonly eventType: string;
  readonly on: boolean;
}

/** What a relay or a worker tells of itself. */
export interface ProcessSays {
  readonly temporal: SeenFromThere | null;
  /** null: it has no key for it. */
  readonly auditApi: SeenFromThere | null;
  readonly namespace: string | null;
  /** Of Temporal: the host alone. */
  readonly temporalAddress: string | null;
  /** Of its configuration, by `policyHash`. */
  readonly policies: PolicyHashes | null;
  /** Of its configuration; a type that is not in it is not ordered. */
  readonly orderings: Readonly<Record<string, 'block' | 'skip'>>;
  /** Types that are never coalesced are not in it. Empty where no relay runs in the process. */
  readonly coalescing: readonly CoalescingLane[];
}

export type ProcessRole = 'relay' | 'worker';

/** New with each start. */
export interface ProcessSelf {
  readonly id: string;
  readonly roles: readonly ProcessRole[];
  readonly host: string;
  readonly pid: number;
  /** Of the package. */
  readonly version: string;
}

export interface SeenProcess extends ProcessSelf {
  readonly startedAt: string;
  readonly seenAt: string;
  /** Not seen for longer than a process that lives would be. */
  readonly silent: boolean;
  /** The database's clock ahead of the process's. */
  readonly skewMs: number;
  /** What does not read as what this version writes is null or empty. */
  readonly says: ProcessSays;
}

export interface ProcessStore {
  write(self: ProcessSelf, says: ProcessSays): Promise<void>;
  remove(id: string): Promise<void>;
  /** Forgets some of those that were not seen for a day. */
  forgetOld(): Promise<void>;
  /** Of relays and of workers at most so many each, the latest seen first. */
  list(most: number): Promise<readonly SeenProcess[]>;
}

// ---- The overview ----------------------------------------------------------------------------------------------------

/** Commit to DELIVERED, in milliseconds; null: nothing was measured. */
export interface Percentiles {
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

export interface RateOfName {
  readonly name: string;
  readonly delivered: number;
}

/** The latest deliveries. */
export interface LatestDeliveries extends Percentiles {
  readonly delivered: number;
  /** The time that they cover. */
  readonly overSeconds: number;
  /** Those with most, at most 100 each. */
  readonly byDestination: readonly RateOfName[];
  readonly byEventType: readonly RateOfName[];
  readonly byTenant: readonly RateOfName[];
}

export interface StandingAlert {
  readonly kind: string;
  readonly subject: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly since: string;
  readonly lastAt: string;
  readonly times: number;
}

/** What the overview asks of the outbox database; each counts to the bounds of the contract. */
export interface OverviewStore {
  ping(): Promise<void>;
  measureBacklog(): Promise<Backlog>;
  readLatest(): Promise<LatestDeliveries>;
  countRuns(): Promise<{ readonly inFlight: number; readonly retrying: number; readonly retryingAtLeast: boolean }>;
  countLetters(): Promise<{ readonly open: number; readonly oldestAt: string | null }>;
  /** In force, the oldest first, at most 100. */
  listAlerts(): Promise<readonly StandingAlert[]>;
  countBooks(): Promise<{
    readonly hours: number;
    readonly withGaps: number;
    readonly oldestGap: string | null;
    readonly checkedAt: string | null;
    /** As in the contract. */
    readonly lateSince: string | null;
    readonly waitsFor: string | null;
  }>;
}
