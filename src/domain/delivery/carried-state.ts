/** What one attempt hands to the next through Temporal, where the outbox database could not take it. */
import type { ErrorCode } from './error-catalog.js';

/** A failed local attempt. It has no row of its own until the regular attempt after it inserts one. */
export interface PreviousAttempt {
  readonly n: 1;
  readonly code: ErrorCode;
  readonly status: number | null;
}

/** R15: the destination has answered, only settling failed. The next attempt settles from this and sends nothing. */
export interface CarriedReceipt {
  readonly id: string;
  readonly hash: string | null;
  /** The attempt's row, by its number and `worker` column; null for a local attempt, which has none. */
  readonly attempt: { readonly n: number; readonly worker: string } | null;
}

/**
 * How an attempt ended whose row could not be written. Without it the next attempt would take that row for
 * `DELIVERY.ATTEMPT_LOST`, and three failures of our own database would end the event as a crash loop.
 */
export interface UnwrittenEnd {
  /** As in the row's `worker` column: names one try of one worker. */
  readonly worker: string;
  /** null: it spent nothing, so its row goes. */
  readonly code: ErrorCode | null;
  readonly status: number | null;
  /** Without a code: it may have taken effect all the same (R18), which the row can tell no more. */
  readonly doubtful?: true;
}

export interface CarriedState {
  readonly receipt: CarriedReceipt | null;
  /** Oldest first, at most `MAX_UNWRITTEN`. Stale entries do no harm: a name is never used again. */
  readonly unwritten: readonly UnwrittenEnd[];
  /** How often the event was not found. Such an attempt has no event, hence no row, to be counted by. */
  readonly notFound: number;
}

export const NOTHING_CARRIED: CarriedState = { receipt: null, unwritten: [], notFound: 0 };

const MAX_UNWRITTEN = 10;

/** With one more end. A full list keeps its oldest: only that one can be of an attempt that sent something. */
export function addUnwritten(ends: readonly UnwrittenEnd[], end: UnwrittenEnd): readonly UnwrittenEnd[] {
  const [oldest, ...later] = ends;
  return oldest === undefined ? [end] : [oldest, ...[...later, end].slice(1 - MAX_UNWRITTEN)];
}
