import { RAMP } from '../../domain/delivery/breaker.js';
import {
  CURSOR,
  IN_FORCE,
  LANE_PAUSED,
  lanesOf,
  ORDERED_HEADS,
  pauseOf,
  UNORDERED,
  walkOf,
} from './claim-lanes-sql.js';

/** Looked at in one statement. */
const MOST_DESTINATIONS = 256;

/**
 * Destinations with waiting rows, by a loose index scan: a few index probes for each, whatever their backlog. From `from`
 * on, round to where it began; one more than are looked at tells that some are left. `wrapped`: it went round the end.
 */
const waitingFrom = (from: string) => `waiting AS (
  SELECT f.destination, f.destination AS first, 1 AS n, f.destination <= ${from} AS wrapped
  FROM ((${nextDestination(`AND d.destination > ${from}`)}) UNION ALL (${nextDestination('')}) LIMIT 1) f
  UNION ALL
  SELECT n.destination, w.first, w.n + 1, w.wrapped OR n.destination < w.destination
  FROM waiting w CROSS JOIN LATERAL (
    (${nextDestination('AND d.destination > w.destination')}) UNION ALL (${nextDestination('')}) LIMIT 1) n
  WHERE w.n <= ${MOST_DESTINATIONS} AND n.destination <> w.first
)`;

/** The smaller of the next one with unordered rows and the next one with ordered rows: each has an index of its own. */
function nextDestination(after: string): string {
  const next = (kind: string) => `(SELECT d.destination FROM outbox.delivery d
    WHERE d.status = 'PENDING' AND ${kind} ${after} ORDER BY d.destination LIMIT 1)`;
  return `SELECT both_kinds.destination FROM (${next('d.order_key IS NULL')}
    UNION ALL ${next('d.order_key IS NOT NULL')}) both_kinds ORDER BY both_kinds.destination LIMIT 1`;
}

/**
 * R6: how many runs of w.destination are STARTED and due before a moment. Two counts, each of which stops at m.cap: events'
 * own runs, without touching those that sleep in a backoff, and batches by their earliest row, one probe for each. Runs of
 * what a person has paused look again every minute or so and send nothing: they keep nobody out. `since` leaves out those
 * that should have moved before it.
 */
const runsDueBefore = (moment: string, since = "'-infinity'") => `(
  (SELECT count(*)::integer FROM (
    SELECT FROM outbox.delivery d
    WHERE d.status = 'STARTED' AND d.destination = w.destination AND d.carrier IS NULL AND d.due_at <= ${moment}
      AND d.due_at > ${since} AND NOT ${pauseOf('d')}
    LIMIT m.cap) own)
  + (SELECT count(*)::integer FROM (
    WITH RECURSIVE batch AS (
      (SELECT d.carrier, d.due_at FROM outbox.delivery d
       WHERE d.status = 'STARTED' AND d.destination = w.destination AND d.carrier IS NOT NULL
       ORDER BY d.carrier, d.due_at LIMIT 1)
      UNION ALL
      SELECT n.carrier, n.due_at FROM batch b CROSS JOIN LATERAL (
        SELECT d.carrier, d.due_at FROM outbox.delivery d
        WHERE d.status = 'STARTED' AND d.destination = w.destination AND d.carrier IS NOT NULL AND d.carrier > b.carrier
        ORDER BY d.carrier, d.due_at LIMIT 1) n
    ) SELECT FROM batch WHERE due_at <= ${moment} LIMIT m.cap) batches)
)`;

/** Of a destination c whose breaker is not closed. */
const MAY_BE_TRIED = "(c.breaker = 'half_open' OR c.open_until <= statement_timestamp())";

/** Of a destination c: runs at once while it recovers, doubling until the cap is reached; NULL: no bound of its own. */
const RAMP_CAP = `CASE WHEN c.closed_at > statement_timestamp() - ${RAMP.untilMs} * interval '1 millisecond' THEN
    (${RAMP.first} * 2 ^ (greatest(0, extract(epoch FROM statement_timestamp() - c.closed_at)) * 1000 / ${RAMP.doublesMs}))::integer
  END`;

/**
 * $1 holder, $2 lease, ms. R6: one relay claims for each destination that may be tried, so that a trial exists where no run
 * waits for one. Written when it is taken, and again before it ends.
 */
