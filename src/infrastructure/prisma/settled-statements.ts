/**
 * What leaves the outbox, and when. The walk goes by `delivery_settled`, which is there for the figures: in the order in
 * which events were settled, so that it ends at the first that is too young; whatever else is looked at is fetched by its key.
 */
import { UNSEEN } from './book-statements.js';
import { leaseHeld } from './lease-store.js';

/** Events that one transaction looks at. */
export const EVENTS_AT_ONCE = 500;
const ROWS_AT_ONCE = 1_000;

const HOUR = (time: string) => `date_trunc('hour', ${time}, 'UTC')`;
/** By a parameter in ms. */
const OLD_ENOUGH = (time: string, ms: string) =>
  `${time} < statement_timestamp() - ${ms}::bigint * interval '1 millisecond'`;

/** $1 how old, ms, $2 and $3 the last one of the page before. Those that may not leave are among them, so a page is bounded. */
export const PAGE = `
SELECT d.event_id AS id, d.settled_at::text AS at FROM outbox.delivery d
WHERE d.settled_at IS NOT NULL AND ${OLD_ENOUGH('d.settled_at', '$1')}
  AND d.settled_at >= coalesce($2::timestamptz, '-infinity')
  AND (d.settled_at, d.event_id) > (coalesce($2::timestamptz, '-infinity'), coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))
ORDER BY d.settled_at, d.event_id LIMIT ${EVENTS_AT_ONCE}`;

/** R23: nothing can be appended to it any more, it balances, and no look is under way, due, or to come for what a sample left out. */
const HOUR_IS_DONE = `c.closed AND c.gap_count = 0 AND c.look IS NULL AND c.whole_at IS NULL
  AND (c.again_at IS NULL OR c.again_at > statement_timestamp())`;

/**
 * $1 lease, $2 holder, $3 events: the hours that they were appended in. Locked, so that no look begins at one meanwhile; one
 * that is locked is left for the next turn, so that nobody waits for another.
 */
export const LOCK_HOURS = `
SELECT c.hour::text AS hour FROM outbox.book_check c
WHERE c.hour IN (SELECT ${HOUR('e.recorded_at')} FROM outbox.event e WHERE e.id = ANY ($3::uuid[]))
  AND ${HOUR_IS_DONE} AND ${leaseHeld('$1', '$2')}
ORDER BY c.hour FOR UPDATE SKIP LOCKED`;

/** The books have seen it settled, and nobody can act on it any more, or is about to be told of it. */
const IS_DONE = `d.status IN ('DELIVERED', 'DISCARDED') AND d.settled_at < c.checked_at - ${UNSEEN}
  AND NOT EXISTS (SELECT FROM outbox.dead_letter l WHERE l.event_id = d.event_id AND (l.state = 'open'
    OR EXISTS (SELECT FROM outbox.redrive_job j WHERE j.state = 'running' AND j.created_at >= l.created_at)))
  AND NOT EXISTS (SELECT FROM outbox.notification n
    WHERE n.event_id = d.event_id AND n.claimed_by IS NULL AND n.done_at IS NULL)
  AND NOT EXISTS (SELECT FROM outbox.notification n
    WHERE n.event_id = d.event_id AND n.claimed_by IS NOT NULL AND n.done_at IS NULL)`;

/**
 * The audit log was asked about all that was delivered to it in that hour: by a look at all, and by each look since about
 * what had moved. A relay without a key asks about nothing, and one of an older version does not count what it leaves out.
 */
const IS_PROVEN = `(d.status <> 'DELIVERED' OR d.destination <> 'audit.log' OR coalesce((c.totals->>'unasked')::bigint = 0, false))`;
const MAY_LEAVE = `${IS_DONE} AND ${IS_PROVEN}`;

/** $1 how old, ms, $2 events, $3 the hours that are locked. As whoever acts on letters locks: deliveries, by event. */
export const LOCK_EVENTS = `
SELECT d.event_id AS id, d.status, c.hour::text AS hour
FROM outbox.delivery d
JOIN outbox.event e ON e.id = d.event_id
JOIN outbox.book_check c ON c.hour = ${HOUR('e.recorded_at')}
WHERE d.event_id = ANY ($2::uuid[]) AND e.id = ANY ($2::uuid[]) AND c.hour = ANY ($3::timestamptz[])
  AND ${OLD_ENOUGH('d.settled_at', '$1')} AND ${MAY_LEAVE}
ORDER BY d.event_id FOR UPDATE OF d SKIP LOCKED`;

/**
 * $1 how old, ms, $2 events, $3 the hours that are locked, $4 whether the audit log can be asked here. What stays only because
 * the audit log was not asked: where it can be, the books are told to, all of the hour, once a day at most: another relay
 * may look, without a key.
 */
export const KEEP_UNPROVEN = `
WITH kept AS (
  SELECT c.hour, count(*) AS n
  FROM outbox.delivery d
  JOIN outbox.event e ON e.id = d.event_id
  JOIN outbox.book_check c ON c.hour = ${HOUR('e.recorded_at')}
  WHERE d.event_id = ANY ($2::uuid[]) AND e.id = ANY ($2::uuid[]) AND c.hour = ANY ($3::timestamptz[])
    AND ${OLD_ENOUGH('d.settled_at', '$1')} AND ${IS_DONE} AND NOT ${IS_PROVEN}
  GROUP BY c.hour
), again AS (
  UPDATE outbox.book_check c SET whole_at = statement_timestamp(), again_at = statement_timestamp()
  FROM kept k WHERE c.hour = k.hour AND $4::boolean
    AND coalesce((c.last_full->>'checkedAt')::timestamptz, '-infinity') < statement_timestamp() - interval '1 day'
)
SELECT coalesce(sum(n), 0)::int AS n FROM kept`;

