import type {
  CheckpointRow,
  NoteRow,
  Place,
  RecordRow,
  SealRow,
  VerifyStore,
} from '../../application/audit/verify/ports.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';
import {
  boundsOf,
  COMPARE_KEYS,
  EARLY_TILES,
  FIND_BY_LEAF_HASH,
  FIND_CHECKPOINTS,
  FIND_RECORD,
  FIND_SEAL,
  FIND_SEAL_OF,
  NOT_ERASED,
  PARTITIONS,
  READ_CHECKPOINTS,
  READ_HEAD,
  READ_ROWS,
  READ_SEALS,
  READ_TILES,
  SEAL_EPOCHS,
  STRAY_KEYS,
  UNSEALED,
} from './verify-statements.js';

const PAGE_TIMEOUT_MS = 60_000;
/** Of what reads a table as a whole. The pool's own statement timeout has to allow it. */
export const WHOLE_TABLE_TIMEOUT_MS = 3_600_000;
/** Before every record, one of an epoch that there cannot be included. */
const FIRST: Place = { epoch: -(2 ** 31), tx: '0', seq: '0' };

/** What verification reads, by named statements over the pool given. */
export function createVerifyStore(pool: PgPool): VerifyStore {
  const run = <Row extends object>(name: string, text: string, values: readonly unknown[] = [], timeoutMs?: number) =>
    runAuditStatement<Row>(pool, {
      name: `audit_verify_${name}`,
      text,
      values,
      timeoutMs: timeoutMs ?? PAGE_TIMEOUT_MS,
    });
  const whole = <Row extends object>(name: string, text: string, values: readonly unknown[] = []) =>
    run<Row>(name, text, values, WHOLE_TABLE_TIMEOUT_MS);
  const placeValues = ({ epoch, tx, seq }: Place): unknown[] => [epoch, tx, seq];

  return {
    async readHead() {
      const [row] = await run<PlaceColumns & { size: string }>('head', READ_HEAD);
      return row === undefined ? null : { size: Number(row.size), place: placeOf(row) };
    },
    readEpochs: async () =>
      (await run<{ epoch: number }>('epochs', 'SELECT epoch FROM audit.epoch ORDER BY epoch')).map(
        ({ epoch }) => epoch,
      ),
    readSealEpochs: async () =>
      (await whole<{ epoch: number; first_index: string }>('seal_epochs', SEAL_EPOCHS)).map((row) => ({
        epoch: row.epoch,
        firstIndex: Number(row.first_index),
      })),
    async readSeals(fromIndex, belowIndex, limit) {
      const rows = await run<SealColumns>('seals', READ_SEALS, [fromIndex, belowIndex, limit]);
      return rows.map((row): SealRow => {
        return { firstIndex: Number(row.first_index), size: row.size, place: placeOf(row), hashes: row.hashes };
      });
    },
    async findSeal(index) {
      const rows = await run<PlaceColumns & { first_index: string }>('find_seal', FIND_SEAL, [index]);
      const [at, before] = rows;
      if (at === undefined) return null;
      return { firstIndex: Number(at.first_index), after: before === undefined ? null : placeOf(before) };
    },
    async findSealOf(place) {
      const [row] = await run<{ first_index: string }>('find_seal_of', FIND_SEAL_OF, placeValues(place));
      return row === undefined ? null : Number(row.first_index);
    },
    async readRows(after, upTo, limit) {
      const values = [...placeValues(after ?? FIRST), ...placeValues(upTo), limit];
      return (await run<RecordColumns>('rows', READ_ROWS, values)).map(toRecordRow);
    },
    async findRecord(recordId) {
      const [row] = await run<PlaceColumns>('find_record', FIND_RECORD, [recordId]);
      return row === undefined ? null : placeOf(row);
    },
    async readCheckpoints({ size, branch }, limit) {
      return (await run<CheckpointColumns>('checkpoints', READ_CHECKPOINTS, [size, branch, limit])).map(toCheckpoint);
    },
    async findCheckpoints(of) {
      const values = [of.map(({ branch }) => branch), of.map(({ size }) => size)];
      return (await run<CheckpointColumns>('find_checkpoints', FIND_CHECKPOINTS, values)).map(toCheckpoint);
    },
    async readNewestSize() {
      const [row] = await run<{ size: string }>('newest', 'SELECT max(size) AS size FROM audit.checkpoint');
      return Number(row?.size ?? 0);
    },
    readBranches: async () =>
      (await run<{ branch: number }>('branches', 'SELECT DISTINCT branch FROM audit.checkpoint')).map(
        ({ branch }) => branch,
      ),
    async readTiles(of) {
      const values = [of.map(({ level }) => level), of.map(({ index }) => index)];
      const rows = await run<{ position: number; root: Buffer }>('tiles', READ_TILES, values);
      const roots = new Map(rows.map(({ position, root }) => [position, root]));
      return of.map((_, at) => roots.get(at + 1) ?? null);
    },
    findEarlyTiles: async () =>
      (await whole<{ level: number; index: string }>('early_tiles', EARLY_TILES)).map(({ level, index }) => {
        return { level, index: Number(index) };
      }),
    readNotes: (kind) =>
      kind === undefined
        ? run<NoteRow>('notes', 'SELECT id, kind, note FROM audit.note ORDER BY id')
        : run<NoteRow>('notes_of_kind', 'SELECT id, kind, note FROM audit.note WHERE kind = $1 ORDER BY id', [kind]),
    readPartitions: async () => (await run<{ name: string }>('partitions', PARTITIONS)).map(({ name }) => name),
    async findByLeafHash(hashes) {
      const values = [hashes.map((hash) => Buffer.from(hash))];
      const rows = await whole<{ leaf_hash: Buffer; record_id: string; stands: boolean }>(
        'by_leaf_hash',
        FIND_BY_LEAF_HASH,
        values,
      );
      return rows.map((row) => ({ leafHash: row.leaf_hash, recordId: row.record_id, stands: row.stands }));
    },
    async readUnsealed(behind) {
      const [row] = await whole<{ pending: string; strays: string; named: string[] | null }>(
        'unsealed',
        UNSEALED,
        placeValues(behind ?? FIRST),
      );
      const strays = { count: Number(row?.strays ?? 0), named: row?.named ?? [] };
      return { pending: Number(row?.pending ?? 0) - strays.count, strays };
    },
    async findStrayKeys(exceptMonths) {
      const rows = await whole<{ record_id: string; stands: boolean; count: string }>('stray_keys', STRAY_KEYS, [
        exceptMonths,
      ]);
      const named = rows.map((row) => ({ recordId: row.record_id, stands: row.stands }));
      return { count: Number(rows[0]?.count ?? 0), named };
    },
    async compareKeys(month, runs) {
      const values = [...boundsOf(month), runs.map(({ first }) => first), runs.map(({ count }) => count)];
      const rows = await whole<ComparedColumns>('compare_keys', COMPARE_KEYS, values);
      return {
        missing: {
          count: rows.reduce((sum, { missing }) => sum + missing, 0),
          named: rows.flatMap(({ missing_at }) => (missing_at ?? []).map(Number)),
        },
        extra: {
          count: rows.reduce((sum, { extra }) => sum + Number(extra), 0),
          named: rows.flatMap(({ extra_ids }) => extra_ids ?? []),
        },
        chunks: rows.flatMap(({ digest }) => (digest === null ? [] : [digest])),
      };
    },
    findNotErased: async (recordIds) =>
      (await whole<{ record_id: string }>('not_erased', NOT_ERASED, [recordIds])).map((row) => row.record_id),
  };
}

