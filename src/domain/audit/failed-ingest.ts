/**
 * - `open`: not stored yet; the caller, or a person, may try again. Only such a row has its body.
 * - `stored`: the record stands with this very content.
 * - `other_content`: a record with other content took the identity; this content will never be stored.
 * - `discarded`: a person gave it up, with a reason.
 */
export const FAILED_INGEST_STATES = ['open', 'stored', 'other_content', 'discarded'] as const;
export type FailedIngestState = (typeof FAILED_INGEST_STATES)[number];

/** Why an event could not be stored. Holds nothing of the event itself. */
export interface InternalFailure {
  /** PostgreSQL's SQLSTATE, or the name of the error. */
  readonly code: string;
  /** At most 1,000 characters. */
  readonly message: string;
}

/** What is kept of an event that the audit log could not store for a reason of its own (R28), without its body. */
export interface FailedIngest {
  /** UUIDv7. */
  readonly id: string;
  /** The empty string where there is no tenant. */
  readonly tenantId: string;
  readonly source: string;
  readonly eventId: string;
  readonly failure: InternalFailure;
  /** The API key that sent it first; the record, once stored, carries it. */
  readonly keyId: string;
  /** How often storing it failed. */
  readonly tries: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly state: FailedIngestState;
  /** When it was closed; null while it is open. */
  readonly stateAt: Date | null;
  /** The last person who asked for a retry or a discard, and why. */
  readonly actor: string | null;
  readonly reason: string | null;
}