/** Each: $1 events. What is an event's is found by its key, and the event itself goes last. */
export const REMOVE = {
  attempts: 'DELETE FROM outbox.delivery_attempt WHERE event_id = ANY ($1::uuid[])',
  letters: 'DELETE FROM outbox.dead_letter WHERE event_id = ANY ($1::uuid[])',
  revisions: 'DELETE FROM outbox.event_revision WHERE event_id = ANY ($1::uuid[])',
  deliveries: 'DELETE FROM outbox.delivery WHERE event_id = ANY ($1::uuid[])',
  events: 'DELETE FROM outbox.event WHERE id = ANY ($1::uuid[])',
} as const;

/** $1 hours, $2 statuses, $3 counts, each pair once. */
const COUNTED = 'unnest($1::timestamptz[], $2::text[], $3::bigint[]) AS m(hour, status, n)';

export const ADD_TO_BOOK = `
INSERT INTO outbox.book (hour, status, count) SELECT m.hour, m.status, m.n FROM ${COUNTED}
ON CONFLICT (hour, status) DO UPDATE SET count = outbox.book.count + excluded.count`;

/** What the last look counted is told beside what has left: totals = live + book. */
export const TAKE_FROM_TOTALS = `
UPDATE outbox.book_check c SET totals = c.totals || jsonb_build_object('statuses', (
  SELECT coalesce(jsonb_object_agg(s.key, s.value::bigint - coalesce(m.n, 0))
    FILTER (WHERE s.value::bigint > coalesce(m.n, 0)), '{}')
  FROM jsonb_each_text(c.totals->'statuses') s LEFT JOIN ${COUNTED} ON m.hour = c.hour AND m.status = s.key))
WHERE c.hour = ANY ($1::timestamptz[]) AND c.totals ? 'statuses'`;

/** $1 lease, $2 holder, $3 how old, ms, $4 the last of the page before. By the key, which is of the order of time. */
export const REMOVE_NOTICES = `
WITH page AS MATERIALIZED (
  SELECT n.id, n.created_at, n.done_at FROM outbox.notification n
  WHERE n.id > coalesce($4::uuid, '00000000-0000-0000-0000-000000000000') AND ${leaseHeld('$1', '$2')}
  ORDER BY n.id LIMIT ${ROWS_AT_ONCE}
), gone AS (
  DELETE FROM outbox.notification
  WHERE id = ANY (ARRAY(SELECT p.id FROM page p WHERE ${OLD_ENOUGH('p.done_at', '$3')})) RETURNING id
)
SELECT (SELECT count(*) FROM gone)::int AS removed,
  CASE WHEN count(*) = ${ROWS_AT_ONCE} AND bool_and(${OLD_ENOUGH('p.created_at', '$3')})
    THEN (SELECT id FROM page ORDER BY id DESC LIMIT 1) END AS cursor
FROM page p`;

/** $1 lease, $2 holder, $3 how old, ms. */
export const REMOVE_JOBS = `
DELETE FROM outbox.redrive_job WHERE id = ANY (ARRAY(
  SELECT j.id FROM outbox.redrive_job j
  WHERE j.state <> 'running' AND ${OLD_ENOUGH('j.ended_at', '$3')} AND ${OLD_ENOUGH('j.created_at', '$3')} AND ${leaseHeld('$1', '$2')}
  ORDER BY j.created_at LIMIT ${ROWS_AT_ONCE}))
RETURNING id`;
export const JOBS_AT_ONCE = ROWS_AT_ONCE;

/** Settled events that are looked at for the oldest that may leave: before it lie those that may not, as a rule few. */
const LOOKED_AT = 2_000;

/** $1 how old, ms. Each of these subqueries keeps the order of the index, so that whoever wants one row reads no more. */
const OLDEST = `(
    SELECT o.event_id, o.settled_at, o.status, o.destination FROM outbox.delivery o
    WHERE o.settled_at IS NOT NULL AND ${OLD_ENOUGH('o.settled_at', '$1')} AND o.status IN ('DELIVERED', 'DISCARDED')
    ORDER BY o.settled_at LIMIT ${LOOKED_AT}) d`;
const WITH_BOOKS = `${OLDEST}
  CROSS JOIN LATERAL (SELECT e.recorded_at FROM outbox.event e WHERE e.id = d.event_id LIMIT 1) e
  CROSS JOIN LATERAL (SELECT b.closed, b.gap_count, b.look, b.again_at, b.whole_at, b.checked_at, b.totals
    FROM outbox.book_check b WHERE b.hour = ${HOUR('e.recorded_at')} LIMIT 1) c`;

/** $1 how old, ms. Where none of so many may leave, nobody knows what lies behind them: then the oldest that is kept counts. */
export const LAG = `
SELECT extract(epoch FROM statement_timestamp() - f.settled_at)::float8 - $1::bigint / 1000.0::float8 AS seconds
FROM (SELECT coalesce(
  (SELECT d.settled_at FROM ${WITH_BOOKS} WHERE ${HOUR_IS_DONE} AND ${MAY_LEAVE} ORDER BY d.settled_at LIMIT 1),
  (SELECT min(d.settled_at) FROM ${OLDEST} HAVING count(*) = ${LOOKED_AT})) AS settled_at) f
WHERE f.settled_at IS NOT NULL`;

/** $1 how old, ms. Of the oldest: what stays only because the audit log was not asked. */
export const UNPROVEN = `
SELECT count(*)::int AS n FROM ${WITH_BOOKS} WHERE ${HOUR_IS_DONE} AND ${IS_DONE} AND NOT ${IS_PROVEN}`;