export const HOLD_PROBES = `
UPDATE outbox.destination c
SET probe_holder = $1::uuid, probe_until = statement_timestamp() + $2::integer * interval '1 millisecond'
WHERE c.breaker <> 'closed' AND ${MAY_BE_TRIED}
  AND (c.probe_until IS NULL OR c.probe_until <= statement_timestamp() OR (c.probe_holder = $1::uuid
    AND c.probe_until <= statement_timestamp() + $2::integer * interval '0.5 millisecond'))`;

/**
 * The claim in one statement (R4-R6): every scan is by an index of open rows or a primary key, whatever the backlog.
 * One time for all of it, `statement_timestamp()`: stable, so that indexes can serve it.
 *
 * $1 lease token · $2 lease, ms · $3 batch · $4 cursor, {from: destination, lanes, ordered: {destination:
 * [event type, tenant]}, key: of an aggregate} · $5 default cap ·
 * $6 policy hashes, {byType, otherwise} · $7 probe holder · $8 lanes walked for each destination
 */
export const CLAIM = `
WITH RECURSIVE
${waitingFrom(`coalesce(${CURSOR}->>'from', '')`)},
-- R6: their room. Not paused and closed: the cap, which grows again after an outage. Else room for what may try whether it
-- is well again, where no run is about to. OFFSET 0 keeps the planner from computing it twice.
open AS MATERIALIZED (
  SELECT w.destination, w.n AS turn, r.room
  FROM waiting w
  LEFT JOIN LATERAL (SELECT * FROM outbox.destination WHERE name = w.destination LIMIT 1) c ON true
  CROSS JOIN LATERAL (SELECT least(coalesce(c.max_runs, $5::integer), ${RAMP_CAP}) AS cap) m
  CROSS JOIN LATERAL (SELECT CASE
    WHEN EXISTS (SELECT FROM outbox.pause p WHERE coalesce(p.destination, w.destination) = w.destination
      AND p.event_type IS NULL AND p.tenant IS NULL AND ${IN_FORCE}) THEN 0
    WHEN c.breaker <> 'closed' THEN
      CASE WHEN ${MAY_BE_TRIED} AND c.probe_holder = $7::uuid AND c.probe_until > statement_timestamp()
        THEN greatest(0, 1 - ${runsDueBefore("statement_timestamp() + interval '1 minute'", "statement_timestamp() - interval '2 minutes'")}) ELSE 0 END
    ELSE m.cap - ${runsDueBefore("statement_timestamp() + interval '1 minute'")}
  END AS room OFFSET 0) r
  WHERE w.n <= ${MOST_DESTINATIONS} AND r.room > 0
),
-- R5: up to $8 lanes of each, from its own cursor on, round to where it began; one more tells that lanes are left.
walked AS MATERIALIZED (
  SELECT o.destination, o.turn, o.room, l.n, l.event_type, l.tenant, l.wrapped, l.due
  FROM open o
  CROSS JOIN LATERAL (
    ${lanesOf(UNORDERED, 'lanes', '$8::integer')}
    SELECT lane.n, lane.event_type, lane.tenant, lane.wrapped, NOT ${LANE_PAUSED}
      AND EXISTS (SELECT FROM outbox.delivery d
        WHERE ${UNORDERED} AND d.destination = o.destination AND d.event_type = lane.event_type
          AND d.tenant = lane.tenant AND d.due_at <= statement_timestamp()) AS due
    FROM lane
  ) l
),
${ORDERED_HEADS},
-- The lanes that take part, each with its share: the batch is split evenly over destinations, then over their lanes.
-- heads: in a lane of ordered events, the rows that may be claimed.
due AS MATERIALIZED (
  SELECT w.*,
    ceil(least(w.room, ceil($3::numeric / nullif(d.destinations, 0))) / count(*) OVER (PARTITION BY w.destination))::integer AS quota
  FROM (
    SELECT destination, turn, event_type, tenant, room, n, NULL::uuid[] AS heads FROM walked WHERE due AND n <= $8
    UNION ALL
    SELECT destination, turn, event_type, tenant, room, n, array_agg(event_id) FROM keys WHERE event_id IS NOT NULL
    GROUP BY destination, turn, event_type, tenant, room, n
  ) w, (SELECT count(DISTINCT destination) AS destinations FROM (
    SELECT destination FROM walked WHERE due AND n <= $8 UNION ALL SELECT destination FROM keys WHERE event_id IS NOT NULL) x) d
),
-- First pass: everybody's share. What another relay holds is skipped, not waited for; a row that moved on since the
-- statement's snapshot is looked at again by FOR UPDATE and falls out.
first AS MATERIALIZED (
  SELECT l.destination, l.turn, l.event_type, l.tenant, l.room, l.n, l.quota, false AS ordered, x.event_id, x.due_at,
    row_number() OVER (PARTITION BY l.destination, l.event_type, l.tenant ORDER BY x.due_at) AS rank
  FROM due l CROSS JOIN LATERAL (
    SELECT d.event_id, d.due_at FROM outbox.delivery d
    WHERE ${UNORDERED} AND d.destination = l.destination AND d.event_type = l.event_type AND d.tenant = l.tenant
      AND d.due_at <= statement_timestamp()
    ORDER BY d.due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
  WHERE l.heads IS NULL
  UNION ALL
  SELECT l.destination, l.turn, l.event_type, l.tenant, l.room, l.n, l.quota, true, x.event_id, x.due_at,
    row_number() OVER (PARTITION BY l.destination, l.event_type, l.tenant ORDER BY x.due_at)
  FROM due l CROSS JOIN LATERAL (
    SELECT d.event_id, d.due_at FROM outbox.delivery d
    WHERE d.event_id = ANY (l.heads) AND d.status = 'PENDING' AND d.due_at <= statement_timestamp()
    ORDER BY d.due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
  WHERE l.heads IS NOT NULL
),
-- Second pass: what is left of batch and room goes to the unordered lanes that filled their share, so that a lone one
-- takes it all; what an ordered lane leaves comes with the next claim. Rows of the first pass are excluded by id: SKIP
-- LOCKED does not skip this statement's own locks.
spare AS MATERIALIZED (
  SELECT f.*, ceil(greatest(0, least(
      $3::integer - sum(f.taken) OVER (), f.room - sum(f.taken) OVER (PARTITION BY f.destination)))
    / nullif(count(*) FILTER (WHERE f.full_lane) OVER (PARTITION BY f.destination), 0))::integer AS quota
  FROM (
    SELECT destination, turn, event_type, tenant, room, n, count(*) AS taken, count(*) >= quota AND NOT ordered AS full_lane,
      max(due_at) AS last_due, array_agg(event_id) AS ids
    FROM first GROUP BY destination, turn, event_type, tenant, room, n, quota, ordered
  ) f
),
second AS MATERIALIZED (
  SELECT l.destination, l.turn, l.room, l.n, x.event_id, x.due_at,
    l.taken + row_number() OVER (PARTITION BY l.destination, l.event_type, l.tenant ORDER BY x.due_at) AS rank
  FROM spare l CROSS JOIN LATERAL (
    SELECT d.event_id, d.due_at FROM outbox.delivery d
    WHERE ${UNORDERED} AND d.destination = l.destination AND d.event_type = l.event_type AND d.tenant = l.tenant
      AND d.due_at BETWEEN l.last_due AND statement_timestamp() AND d.event_id <> ALL (l.ids)
    ORDER BY d.due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
  WHERE l.full_lane AND l.quota > 0
),
-- Cut to the room of each destination, then to the batch: first ones of every destination and lane before second ones.
fit AS MATERIALIZED (
  SELECT event_id, place FROM (
    SELECT p.event_id, p.room, p.in_destination,
      row_number() OVER (ORDER BY p.in_destination, p.turn) AS place
    FROM (
      SELECT b.*, row_number() OVER (PARTITION BY b.destination ORDER BY b.rank, b.n) AS in_destination
      FROM (SELECT destination, turn, room, n, event_id, rank FROM first
            UNION ALL SELECT destination, turn, room, n, event_id, rank FROM second) b
    ) p
    WHERE p.in_destination <= p.room
  ) q WHERE place <= $3::integer
),
-- ARRAY(...) rather than a join: the planner cannot know how few rows come, and would read the whole table.
claimed AS (
  UPDATE outbox.delivery d
  SET lease_token = $1::uuid, due_at = statement_timestamp() + $2::integer * interval '1 millisecond',
    policy_hash = coalesce(d.policy_hash, $6::jsonb->'byType'->>d.event_type, $6::jsonb->>'otherwise'),
    -- A budget that goes on: what it waited for us, or for a pause, is not the destination's time.
    waited_ms = d.waited_ms + CASE WHEN d.budget_epoch < d.epoch
      THEN greatest(0, extract(epoch FROM statement_timestamp() - d.due_at) * 1000)::bigint ELSE 0 END
  WHERE d.event_id = ANY (ARRAY(SELECT event_id FROM fit))
  RETURNING d.event_id, d.epoch, d.budget_epoch, d.carrier, d.destination, d.event_type, d.tenant, d.policy_hash, d.start_tries
)
-- One row at least, so that the cursor comes back from an empty claim.
SELECT walk.cursor, walk.lanes_left, walk.wrapped, c.event_id, c.epoch, c.carrier, c.destination, c.event_type, c.tenant,
  c.policy_hash, p.body AS policy, c.start_tries, coalesce(e.event_name, '') AS event_name, coalesce(e.aggregate_type, '') AS aggregate_type,
  coalesce(e.aggregate_id, '') AS aggregate_id,
  -- A local attempt counts nothing that came before it: only a budget that begins with it is right for one.
  c.budget_epoch = c.epoch AND coalesce(h.health = 'ok' AND h.breaker = 'closed', true) AS local_first
FROM ${walkOf(MOST_DESTINATIONS)} walk
LEFT JOIN (claimed c JOIN fit USING (event_id)) ON true
LEFT JOIN LATERAL (SELECT body FROM outbox.policy WHERE hash = c.policy_hash LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT event_name, aggregate_type, aggregate_id FROM outbox.event WHERE id = c.event_id LIMIT 1) e ON true
LEFT JOIN LATERAL (SELECT health, breaker FROM outbox.destination WHERE name = c.destination LIMIT 1) h ON true
ORDER BY fit.place
`;

