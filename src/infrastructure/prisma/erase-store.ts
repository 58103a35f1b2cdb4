import type { EraseStore, Subject } from '../../application/audit/erase/ports.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

/** Without an index for what is looked for, a tenant's records are read. */
const FIND_TIMEOUT_MS = 600_000;
const ERASE_TIMEOUT_MS = 60_000;

/** Erasure in PostgreSQL, over the pool given: the tables' owner's, whose erasures alone the records' trigger lets through. */
export function createEraseStore(pool: PgPool): EraseStore {
  const find = <Row extends object>(name: string, text: string, values: readonly unknown[]) =>
    runAuditStatement<Row>(pool, { name: `audit_erase_${name}`, text, values, timeoutMs: FIND_TIMEOUT_MS });
  return {
    async find({ tenantId, subject }, limit) {
      const { condition, values } = conditionOf(subject);
      const rows = await find<{ record_id: string; leaf_hash: Buffer }>(
        `find_${subject.kind}`,
        `SELECT r.record_id, coalesce(r.leaf_hash, k.leaf_hash) AS leaf_hash ${WHOLE} AND ${condition}
         ORDER BY r.recorded_at, r.record_id LIMIT $3::integer`,
        [tenantId, ...values, limit],
      );
      return rows.map((row) => ({ recordId: row.record_id, leafHash: row.leaf_hash }));
    },

    async count({ tenantId, subject }) {
      const { condition, values } = conditionOf(subject);
      const text = `SELECT count(*) AS count ${WHOLE} AND ${condition}`;
      const [row] = await find<{ count: string }>(`count_${subject.kind}`, text, [tenantId, ...values]);
      return Number(row?.count ?? 0);
    },

    findWhole: async (recordIds) =>
      (
        await find<{ record_id: string }>(
          'find_whole',
          'SELECT record_id FROM audit.record WHERE record_id = ANY ($1::uuid[]) AND erased_at IS NULL',
          [recordIds],
        )
      ).map((row) => row.record_id),

    async erase({ noteId, note, recordIds, by, reason }) {
      const [row] = await runAuditStatement<{ records: number; failed: number }>(pool, {
        name: 'audit_erase',
        text: ERASE,
        values: [noteId, note, recordIds, by, reason],
        timeoutMs: ERASE_TIMEOUT_MS,
      });
      return { records: row?.records ?? 0, failedIngest: row?.failed ?? 0 };
    },

    async countFailedWith(tenantId, text) {
      const [row] = await find<{ count: string }>(
        'failed_with',
        'SELECT count(*) AS count FROM audit.failed_ingest WHERE tenant_id = $1 AND strpos(body, $2) > 0',
        [tenantId, text],
      );
      return Number(row?.count ?? 0);
    },
  };
}

const WHOLE = `FROM audit.record r
LEFT JOIN audit.record_key k ON k.tenant_id = r.tenant_id AND k.source = r.source AND k.event_id = r.event_id
WHERE r.tenant_id = $1 AND r.erased_at IS NULL`;

/** Of the body, not the columns: what is erased is what is there. The parameter is $2. */
function conditionOf(subject: Subject): { condition: string; values: unknown[] } {
  switch (subject.kind) {
    case 'actor':
      return { condition: `r.body->'actor'->>'id' = $2`, values: [subject.id] };
    case 'target':
      return {
        condition: `r.body @> $2::jsonb`,
        values: [JSON.stringify({ targets: [{ type: subject.type, id: subject.id }] })],
      };
    case 'record':
      return { condition: 'r.record_id = $2::uuid', values: [subject.id] };
  }
}

/**
 * $1 the note's id, $2 the note, $3 record ids, $4 and $5 by whose word and why. One statement, so that note and erasure
 * stand together or not at all. The same note again adds no second row. What could not be stored under the same identity is
 * about the same person, and what is open of it will not be stored any more.
 */
const ERASE = `
WITH noted AS (
  INSERT INTO audit.note (id, kind, note) SELECT $1::uuid, 'erased', $2::text
  WHERE NOT EXISTS (SELECT FROM audit.note WHERE kind = 'erased' AND note = $2::text)
), failed AS (
  UPDATE audit.failed_ingest f SET body = '', state = CASE f.state WHEN 'open' THEN 'discarded' ELSE f.state END,
    state_at = coalesce(f.state_at, clock_timestamp()), actor = $4::text, reason = $5::text
  FROM audit.record r
  WHERE r.record_id = ANY ($3::uuid[]) AND f.tenant_id = r.tenant_id AND f.source = r.source AND f.event_id = r.event_id
    AND f.body <> ''
  RETURNING f.id
), erased AS (
  UPDATE audit.record SET body = '{}', salt = '', actor_id = NULL, erased_at = clock_timestamp()
  WHERE record_id = ANY ($3::uuid[]) AND erased_at IS NULL RETURNING record_id
)
SELECT (SELECT count(*)::integer FROM erased) AS records, (SELECT count(*)::integer FROM failed) AS failed`;
