import type { Database, SchemaFacts, SchemaParts } from '../../application/delivery/doctor/judge-schema.js';
import { type PgPool, runTransaction } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

/** What one of our schemas is made of, as the server says it. Reads catalogues only. Throws as `runStatement` does. */
export function inspectSchema(pool: PgPool, database: Database): Promise<SchemaFacts> {
  return runTransaction(pool, { name: 'inspect_schema', timeoutMs: TIMEOUT_MS }, async (query) => {
    // Definitions name what is not on the path with its schema: so all of it, whatever path the role has.
    await query({ name: 'inspect_path', text: 'SET LOCAL search_path TO pg_catalog' });
    const parts = await query<{ name: string; definition: string }>({
      name: 'inspect_parts',
      text: PARTS,
      values: [database],
    });
    const invalid = await query<{ name: string }>({ name: 'inspect_indexes', text: INVALID, values: [database] });
    const unguarded =
      database === 'audit' ? await query<{ name: string }>({ name: 'inspect_partitions', text: UNGUARDED }) : [];
    return {
      parts: Object.fromEntries(parts.map(({ name, definition }) => [name, definition])),
      invalidIndexes: invalid.map(({ name }) => name),
      unguardedPartitions: unguarded.map(({ name }) => name),
    };
  });
}

/**
 * What the migrations of this package make, as `config/write-expected-schema.ts` found it in a fresh database; null where the
 * file is not there.
 */
export async function readExpectedSchema(database: Database): Promise<SchemaParts | null> {
  try {
    const { default: expected } = await import('./expected-schema.json', { with: { type: 'json' } });
    return expected[database];
  } catch {
    // An incomplete package. The build fails without the file, so that nobody publishes one; whoever asks says `unknown`.
    return null;
  }
}

/**
 * Without partitions, which come and go by the month, and without NOT NULL as constraints, which PostgreSQL 18 alone has. Of
 * functions a hash: of the text they were made with, for what a server makes of a parsed body differs between versions.
 */
const PARTS = `
WITH ours AS (
  SELECT c.oid, c.relname::text AS name, c.reloptions FROM pg_class c
  WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> '_prisma_migrations'
)
SELECT 'column ' || o.name || '.' || a.attname AS name,
  format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
    || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') AS definition
FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT 'settings ' || o.name, array_to_string(ARRAY(SELECT s FROM unnest(o.reloptions) s ORDER BY s COLLATE "C"), ', ')
FROM ours o WHERE o.reloptions IS NOT NULL
UNION ALL
SELECT 'constraint ' || o.name || '.' || k.conname, pg_get_constraintdef(k.oid)
FROM ours o JOIN pg_constraint k ON k.conrelid = o.oid WHERE k.contype IN ('p', 'u', 'c', 'x', 'f')
UNION ALL
SELECT 'index ' || o.name || '.' || i.relname, pg_get_indexdef(i.oid)
FROM ours o JOIN pg_index x ON x.indrelid = o.oid JOIN pg_class i ON i.oid = x.indexrelid
UNION ALL
SELECT 'trigger ' || o.name || '.' || t.tgname, pg_get_triggerdef(t.oid)
FROM ours o JOIN pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'enabled ' || o.name || '.' || t.tgname, t.tgenabled::text
FROM ours o JOIN pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
  l.lanname || ' ' || p.provolatile::text || CASE WHEN p.prosecdef THEN ' SECURITY DEFINER' ELSE '' END
    || coalesce(' SET ' || array_to_string(p.proconfig, ', '), '')
    || ' ' || encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex')
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = to_regnamespace($1)
UNION ALL
SELECT 'sequence ' || c.relname, format_type(s.seqtypid, NULL)
FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid WHERE c.relnamespace = to_regnamespace($1)`;

/** Partitions' as well. */
const INVALID = `
SELECT i.relname::text AS name FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE i.relnamespace = to_regnamespace($1) AND NOT (x.indisvalid AND x.indisready AND x.indislive)
ORDER BY i.relname LIMIT 20`;

const UNGUARDED = `
SELECT c.relname::text AS name FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
WHERE h.inhparent = to_regclass('audit.record') AND 2 > (SELECT count(*) FROM pg_trigger t
  WHERE t.tgrelid = c.oid AND t.tgname IN ('record_append_only', 'record_no_truncate') AND t.tgenabled = 'A')
ORDER BY c.relname LIMIT 20`;
