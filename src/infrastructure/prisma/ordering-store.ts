import type { BlockedAggregate, Ordering, OrderingStore } from '../../application/delivery/ordering/ports.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 10_000;

/** Ordered event types, and the aggregates whose order holds events back (R9). */
export function createOrderingStore(pool: PgPool): OrderingStore {
  return {
    async read() {
      const rows = await runStatement<{ name: string; ordering: Ordering }>(pool, {
        name: 'ordering_read',
        text: 'SELECT name, ordering FROM outbox.event_type',
        timeoutMs: TIMEOUT_MS,
      });
      return new Map(rows.flatMap(({ name, ordering }) => (ordering === 'none' ? [] : [[name, ordering] as const])));
    },

    async findUnversioned(eventTypes) {
      const rows = await runStatement<UnversionedRow>(pool, {
        name: 'ordering_find_unversioned',
        text: FIND_UNVERSIONED,
        values: [eventTypes],
        timeoutMs: TIMEOUT_MS,
      });
      return rows.map((row) => ({
        eventType: row.event_type,
        events: row.events,
        latest: { eventId: row.id, eventName: row.event_name, recordedAt: row.recorded_at.toISOString() },
      }));
    },

    async write(changes, actor) {
      await runStatement(pool, {
        name: 'ordering_write',
        text: WRITE,
        values: [changes.map(({ eventType }) => eventType), changes.map(({ to }) => to), actor],
        timeoutMs: TIMEOUT_MS,
      });
    },

    async listBlocked({ eventType, destination, tenantId }, { after, limit }) {
      const rows = await runStatement<BlockedRow>(pool, {
        name: 'ordering_list_blocked',
        text: LIST_BLOCKED,
        values: [after, limit + 1, eventType, destination, tenantId],
        timeoutMs: TIMEOUT_MS,
      });
      const found = rows.filter(({ event_id }) => event_id !== null);
      const items = found.slice(0, limit).map(toBlocked);
      const next = found.length > limit ? (items.at(-1)?.head.eventId ?? null) : (rows[0]?.walked_to ?? null);
      return { items, next };
    },
  };
}

interface UnversionedRow {
  event_type: string;
  events: number;
  id: string;
  event_name: string;
  recorded_at: Date;
}

/** $1 event types. */
const FIND_UNVERSIONED = `
SELECT DISTINCT ON (event_type) event_type, id, event_name, recorded_at,
  (count(*) OVER (PARTITION BY event_type))::integer AS events
FROM (
  SELECT id, event_type, event_name, aggregate_version, recorded_at
  FROM outbox.event ORDER BY outbox.event.recorded_at DESC, outbox.event.id DESC LIMIT 10000
) latest
WHERE event_type = ANY ($1::text[]) AND aggregate_version IS NULL
ORDER BY event_type, recorded_at DESC, id DESC`;

/** $1 event types, $2 orderings, $3 actor. */
const WRITE = `
INSERT INTO outbox.event_type AS t (name, ordering, actor)
SELECT c.name, c.ordering, $3::text FROM unnest($1::text[], $2::text[]) AS c(name, ordering)
ON CONFLICT (name) DO UPDATE SET ordering = excluded.ordering, actor = excluded.actor, changed_at = clock_timestamp()
WHERE t.ordering <> excluded.ordering`;

interface BlockedRow {
  /** Where the walk was cut; null when it came to the end. */
  walked_to: string | null;
  /** null in the one row of an empty page. */
  event_id: string;
  destination: string;
  event_type: string;
  tenant: string;
  order_no: string;
  epoch: number;
  aggregate_type: string | null;
  aggregate_id: string | null;
  letter_id: string | null;
  code: string | null;
  created_at: Date | null;
  waiting: number;
}

function toBlocked(row: BlockedRow): BlockedAggregate {
  const { aggregate_type: type, aggregate_id: id } = row;
  return {
    destination: row.destination,
    eventType: row.event_type,
    tenantId: row.tenant === '' ? null : row.tenant,
    aggregate: type === null || id === null ? null : { type, id },
    head: {
      eventId: row.event_id,
      version: Number(row.order_no),
      epoch: row.epoch,
      deadLetterId: row.letter_id,
      code: row.code,
      deadSince: row.created_at?.toISOString() ?? null,
    },
    waiting: row.waiting,
  };
}

/** Aggregates with a dead event, looked at for one page. */
const MOST_HEADS = 2_000;

/** The lowest dead event of the next aggregate. */
const nextHead = (
  after: string,
) => `SELECT d.destination, d.event_type, d.tenant, d.order_key, d.order_no, d.event_id, d.epoch
  FROM outbox.delivery d WHERE d.status = 'DEAD' AND d.order_key IS NOT NULL ${after}
  ORDER BY d.destination, d.event_type, d.tenant, d.order_key, d.order_no, d.event_id LIMIT 1`;

/** $1 after the aggregate of this event, or NULL; $2 rows; $3 event type, $4 destination, $5 tenant, or NULL. */
const LIST_BLOCKED = `
WITH RECURSIVE head AS (
  (SELECT f.*, 1 AS n FROM (
    (${nextHead(`AND (d.destination, d.event_type, d.tenant, d.order_key) >
      (SELECT a.destination, a.event_type, a.tenant, a.order_key FROM outbox.delivery a WHERE a.event_id = $1::uuid)`)})
    UNION ALL (SELECT * FROM (${nextHead('')}) anywhere WHERE $1::uuid IS NULL)
    LIMIT 1) f)
  UNION ALL
  SELECT f.*, h.n + 1 FROM head h CROSS JOIN LATERAL (
    ${nextHead('AND (d.destination, d.event_type, d.tenant, d.order_key) > (h.destination, h.event_type, h.tenant, h.order_key)')}) f
  WHERE h.n < ${MOST_HEADS}
)
SELECT (SELECT event_id FROM head WHERE n = ${MOST_HEADS}) AS walked_to, b.*
FROM (SELECT) one
LEFT JOIN LATERAL (
  SELECT h.event_id, h.destination, h.event_type, h.tenant, h.order_no, h.epoch, e.aggregate_type, e.aggregate_id,
    l.id AS letter_id, l.code, l.created_at, w.waiting
  FROM head h
  CROSS JOIN LATERAL (SELECT count(*)::integer AS waiting FROM (
    SELECT FROM outbox.delivery d
    WHERE d.status = 'PENDING' AND d.order_key = h.order_key AND d.destination = h.destination
      AND d.event_type = h.event_type AND d.tenant = h.tenant AND (d.order_no, d.event_id) > (h.order_no, h.event_id)
    LIMIT 1000) behind) w
  LEFT JOIN outbox.event e ON e.id = h.event_id
  LEFT JOIN outbox.dead_letter l ON l.event_id = h.event_id AND l.state = 'open'
  WHERE w.waiting > 0 AND ($3::text IS NULL OR h.event_type = $3) AND ($4::text IS NULL OR h.destination = $4)
    AND ($5::text IS NULL OR h.tenant = $5)
    AND EXISTS (SELECT FROM outbox.event_type t WHERE t.name = h.event_type AND t.ordering = 'block')
  ORDER BY h.n LIMIT $2::integer
) b ON true`;
