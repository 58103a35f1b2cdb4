/** Where the log ends: how many leaves are sealed, and the place of the last one in the order of records. */
export interface LogHead {
  readonly size: number;
  readonly epoch: number;
  /** PostgreSQL's xid8 and bigint, as text: neither fits a number for ever. */
  readonly lastTx: string;
  readonly lastSeq: string;
}

/** What the sealer works on. Every method throws StoreUnavailableError when the database cannot answer now. */
export interface SealStore {
  /** The head, and the newest epoch; null where the newest epoch is another cluster's. */
  readHead(): Promise<{ readonly head: LogHead; readonly newestEpoch: number | null }>;
  /** Begins the epoch of this cluster. */
  followCluster(): Promise<number>;
  /**
   * Seals the next records of an epoch behind the head, at most `limit`, in one statement: those of transactions that no
   * running one can still precede. An older epoch has none of those left. Returns how many; `taken` where another sealer
   * was quicker, and nothing was written.
   */
  seal(
    behind: LogHead,
    epoch: { readonly number: number; readonly isNewest: boolean },
    limit: number,
  ): Promise<number | 'taken'>;
}

/** The root of a full subtree of 256^(level + 1) leaves. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  readonly root: Uint8Array;
}

/** The sealed leaves. Throws StoreUnavailableError as above. */
export interface LeafStore {
  readSize(): Promise<number>;
  /** The hashes of leaves `first` to `first + count - 1`, one after the other. Throws LogBrokenError where some are missing. */
  readHashes(first: number, count: number): Promise<Uint8Array[]>;
  /** The tiles that stand among those asked for, by index. */
  readTiles(level: number, first: number, count: number): Promise<ReadonlyMap<number, Uint8Array>>;
  /** How many tiles of a level stand, without a gap from the first on. */
  countTiles(level: number): Promise<number>;
  /** Writes those that do not stand yet. */
  insertTiles(tiles: readonly Tile[]): Promise<void>;
}

export interface StoredCheckpoint {
  readonly branch: number;
  readonly size: number;
  readonly root: Uint8Array;
  /** The signed note. */
  readonly note: string;
  /** The name of the anchor that took it before it was stored; null: none was configured. */
  readonly anchor: string | null;
  readonly createdAt: Date;
}

/** A record's place in the order of sealing, and its leaf. */
export interface RecordPlace {
  readonly epoch: number;
  readonly txId: string;
  readonly seq: string;
  readonly leafHash: Uint8Array;
}

/** Where records stand in the log. Throws StoreUnavailableError as above. */
export interface PlaceStore {
  /** Of the record with this id and tenant; null where there is none. */
  find(recordId: string, tenantId: string | null): Promise<RecordPlace | null>;
  /** The seal that a record of this place is in; null where none is yet. */
  findSeal(place: RecordPlace): Promise<{ readonly firstIndex: number; readonly hashes: readonly Uint8Array[] } | null>;
}

/** What holds up the sealing: the oldest transaction that is still running, on the whole server. */
export interface OldestTransaction {
  readonly kind: 'session' | 'prepared';
  /** Of a session its process id, of a prepared transaction its name. */
  readonly id: string;
  readonly user: string | null;
  readonly database: string | null;
  readonly application: string | null;
  /** Null: not permitted to see. */
  readonly state: string | null;
  readonly since: Date | null;
}

export interface LogLag {
  readonly size: number;
  /** Committed and not sealed, counted up to `countedUpTo`. */
  readonly unsealed: number;
  readonly countedUpTo: number;
  readonly oldestUnsealedAt: Date | null;
  /** When the oldest leaf was sealed that no checkpoint covers; null: there is none. */
  readonly oldestUnsignedAt: Date | null;
  /** Whether any checkpoint was ever anchored. */
  readonly everAnchored: boolean;
  /** The database's clock. */
  readonly now: Date;
}

/** What is asked now and then, by a person or a probe. Throws StoreUnavailableError as above. */
export interface LagStore {
  readLag(): Promise<LogLag>;
  readOldestTransaction(): Promise<OldestTransaction | null>;
}

export type NoteKind = 'branch' | 'dropped' | 'erased';

/** What was signed. Throws StoreUnavailableError as above. */
export interface CheckpointStore {
  /** The newest of a branch, or of all: that of the greatest branch. */
  readNewest(branch?: number): Promise<StoredCheckpoint | null>;
  /** All that stand, the greatest size first, of one size the greatest branch. Some of them are in memory at a time. */
  list(): AsyncIterable<StoredCheckpoint>;
  /** Does nothing where one of this branch and size stands. */
  insert(checkpoint: Omit<StoredCheckpoint, 'createdAt'>): Promise<void>;
  /** Signed notes of one kind, the oldest first. Whoever reads them checks the signatures. */
  readNotes(kind: NoteKind): Promise<readonly string[]>;
  insertNote(id: string, kind: NoteKind, note: string): Promise<void>;
}

/**
 * Where what is signed stands outside of the database, so that whoever changes both is found out. Keeps every note for
 * ever, in the order of the puts. Throws AnchorUnavailableError when it cannot answer now.
 */
export interface Anchor {
  /** For people and for the row of a checkpoint: what it is and where. */
  readonly name: string;
  /** Resolves only when the note will survive a crash of this machine. */
  put(note: AnchoredNote): Promise<void>;
  /** Of an origin's checkpoints the one with the greatest size. Nobody's signature is looked at. */
  newest(origin: string): Promise<AnchoredNote | null>;
  /** All of it, in the order of the puts. */
  readAll(): AsyncIterable<AnchoredNote>;
  /** The same, the latest put first: whoever stops early has read no more than he took. */
  readBack(): AsyncIterable<AnchoredNote>;
}

export interface AnchoredNote {
  readonly kind: 'checkpoint' | NoteKind;
  /** Of a checkpoint its origin, of any other note the log's base name. */
  readonly origin: string;
  /** Of a checkpoint; 0 of any other note. */
  readonly size: number;
  readonly note: string;
}

export class AnchorUnavailableError extends Error {
  override readonly name = 'AnchorUnavailableError';

  constructor(anchor: string, cause: unknown) {
    super(`The anchor ${anchor} did not answer`, { cause });
  }
}

/** What is sealed does not hold together: no proof can be made of it. `outbox audit verify` says where. */
export class LogBrokenError extends Error {
  override readonly name = 'LogBrokenError';
}
