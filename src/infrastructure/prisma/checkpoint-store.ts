import type { CheckpointStore, StoredCheckpoint } from '../../application/audit/log/ports.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 5_000;
/** Half a megabyte of notes. */
const PAGE = 1_000;
/** PostgreSQL's greatest bigint and integer: in front of every checkpoint. */
const BEFORE_ALL = ['9223372036854775807', 2 ** 31 - 1] as const;

/** What was signed, in PostgreSQL, by named statements over the pool given. Rows are added only. */
export function createCheckpointStore(pool: PgPool): CheckpointStore {
  const run = <Row extends object>(name: string, text: string, values: readonly unknown[] = []) =>
    runAuditStatement<Row>(pool, { name, text, values, timeoutMs: TIMEOUT_MS });
  return {
    async readNewest(branch) {
      const [row] =
        branch === undefined
          ? await run<Row>('audit_newest_checkpoint', `${SELECT} ORDER BY branch DESC, size DESC LIMIT 1`)
          : await run<Row>(
              'audit_newest_checkpoint_of_branch',
              `${SELECT} WHERE branch = $1::integer ORDER BY size DESC LIMIT 1`,
              [branch],
            );
      return row === undefined ? null : toCheckpoint(row);
    },

    async *list() {
      for (let after: readonly [size: string, branch: number] = BEFORE_ALL; ; ) {
        const rows = await run<Row>('audit_list_checkpoints', LIST, [...after, PAGE]);
        yield* rows.map(toCheckpoint);
        const last = rows.at(-1);
        if (last === undefined || rows.length < PAGE) return;
        after = [last.size, last.branch];
      }
    },

    async insert({ branch, size, root, note, anchor }) {
      await run(
        'audit_insert_checkpoint',
        `INSERT INTO audit.checkpoint (branch, size, root, note, anchor) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
        [branch, size, Buffer.from(root), note, anchor],
      );
    },

    async readNotes(kind) {
      const rows = await run<{ note: string }>(
        'audit_read_notes',
        'SELECT note FROM audit.note WHERE kind = $1 ORDER BY id',
        [kind],
      );
      return rows.map(({ note }) => note);
    },

    async insertNote(id, kind, note) {
      await run('audit_insert_note', 'INSERT INTO audit.note (id, kind, note) VALUES ($1, $2, $3)', [id, kind, note]);
    },
  };
}

const SELECT = 'SELECT branch, size, root, note, anchor, created_at FROM audit.checkpoint';

/** Served by checkpoint_by_size: each page costs what it holds. */
const LIST = `${SELECT}
WHERE (size, branch) < ($1::bigint, $2::integer) ORDER BY size DESC, branch DESC LIMIT $3::integer`;

interface Row {
  readonly branch: number;
  readonly size: string;
  readonly root: Buffer;
  readonly note: string;
  readonly anchor: string | null;
  readonly created_at: Date;
}

function toCheckpoint({ branch, size, root, note, anchor, created_at }: Row): StoredCheckpoint {
  return { branch, size: Number(size), root, note, anchor, createdAt: created_at };
}
