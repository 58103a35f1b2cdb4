import type { ApiKey } from '../../domain/audit/api-key.js';
import type { AuditRecord } from '../../domain/audit/audit-record.js';
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
   * and returns the record ids of those written. No identity may occur twice. After a StoreUnavailableError they may
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

export interface StoredApiKey extends ApiKey {
  /** SHA-256 of the whole key, 32 bytes. */
  readonly keyHash: Uint8Array;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface FoundApiKey extends StoredApiKey {
  /** The database's clock when the key was read, in whole milliseconds: the one clock of a request. */
  readonly readAt: Date;
}

/** The keys of callers. Every method throws StoreUnavailableError when the database cannot answer now. */
export interface ApiKeyStore {
  findByPrefix(prefix: string): Promise<FoundApiKey | null>;
  insert(key: StoredApiKey): Promise<void>;
}

/** The database cannot answer now; the same request may succeed later. `cause` says why. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';

  constructor(cause: unknown) {
    super('The audit database did not answer', { cause });
  }
}
