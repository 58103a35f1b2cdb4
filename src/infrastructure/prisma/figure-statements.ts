/** Deliveries of a minute, counted from the rows once it is over, and what windows are added up from. */
import { COUNTED_AFTER_MS } from '../../domain/delivery/figure-window.js';
import { LATENCY_BOUNDS_MS, LATENCY_BUCKETS } from '../../domain/delivery/latency-histogram.js';
import { leaseHeld } from './lease-store.js';

/** Names of a dimension that have rows of their own in one minute, or quarter. */
export const FIGURE_NAMES = 30;
/** Of a minute with more deliveries the latencies are of a sample, about so many. */
export const MOST_TIMED = 20_000;

/** Minutes are counted this far back. They are kept longer than a window and what is counted reach, and so are quarters. */
const COUNTED_BACK = "interval '24 hours'";
const KEPT = { minutes: "interval '26 hours'", quarters: "interval '49 hours'", processes: "interval '24 hours'" };

/** The begin of a span, whatever the session's time zone. */
const begin = (minutes: 1 | 15, time: string) =>
  `date_bin('${minutes} minutes', ${time}, timestamptz '2000-01-01 00:00:00+00')`;
const rfc3339 = (time: string) => `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;

const CLOSED = begin(1, `statement_timestamp() - ${COUNTED_AFTER_MS} * interval '1 millisecond'`);

/** One probe of the primary key. As a condition with EXISTS the planner would rather read the index whole. */
const stands = (span: 1 | 15, begins: string) => `(SELECT true FROM outbox.figure f
    WHERE f.span = ${span} AND f.begins_at = ${begins} AND f.dimension = 'all' AND NOT f.folded AND f.name = '' LIMIT 1) IS NOT NULL`;

/** $1 from where on, or NULL. One row. */
export const FIND_UNCOUNTED = `
SELECT ${rfc3339('t.closed')} AS closed, ARRAY(
  SELECT ${rfc3339('m.begins')} FROM generate_series(
    greatest($1::timestamptz, t.closed - ${COUNTED_BACK}), t.closed - interval '1 minute', interval '1 minute') AS m(begins)
  WHERE NOT ${stands(1, 'm.begins')} ORDER BY m.begins) AS minutes
FROM (SELECT ${CLOSED} AS closed) t`;

/** $1 at most. */
export const FIND_WHOLE = `
SELECT ${rfc3339('q.begins')} AS begins
FROM (SELECT ${CLOSED} AS closed) t CROSS JOIN LATERAL generate_series(
  ${begin(15, `t.closed - ${COUNTED_BACK}`)}, t.closed - interval '15 minutes', interval '15 minutes') AS q(begins)
WHERE NOT ${stands(15, 'q.begins')} AND NOT EXISTS (
  SELECT FROM generate_series(q.begins, q.begins + interval '14 minutes', interval '1 minute') AS m(begins)
  WHERE NOT ${stands(1, 'm.begins')} OFFSET 0)
