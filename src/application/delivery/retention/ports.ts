import type { LeaseHold } from '../ports.js';

/** Where a walk over the settled events stands: after this one. The oldest settled ones come first. */
export interface SettledCursor {
  readonly at: string;
  readonly id: string;
}

export interface RemovedStep {
  readonly removed: number;
  /** Kept only because the audit log was not asked about them. */
  readonly unproven: number;
  /** null: nothing behind it is old enough. */
  readonly cursor: SettledCursor | null;
}

/**
 * Removes what retention may remove, a bounded batch with each call, fenced by the lease. Throws IntegrationError
 * `STORE.UNAVAILABLE` when the database cannot answer now.
 */
export interface SettledStore {
  /**
   * Looks at the next events that were settled more than `olderThanMs` ago and removes those that may leave, with everything
   * that is theirs, adding them to the books of their hour in the same transaction (R23). What was
   * delivered to the audit log stays until that was asked about it.
   */
  removeEvents(hold: LeaseHold, olderThanMs: number, after: SettledCursor | null): Promise<RemovedStep>;
  /** Notifications that were told, or given up, more than `olderThanMs` ago. `after`: the id that the call before ended with. */
  removeNotices(
    hold: LeaseHold,
    olderThanMs: number,
    after: string | null,
  ): Promise<{ readonly removed: number; readonly cursor: string | null }>;
  /** Redrive jobs that ended more than `olderThanMs` ago; how many. `left`: there may be more. */
  removeJobs(hold: LeaseHold, olderThanMs: number): Promise<{ readonly removed: number; readonly left: boolean }>;
}
