/** R23: the statements of the books. Each is bounded: pages of an hour by keyset, everything beside an event by its key. */
import { DEFAULT_POLICY } from '../../domain/delivery/policy.js';
import { leaseHeld } from './lease-store.js';

/** Events that one statement looks at. As many identities go into one question to the audit log. */
export const PAGE = 1_000;

const HOUR = (time: string) => `date_trunc('hour', ${time}, 'UTC')`;
export const rfc3339 = (time: string) => `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;
const HELD = leaseHeld('$1', '$2');

/**
 * $1 lease, $2 holder. Every hour that ended ten minutes ago, from the first event on: one without events gets books too,
 * for a transaction that is still open may append into it. From both ends, for the oldest event may come late.
 */
export const OPEN_HOURS = `
WITH bound AS (
  SELECT (SELECT ${HOUR('e.recorded_at')} FROM outbox.event e ORDER BY e.recorded_at LIMIT 1) AS oldest,
    ${HOUR(`statement_timestamp() - interval '70 minutes'`)} AS newest,
    (SELECT min(hour) FROM outbox.book_check) AS first, (SELECT max(hour) FROM outbox.book_check) AS last
)
INSERT INTO outbox.book_check (hour)
SELECT h FROM bound CROSS JOIN LATERAL (
  SELECT generate_series(coalesce(last + interval '1 hour', oldest), newest, interval '1 hour') AS h
  UNION ALL
  SELECT generate_series(oldest, first - interval '1 hour', interval '1 hour')
  ORDER BY h LIMIT 1000
) hours WHERE ${HELD}
ON CONFLICT DO NOTHING RETURNING hour`;

/** What a transaction may still have to commit: it is given two minutes. */
export const UNSEEN = `interval '2 minutes'`;

/**
 * $1 lease, $2 holder, $3 and $4 the last letter seen. A look under way may have passed the letter's event already, and
 * waits for the audit log, say: it is told, so that another one follows it.
 */
export const NOTE_MOVED = `
WITH page AS MATERIALIZED (
  SELECT l.id, l.event_id, l.state_at FROM outbox.dead_letter l
  WHERE l.state_at IS NOT NULL AND l.state_at < statement_timestamp() - ${UNSEEN} AND ${HELD}
    AND l.state_at >= coalesce($3::timestamptz, (SELECT min(checked_at) - ${UNSEEN} FROM outbox.book_check), 'infinity')
    AND (l.state_at, l.id) > (coalesce($3::timestamptz, '-infinity'), coalesce($4::uuid, '00000000-0000-0000-0000-000000000000'))
  ORDER BY l.state_at, l.id LIMIT ${PAGE}
), touched AS (
  SELECT ${HOUR('e.recorded_at')} AS hour, max(p.state_at) AS at
  FROM page p JOIN outbox.event e ON e.id = p.event_id GROUP BY 1
), noted AS (
  UPDATE outbox.book_check c
  SET again_at = least(c.again_at, statement_timestamp()), look = c.look || '{"touched": true}'
  FROM touched t
  WHERE c.hour = t.hour AND t.at > coalesce(c.checked_at, '-infinity') - ${UNSEEN}
    AND (c.look IS NOT NULL OR coalesce(c.again_at, 'infinity') > statement_timestamp())
)
SELECT p.state_at::text AS at, p.id FROM page p ORDER BY p.state_at DESC, p.id DESC LIMIT 1`;

const COUNTED_UP_TO = 10_000_000;

/**
 * $1 lease, $2 holder, $3 how many events the audit log is asked for at most, $4 an id for a look that begins. One that is
 * under way is gone on with, unless a whole one has been asked for since. Where gaps are known, every look is a whole one:
 * another would not see them again, and call the hour balanced.
 */
export const TAKE_LOOK = `
WITH due AS (
  SELECT c.* FROM outbox.book_check c WHERE c.again_at <= statement_timestamp() AND ${HELD}
  -- Hours that nobody has looked at yet first, whatever else was asked for.
  ORDER BY (c.checked_at IS NOT NULL), c.again_at, c.hour LIMIT 1 FOR UPDATE
), mode AS (
  SELECT d.hour, CASE
      WHEN d.whole_at <= statement_timestamp() OR d.gap_count > 0 THEN 'whole' WHEN d.checked_at IS NULL THEN 'share' ELSE 'moved'
    END AS mode
  FROM due d
), started AS (
  SELECT m.hour, m.mode, CASE m.mode WHEN 'share' THEN least(1, $3::float8 / greatest(1, (
      SELECT count(*) FROM (
        SELECT FROM outbox.event e WHERE e.recorded_at >= m.hour AND e.recorded_at < m.hour + interval '1 hour'
        LIMIT ${COUNTED_UP_TO}) counted))) ELSE 1 END AS share
  FROM mode m JOIN due d USING (hour)
  WHERE d.look IS NULL OR (m.mode = 'whole' AND d.look->>'mode' <> 'whole')
)
UPDATE outbox.book_check c
SET look = CASE WHEN s.hour IS NULL THEN c.look ELSE jsonb_build_object('id', $4::text, 'mode', s.mode, 'share', s.share,
  'startedAt', statement_timestamp()::text, 'snapshot', pg_current_snapshot()::text, 'cursor', NULL, 'tally', NULL) END