/** R7: $1 lease token · $2 ids. Answers the ids that were marked. A run starts without failed starts on its row. */
export const MARK_STARTED = `
UPDATE outbox.delivery
SET status = 'STARTED', due_at = statement_timestamp() + interval '30 seconds', started_at = statement_timestamp(),
  lease_token = NULL, start_tries = 0
WHERE event_id = ANY ($2::uuid[]) AND status = 'PENDING' AND lease_token = $1::uuid
RETURNING event_id
`;

/** R7: $1 lease token · $2 ids · $3 delays, ms · $4 whether to count a try. Answers the ids that were released. */
export const RELEASE = `
UPDATE outbox.delivery d
SET due_at = statement_timestamp() + r.delay_ms * interval '1 millisecond', lease_token = NULL, carrier = NULL,
  start_tries = d.start_tries + r.counted::integer
FROM unnest($2::uuid[], $3::integer[], $4::boolean[]) AS r(event_id, delay_ms, counted)
WHERE d.event_id = r.event_id AND d.status = 'PENDING' AND d.lease_token = $1::uuid
RETURNING d.event_id
`;

/**
 * $1 ids · $2 epochs · $3 statuses. Of the rows that a fenced write missed: how many are settled in the epoch they were
 * claimed in, and how many stand in it as $3 says. Asked in a statement of its own: the fenced UPDATE's snapshot may be
 * older than the settling that made it miss.
 */
