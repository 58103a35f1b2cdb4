/**
 * What a scrape counts. Each statement is bounded by what it counts, goes by an index, or reads the server's statistics alone:
 * none of them grows with the tables.
 */
import { type OpenKind, WAITING, WAITING_ORDERED } from './open-rows-sql.js';

/** Counted of one kind, and no further. */
export const GAUGE_BOUND = 10_000;
const MOST_LANES = 256;
const MOST_KINDS = 200;

/** Destinations and event types with waiting rows of a kind, by one index probe for each. */
const lanesOf = (name: string, { rows }: OpenKind) => {
  const next = (after: string) => `(SELECT d.destination, d.event_type FROM outbox.delivery d
      WHERE ${rows} ${after} ORDER BY d.destination, d.event_type LIMIT 1)`;
  return `${name} AS (
    SELECT f.destination, f.event_type, 1 AS n FROM ${next('')} f
    UNION ALL
    SELECT f.destination, f.event_type, w.n + 1 FROM ${name} w
    CROSS JOIN LATERAL ${next('AND (d.destination, d.event_type) > (w.destination, w.event_type)')} f WHERE w.n < ${MOST_LANES}
  )`;
};

/** Looked at in the order of the index, due or not: what is put off must not make a count long. */
const dueOf = (name: string, { rows, key }: OpenKind) => `
  SELECT k.destination, k.event_type, (SELECT count(*) FILTER (WHERE r.due_at <= statement_timestamp()) FROM (
      SELECT d.due_at FROM outbox.delivery d
      WHERE ${rows} AND d.destination = k.destination AND d.event_type = k.event_type
      ORDER BY ${Object.keys(key)
        .map((column) => `d.${column}`)
        .join(', ')} LIMIT ${GAUGE_BOUND}) r) AS due
  FROM ${name} k`;

export const DUE_BY_LANE = `
WITH RECURSIVE ${lanesOf('waiting', WAITING)}, ${lanesOf('ordered', WAITING_ORDERED)}
SELECT destination, event_type, sum(due)::float8 AS due FROM (${dueOf('waiting', WAITING)} UNION ALL ${dueOf('ordered', WAITING_ORDERED)}) t
GROUP BY destination, event_type ORDER BY destination, event_type`;

const nextKind = (after: string) => `(SELECT l.event_type, l.code FROM outbox.dead_letter l
    WHERE l.state = 'open' ${after} ORDER BY l.event_type, l.code LIMIT 1)`;

export const LETTERS_BY_KIND = `
WITH RECURSIVE kind AS (
  SELECT f.event_type, f.code, 1 AS n FROM ${nextKind('')} f
  UNION ALL
  SELECT f.event_type, f.code, k.n + 1 FROM kind k
  CROSS JOIN LATERAL ${nextKind('AND (l.event_type, l.code) > (k.event_type, k.code)')} f WHERE k.n < ${MOST_KINDS}
)
SELECT k.event_type, k.code, (SELECT count(*) FROM (
    SELECT FROM outbox.dead_letter l WHERE l.state = 'open' AND l.event_type = k.event_type AND l.code = k.code
    ORDER BY l.tenant, l.destination, l.created_at LIMIT ${GAUGE_BOUND}) c)::float8 AS open
FROM kind k ORDER BY k.event_type, k.code`;

export const OLDEST_LETTER = `
SELECT greatest(0, extract(epoch FROM statement_timestamp() - l.created_at))::float8 AS seconds
FROM outbox.dead_letter l WHERE l.state = 'open' ORDER BY l.created_at LIMIT 1`;

/** $1 schema. Partitions count as their table. Sizes are what the file system tells; the rest the server's statistics. */
export const TABLES = `
SELECT s.schemaname || '.' || r.relname AS name, sum(pg_total_relation_size(c.oid))::float8 AS bytes,
  sum(s.n_dead_tup)::float8 AS dead, sum(s.n_tup_ins)::float8 AS inserted
FROM pg_stat_user_tables s
JOIN pg_class c ON c.oid = s.relid
JOIN pg_class r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid)
WHERE s.schemaname = $1 GROUP BY 1 ORDER BY 1`;
