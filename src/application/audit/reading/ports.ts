import type { RecordVia } from '../../../domain/audit/audit-record.js';

/** Which records are meant; what is null is not asked for. */
export interface RecordFilter {
  /** The empty string: those without a tenant. null: everybody's. */
  readonly tenantId: string | null;
  readonly actorType: string | null;
  readonly actorId: string | null;
  /** Of one and the same target, where both are given. */
  readonly targetType: string | null;
  readonly targetId: string | null;
  /** The whole action, or its first words: `auth.user` means `auth.user` and `auth.user.signed_in`, not `auth.users`. */
  readonly action: string | null;
  readonly category: string | null;
  readonly operation: string | null;
  readonly outcome: string | null;
  readonly severity: string | null;
  readonly source: string | null;
  /** Milliseconds since 1970, as all times here: from this one on, and before that one. */
  readonly recordedFrom: number | null;
  readonly recordedTo: number | null;
  readonly occurredFrom: number | null;
  readonly occurredTo: number | null;
  /** Looked for in the event's JSON text, names of fields too, in whatever case. */
  readonly text: string | null;
}

/** A record as it stands. */
export interface StoredRecord {
  readonly recordId: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly recordedAt: string;
  /** The empty string where there is no tenant. */
  readonly tenantId: string;
  readonly via: RecordVia;
  /** 32 bytes. null: the row that keeps it beside the record is gone, which nothing of ours removes. */
  readonly leafHash: Uint8Array | null;
  /** null: it was erased. The hash and the place in the log are what is left of it. */
  readonly event: Readonly<Record<string, unknown>> | null;
}

export interface Look {
  readonly filter: RecordFilter;
  readonly order: 'newest' | 'oldest';
  /** Begins behind this id, which need not be a record's. null: at the beginning. */
  readonly after: string | null;
  /** Records looked at in this turn at most. */
  readonly records: number;
  /** Records found at most. */
  readonly take: number;
}

export interface Looked {
  /** Ids of records that the filter means, in order. */
  readonly found: readonly string[];
  /** How many were looked at. */
  readonly records: number;
  /** Everything up to this id is looked at, and the next turn begins behind it; null: there is nothing behind. */
  readonly place: string | null;
}

/** Records for people and programs to look at. Every method throws StoreUnavailableError when the database cannot answer now. */
export interface RecordReader {
  /**
   * One turn of a look, bounded whatever the filter: by `records`, or for what an index finds by what that gives. Of records
   * whose transactions are still open it sees nothing: one that ends late may come to stand behind a place.
   */
  look(look: Look): Promise<Looked>;
  /** The records of these ids, in their order; what is not there (any more) is left out. `tenantId` as in the filter. */
  read(ids: readonly string[], tenantId: string | null): Promise<StoredRecord[]>;
}
