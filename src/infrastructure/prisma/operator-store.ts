import type {
  ListedOperator,
  OperatorBook,
  OperatorRole,
  OperatorStore,
} from '../../application/audit/monitor/ports.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const READ_TIMEOUT_MS = 2_000;
const WRITE_TIMEOUT_MS = 5_000;

/** People who sign in to the monitor, as an api reads them, by a named statement over the pool given. */
export function createOperatorStore(pool: PgPool): OperatorStore {
  return {
    async findByName(name) {
      const [row] = await runAuditStatement<FoundRow>(pool, {
        name: 'audit_find_operator',
        text: `SELECT id, name, role, password_hash, changed_at, disabled_at,
                 date_trunc('milliseconds', clock_timestamp()) AS read_at
               FROM audit.operator WHERE name = $1`,
        values: [name],
        timeoutMs: READ_TIMEOUT_MS,
      });
      if (row === undefined) return null;
      return {
        kind: 'user',
        id: row.id,
        name: row.name,
        role: row.role,
        passwordHash: row.password_hash,
        changedAt: row.changed_at,
        disabledAt: row.disabled_at,
        readAt: row.read_at,
      };
    },
  };
}

/** The same people, as the owner of the database manages them. An api's role may do none of this but look. */
export function createOperatorBook(pool: PgPool): OperatorBook {
  const run = async (name: string, text: string, values: readonly unknown[]) =>
    (await runAuditStatement<ListedRow>(pool, { name, text, values, timeoutMs: WRITE_TIMEOUT_MS })).map(toListed);
  const find: OperatorBook['find'] = async (name) => {
    const text = `SELECT ${LISTED} FROM audit.operator o WHERE o.name = $1`;
    const [operator] = await run('audit_show_operator', text, [name]);
    return operator ?? null;
  };
  return {
    list: () => run('audit_list_operators', `SELECT ${LISTED} FROM audit.operator o ORDER BY o.name`, []),

    find,

    async add({ id, name, role, passwordHash }) {
      const [operator] = await run('audit_add_operator', ADD, [id, name, role, passwordHash]);
      return operator ?? null;
    },

    async setPassword(name, passwordHash) {
      const [operator] = await run(
        'audit_set_operator_password',
        `UPDATE audit.operator o SET password_hash = $2, ${CHANGED}
         WHERE o.name = $1 AND o.disabled_at IS NULL RETURNING ${LISTED}`,
        [name, passwordHash],
      );
      return operator ?? null;
    },

    async setRole(name, role) {
      const text = `UPDATE audit.operator o SET role = $2 WHERE o.name = $1 RETURNING ${LISTED}`;
      const [operator] = await run('audit_set_operator_role', text, [name, role]);
      return operator ?? null;
    },

    async disable(name) {
      const [operator] = await run(
        'audit_disable_operator',
        `UPDATE audit.operator o SET disabled_at = clock_timestamp()
         WHERE o.name = $1 AND o.disabled_at IS NULL RETURNING ${LISTED}`,
        [name],
      );
      if (operator !== undefined) return { operator, already: false };
      const found = await find(name);
      return found === null ? null : { operator: found, already: true };
    },
  };
}

const LISTED = 'o.name, o.role, o.created_at, o.changed_at, o.disabled_at';
/** A session knows the time to the millisecond: another password must never have the one before it. */
const CHANGED = `changed_at = greatest(clock_timestamp(), o.changed_at + interval '1 millisecond')`;

/** $1 id, $2 name, $3 role, $4 hash. Who was disabled keeps their id; sessions from before have the old password's time. */
const ADD = `INSERT INTO audit.operator AS o (id, name, role, password_hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE
SET role = excluded.role, password_hash = excluded.password_hash, disabled_at = NULL, ${CHANGED}
WHERE o.disabled_at IS NOT NULL RETURNING ${LISTED}`;

interface FoundRow {
  readonly id: string;
  readonly name: string;
  readonly role: OperatorRole;
  readonly password_hash: string;
  readonly changed_at: Date;
  readonly disabled_at: Date | null;
  readonly read_at: Date;
}

interface ListedRow {
  readonly name: string;
  readonly role: OperatorRole;
  readonly created_at: Date;
  readonly changed_at: Date;
  readonly disabled_at: Date | null;
}

function toListed(row: ListedRow): ListedOperator {
  return {
    name: row.name,
    role: row.role,
    createdAt: row.created_at,
    changedAt: row.changed_at,
    disabledAt: row.disabled_at,
  };
}
