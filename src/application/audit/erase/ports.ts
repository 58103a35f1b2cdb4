/** Whose records, or which one. */
export type Subject =
  | { readonly kind: 'actor'; readonly id: string }
  | { readonly kind: 'target'; readonly type: string; readonly id: string }
  | { readonly kind: 'record'; readonly id: string };

export interface SubjectOfTenant {
  /** The empty string where there is no tenant. */
  readonly tenantId: string;
  readonly subject: Subject;
}

export interface FoundRecord {
  readonly recordId: string;
  /** 32 bytes: what stays of it. */
  readonly leafHash: Uint8Array;
}

export interface Erasure {
  /** Of the note's row, a UUIDv7. */
  readonly noteId: string;
  /** The signed note, which the anchor has already. */
  readonly note: string;
  readonly recordIds: readonly string[];
  /** For `failed_ingest`, whose open rows are discarded by a person's word. */
  readonly by: string;
  readonly reason: string;
}

/** Needs the rights of the tables' owner. Every method throws StoreUnavailableError when the database cannot answer. */
export interface EraseStore {
  /** Records that stand whole and are the subject's, at most `limit`. */
  find(of: SubjectOfTenant, limit: number): Promise<readonly FoundRecord[]>;
  count(of: SubjectOfTenant): Promise<number>;
  /** Those of these that stand whole. */
  findWhole(recordIds: readonly string[]): Promise<readonly string[]>;
  /**
   * One transaction: the note's row, the records' content, and what `failed_ingest` holds under the same identities.
   * Returns how many of each it erased.
   */
  erase(erasure: Erasure): Promise<{ readonly records: number; readonly failedIngest: number }>;
  /** Rows of `failed_ingest` of a tenant whose body holds this text, whoever it is about. */
  countFailedWith(tenantId: string, text: string): Promise<number>;
}
