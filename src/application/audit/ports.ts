import type { ApiKey } from '../../domain/audit/api-key.js';
import type { AuditRecord } from '../../domain/audit/audit-record.js';
import type { FailedIngest, FailedIngestState, InternalFailure } from '../../domain/audit/failed-ingest.js';
import type { KeyCheck } from './fingerprint.js';

/** What makes a record the same record over all time (R25). `tenantId` is the empty string where there is none. */
export interface RecordIdentity {
  readonly tenantId: string;
  readonly source: string;
  readonly eventId: string;
}

/** A record on its way in, with what is kept beside it. */
export interface NewRecord {
  readonly identity: RecordIdentity;
  readonly record: AuditRecord;
  readonly hmacKeyId: string;
  /** 32 bytes (R26). */
  readonly fingerprint: Uint8Array;
  /** What a release before made of the same content, where that is another one: rows of `failed_ingest` may have it. */
  readonly formerFingerprint?: Uint8Array;
  /** 32 bytes: the hash of the record's leaf. */
  readonly leafHash: Uint8Array;
}

/** What stands for an identity. */
export interface StandingRecord {
  readonly recordId: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly recordedAt: string;
  readonly hmacKeyId: string;
  readonly fingerprint: Uint8Array;
  readonly leafHash: Uint8Array;
}

/** The records. Every method throws StoreUnavailableError when the database cannot answer now. */
export interface AuditStore {
  /**
   * Writes those whose identity does not stand yet, key and record in one statement, in the order of their identities,
   * and returns the record ids of those written; in the same statement it closes what is open in `failed_ingest` under
   * those identities (R28): `stored` where the fingerprint, or the former one, is equal, else `other_content`. No identity may occur twice. After a StoreUnavailableError they may
   * have been written all the same. Makes the partition of `recordedAt` where it is missing; where it cannot, that is a
   * StoreUnavailableError too.
   */
  insertNew(records: readonly NewRecord[]): Promise<ReadonlySet<string>>;
  /** What stands for each identity, at the same index; null where nothing does. Sees what was committed before. */
  readStanding(identities: readonly RecordIdentity[]): Promise<(StandingRecord | null)[]>;
  /** Keeps the checks of ids that are new; answers what stands for each id. */
  keepKeyChecks(checks: readonly KeyCheck[]): Promise<readonly KeyCheck[]>;
  /** Makes the partitions of this month and the three after it; returns how many were missing. */
  ensurePartitions(): Promise<number>;
  /** Answers within a second or throws. */
  ping(): Promise<void>;
}

/** An event that could not be stored, with why. */
export interface NewFailedIngest {
  readonly identity: RecordIdentity;
  /** JSON text of the event as it may be stored: redacted. */
  readonly body: string;
  /** Of what was sent, before it was redacted. */
  readonly hmacKeyId: string;
  readonly fingerprint: Uint8Array;
  /** Counts up an open row that has it, too. */
  readonly formerFingerprint?: Uint8Array;
  readonly failure: InternalFailure;
  readonly keyId: string;
}

export interface FoundFailedIngest extends FailedIngest {
  /** JSON text, sent by a stranger; null: the row is closed, and its body gone. */
  readonly body: string | null;
}

/** A row that can still be stored. */
export interface OpenFailedIngest extends FailedIngest {
  /** JSON text, sent by a stranger. */
  readonly body: string;
  /** Of what was sent: the body alone cannot be fingerprinted again. */
  readonly hmacKeyId: string;
  readonly fingerprint: Uint8Array;
  /** The database's clock when the row was read. */
  readonly readAt: Date;
}

/** Which row is asked for: one of another tenant is not there. `tenantId` null: whosever it is. */
export interface FailedIngestRef {
  readonly id: string;
  readonly tenantId: string | null;
}

/** Which are meant; null leaves a field out. */
export interface FailedIngestFilter {
  /** A SQLSTATE, or the name of an error. */
  readonly code: string | null;
  readonly source: string | null;
  /** When it was kept first, from `since` on and before `until`; RFC 3339. */
  readonly since: string | null;
  readonly until: string | null;
}

export interface FailedIngestQuery {
  readonly tenantId: string | null;
  readonly filter: FailedIngestFilter;
  readonly state: FailedIngestState;
  /** Only those before this id: the last one of the page before. */
  readonly before: string | null;
  readonly limit: number;
}

/** Who asks for something to be done, and why. */
export interface PersonsWord {
  /** 1 to 200 characters. */
  readonly actor: string;
  /** 1 to 1,000 characters. */
  readonly reason: string;
}

/**
 * What could not be stored. Every method is one transaction, and throws StoreUnavailableError as AuditStore's do. Whoever
 * closes a row, an insert of AuditStore's included, its body is gone with that: a closed row holds nothing of the event.
 */
export interface FailedIngestStore {
  /**
   * Keeps an event and returns its id; the open row of the same content is counted up instead. null, and nothing kept,
   * where a record stands for the identity by now.
   */
  keep(event: NewFailedIngest): Promise<string | null>;
  /** The newest first. */
  list(query: FailedIngestQuery): Promise<FailedIngest[]>;
  /** Ids of open ones after this id, the oldest first. */
  openIds(query: Omit<FailedIngestQuery, 'state' | 'before'> & { readonly after: string | null }): Promise<string[]>;
  find(ref: FailedIngestRef): Promise<FoundFailedIngest | null>;
  /** Writes down who asks for a retry, with the record of it, and returns the row; null where it is not open. */
  noteRetry(ref: FailedIngestRef, word: PersonsWord, record: RecordOf): Promise<OpenFailedIngest | null>;
  /** Counts one more failed try. */
  countFailure(id: string, failure: InternalFailure): Promise<void>;
  /** What a retry found to stand; does nothing to a row that is closed already. */
  close(id: string, state: 'stored' | 'other_content'): Promise<void>;
  /** Returns the row; null where it is not open. Written with the record of it. */
  discard(ref: FailedIngestRef, word: PersonsWord, record: RecordOf): Promise<FailedIngest | null>;
}

/** The audit record of what a person does to the row; `now` by the database's clock. */
export type RecordOf = (row: FailedIngest, now: Date) => NewRecord;

export interface StoredApiKey extends ApiKey {
  /** SHA-256 of the whole key, 32 bytes. */
  readonly keyHash: Uint8Array;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** null: its requests need no signature. */
  readonly signing: SealedSecrets | null;
}

/** What the requests of a key are signed with, sealed by `sealSecret`. */
export interface SealedSecrets {
  readonly current: Uint8Array;
  /** The one before it, and until when it holds, while it is changed. */
  readonly old: { readonly secret: Uint8Array; readonly until: Date } | null;
}

export interface FoundApiKey extends StoredApiKey {
  /** The database's clock when the key was read, in whole milliseconds: the one clock of a request. */
  readonly readAt: Date;
}

/** The keys of callers. Every method throws StoreUnavailableError when the database cannot answer now. */
export interface ApiKeyStore {
  findByPrefix(prefix: string): Promise<FoundApiKey | null>;
  insert(key: StoredApiKey): Promise<void>;
  /** Writes down that it is used now, unless that was written within the last minute. */
  noteUse(id: string): Promise<void>;
  /** Those that are neither revoked nor expired and need a signature. */
  listSigned(): Promise<readonly FoundApiKey[]>;
}

/** The database cannot answer now; the same request may succeed later. `cause` says why. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';

  constructor(cause: unknown) {
    super('The audit database did not answer', { cause });
  }
}
