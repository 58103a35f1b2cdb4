/** What the reconciler asks of the outbox and of Temporal (R3, R21, R22). */
import type { LeaseHold, RunRef } from '../ports.js';

/** A row that should have moved and did not. Of a batch (R20): one of its rows, for all of them. */
export interface OverdueRow {
  readonly run: RunRef;
  /** As the database writes it, to the microsecond: a row that moved since has another one. */
  readonly dueAt: string;
  /** Without a person's word in between. */
  readonly redispatches: number;
}

/** Every write carries the lease and is refused without it, or while a stop is stored (R21). */
export interface ReconcileStore {
  /** Runs whose rows are STARTED and past due by more than `overdueMs`, the destinations in turn, the oldest of each first. */
  findOverdue(overdueMs: number, limit: number): Promise<readonly OverdueRow[]>;
  /** Its run goes on: looked at again in a minute. Answers how many rows; 0: they moved since. */
  putOff(hold: LeaseHold, row: OverdueRow, overdueMs: number): Promise<number>;
  /**
   * R2: PENDING at epoch + 1, its budget kept. `counted`: among its redispatches. All rows of a batch, each to a run of its
   * own. Answers how many; 0: no longer STARTED in this epoch and carrier.
   */
  redispatch(hold: LeaseHold, run: RunRef, counted: boolean): Promise<number>;
  /** R3: moves up to `limit` rows started before the adoption to epoch + 1; `left` once none waits any more: false. */
  adoptSome(hold: LeaseHold, limit: number): Promise<{ readonly moved: number; readonly left: boolean }>;
  /** Whether the lease is this holder's and no stop is stored. */
  mayWrite(hold: LeaseHold): Promise<boolean>;
  /** R21: keeps why nothing is written, but not while an adoption goes on; null: goes on. Answers whether that changed anything. */
  setStop(hold: LeaseHold, reason: string | null): Promise<boolean>;
}

/** What Temporal knows of the run that carries a row. */
export type RunLook =
  /** `stuck`: its workflow task has failed, or was begun, too often; it does not wait for a worker. */
  | { readonly kind: 'running'; readonly stuck: boolean; readonly runId: string }
  /** `byUs`: with the reason that `terminate` gives. */
  | { readonly kind: 'terminated'; readonly byUs: boolean; readonly runId: string }
  /** Completed, failed, cancelled or timed out, and the row says nothing of it. `eventNotFound`: it failed with that code. */
  | {
      readonly kind: 'closed';
      readonly eventNotFound: boolean;
      readonly runId: string;
      /** By Temporal's clock. */
      readonly closedAt: Date;
    }
  | { readonly kind: 'not-found' }
  /** No answer: nothing may be concluded. */
  | { readonly kind: 'unknown' };

/** Never throws: what is not answered in time is `unknown`. Never visibility, which has a rate of its own. */
export interface RunInspector {
  look(workflowId: string): Promise<RunLook>;
  /** Ends this run and no other, with a constant reason. What came of it is to be looked at, not concluded. */
  terminate(workflowId: string, runId: string): Promise<void>;
  /** Workers that asked for workflow tasks lately; null: no answer. */
  countPollers(): Promise<number | null>;
}