FROM due d LEFT JOIN started s ON true
WHERE c.hour = d.hour
RETURNING ${rfc3339('c.hour')} AS hour, c.look`;

/** The first of its aggregate goes before it or, where its type says so, stands dead in its way (R9). */
const BLOCKED_BY_DEAD = `EXISTS (SELECT FROM outbox.event_type t WHERE t.name = d.event_type AND t.ordering = 'block')`;
const BEHIND = `d.order_key IS NOT NULL AND (${['PENDING', 'STARTED', 'DEAD']
  .map(
    (status) => `EXISTS (SELECT FROM outbox.delivery o
      WHERE o.destination = d.destination AND o.event_type = d.event_type AND o.tenant = d.tenant AND o.order_key = d.order_key
        AND o.order_key IS NOT NULL AND o.status = '${status}' AND (o.order_no, o.event_id) < (d.order_no, d.event_id))${
          status === 'DEAD' ? ` AND ${BLOCKED_BY_DEAD}` : ''
        }`,
  )
  .join(' OR ')})`;

const DESTINATION_HELD = `EXISTS (SELECT FROM outbox.destination s
    WHERE s.name = d.destination AND (s.breaker <> 'closed' OR s.max_runs = 0))
  OR EXISTS (SELECT FROM outbox.pause p
    WHERE (p.destination IS NULL OR p.destination = d.destination) AND (p.event_type IS NULL OR p.event_type = d.event_type)
      AND (p.tenant IS NULL OR p.tenant = d.tenant) AND (p.until IS NULL OR p.until > statement_timestamp()))`;

/** A start is refused, or its runs are lost: each round has a new due_at and started_at, which therefore say nothing. */
const GOES_ROUND = `(d.start_tries > 0 OR d.epoch > d.budget_epoch)`;

/** Since when somebody tries to deliver it: the append, or a person's word. */
const WANTED_SINCE = `coalesce(
    (SELECT max(w.state_at) FROM outbox.dead_letter w WHERE w.event_id = d.event_id AND w.state = 'redriven'), p.recorded_at)`;

/**
 * The deadline counts from the first attempt of the budget and is judged after an attempt: it is given an hour more. What
 * never came to an attempt is not judged by anybody but these books.
 */
const PAST_DEADLINE = `d.status IN ('PENDING', 'STARTED') AND (d.due_at < statement_timestamp() OR ${GOES_ROUND})
  AND coalesce((SELECT min(a.started_at) FROM outbox.delivery_attempt a WHERE a.event_id = d.event_id AND a.epoch >= d.budget_epoch),
      CASE WHEN ${GOES_ROUND} THEN ${WANTED_SINCE} ELSE coalesce(d.started_at, d.due_at) END)
    + (coalesce((SELECT (y.body->>'deadlineMs')::bigint FROM outbox.policy y WHERE y.hash = d.policy_hash), ${DEFAULT_POLICY.deadlineMs})
      + d.waited_ms) * interval '1 millisecond' < statement_timestamp() - interval '1 hour'
  AND NOT (${DESTINATION_HELD}) AND NOT (${BEHIND})`;

/**
 * $1 hour, $2 and $3 the last event of the page before. One statement: an event, its delivery and its letter are seen at one
 * moment. LATERAL with a LIMIT, so that whatever is estimated each is fetched by its key.
 */
export const READ_PAGE = `
WITH page AS MATERIALIZED (
  SELECT e.id, e.recorded_at, e.tenant_id, e.source, e.tx_id FROM outbox.event e
  WHERE e.recorded_at >= greatest($1::timestamptz, coalesce($2::timestamptz, '-infinity'))
    AND e.recorded_at < $1::timestamptz + interval '1 hour'
    AND (e.recorded_at, e.id) > (coalesce($2::timestamptz, '-infinity'), coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))
  ORDER BY e.recorded_at, e.id LIMIT ${PAGE}
)
SELECT p.id, p.recorded_at::text AS at, p.tenant_id, p.source, r.status, r.epoch, l.epoch AS letter_epoch,
  coalesce(r.past_deadline, false) AS past_deadline,
  coalesce(r.status = 'DELIVERED' AND r.destination = 'audit.log', false) AS audited,
  c.checked_at IS NULL OR NOT pg_visible_in_snapshot(p.tx_id, c.snapshot)
    OR coalesce(r.settled_at > c.checked_at - ${UNSEEN}, false) AS moved
