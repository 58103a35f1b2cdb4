import type { RoleFacts } from '../../application/delivery/doctor/judge-rights.js';
import { type PgPool, runStatement } from './pg-pool.js';
import { RIGHTS, type Right, type RightHolder, type Target } from './rights.js';

const TIMEOUT_MS = 5_000;
const ROLES_LISTED = 20;
const MISSING_LISTED = 50;

/**
 * Whose sessions those of our processes are, by the names that these give themselves. A relay's and a worker's are named
 * alike: such a role has to have the rights of one of the two.
 */
const HOLDERS: Readonly<Record<Target, Readonly<Record<string, readonly RightHolder[]>>>> = {
  outbox: {
    'temporal-outbox delivery': ['relay', 'worker'],
    'temporal-outbox ops': ['api'],
    'temporal-outbox monitor': ['api'],
  },
  audit: {
    'temporal-outbox api': ['api'],
    'temporal-outbox api reading': ['api'],
    'temporal-outbox sealer': ['worker'],
    'temporal-outbox retention': ['worker'],
    'temporal-outbox verifications': ['worker'],
    'temporal-outbox verification': ['worker'],
  },
};

/**
 * What the roles that our processes are connected as now may not do, of what their part needs (rights.ts). Reads catalogues
 * only; throws as `runStatement` does.
 */
export async function inspectRights(pool: PgPool, target: Target): Promise<readonly RoleFacts[]> {
  const names = Object.keys(HOLDERS[target]);
  const sessions = await runStatement<{ role: string; application: string }>(pool, {
    name: 'inspect_roles',
    text: ROLES,
    values: [names, ROLES_LISTED],
    timeoutMs: TIMEOUT_MS,
  });
  const asked = sessions.flatMap(({ role, application }) =>
    (HOLDERS[target][application] ?? []).map((holder) => ({ role, application, holder })),
  );
  const wanted = asked.flatMap(({ role, holder }) => wantedOf(role, holder, target));
  const missing = await runStatement<MissingRow>(pool, {
    name: 'inspect_rights',
    text: MISSING,
    values: [JSON.stringify(wanted), target],
    timeoutMs: TIMEOUT_MS,
  });
  const facts = asked.map(({ role, application, holder }) => ({
    role,
    application,
    holder,
    missing: missing
      .filter((row) => row.role === role && row.holder === holder)
      .slice(0, MISSING_LISTED)
      .map(({ what }) => what),
  }));
  // Of the parts that it may be, the one whose rights it comes nearest to.
  return sessions.flatMap(({ role, application }) => {
    const own = facts.filter((fact) => fact.role === role && fact.application === application);
    const [nearest] = own.toSorted((a, b) => a.missing.length - b.missing.length);
    return nearest === undefined ? [] : [{ role, holder: nearest.holder, missing: nearest.missing }];
  });
}

interface Wanted {
  readonly role: string;
  readonly holder: string;
  readonly kind: 'schema' | 'table' | 'sequence' | 'function';
  /** `*`: every function. */
  readonly name: string;
  readonly privilege: string;
  readonly columns: readonly string[] | null;
  readonly all_but: readonly string[] | null;
}

interface MissingRow {
  readonly role: string;
  readonly holder: string;
  readonly what: string;
}

function wantedOf(role: string, holder: RightHolder, target: Target): Wanted[] {
  const rights = RIGHTS[target][holder];
  if (rights === undefined) return [];
  const one = (kind: Wanted['kind'], name: string, privilege: string): Wanted => ({
    ...{ role, holder, kind, name, privilege },
    columns: null,
    all_but: null,
  });
  const functions = rights.functions === '*' ? ['*'] : (rights.functions ?? []);
  return [
    one('schema', target, 'USAGE'),
    ...Object.entries(rights.tables).flatMap(([table, granted]) =>
      granted.map((right): Wanted => ({ ...one('table', table, privilegeOf(right)), ...columnsOf(right) })),
    ),
    ...(rights.sequences ?? []).map((name) => one('sequence', name, 'USAGE')),
    ...functions.map((name) => one('function', name, 'EXECUTE')),
  ];
}

function privilegeOf(right: Right): string {
  return typeof right === 'string' ? right : right.may;
}

function columnsOf(right: Right): Partial<Wanted> {
  if (typeof right === 'string') return {};
  return 'columns' in right ? { columns: right.columns } : { all_but: right.allBut };
}

/** Of every role one row for each name that its sessions have. */
const ROLES = `
SELECT DISTINCT r.rolname::text AS role, a.application_name AS application
FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.datname = current_database() AND a.application_name = ANY ($1::text[]) ORDER BY 1, 2 LIMIT $2::integer`;

/** What is not there (an older database) is not missed here: the schema's checks tell. */
const MISSING = `
WITH wanted AS (
  SELECT w.* FROM jsonb_to_recordset($1::jsonb)
    AS w(role text, holder text, kind text, name text, privilege text, columns text[], all_but text[])
), objects AS (
  SELECT w.role, w.holder, w.privilege || ' on the schema' AS what FROM wanted w
  WHERE w.kind = 'schema' AND NOT has_schema_privilege(w.role::name, to_regnamespace($2)::oid, w.privilege)
  UNION ALL
  SELECT w.role, w.holder, w.privilege || ' on ' || w.name
  FROM wanted w JOIN pg_class c ON c.relnamespace = to_regnamespace($2) AND c.relname = w.name AND c.relkind IN ('r', 'p')
  WHERE w.kind = 'table' AND w.columns IS NULL AND w.all_but IS NULL
    AND NOT has_table_privilege(w.role::name, c.oid, w.privilege)
  UNION ALL
  SELECT w.role, w.holder, w.privilege || ' on ' || w.name || '.' || a.attname
  FROM wanted w JOIN pg_class c ON c.relnamespace = to_regnamespace($2) AND c.relname = w.name AND c.relkind IN ('r', 'p')
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE w.kind = 'table' AND (a.attname = ANY (w.columns) OR a.attname <> ALL (w.all_but))
    AND NOT CASE WHEN w.columns IS NOT NULL OR w.all_but IS NOT NULL THEN has_column_privilege(w.role::name, c.oid, a.attnum, w.privilege) END
  UNION ALL
  SELECT w.role, w.holder, w.privilege || ' on ' || w.name
  FROM wanted w JOIN pg_class c ON c.relnamespace = to_regnamespace($2) AND c.relname = w.name AND c.relkind = 'S'
  WHERE w.kind = 'sequence' AND NOT has_sequence_privilege(w.role::name, c.oid, w.privilege)
  UNION ALL
  SELECT w.role, w.holder, w.privilege || ' on ' || p.proname || '()'
  FROM wanted w JOIN pg_proc p ON p.pronamespace = to_regnamespace($2) AND w.name IN ('*', p.proname::text)
  WHERE w.kind = 'function' AND NOT has_function_privilege(w.role::name, p.oid, w.privilege)
)
SELECT o.role, o.holder, o.what FROM objects o GROUP BY o.role, o.holder, o.what
ORDER BY o.role, o.holder, o.what NOT LIKE '% on the schema', o.what LIMIT 2000`;
