import type { EraseStore, RecordPlace, Subject } from '../../application/audit/erase/ports.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const FIND_TIMEOUT_MS = 600_000;
const ERASE_TIMEOUT_MS = 60_000;

/** Erasure in PostgreSQL, over the pool given: the tables' owner's, whose erasures alone the records' trigger lets through. */
export function createEraseStore(pool: PgPool): EraseStore {
  // Which months are looked into, the values say: a plan for any would look into all of them.
  const find = <Row extends object>(name: string, text: string, values: readonly unknown[]) =>
    runAuditStatement<Row>(pool, {
      name: `audit_erase_${name}`,
      text,
      values,
      replan: true,
      timeoutMs: FIND_TIMEOUT_MS,
    });
  const findIds = async (name: string, text: string, values: readonly unknown[]) =>
    (await find<{ id: string }>(name, text, values)).map(({ id }) => id);
  return {
    async find(of, after, limit) {
      if (of.subject.kind === 'failed_ingest') return [];
      const { text, values } = findStatement(of.subject);
      const place = after ?? FIRST;
      const rows = await find<PlaceRow & { leaf_hash: Buffer }>(`find_${of.subject.kind}`, text, [
        of.tenantId,
        place.recordedAt,
        place.recordId,
        limit,
        ...values,
      ]);
      return rows.map((row) => ({ ...toPlace(row), leafHash: row.leaf_hash }));
    },

    findWhole: async (recordIds) =>
      (
        await find<PlaceRow>(
          'find_whole',
          `SELECT r.record_id, ${TIME} AS at FROM audit.record r WHERE r.record_id = ANY ($1::uuid[]) AND r.erased_at IS NULL`,
          [recordIds],
        )
      ).map(toPlace),

    findFailed: (ids, tenantId) =>
      findIds(
        'find_failed',
        `SELECT id FROM audit.failed_ingest WHERE id = ANY ($1::uuid[]) AND ($2::text IS NULL OR tenant_id = $2) AND body <> ''`,
        [ids, tenantId],
      ),

    findFailedUnder: (records) =>
      findIds(
        'find_failed_under',
        `SELECT f.id FROM audit.record r JOIN audit.failed_ingest f
           ON f.tenant_id = r.tenant_id AND f.source = r.source AND f.event_id = r.event_id
         WHERE r.record_id = ANY ($1::uuid[]) AND ${between(2)} AND f.state = 'open' ORDER BY f.id`,
        placesOf(records),
      ),

    findFailedWith: (tenantId, text, after, limit) =>
      find<{ id: string; body: string }>(
        'find_failed_with',
        `SELECT id, body FROM audit.failed_ingest WHERE ${WITH_TEXT}
           AND id > coalesce($3::uuid, '00000000-0000-0000-0000-000000000000') ORDER BY id LIMIT $4::integer`,
        [tenantId, text, after, limit],
      ),

    async erase({ noteId, note, records, failedIngestIds, by, reason }) {
      const [row] = await runAuditStatement<{ records: number; failed: number }>(pool, {
        name: 'audit_erase',
        text: ERASE,
        values: [...placesOf(records), noteId, note, failedIngestIds, by, reason],
        replan: true,
        timeoutMs: ERASE_TIMEOUT_MS,
      });
      return { records: row?.records ?? 0, failedIngest: row?.failed ?? 0 };
    },

    async countFailedWith(tenantId, text) {
      const [row] = await find<{ count: string }>(
        'failed_with',
        `SELECT count(*) AS count FROM audit.failed_ingest WHERE ${WITH_TEXT}`,
        [tenantId, text],
      );
      return Number(row?.count ?? 0);
    },
  };
}

interface PlaceRow {
  readonly record_id: string;
  readonly at: string;
}