FROM page p
LEFT JOIN LATERAL (
  SELECT d.status, d.epoch, d.destination, d.settled_at, ${PAST_DEADLINE} AS past_deadline
  FROM outbox.delivery d WHERE d.event_id = p.id LIMIT 1) r ON true
LEFT JOIN LATERAL (
  SELECT o.epoch FROM outbox.dead_letter o WHERE o.event_id = p.id AND o.state = 'open' LIMIT 1) l ON true
LEFT JOIN LATERAL (SELECT b.checked_at, b.snapshot FROM outbox.book_check b WHERE b.hour = $1::timestamptz LIMIT 1) c ON true
ORDER BY p.recorded_at, p.id`;

/** $1 events, $2 their epochs. */
export const STILL_DELIVERED = `
SELECT d.event_id AS id FROM unnest($1::uuid[], $2::int[]) AS m(id, epoch)
JOIN outbox.delivery d ON d.event_id = m.id AND d.epoch = m.epoch AND d.status = 'DELIVERED'`;

/** $1 lease, $2 holder, $3 hour, $4 look. */
const SAME_LOOK = `c.hour = $3::timestamptz AND c.look->>'id' = $4::text AND ${HELD}`;

/** As above, $5 cursor and tally, or what it waits for: that it did is over only once it has come on. */
export const SAVE_LOOK = `
UPDATE outbox.book_check c SET look = (c.look - 'waitsFor') || $5::jsonb WHERE ${SAME_LOOK} RETURNING c.hour`;

/**
 * As above; $5 totals, $6 count of gaps, $7 samples, $8 how many are open still, $9 mode, $10 whether it was a sample.
 * `asked_as` is what it was in effect: a share of 1 is everything.
 * Closed: every transaction that may have appended into the hour had ended when this look began. It is looked at again at
 * once where a letter moved meanwhile, and while something may move: what is open and did not move, twice as late each time.
 * A sampled hour whole at night (02:00 UTC), one with gaps whole within the hour.
 * totals.unasked: what the audit log was never asked about, since the last look at all; null: nobody counted.
 */
export const END_LOOK = `
UPDATE outbox.book_check c SET
  checked_at = n.started_at, snapshot = n.snapshot, horizon = n.horizon, closed = n.closed,
  totals = $5::jsonb || jsonb_build_object('unasked', n.unasked), gap_count = $6::int, gaps = $7::jsonb, look = NULL, whole_at = n.whole_at,
  mode = n.asked_as, look_hours = n.look_hours,
  last_full = CASE WHEN n.asked_as = 'moved' THEN c.last_full ELSE jsonb_build_object('mode', n.asked_as,
    'checkedAt', ${rfc3339('n.started_at')}, 'audited', $5::jsonb->'audited', 'asked', $5::jsonb->'asked') END,
  again_at = least(n.whole_at, CASE WHEN n.touched THEN statement_timestamp()
    WHEN NOT n.closed THEN statement_timestamp() + interval '10 minutes'
    WHEN n.look_hours > 0 THEN statement_timestamp() + n.look_hours * interval '1 hour' END)
