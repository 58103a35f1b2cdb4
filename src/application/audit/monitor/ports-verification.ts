import type { Verification } from '../../../contract/verifications-api.js';

/** Who does the duty at the moment: every write of it is fenced by it. */
export interface DutyHold {
  readonly name: string;
  readonly holder: string;
}

export type VerificationReport = NonNullable<Verification['report']>;
export type VerificationProgress = NonNullable<Verification['progress']>;

/** What is known of verifications, above all of those of the whole log. */
export interface LatestVerification {
  /** Of the whole log, the one asked for last, whatever became of it; null: never. */
  readonly latest: Verification | null;
  /** Of the whole log, the last one that has an outcome; may be the same one. */
  readonly done: Verification | null;
  /** Of a part, the last one that found it broken, where none of the whole log that was asked for since has found it whole. */
  readonly brokenPart: Verification | null;
  /**
   * By the database's clock, since the whole log was verified last or, where it never was, since its first record was sealed;
   * null: nothing is sealed.
   */
  readonly unverifiedSeconds: number | null;
  /** Since the latest one was asked for, by the database's clock; null: it is not waiting, or another one is under way. */
  readonly waitingSeconds: number | null;
}

/** Verifications as whoever asks for them sees them. Every method throws StoreUnavailableError when the database cannot answer. */
export interface VerificationBook {
  /**
   * Asks for one of a record's part of the log, or (null) of all of it, and returns it; the one that is open where the same
   * is asked for already. `full`: so many are open that no other is taken.
   */
  ask(recordId: string | null, askedBy: string): Promise<Verification | 'full'>;
  /** The newest first, with the first few breaks of each. */
  list(limit: number): Promise<readonly Verification[]>;
  find(id: string): Promise<Verification | null>;
  /** With the first few breaks of each. */
  readLatest(): Promise<LatestVerification>;
}

/** One that this holder is to do. */
export interface TakenVerification {
  readonly id: string;
  /** null: of the whole log. */
  readonly recordId: string | null;
  readonly askedBy: string;
}

export interface FoundByVerification {
  readonly outcome: 'whole' | 'broken';
  readonly report: VerificationReport;
}

/**
 * Verifications as the worker does them. `beat`, `finish`, `fail` and `giveUp` are about one that the holder has taken, and
 * answer false where it is the holder's no more: nothing is written then. Every method throws StoreUnavailableError when the
 * database cannot answer.
 */
export interface VerificationQueue {
  /** Those whose holder was lost go back to be begun anew, or fail where that has happened too often. */
  recover(hold: DutyHold): Promise<void>;
  /** Asks for the whole log where none is open and none has ended for so long. Whether it did. */
  askWhenDue(hold: DutyHold, everyHours: number): Promise<boolean>;
  /** The one that was asked for first; null: there is none, or the duty is not the holder's. */
  take(hold: DutyHold): Promise<TakenVerification | null>;
  beat(hold: DutyHold, id: string, progress: VerificationProgress | null): Promise<boolean>;
  finish(hold: DutyHold, id: string, found: FoundByVerification): Promise<boolean>;
  fail(hold: DutyHold, id: string, why: string): Promise<boolean>;
  /** Gives it back. `lost`: counts as recover does, with its bound; else, of a stop, it costs nothing. */
  giveUp(hold: DutyHold, id: string, counted: 'lost' | 'free'): Promise<boolean>;
  /** Forgets what is older than the latest that are kept. */
  prune(hold: DutyHold): Promise<void>;
}
