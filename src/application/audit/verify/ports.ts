import type { LeafRun } from '../../../domain/audit/audit-note.js';
import type { NoteKind } from '../log/ports.js';

/** Where a record stands in the order of records: (epoch, transaction, sequence). xid8 and bigint as text. */
export interface Place {
  readonly epoch: number;
  readonly tx: string;
  readonly seq: string;
}

/** A seal as it is stored; whether its parts fit each other is what is verified. */
export interface SealRow {
  readonly firstIndex: number;
  readonly size: number;
  /** Of its last record. */
  readonly place: Place;
  /** Hashes end to end. */
  readonly hashes: Uint8Array;
}

/** A record as it is stored, with its identity. */
export interface RecordRow {
  readonly recordId: string;
  /** Microseconds since 1970, as text: an edit below the millisecond must show. */
  readonly recordedAtMicros: string;
  readonly place: Place;
  readonly tenantId: string;
  readonly source: string;
  readonly eventId: string;
  readonly action: string;
  readonly actionVersion: number;
  readonly category: string;
  readonly operation: string;
  readonly outcome: string;
  readonly severity: string;
  readonly occurredAtMicros: string;
  readonly actorType: string;
  readonly actorId: string | null;
  readonly via: string;
  readonly keyId: string;
  readonly leafVersion: number;
  /** Hex. */
  readonly salt: string;
  /** JSON text: numbers as the database has them, not as JavaScript reads them. */
  readonly body: string;
  readonly leafHash: Uint8Array | null;
  readonly erased: boolean;
  /** The row of record_key under the record's tenant, source and event id. */
  readonly key: KeyRow | null;
}

interface KeyRow {
  readonly recordId: string;
  readonly recordedAtMicros: string;
  readonly leafHash: Uint8Array;
}

export interface CheckpointRow {
  readonly branch: number;
  readonly size: number;
  readonly root: Uint8Array;
  readonly note: string;
  readonly anchor: string | null;
}

export interface NoteRow {
  readonly id: string;
  readonly kind: string;
  readonly note: string;
}

/** How many there are, and some of them. */
export interface Found<T> {
  readonly count: number;
  readonly named: readonly T[];
}

/** A month's identities beside the leaves that they should be those of, by the leaf's hash. */
export interface ComparedKeys {
  /** Leaves, by index, that no identity has the hash of. */
  readonly missing: Found<number>;
  /** Record ids of identities whose hash none of the leaves has, or more identities than leaves have. */
  readonly extra: Found<string>;
  /**
   * Hashes of what the identities say, in the order of their leaves: of each 4,096 leaf indexes one. What exactly, stands in
   * docs/audit-log.md.
   */
  readonly chunks: readonly Uint8Array[];
}

/** What verification reads. It writes nothing. Every method throws StoreUnavailableError when the database cannot answer. */
export interface VerifyStore {
  /** How many leaves are sealed, and the last one's place; null: none. */
  readHead(): Promise<{ readonly size: number; readonly place: Place } | null>;
  readEpochs(): Promise<readonly number[]>;
  /** The epochs that seals are of, each with the first index of its first seal. */
  readSealEpochs(): Promise<readonly { readonly epoch: number; readonly firstIndex: number }[]>;
  /** In the order of their first index, from this one on and below the other. */
  readSeals(fromIndex: number, belowIndex: number, limit: number): Promise<readonly SealRow[]>;
  /** The first index of the last seal that begins at or before a leaf, and the place of the seal before it. */
  findSeal(index: number): Promise<{ readonly firstIndex: number; readonly after: Place | null } | null>;
  /** The first index of the seal that a place belongs to; null: none does yet. */
  findSealOf(place: Place): Promise<number | null>;
  /** In their order, behind `after` (null: from the very first on) and up to `upTo`. */
  readRows(after: Place | null, upTo: Place, limit: number): Promise<readonly RecordRow[]>;
  findRecord(recordId: string): Promise<Place | null>;
  /** By size, then branch, behind the one given. */
  readCheckpoints(
    after: { readonly size: number; readonly branch: number },
    limit: number,
  ): Promise<readonly CheckpointRow[]>;
  /** Those of these branches and sizes that stand. */
  findCheckpoints(of: readonly { readonly branch: number; readonly size: number }[]): Promise<readonly CheckpointRow[]>;
  /** The greatest size of a checkpoint; 0: none stands. */
  readNewestSize(): Promise<number>;
  readBranches(): Promise<readonly number[]>;
  /** At the index asked for; null where none stands. */
  readTiles(of: readonly { readonly level: number; readonly index: number }[]): Promise<readonly (Uint8Array | null)[]>;
  /** Tiles of subtrees that are not full. */
  findEarlyTiles(): Promise<readonly { readonly level: number; readonly index: number }[]>;
  /** Of one kind, or all. */
  readNotes(kind?: NoteKind): Promise<readonly NoteRow[]>;
  /** The names of the partitions that are attached. */
  readPartitions(): Promise<readonly string[]>;
  /** Identities with one of these leaf hashes, and whether a record stands for them. Reads the whole table. */
  findByLeafHash(
    hashes: readonly Uint8Array[],
  ): Promise<readonly { readonly leafHash: Uint8Array; readonly recordId: string; readonly stands: boolean }[]>;
  /** Records behind the head: how many, and those that no sealer will ever take. */
  readUnsealed(behind: Place | null): Promise<{ readonly pending: number; readonly strays: Found<string> }>;
  /**
   * Identities that are not those of the record that they name, but those recorded in these months (`record_YYYY_MM`).
   * `stands`: there is such a record, and it was sent under another identity.
   */
  findStrayKeys(
    exceptMonths: readonly string[],
  ): Promise<Found<{ readonly recordId: string; readonly stands: boolean }>>;
  /** The identities recorded in a month against the sealed hashes of these leaves. */
  compareKeys(month: string, runs: readonly LeafRun[]): Promise<ComparedKeys>;
  /** Which of these records stand and hold more than an erased one does. */
  findNotErased(recordIds: readonly string[]): Promise<readonly string[]>;
}