ORDER BY q.begins LIMIT $1::integer`;

const HELD = `held AS MATERIALIZED (SELECT true AS yes WHERE ${leaseHeld('$1', '$2')})`;

const bucketsOf = (count: (bucket: number) => string, type: 'integer' | 'float8') =>
  `ARRAY[${Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => count(bucket)).join(', ')}]::${type}[]`;

const COLUMNS = 'span, begins_at, dimension, folded, name, delivered, died, timed, latency';

/**
 * Writes a span from `wholeRow`, a query of its row of the dimension `all`, or of none, and `namedRows`, of the others: with the
 * one come all, and where it stands already, none. Of two that count the same at once the quicker one's is what stands.
 */
const writeSpan = (span: 1 | 15, wholeRow: string, namedRows: string) => `
whole AS (
  INSERT INTO outbox.figure (${COLUMNS})
  SELECT ${span}, $3::timestamptz, w.* FROM (${wholeRow}) w
  ON CONFLICT DO NOTHING RETURNING begins_at
), named AS (
  INSERT INTO outbox.figure (${COLUMNS})
  SELECT ${span}, whole.begins_at, n.* FROM whole CROSS JOIN (${namedRows}) n
  -- What a removal has left of it: only where the clock went back by hours.
  ON CONFLICT ON CONSTRAINT figure_pkey DO UPDATE SET delivered = excluded.delivered, died = excluded.died,
    timed = excluded.timed, latency = excluded.latency
)
SELECT EXISTS (SELECT FROM held) AS held`;

const MINUTE_SUMS = `coalesce(sum(b.delivered), 0)::integer, coalesce(sum(b.died), 0)::integer, coalesce(sum(b.timed), 0)::integer,
    ${bucketsOf((bucket) => `coalesce(sum(b.timed) FILTER (WHERE b.bucket = ${bucket}), 0)`, 'integer')}`;

/**
 * $1 lease, $2 holder, $3 begin of the minute. One row: whether the lease was held.
 *
 * `facts`: what there is of each destination, event type and tenant, in one pass over the minute's rows. A delivery's time is
 * looked up by a query of its own: as a join the planner, which cannot know how few rows come, might read every event.
 */
export const COUNT_MINUTE = `
WITH ${HELD},
settled AS MATERIALIZED (
  SELECT d.event_id, d.destination, d.event_type, d.tenant, d.settled_at FROM outbox.delivery d
  WHERE d.settled_at >= $3::timestamptz AND d.settled_at < $3::timestamptz + interval '1 minute' AND d.status = 'DELIVERED'
    AND EXISTS (SELECT FROM held)
), timed AS MATERIALIZED (
  SELECT s.destination, s.event_type, s.tenant, width_bucket(
    (extract(epoch FROM s.settled_at - (SELECT e.recorded_at FROM outbox.event e WHERE e.id = s.event_id)) * 1000)::float8,
    '{${LATENCY_BOUNDS_MS.slice(0, -1).join(',')}}'::float8[]) AS bucket
  FROM settled s
  -- Every k-th by the id's hash: which ones says nothing of how long they took.
  WHERE (uuid_hash(s.event_id) & 2147483647) % (SELECT greatest(1, ceil(count(*) / ${MOST_TIMED}.0))::integer FROM settled) = 0
), facts AS MATERIALIZED (
  SELECT destination, event_type, tenant, NULL::integer AS bucket, count(*) AS delivered, 0 AS died, 0 AS timed
  FROM settled GROUP BY 1, 2, 3
  UNION ALL
  SELECT destination, event_type, tenant, bucket, 0, 0, count(*) FROM timed WHERE bucket IS NOT NULL GROUP BY 1, 2, 3, 4
  UNION ALL
  SELECT l.destination, l.event_type, l.tenant, NULL, 0, count(*), 0 FROM outbox.dead_letter l
  WHERE l.state IN ('open', 'redriven', 'resolved', 'discarded') AND l.created_at >= $3::timestamptz
    AND l.created_at < $3::timestamptz + interval '1 minute' AND EXISTS (SELECT FROM held)
  GROUP BY 1, 2, 3
), names AS MATERIALIZED (
  SELECT v.dimension, v.name, f.bucket, sum(f.delivered) AS delivered, sum(f.died) AS died, sum(f.timed) AS timed
  FROM facts f CROSS JOIN LATERAL (VALUES
    ('all', ''), ('destination', f.destination), ('event_type', f.event_type), ('tenant', f.tenant)) AS v(dimension, name)
  GROUP BY 1, 2, 3
), places AS MATERIALIZED (
  SELECT dimension, name, row_number() OVER (PARTITION BY dimension ORDER BY sum(delivered) + sum(died) DESC, name) AS place
  FROM names GROUP BY 1, 2
), buckets AS MATERIALIZED (
  SELECT n.dimension, p.place > ${FIGURE_NAMES} AS folded, CASE WHEN p.place > ${FIGURE_NAMES} THEN '' ELSE n.name END AS name,
    n.bucket, sum(n.delivered) AS delivered, sum(n.died) AS died, sum(n.timed) AS timed
  FROM names n JOIN places p ON p.dimension = n.dimension AND p.name = n.name
  GROUP BY 1, 2, 3, 4
), ${writeSpan(
  1,
  `SELECT 'all', false, '', ${MINUTE_SUMS} FROM buckets b WHERE b.dimension = 'all' HAVING EXISTS (SELECT FROM held)`,
  `SELECT b.dimension, b.folded, b.name, ${MINUTE_SUMS} FROM buckets b WHERE b.dimension <> 'all' GROUP BY 1, 2, 3`,
)}`;

/**
 * Two parts of a WITH: the rows of `spans` added up by name as `folded`, of each dimension the first names and the rest in one.
 * What was not among the first names of its own span is in the rest, whatever its name.
 */
const folded = (names: string, type: 'integer' | 'float8') => `
places AS MATERIALIZED (
  SELECT dimension, name, row_number() OVER (PARTITION BY dimension ORDER BY sum(delivered) + sum(died) DESC, name) AS place
  FROM spans WHERE NOT folded GROUP BY 1, 2
), folded AS MATERIALIZED (
  SELECT s.dimension, s.folded OR p.place > ${names} AS folded, CASE WHEN s.folded OR p.place > ${names} THEN '' ELSE s.name END AS name,
    sum(s.delivered)::${type} AS delivered, sum(s.died)::${type} AS died, sum(s.timed)::${type} AS timed,
    ${bucketsOf((bucket) => `sum(s.latency[${bucket + 1}])`, type)} AS latency
  FROM spans s LEFT JOIN places p ON NOT s.folded AND p.dimension = s.dimension AND p.name = s.name
  GROUP BY 1, 2, 3
)`;

/** $1 lease, $2 holder, $3 begin of the quarter. One row: whether the lease was held. Not without all its minutes. */
export const ADD_QUARTER = `
WITH ${HELD},
spans AS MATERIALIZED (
  SELECT f.* FROM outbox.figure f
  WHERE f.span = 1 AND f.begins_at >= $3::timestamptz AND f.begins_at < $3::timestamptz + interval '15 minutes'
    AND EXISTS (SELECT FROM held)
), ${folded(`${FIGURE_NAMES}`, 'integer')}, ${writeSpan(
  15,
  `SELECT f.* FROM folded f WHERE f.dimension = 'all' AND (SELECT count(*) FROM spans WHERE dimension = 'all') = 15`,
  `SELECT f.* FROM folded f WHERE f.dimension <> 'all'`,
)}`;

/** $1 lease, $2 holder, $3 rows at most. */
export const REMOVE_FIGURES = `
DELETE FROM outbox.figure WHERE ctid = ANY (ARRAY(SELECT o.ctid FROM (
    (SELECT f.ctid FROM outbox.figure f WHERE f.span = 1 AND f.begins_at < statement_timestamp() - ${KEPT.minutes}
      ORDER BY f.begins_at LIMIT $3::integer)
    UNION ALL
    (SELECT f.ctid FROM outbox.figure f WHERE f.span = 15 AND f.begins_at < statement_timestamp() - ${KEPT.quarters}
      ORDER BY f.begins_at LIMIT $3::integer)
  ) o LIMIT $3::integer)) AND ${leaseHeld('$1', '$2')}`;

/** As above. One that was seen meanwhile stays: its row is another version by then. */
export const REMOVE_PROCESSES = `
DELETE FROM outbox.process WHERE ctid = ANY (ARRAY(SELECT p.ctid FROM outbox.process p
    WHERE p.seen_at < statement_timestamp() - ${KEPT.processes} LIMIT $3::integer))
  AND seen_at < statement_timestamp() - ${KEPT.processes} AND ${leaseHeld('$1', '$2')}`;

const ms = (time: string) => `(extract(epoch FROM ${time}) * 1000)::float8`;
/** What a window is longer by, at most, when it does not end with the minute of now. */
const SLACK = "interval '5 minutes'";

/** $1 minutes back, $2 whether quarters are wanted. One row at least: the time. One probe for each span. */
export const READ_SPANS = `
SELECT ${ms('statement_timestamp()')} AS now, f.span, ${ms('f.begins_at')} AS begins, f.delivered, f.died, f.timed, f.latency
FROM (SELECT) one LEFT JOIN (
  (SELECT 1::smallint AS span, m.begins FROM (SELECT ${begin(1, 'statement_timestamp()')} AS now) t
    CROSS JOIN LATERAL generate_series(t.now - $1::integer * interval '1 minute' - ${SLACK}, t.now, interval '1 minute') AS m(begins)
   UNION ALL
   SELECT 15::smallint, q.begins FROM (SELECT ${begin(15, 'statement_timestamp()')} AS now) t
    CROSS JOIN LATERAL generate_series(
      ${begin(15, `t.now - $1::integer * interval '1 minute'`)} - interval '15 minutes', t.now, interval '15 minutes') AS q(begins)
   WHERE $2::boolean) s
  CROSS JOIN LATERAL (SELECT g.* FROM outbox.figure g
    WHERE g.span = s.span AND g.begins_at = s.begins AND g.dimension = 'all' AND NOT g.folded AND g.name = '' LIMIT 1) f
) ON true`;

/** $1 spans, $2 their begins, $3 names at most. */
export const READ_NAMED = `
WITH spans AS MATERIALIZED (
  SELECT f.* FROM unnest($1::smallint[], $2::timestamptz[]) AS s(span, begins)
  CROSS JOIN LATERAL (SELECT g.* FROM outbox.figure g
    WHERE g.span = s.span AND g.begins_at = s.begins AND g.dimension <> 'all' OFFSET 0) f
), ${folded('$3::integer', 'float8')}
SELECT dimension, folded, name, delivered, died, timed, latency FROM folded
ORDER BY dimension, folded, delivered + died DESC, name`;
