/** What the destination answered for a delivered event. Stored on the delivery row; holds no payload. */
export interface Receipt {
  /** The destination's own id of the effect (for the audit log: the record id). 1 to 200 characters. */
  readonly id: string;
  /** The destination's hash of what it stored, where it gives one. */
  readonly hash: string | null;
  /** The HTTP status, where there was one. */
  readonly status: number | null;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** True when the destination had the effect already and answered from it. */
  readonly replayed: boolean;
}
