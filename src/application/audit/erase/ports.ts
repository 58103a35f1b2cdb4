/** Whose content, or which one. */
export type Subject =
  | { readonly kind: 'actor'; readonly id: string }
  | { readonly kind: 'target'; readonly type: string; readonly id: string }
  | { readonly kind: 'record'; readonly id: string }
  /** One row of `failed_ingest`. */
  | { readonly kind: 'failed_ingest'; readonly id: string };

export interface SubjectOfTenant {
  /** The empty string where there is no tenant. */
  readonly tenantId: string;
  readonly subject: Subject;
}

/** Where a record stands in the order of time. */
export interface RecordPlace {
  readonly recordId: string;
  /** RFC 3339, UTC, microseconds. */
  readonly recordedAt: string;
}

export interface FoundRecord extends RecordPlace {
  /** 32 bytes: what stays of it. */
  readonly leafHash: Uint8Array;
}

/** A row of `failed_ingest` that has its body still, and so is open. */
export interface FailedBody {
  readonly id: string;
  /** JSON text, sent by a stranger. */
  readonly body: string;
}

export interface Erasure {
  /** Of the note's row, a UUIDv7. */
  readonly noteId: string;
  /** The signed note, which the anchor has already. */
  readonly note: string;
  readonly records: readonly RecordPlace[];
  readonly failedIngestIds: readonly string[];
  /** For `failed_ingest`, whose open rows are discarded by a person's word. */
  readonly by: string;
  readonly reason: string;
}

export interface Erased {
  readonly records: number;
  readonly failedIngest: number;
}

/** Needs the rights of the tables' owner. Every method throws StoreUnavailableError when the database cannot answer. */
export interface EraseStore {
  /** Records that stand whole and are the subject's, behind this place in the order of time, at most `limit`. */
  find(of: SubjectOfTenant, after: RecordPlace | null, limit: number): Promise<readonly FoundRecord[]>;
  /** Those of these that stand whole. */
  findWhole(recordIds: readonly string[]): Promise<readonly RecordPlace[]>;
  /** Rows of `failed_ingest` with a body, of these that a tenant has; null: whosever they are. */
  findFailed(ids: readonly string[], tenantId: string | null): Promise<readonly string[]>;
  /** Those under the identities of these records. */
  findFailedUnder(records: readonly RecordPlace[]): Promise<readonly string[]>;
  /** A tenant's whose body holds this text, whatever it means there: behind this id, at most `limit`. */
  findFailedWith(tenantId: string, text: string, after: string | null, limit: number): Promise<readonly FailedBody[]>;
  /** One transaction: the note's row, the records' content, and the bodies. Returns how many of each it erased. */
  erase(erasure: Erasure): Promise<Erased>;
  countFailedWith(tenantId: string, text: string): Promise<number>;
}
