import pg from 'pg';
import type { PgPool } from './pg-pool.js';
import { toStoreError } from './pg-pool.js';
import { RIGHT_HOLDERS, RIGHTS, type Right, type RightHolder, type Rights, type Target } from './rights.js';

/** Which role of PostgreSQL is which; one may be several, and then has the rights of all of them. */
export type GrantedRoles = Readonly<Partial<Record<RightHolder, string>>>;

export interface GrantPlan {
  /** In their order, without a semicolon. Empty: none of the roles has anything to do in this database. */
  readonly statements: readonly string[];
  /** Roles that are not there. */
  readonly missing: readonly string[];
  /** Roles that own what is here, or may act for who does: nothing that is granted or revoked bounds them. */
  readonly owners: readonly string[];
}

/**
 * Plain GRANT and REVOKE for one database, as it is now: whatever the roles may do in our schema is taken first, so that
 * doing it again, or with a newer version, leaves exactly these rights. Reads only. Throws as `runStatement` does.
 */
export async function planGrants(pool: PgPool, target: Target, roles: GrantedRoles): Promise<GrantPlan> {
  const holders = RIGHT_HOLDERS.filter((holder) => roles[holder] !== undefined && RIGHTS[target][holder] !== undefined);
  const names = [...new Set(holders.map((holder) => roles[holder] as string))];
  const [found] = await ask<Found>(pool, FIND_ROLES, [names, target]);
  const missing = names.filter((name) => !found?.present.includes(name));
  const owners = found?.owners ?? [];
  if (names.length === 0) return { statements: [], missing, owners };
  const there = toThere(await ask<ThereRow>(pool, FIND_OBJECTS, [target]));
  const grants = holders.flatMap((holder) =>
    grantsOf(target, roles[holder] as string, RIGHTS[target][holder] as Rights, there),
  );
  return { statements: [...revokes(target, names), ...new Set(grants)], missing, owners };
}

/** All of it or nothing. One at a time over all who do this here: PostgreSQL fails two that change the same rights. */
export async function applyGrants(pool: PgPool, statements: readonly string[]): Promise<void> {
  if (statements.length === 0) return;
  const lock = `SELECT pg_advisory_xact_lock(hashtextextended('outbox.grants', 0))`;
  // One message of several statements: what fails ends all of them.
  await ask(pool, ['BEGIN', lock, ...statements, 'COMMIT'].join(';\n'));
}

async function ask<Row extends object>(pool: PgPool, text: string, values?: readonly unknown[]): Promise<Row[]> {
  const client = await pool.connect().catch((error: unknown) => {
    throw toStoreError(error);
  });
  try {
    const result = await client.query(text, values === undefined ? undefined : [...values]);
    client.release();
    return result.rows;
  } catch (error) {
    client.release(true); // whatever it was in the middle of is undone
    throw toStoreError(error);
  }
}

const quoted = pg.escapeIdentifier;

function revokes(target: Target, names: readonly string[]): string[] {
  const roles = names.map(quoted).join(', ');
  const all = ['TABLES', 'SEQUENCES', 'FUNCTIONS'].map(
    (kind) => `REVOKE ALL ON ALL ${kind} IN SCHEMA ${quoted(target)} FROM ${roles}`,
  );
  // PostgreSQL lets everybody call a new function; in the audit log each is somebody's.
  const everybody = `REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ${quoted(target)} FROM PUBLIC`;
  return [`REVOKE ALL ON SCHEMA ${quoted(target)} FROM ${roles}`, ...all, ...(target === 'audit' ? [everybody] : [])];
}

function grantsOf(target: Target, role: string, rights: Rights, there: There): string[] {
  const to = `TO ${quoted(role)}`;
  const at = (name: string) => `${quoted(target)}.${quoted(name)}`;
  const tables = Object.entries(rights.tables).flatMap(([table, granted]) => {
    const columns = there.columns.get(table);
    if (columns === undefined) return [];
    const privileges = granted.flatMap((right) => privilegeOf(right, columns));
    return privileges.length === 0 ? [] : [`GRANT ${privileges.join(', ')} ON TABLE ${at(table)} ${to}`];
  });
  const sequences = (rights.sequences ?? [])
    .filter((name) => there.sequences.has(name))
    .map((name) => `GRANT USAGE ON SEQUENCE ${at(name)} ${to}`);
  const functions =
    rights.functions === '*'
      ? [`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${quoted(target)} ${to}`]
      : (rights.functions ?? []).flatMap((name) =>
          (there.functions.get(name) ?? []).map((types) => `GRANT EXECUTE ON FUNCTION ${at(name)}(${types}) ${to}`),
        );
  return [`GRANT USAGE ON SCHEMA ${quoted(target)} ${to}`, ...tables, ...sequences, ...functions];
}

function privilegeOf(right: Right, columns: readonly string[]): string[] {
  if (typeof right === 'string') return [right];
  const wanted = 'columns' in right ? right.columns : columns.filter((column) => !right.allBut.includes(column));
  const granted = wanted.filter((column) => columns.includes(column)).map(quoted);
  return granted.length === 0 ? [] : [`${right.may} (${granted.join(', ')})`];
}

interface There {
  readonly columns: ReadonlyMap<string, readonly string[]>;
  readonly sequences: ReadonlySet<string>;
  /** Name to the argument types of each. */
  readonly functions: ReadonlyMap<string, readonly string[]>;
}

interface ThereRow {
  readonly kind: 'table' | 'sequence' | 'function';
  readonly name: string;
  readonly details: readonly string[];
}

function toThere(rows: readonly ThereRow[]): There {
  const of = (kind: ThereRow['kind']) => rows.filter((row) => row.kind === kind);
  return {
    columns: new Map(of('table').map(({ name, details }) => [name, details])),
    sequences: new Set(of('sequence').map(({ name }) => name)),
    functions: new Map(of('function').map(({ name, details }) => [name, details])),
  };
}

interface Found {
  readonly present: readonly string[];
  readonly owners: readonly string[];
}

/** $1 names, $2 schema. Members of the owner act for it by SET ROLE or by inheriting; a superuser is a member of all. */
const FIND_ROLES = `
SELECT coalesce(array_agg(r.rolname::text), '{}') AS present,
  coalesce(array_agg(r.rolname::text) FILTER (WHERE EXISTS (SELECT FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid
    WHERE n.nspname = $2 AND (pg_has_role(r.oid, n.nspowner, 'MEMBER') OR pg_has_role(r.oid, c.relowner, 'MEMBER')))), '{}') AS owners
FROM pg_roles r WHERE r.rolname = ANY ($1::text[])`;

const FIND_OBJECTS = `
SELECT 'table' AS kind, c.relname::text AS name, array_agg(a.attname::text ORDER BY a.attnum) AS details
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY c.relname
UNION ALL
SELECT 'sequence', c.relname::text, '{}' FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'S'
UNION ALL
SELECT 'function', p.proname::text, array_agg(pg_get_function_identity_arguments(p.oid) ORDER BY p.oid)
FROM pg_proc p WHERE p.pronamespace = to_regnamespace($1) GROUP BY p.proname`;