export const EXPLAIN_MISSED = `
SELECT count(*) FILTER (WHERE d.status IN ('DELIVERED', 'DEAD', 'DISCARDED'))::integer AS overtaken,
  count(*) FILTER (WHERE d.status = ANY ($3::text[]))::integer AS done_before
FROM unnest($1::uuid[], $2::integer[]) AS c(event_id, epoch)
JOIN outbox.delivery d ON d.event_id = c.event_id AND d.epoch = c.epoch
`;

/**
 * Destinations that have rows waiting and no room, while runs that fill it should have moved five minutes ago. $1 default
 * cap. Both counts stop at twice the cap.
 */
export const FULL_DESTINATIONS = `
WITH RECURSIVE ${waitingFrom("''")}
SELECT w.destination, s.started, p.past_due
FROM waiting w
LEFT JOIN LATERAL (SELECT max_runs FROM outbox.destination WHERE name = w.destination LIMIT 1) c ON true
CROSS JOIN LATERAL (SELECT coalesce(c.max_runs, $1::integer) AS cap) m
CROSS JOIN LATERAL (SELECT ${runsDueBefore("statement_timestamp() + interval '1 minute'")} AS started OFFSET 0) s
CROSS JOIN LATERAL (SELECT ${runsDueBefore("statement_timestamp() - interval '5 minutes'")} AS past_due OFFSET 0) p
WHERE s.started >= m.cap AND p.past_due > 0
`;