FROM (
  SELECT b.hour, b.look ? 'touched' AS touched, (b.look->>'startedAt')::timestamptz AS started_at, s.snapshot, h.horizon,
    pg_snapshot_xmin(s.snapshot) >= h.horizon AS closed,
    CASE WHEN $9::text = 'share' AND NOT $10::boolean THEN 'whole' ELSE $9::text END AS asked_as,
    ($5::jsonb->>'unasked')::bigint + CASE WHEN $9::text = 'moved' THEN (b.totals->>'unasked')::bigint ELSE 0 END AS unasked,
    CASE WHEN $8::int = 0 THEN 0 WHEN $6::int = 0 AND b.totals->'statuses' = $5::jsonb->'statuses'
      THEN least(24, greatest(1, b.look_hours * 2)) ELSE 1 END AS look_hours,
    CASE WHEN b.whole_at > (b.look->>'startedAt')::timestamptz AND b.whole_at <= statement_timestamp() THEN b.whole_at
      WHEN $6::int > 0 THEN statement_timestamp() + interval '1 hour'
      WHEN $10::boolean THEN date_trunc('day', statement_timestamp(), 'UTC') + interval '26 hours'
      WHEN $9::text <> 'whole' THEN b.whole_at END AS whole_at
  FROM outbox.book_check b
  CROSS JOIN LATERAL (SELECT (b.look->>'snapshot')::pg_snapshot AS snapshot) s
  CROSS JOIN LATERAL (SELECT CASE
    -- Another server's transactions: counted anew.
    WHEN b.horizon IS NULL OR b.horizon > pg_snapshot_xmax(s.snapshot) THEN pg_snapshot_xmax(s.snapshot) ELSE b.horizon END AS horizon) h
  WHERE b.hour = $3::timestamptz AND b.look->>'id' = $4::text
) n WHERE c.hour = n.hour AND ${SAME_LOOK}
RETURNING c.hour`;

const COLUMNS = `${rfc3339('c.hour')} AS hour, ${rfc3339('c.checked_at')} AS checked_at, c.closed, c.totals, c.gap_count, c.gaps, c.mode, c.last_full,
  ${rfc3339('c.again_at')} AS again_at, c.look->>'waitsFor' AS waits_for,
  coalesce((SELECT jsonb_object_agg(b.status, b.count) FROM outbox.book b WHERE b.hour = c.hour), '{}') AS removed`;

/** $1 before, $2 how many, $3 only those with gaps. */
export const LIST = `
SELECT ${COLUMNS} FROM outbox.book_check c
WHERE c.hour < coalesce($1::timestamptz, 'infinity') AND (NOT $3::boolean OR c.gap_count > 0)
ORDER BY c.hour DESC LIMIT $2::int`;

/** $1 hour. */
export const SHOW = `SELECT ${COLUMNS} FROM outbox.book_check c WHERE c.hour = $1::timestamptz`;

/** $1 the first hour, $2 the one after the last, NULL for every one since. */
export const LOOK_AGAIN = `
UPDATE outbox.book_check SET again_at = statement_timestamp(), whole_at = statement_timestamp()
WHERE hour >= $1::timestamptz AND hour < coalesce($2::timestamptz, 'infinity')
RETURNING hour`;
