/** Destinations as the delivery's store keeps them: their shared breaker (R6, R19), pauses, outages. */
import type { Breaker, BreakerState, DestinationReport, Health, TrialEnd } from '../../../domain/delivery/breaker.js';
import type { ErrorCode } from '../../../domain/delivery/error-catalog.js';

/** What a write changed: the breaker before and after it. */
export interface BreakerChange {
  readonly before: BreakerState;
  readonly after: BreakerState;
}

/** Writes of the breaker, each from the state that stands at that moment, whoever else writes. */
export interface BreakerStore {
  report(destination: string, report: DestinationReport, timeoutMs: number): Promise<BreakerChange>;
  /** True: the one trial at a time is this token's, for so long. */
  takeTrial(destination: string, token: string, trialMs: number, timeoutMs: number): Promise<boolean>;
  /** null: the token has no trial any more. */
  endTrial(destination: string, token: string, end: TrialEnd, timeoutMs: number): Promise<BreakerChange | null>;
}

/** What a person paused; null: any. */
export interface PauseScope {
  readonly destination: string | null;
  readonly eventType: string | null;
  /** The empty string: events without a tenant. */
  readonly tenantId: string | null;
}

export interface Pause extends PauseScope {
  readonly id: string;
  /** null: until it is resumed. */
  readonly until: string | null;
  readonly reason: string;
  readonly actor: string;
  readonly createdAt: string;
}

/** How a destination stands. Times are RFC 3339, UTC. */
export interface DestinationStatus {
  readonly name: string;
  readonly breaker: Breaker;
  readonly health: Health;
  readonly p95Ms: number | null;
  /** In a row, over all workers. */
  readonly failures: number;
  readonly lastSuccessAt: string | null;
  /** Why it is open; of a closed one the last failure in the row. */
  readonly reason: { readonly code: ErrorCode; readonly status: number | null } | null;
  readonly openedAt: string | null;
  readonly openUntil: string | null;
  readonly closedAt: string | null;
  readonly maxRuns: number | null;
  /** Events that wait for the relay, and runs started; both counted up to `COUNTED_UP_TO`. */
  readonly waiting: number;
  readonly running: number;
  /** The latest; null where there never was one. */
  readonly outage: {
    readonly id: string;
    readonly firstFailureAt: string;
    readonly openedAt: string;
    readonly closedAt: string | null;
    readonly code: ErrorCode;
    readonly status: number | null;
    /** Open dead letters that this outage made; counted up to `COUNTED_UP_TO`. */
    readonly letters: number;
  } | null;
}

export const COUNTED_UP_TO = 10_000;

export interface DestinationList {
  readonly destinations: readonly DestinationStatus[];
  /** In force, those of single destinations and those of all. */
  readonly pauses: readonly Pause[];
}

export interface PersonsWord {
  readonly actor: string;
  readonly reason: string;
}

/** Without what is only paused: a pause makes nothing known. */
export interface KnownNames {
  readonly destinations: readonly string[];
  readonly eventTypes: readonly string[];
}

export interface DestinationStore {
  list(): Promise<DestinationList>;
  /** Of destinations and open or recent events: all that are like the scope's, and the scope's own where there is one. */
  findKnown(scope: PauseScope): Promise<KnownNames>;
  /**
   * One for each scope: another takes its place. `replaces`: only that of the one with this id (null: of none); left out: of
   * whichever is in force. null: another one is. Recorded for the audit log in the same transaction.
   */
  pause(scope: PauseScope, until: string | null, word: PersonsWord, replaces?: string | null): Promise<Pause | null>;
  /** The pause of exactly this scope, and with this id where one is given, that was in force; null: there was none. Recorded as above. */
  resume(scope: PauseScope, word: PersonsWord, id?: string): Promise<Pause | null>;
  /** The pause of exactly this scope that is in force. */
  findPause(scope: PauseScope): Promise<Pause | null>;
}
