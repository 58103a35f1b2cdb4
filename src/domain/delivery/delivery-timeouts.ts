/** R13, in milliseconds. Each deadline lies inside the next one, so that only the destination can run an attempt out. */
export interface AttemptDeadlines {
  /** For one call to the outbox database. */
  readonly storeMs: number;
  /** For the whole dispatch: waiting for a place, mapping, sending. */
  readonly sendMs: number;
  /** For the attempt, settling tried again included. Below Temporal's start-to-close. */
  readonly totalMs: number;
}

export interface DeliveryTimeouts {
  readonly local: AttemptDeadlines & { readonly startToCloseMs: number; readonly scheduleToStartMs: number };
  readonly regular: AttemptDeadlines & { readonly startToCloseMs: number };
}

export const DEFAULT_TIMEOUTS: DeliveryTimeouts = {
  local: { storeMs: 300, sendMs: 2_000, totalMs: 2_900, startToCloseMs: 3_000, scheduleToStartMs: 1_000 },
  regular: { storeMs: 2_000, sendMs: 15_000, totalMs: 19_500, startToCloseMs: 20_000 },
};
