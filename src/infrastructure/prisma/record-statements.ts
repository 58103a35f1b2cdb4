/** The SQL of reading. All statements share the parameters $1 to $20; those that a text does not use are null to it. */
import type { RecordFilter } from '../../application/audit/reading/ports.js';
import { timeOfPlace } from '../../domain/audit/record-id.js';

export type Order = 'newest' | 'oldest';

/** Between two places, both excluded. */
export interface Span {
  readonly after: string;
  readonly before: string;
}

/** In the order of the parameters. */
export function lookValues(filter: RecordFilter, span: Span, records: number, take: number): unknown[] {
  const { tenantId, actorType, actorId, targetType, targetId, action, category, operation, outcome } = filter;
  const { severity, source, occurredFrom, occurredTo, text } = filter;
  const target = {
    ...(targetType === null ? {} : { type: targetType }),
    ...(targetId === null ? {} : { id: targetId }),
  };
  return [
    tenantId,
    actorType,
    actorId,
    targetType === null && targetId === null ? null : JSON.stringify([target]),
    targetId,
    action,
    category,
    operation,
    outcome,
    severity,
    source,
    toTime(occurredFrom),
    toTime(occurredTo),
    // As it stands in JSON text, which is what is looked through.
    text === null ? null : JSON.stringify(text).slice(1, -1),
    toTime(timeOfPlace(span.after)),
    span.after,
    toTime(timeOfPlace(span.before)),
    span.before,
    records,
    take,
  ];
}

/** PostgreSQL reads years from 10000 on without ISO's sign. */
function toTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString().replace(/^\+0?/, '');
}

/**
 * What the filter says of a record, apart from its time. Its text is looked through last, for it is long, and as it is shown. $5 says nothing
 * that $4 does not: a statement must name each parameter.
 */
const MEANT = `CASE WHEN ($1::text IS NULL OR r.tenant_id = $1) AND ($2::text IS NULL OR r.actor_type = $2)
    AND ($3::text IS NULL OR r.actor_id = $3) AND ($6::text IS NULL OR r.action = $6 OR starts_with(r.action, $6 || '.'))
    AND ($7::text IS NULL OR r.category = $7) AND ($8::text IS NULL OR r.operation = $8)
    AND ($9::text IS NULL OR r.outcome = $9) AND ($10::text IS NULL OR r.severity = $10)
    AND ($11::text IS NULL OR r.source = $11) AND ($12::timestamptz IS NULL OR r.occurred_at >= $12)
    AND ($13::timestamptz IS NULL OR r.occurred_at < $13) AND ($4::jsonb IS NULL OR r.body->'targets' @> $4) AND ($4::jsonb IS NOT NULL OR $5::text IS NULL)
  THEN $14::text IS NULL OR strpos(lower((r.body - 'contentHash')::text), lower($14)) > 0 ELSE false END`;

/** The time alone says which partitions are looked into: PostgreSQL does not derive it from the pair, nor from the id. */
const IN_TIME = 'r.recorded_at >= $15::timestamptz AND r.recorded_at <= $17::timestamptz';
const BETWEEN_PLACES = `(r.recorded_at, r.record_id) > ($15, $16::uuid) AND (r.recorded_at, r.record_id) < ($17, $18::uuid) AND ${IN_TIME}`;

/**
 * The ways through the records, each by an index, so that $19 of them are all that is read. Of one tenant in the order
 * (recorded_at, record_id), which is the ids' order and the partitions': the next month is not opened before this one is
 * at its end. Of all tenants by the primary key, of every month's a row.
 */
const WALKS = {
  tenant: { where: `r.tenant_id = $1 AND ${BETWEEN_PLACES}`, by: ['r.recorded_at', 'r.record_id'] },
  actor: { where: `r.tenant_id = $1 AND r.actor_id = $3 AND ${BETWEEN_PLACES}`, by: ['r.recorded_at', 'r.record_id'] },
  all: { where: `r.record_id > $16::uuid AND r.record_id < $18::uuid AND ${IN_TIME}`, by: ['r.record_id'] },
} as const;
export type Walk = keyof typeof WALKS;

export interface WalkedRow {
  readonly records: number;
  readonly found: string[];
  /** The last one looked at, where it was the last that may be. */
  readonly place: string | null;
}

/** A row for those looked at: they come as the index has them, and the CTE keeps that order. */
export function walkStatement(walk: Walk, order: Order): { name: string; text: string } {
  const { where, by } = WALKS[walk];
  const text = `
WITH looked AS MATERIALIZED (
  SELECT r.record_id, ${MEANT} AS meant FROM audit.record r WHERE ${where}
  ORDER BY ${by.map((column) => `${column} ${DIRECTION[order]}`).join(', ')} LIMIT $19::integer
)
SELECT (SELECT count(*)::integer FROM looked) AS records, ARRAY(SELECT record_id FROM looked WHERE meant LIMIT $20::integer) AS found,
  (SELECT record_id FROM looked OFFSET $19 - 1) AS place`;
  return { name: `audit_walk_${walk}_${order}`, text };
}

const DIRECTION = { newest: 'DESC', oldest: 'ASC' } as const satisfies Record<Order, string>;

/** What is rare is found by an index that knows no time; more than $19 of them are too many to be sorted. */
const PICKS = {
  target: 'audit.target_keys(r.tenant_id, r.body) @> ARRAY[hashtextextended($1 || chr(1) || $5::text, 0)]',
  action: `r.action COLLATE "C" >= $6 AND r.action COLLATE "C" < $6 || '/'`,
} as const;
export type Pick = keyof typeof PICKS;

export interface PickedRow {
  readonly records: number;
  readonly found: string[];
}

/** `/` is the character behind the dot: what lies between is the action itself and what begins with it and a dot. */
export function pickStatement(pick: Pick, order: Order): { name: string; text: string } {
  const text = `
WITH picked AS MATERIALIZED (
  SELECT r.record_id, ${MEANT} AS meant FROM audit.record r WHERE r.tenant_id = $1 AND ${PICKS[pick]} AND ${BETWEEN_PLACES}
  LIMIT $19::integer + 1
)
SELECT (SELECT count(*)::integer FROM picked) AS records,
  ARRAY(SELECT record_id FROM picked WHERE meant ORDER BY record_id ${DIRECTION[order]} LIMIT $20::integer) AS found`;
  return { name: `audit_pick_${pick}_${order}`, text };
}

/** One partition for each id, by the time that it holds. $3 tenant or NULL for all. */
export const READ = `
SELECT r.record_id, r.recorded_at, r.tenant_id, r.via, r.body, k.leaf_hash
FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS i(record_id, recorded_at, n)
CROSS JOIN LATERAL (
  SELECT * FROM audit.record r
  WHERE r.record_id = i.record_id AND r.recorded_at = i.recorded_at AND ($3::text IS NULL OR r.tenant_id = $3) LIMIT 1) r
LEFT JOIN LATERAL (
  SELECT leaf_hash FROM audit.record_key k
  WHERE k.tenant_id = r.tenant_id AND k.source = r.source AND k.event_id = r.event_id AND k.record_id = r.record_id LIMIT 1) k ON true
ORDER BY i.n`;
