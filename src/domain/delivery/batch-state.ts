/** What one attempt of a batch (R20) hands to the next through Temporal: codes and ids, never what was sent or answered. */
import type { ErrorCode } from './error-catalog.js';

export interface BatchTry {
  readonly code: ErrorCode;
  readonly status: number | null;
  readonly local: boolean;
}

export interface BatchState {
  /** Posts that failed as a whole: two, and what is left of the batch falls out. */
  readonly tries: readonly BatchTry[];
  /** Something may have been sent that `tries` does not tell of (R18). */
  readonly sent: boolean;
  /** Of a batch that is more than one post: the places below it may have been in one. null: any may. */
  readonly postedTo: number | null;
  /** It falls out; only the store could not take that yet. */
  readonly falling: boolean;
  /** R15: [place in the batch, receipt's id, its hash] of what was answered and is not settled. */
  readonly receipts: readonly (readonly [number, string, string | null])[];
  /** Attempts that met an error that nobody expected. */
  readonly unexpected: number;
  /** How often no event of it was found (R19). */
  readonly notFound: number;
  /** The regular attempt that handed this on: a later one that finds another number follows one that was lost. */
  readonly ended: number;
  /** Of the attempts so far; left out: nothing yet, or of a worker that did not know it. */
  readonly tally?: BatchTally;
}

export const NEW_BATCH: BatchState = {
  tries: [],
  sent: false,
  postedTo: 0,
  falling: false,
  receipts: [],
  unexpected: 0,
  notFound: 0,
  ended: 0,
};

/** R20: a whole post is tried so often. */
export const BATCH_TRIES = 2;

/** What became of the events of a batch, over all attempts of its run. */
export interface BatchTally {
  readonly delivered: number;
  /** Each goes on in a run of its own, or in a later batch. */
  readonly fellOut: number;
  /** Not sent: they wait again. */
  readonly gaveBack: number;
  /** Another run's by now; among them those that left by a statement whose answer was lost, or in an attempt that was. */
  readonly superseded: number;
  /** Of what fell out with the whole batch. */
  readonly code: ErrorCode | null;
}

export const NO_TALLY: BatchTally = { delivered: 0, fellOut: 0, gaveBack: 0, superseded: 0, code: null };
