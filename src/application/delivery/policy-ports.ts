/** How many runs under way have which policy. */
export interface RunPolicies {
  readonly eventType: string;
  /** null: it was given none, as in an outbox from before policies. */
  readonly hash: string | null;
  /** Events, those that batches carry each for itself. */
  readonly runs: number;
}

export interface RunPolicyReader {
  /**
   * Of each destination the 10,000 events in runs of their own that are due next, and 10,000 that batches carry; by
   * event type and hash. Throws IntegrationError `STORE.UNAVAILABLE`.
   */
  listInRuns(): Promise<readonly RunPolicies[]>;
}