const FIRST: RecordPlace = { recordId: '00000000-0000-0000-0000-000000000000', recordedAt: '-infinity' };
const TIME = `to_char(r.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
/** Only an open row has a body. $1 the tenant, $2 the text. */
const WITH_TEXT = `tenant_id = $1 AND state = 'open' AND strpos(body, $2) > 0`;

function toPlace({ record_id: recordId, at: recordedAt }: PlaceRow): RecordPlace {
  return { recordId, recordedAt };
}

/** The ids, and the times that they lie between: an id alone would be looked for in every month. */
function placesOf(records: readonly RecordPlace[]): unknown[] {
  const times = records.map(({ recordedAt }) => recordedAt).sort();
  return [records.map(({ recordId }) => recordId), times[0] ?? null, times.at(-1) ?? null];
}

function between(first: number): string {
  return `r.recorded_at >= $${first}::timestamptz AND r.recorded_at <= $${first + 1}::timestamptz`;
}

/**
 * $1 the tenant, $2 and $3 the place before, $4 how many, then the subject's own. The time by itself says which months are
 * looked into. A record of before the column has its hash beside its identity alone.
 */
export function findStatement(subject: Exclude<Subject, { kind: 'failed_ingest' }>): {
  text: string;
  values: unknown[];
} {
  const { condition, values } = conditionOf(subject);
  const text = `SELECT r.record_id, ${TIME} AS at, coalesce(r.leaf_hash, (SELECT k.leaf_hash FROM audit.record_key k
    WHERE k.tenant_id = r.tenant_id AND k.source = r.source AND k.event_id = r.event_id)) AS leaf_hash
  FROM audit.record r
  WHERE r.tenant_id = $1 AND r.recorded_at >= $2::timestamptz AND (r.recorded_at, r.record_id) > ($2::timestamptz, $3::uuid)
    AND r.erased_at IS NULL AND ${condition}
  ORDER BY r.recorded_at, r.record_id LIMIT $4::integer`;
  return { text, values };
}

/** Found by an index, and then looked at: what is erased is what the body says. */
function conditionOf(subject: Exclude<Subject, { kind: 'failed_ingest' }>): { condition: string; values: unknown[] } {
  switch (subject.kind) {
    case 'actor':
      return { condition: `r.actor_id = $5::text AND r.body->'actor'->>'id' = $5`, values: [subject.id] };
    case 'target':
      return {
        condition: `audit.target_keys(r.tenant_id, r.body) @> ARRAY[hashtextextended($1 || chr(1) || $5::text, 0)]
          AND r.body @> $6::jsonb`,
        values: [subject.id, JSON.stringify({ targets: [{ type: subject.type, id: subject.id }] })],
      };
    case 'record':
      return { condition: `r.record_id = $5::uuid`, values: [subject.id] };
  }
}

/**
 * $1 to $3 the records' places, $4 the note's id, $5 the note, $6 rows of failed_ingest, $7 and $8 by whose word and why.
 * One statement, so that note and erasure stand together or not at all. The same note again adds no second row. What is open
 * of failed_ingest will not be stored any more.
 */
const ERASE = `
WITH noted AS (
  INSERT INTO audit.note (id, kind, note) SELECT $4::uuid, 'erased', $5::text
  WHERE NOT EXISTS (SELECT FROM audit.note WHERE kind = 'erased' AND note = $5::text)
), failed AS (
  UPDATE audit.failed_ingest SET body = '', state = CASE state WHEN 'open' THEN 'discarded' ELSE state END,
    state_at = coalesce(state_at, clock_timestamp()), actor = $7::text, reason = $8::text
  WHERE id = ANY ($6::uuid[]) AND body <> '' RETURNING id
), erased AS (
  UPDATE audit.record r SET body = '{}', salt = '', actor_id = NULL, erased_at = clock_timestamp()
  WHERE r.record_id = ANY ($1::uuid[]) AND ${between(2)} AND r.erased_at IS NULL RETURNING r.record_id
)
SELECT (SELECT count(*)::integer FROM erased) AS records, (SELECT count(*)::integer FROM failed) AS failed`;