interface PlaceColumns {
  readonly epoch: number;
  readonly tx: string;
  readonly seq: string;
}

const placeOf = ({ epoch, tx, seq }: PlaceColumns): Place => ({ epoch, tx, seq });

interface SealColumns extends PlaceColumns {
  readonly first_index: string;
  readonly size: number;
  readonly hashes: Buffer;
}

interface ComparedColumns {
  readonly missing: number;
  readonly missing_at: string[] | null;
  readonly extra: string;
  readonly extra_ids: string[] | null;
  readonly digest: Buffer | null;
}

interface CheckpointColumns {
  readonly branch: number;
  readonly size: string;
  readonly root: Buffer;
  readonly note: string;
  readonly anchor: string | null;
}

function toCheckpoint(row: CheckpointColumns): CheckpointRow {
  return { ...row, size: Number(row.size) };
}

/** The columns are named as RecordRow's fields are, but for the place and the identity. */
interface RecordColumns extends Omit<RecordRow, 'place' | 'key'>, PlaceColumns {
  readonly keyRecordId: string | null;
  readonly keyRecordedAtMicros: string | null;
  readonly keyLeafHash: Buffer | null;
}

function toRecordRow(row: RecordColumns): RecordRow {
  const { epoch, tx, seq, keyRecordId, keyRecordedAtMicros, keyLeafHash, ...record } = row;
  const key =
    keyRecordId === null || keyRecordedAtMicros === null || keyLeafHash === null
      ? null
      : { recordId: keyRecordId, recordedAtMicros: keyRecordedAtMicros, leafHash: keyLeafHash };
  return { ...record, place: { epoch, tx, seq }, key };
}
