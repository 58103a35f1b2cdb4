import { RAMP } from '../../domain/delivery/breaker.js';
import {
  ALONE,
  CURSOR,
  IN_FORCE,
  LANE_PAUSED,
  lanesOf,
  ORDERED_HEADS,
  pauseOf,
  sizeOf,
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

/** How many batches of w.destination are STARTED and due, by their earliest row, in a time: one probe for each. */
const batchesDueBefore = (moment: string, since: string, most: string) => `(SELECT count(*)::integer FROM (
    WITH RECURSIVE batch AS (
      (SELECT d.carrier, d.due_at FROM outbox.delivery d
       WHERE d.status = 'STARTED' AND d.destination = w.destination AND d.carrier IS NOT NULL
       ORDER BY d.carrier, d.due_at LIMIT 1)
      UNION ALL
      SELECT n.carrier, n.due_at FROM batch b CROSS JOIN LATERAL (
        SELECT d.carrier, d.due_at FROM outbox.delivery d
        WHERE d.status = 'STARTED' AND d.destination = w.destination AND d.carrier IS NOT NULL AND d.carrier > b.carrier
        ORDER BY d.carrier, d.due_at LIMIT 1) n
    ) SELECT FROM batch WHERE due_at <= ${moment} AND due_at > ${since} LIMIT ${most}) batches)`;

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
    ORDER BY d.due_at LIMIT m.cap) own)
  + ${batchesDueBefore(moment, since, 'm.cap')}
)`;

/** Of a destination c whose breaker is not closed. */
const MAY_BE_TRIED = "(c.breaker = 'half_open' OR c.open_until <= statement_timestamp())";

/** Of a destination c: runs at once while it recovers, doubling until the cap is reached; NULL: no bound of its own. */
const RAMP_CAP = `CASE WHEN c.closed_at > statement_timestamp() - ${RAMP.untilMs} * interval '1 millisecond' THEN
    (${RAMP.first} * 2 ^ (greatest(0, extract(epoch FROM statement_timestamp() - c.closed_at)) * 1000 / ${RAMP.doublesMs}))::integer
  END`;

/**
 * Batches of one destination under way at once: enough for several workers (each has few in hand), and few enough that what
 * waits stays in the outbox, where it can still be paused, instead of in runs that find no place.
 */
const MOST_BATCHES = 16;

/** Rows that a claim takes for runs that carry many: what it locks and writes at once has a bound. */
const MOST_CARRIED = 1_000;

/** Shares of runs add up to whole ones but for rounding. */
const ROUNDED = '0.001';

/** Of a destination c: neither away nor just back. A batch would be more than its ramp means by a run. */
const WELL = `coalesce(c.breaker = 'closed'
  AND coalesce(c.closed_at, '-infinity') < statement_timestamp() - ${RAMP.untilMs} * interval '1 millisecond', true)`;

/** As CURSOR: hidden from the planner. */
const SIZES = '(SELECT $9::jsonb)';

/** Rows that one claim takes of lanes with the size of `lane`, at most. */
const rowsOf = (lane: string) =>
  `CASE WHEN ${lane}.size = 1 THEN $3::integer ELSE least(${MOST_CARRIED}, $3::integer * ${lane}.size) END`;

/** Rows that one claim takes of all lanes. */
const MOST_ROWS = `greatest($3::integer, ${MOST_CARRIED})`;

/** What a row takes of the room and of the batch. */
const runsOf = (alone: string) => `CASE WHEN ${alone} THEN 1 ELSE 1::float8 / size END`;

/**
 * A row where anything waits, due or not: two probes of the claim's own indexes. Asked before a claim that would probably find
 * nothing, which costs 2 ms for its plan alone.
 */
export const WAITING = nextDestination('');

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
 * $6 policy hashes, {byType, otherwise} · $7 probe holder · $8 lanes walked for each destination · $9 coalesced sizes,
 * {destination: {event type or *: size}} · $10 what a carrier's name begins with
 *
 * R20: of a lane that is coalesced a row weighs 1/size of a run, for the room and for the batch, unless it has fallen out of
 * a run before, or may have one of its own under way: a claim that nobody marked.
 */
export const CLAIM = `
WITH RECURSIVE
${waitingFrom(`coalesce(${CURSOR}->>'from', '')`)},
-- R6: their room. Not paused and closed: the cap, which grows again after an outage. Else room for what may try whether it
-- is well again, where no run is about to. OFFSET 0 keeps the planner from computing it twice.
open AS MATERIALIZED (
  SELECT w.destination, w.n AS turn, r.room, z.sizes,
    CASE WHEN z.sizes IS NOT NULL THEN greatest(0, ${MOST_BATCHES} - ${batchesDueBefore("'infinity'", "'-infinity'", `${MOST_BATCHES}`)}) END AS batches
  FROM waiting w
  LEFT JOIN LATERAL (SELECT * FROM outbox.destination WHERE name = w.destination LIMIT 1) c ON true
  CROSS JOIN LATERAL (SELECT least(coalesce(c.max_runs, $5::integer), ${RAMP_CAP}) AS cap) m
  CROSS JOIN LATERAL (SELECT CASE WHEN ${WELL} THEN ${SIZES}->w.destination END AS sizes OFFSET 0) z
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
  SELECT o.destination, o.turn, o.room, o.batches, ${sizeOf('l')} AS size, l.n, l.event_type, l.tenant, l.wrapped, l.due
  FROM open o
  CROSS JOIN LATERAL (
    ${lanesOf(UNORDERED, 'lanes', '$8::integer')}
    SELECT lane.n, lane.event_type, lane.tenant, lane.wrapped, NOT ${LANE_PAUSED} AND lane.head <= statement_timestamp() AS due
    FROM lane
  ) l
),
${ORDERED_HEADS},
-- The lanes that take part, each with its share: the batch is split evenly over destinations, then over their lanes.
-- heads: in a lane of ordered events, the rows that may be claimed.
due AS MATERIALIZED (
  SELECT w.*,
    ceil(least(CASE WHEN w.size = 1 THEN w.room ELSE least(w.room, w.batches) * w.size END, ceil(${rowsOf('w')}::numeric / nullif(d.destinations, 0)))
      / count(*) OVER (PARTITION BY w.destination))::integer AS quota
  FROM (
    SELECT destination, turn, event_type, tenant, room, batches, size, n, NULL::uuid[] AS heads FROM walked WHERE due AND n <= $8
    UNION ALL
    SELECT destination, turn, event_type, tenant, room, batches, size, n, array_agg(event_id) FROM keys WHERE event_id IS NOT NULL
    GROUP BY destination, turn, event_type, tenant, room, batches, size, n
  ) w, (SELECT count(DISTINCT destination) AS destinations FROM (
    SELECT destination FROM walked WHERE due AND n <= $8 UNION ALL SELECT destination FROM keys WHERE event_id IS NOT NULL) x) d
),
-- First pass: everybody's share. What another relay holds is skipped, not waited for; a row that moved on since the
-- statement's snapshot is looked at again by FOR UPDATE and falls out.
first AS MATERIALIZED (
  SELECT l.destination, l.turn, l.event_type, l.tenant, l.room, l.size, l.n, l.quota, false AS ordered, x.event_id, x.due_at,
    x.alone OR l.size = 1 AS alone, row_number() OVER (PARTITION BY l.destination, l.event_type, l.tenant ORDER BY x.due_at) AS rank
  FROM due l CROSS JOIN LATERAL (
    SELECT d.event_id, d.due_at, ${ALONE} AS alone FROM outbox.delivery d
    WHERE ${UNORDERED} AND d.destination = l.destination AND d.event_type = l.event_type AND d.tenant = l.tenant
      AND d.due_at <= statement_timestamp()
    ORDER BY d.due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
  WHERE l.heads IS NULL
  UNION ALL
  SELECT l.destination, l.turn, l.event_type, l.tenant, l.room, l.size, l.n, l.quota, true, x.event_id, x.due_at,
    x.alone OR l.size = 1, row_number() OVER (PARTITION BY l.destination, l.event_type, l.tenant ORDER BY x.due_at)
  FROM due l CROSS JOIN LATERAL (
    SELECT d.event_id, d.due_at, ${ALONE} AS alone FROM outbox.delivery d
    WHERE d.event_id = ANY (l.heads) AND d.status = 'PENDING' AND d.due_at <= statement_timestamp()
    ORDER BY d.due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
  WHERE l.heads IS NOT NULL
),
-- Second pass: what is left of batch and room goes to the unordered lanes that filled their share, so that a lone one
-- takes it all; what an ordered lane leaves comes with the next claim. Rows of the first pass are excluded by id: SKIP
-- LOCKED does not skip this statement's own locks.
spare AS MATERIALIZED (
  SELECT f.*, ceil(greatest(0, least(
      ($3::integer - sum(f.runs) OVER ()) * f.size, (f.room - sum(f.runs) OVER (PARTITION BY f.destination)) * f.size,
      CASE WHEN f.size = 1 THEN ${MOST_ROWS} ELSE ${rowsOf('f')} END - sum(f.taken) OVER ()) - ${ROUNDED})
    / nullif(count(*) FILTER (WHERE f.full_lane) OVER (PARTITION BY f.destination), 0))::integer AS quota
  FROM (
    SELECT destination, turn, event_type, tenant, room, size, n, count(*) AS taken, sum(${runsOf('alone')}) AS runs,
      count(*) >= quota AND NOT ordered AS full_lane, max(due_at) AS last_due, array_agg(event_id) AS ids
    FROM first GROUP BY destination, turn, event_type, tenant, room, size, n, quota, ordered
  ) f
),
second AS MATERIALIZED (
  SELECT l.destination, l.turn, l.room, l.size, l.n, x.event_id, x.due_at, x.alone OR l.size = 1 AS alone,
    l.taken + row_number() OVER (PARTITION BY l.destination, l.event_type, l.tenant ORDER BY x.due_at) AS rank
  FROM spare l CROSS JOIN LATERAL (
    SELECT d.event_id, d.due_at, ${ALONE} AS alone FROM outbox.delivery d
    WHERE ${UNORDERED} AND d.destination = l.destination AND d.event_type = l.event_type AND d.tenant = l.tenant
      AND d.due_at BETWEEN l.last_due AND statement_timestamp() AND d.event_id <> ALL (l.ids)
    ORDER BY d.due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
  WHERE l.full_lane AND l.quota > 0
),
-- Cut to the room of each destination, then to the batch: first ones of every destination and lane before second ones.
fit AS MATERIALIZED (
  SELECT event_id, place, destination, size, alone FROM (
    SELECT p.*, row_number() OVER start AS place, sum(p.runs) OVER start AS runs_so_far
    FROM (
      SELECT b.*, sum(b.runs) OVER turn AS of_room, row_number() OVER turn AS in_destination
      FROM (SELECT destination, turn, room, size, n, event_id, rank, alone, ${runsOf('alone')} AS runs FROM first
            UNION ALL SELECT destination, turn, room, size, n, event_id, rank, alone, ${runsOf('alone')} FROM second) b
      WINDOW turn AS (PARTITION BY b.destination ORDER BY b.rank, b.n ROWS UNBOUNDED PRECEDING)
    ) p
    WHERE p.of_room <= p.room + ${ROUNDED}
    WINDOW start AS (ORDER BY p.in_destination, p.turn ROWS UNBOUNDED PRECEDING)
  ) q WHERE runs_so_far <= $3::integer + ${ROUNDED} AND place <= ${MOST_ROWS}
),
-- R20: carriers of two events or more; what has no company has a run of its own.
carriers AS MATERIALIZED (
  SELECT jsonb_object_agg(event_id, carrier) AS of FROM (
    SELECT event_id, CASE WHEN count(*) OVER company > 1 THEN $10::text || first_value(id) OVER company END AS carrier
    FROM (
      SELECT f.event_id, f.destination, f.size, gen_random_uuid() AS id,
        (row_number() OVER (PARTITION BY f.destination, f.size ORDER BY f.place) - 1) / f.size AS company
      FROM fit f WHERE NOT f.alone
    ) g WINDOW company AS (PARTITION BY destination, size, company)
  ) c
),
-- ARRAY(...) rather than a join: the planner cannot know how few rows come, and would read the whole table.
claimed AS (
  UPDATE outbox.delivery d
  SET lease_token = $1::uuid, carrier = (SELECT of FROM carriers)->>d.event_id::text, due_at = statement_timestamp() + $2::integer * interval '1 millisecond',
    policy_hash = coalesce(d.policy_hash, $6::jsonb->'byType'->>d.event_type, $6::jsonb->>'otherwise'),
    -- R20: by the token alone that would be forgotten with it, when this claim's relay gives the row back unsent.
    no_coalesce = d.no_coalesce OR (d.lease_token IS NOT NULL AND d.carrier IS NULL),
    -- A budget that goes on: what it waited for us, or for a pause, is not the destination's time.
    waited_ms = d.waited_ms + CASE WHEN d.budget_epoch < d.epoch
      THEN greatest(0, extract(epoch FROM statement_timestamp() - d.due_at) * 1000)::bigint ELSE 0 END
  WHERE d.event_id = ANY (ARRAY(SELECT event_id FROM fit))
  RETURNING d.event_id, d.epoch, d.budget_epoch, d.carrier, d.destination, d.event_type, d.tenant, d.policy_hash, d.start_tries
)
-- One row at least, so that the cursor comes back from an empty claim. The first one tells what is said once: where the next
-- walk goes on, and the policies that the rows name.
SELECT w.cursor, w.lanes_left, w.wrapped, w.policies, c.event_id, c.epoch, c.carrier, c.destination, c.event_type, c.tenant,
  c.policy_hash, c.start_tries, coalesce(e.event_name, '') AS event_name, coalesce(e.aggregate_type, '') AS aggregate_type,
  coalesce(e.aggregate_id, '') AS aggregate_id, e.traceparent, e.tracestate,
  (extract(epoch FROM statement_timestamp() - e.recorded_at) * 1000)::float8 AS age_ms,
  -- A local attempt counts nothing that came before it: only a budget that begins with it is right for one.
  c.budget_epoch = c.epoch AS first_of_budget, coalesce(h.health = 'ok' AND h.breaker = 'closed', true) AS destination_well
FROM (
  SELECT walk.*, 1::bigint AS nth, (SELECT jsonb_object_agg(p.hash, p.body) FROM outbox.policy p
    WHERE p.hash = ANY (ARRAY(SELECT DISTINCT policy_hash FROM claimed))) AS policies
  FROM ${walkOf(MOST_DESTINATIONS)} walk
) w
FULL JOIN (
  SELECT claimed.*, row_number() OVER (ORDER BY fit.place) AS nth FROM claimed JOIN fit USING (event_id)
) c USING (nth)
LEFT JOIN LATERAL (SELECT event_name, aggregate_type, aggregate_id, recorded_at, headers->>'traceparent' AS traceparent,
  headers->>'tracestate' AS tracestate FROM outbox.event WHERE id = c.event_id LIMIT 1) e ON true
LEFT JOIN outbox.destination h ON h.name = c.destination
ORDER BY nth
`;

/** R7: $1 lease token · $2 ids. Answers the ids that were marked. A run starts without failed starts on its row. */
export const MARK_STARTED = `
UPDATE outbox.delivery
SET status = 'STARTED', due_at = statement_timestamp() + interval '30 seconds', started_at = statement_timestamp(),
  lease_token = NULL, start_tries = 0
WHERE event_id = ANY ($2::uuid[]) AND status = 'PENDING' AND lease_token = $1::uuid
RETURNING event_id
`;

/**
 * As above, of rows with a carrier. A batch settles many in one statement while its mark comes: rows that it holds are
 * settled in a moment, and are left to it, or two statements might wait for each other.
 */
export const MARK_CARRIED = `
WITH free AS MATERIALIZED (
  SELECT d.event_id FROM outbox.delivery d
  WHERE d.event_id = ANY ($2::uuid[]) AND d.status = 'PENDING' AND d.lease_token = $1::uuid
  FOR UPDATE SKIP LOCKED
)
UPDATE outbox.delivery
SET status = 'STARTED', due_at = statement_timestamp() + interval '30 seconds', started_at = statement_timestamp(),
  lease_token = NULL, start_tries = 0
WHERE event_id = ANY (ARRAY(SELECT event_id FROM free)) AND status = 'PENDING' AND lease_token = $1::uuid
RETURNING event_id
`;

/**
 * R7: $1 lease token · $2 ids · $3 delays, ms · $4 whether to count a try · $5 whether a start was sent. Answers the ids that
 * were released. A start of its own that was refused may have been taken all the same: that run's id is the only one which
 * the event can have in this epoch, so no batch takes it (R20).
 */
export const RELEASE = `
WITH free AS MATERIALIZED (
  SELECT d.event_id FROM outbox.delivery d
  WHERE d.event_id = ANY ($2::uuid[]) AND d.status = 'PENDING' AND d.lease_token = $1::uuid
  FOR UPDATE SKIP LOCKED
)
UPDATE outbox.delivery d
SET due_at = statement_timestamp() + r.delay_ms * interval '1 millisecond', lease_token = NULL, carrier = NULL,
  start_tries = d.start_tries + r.counted::integer, no_coalesce = d.no_coalesce OR (r.sent AND d.carrier IS NULL)
FROM unnest($2::uuid[], $3::integer[], $4::boolean[], $5::boolean[]) AS r(event_id, delay_ms, counted, sent)
WHERE d.event_id = ANY (ARRAY(SELECT event_id FROM free)) AND d.event_id = r.event_id AND d.status = 'PENDING' AND d.lease_token = $1::uuid
RETURNING d.event_id
`;

/**
 * $1 ids · $2 epochs · $3 whether a batch carries them · $4 statuses · $5 lease token. Of the rows that a fenced write missed:
 * how many are settled in the epoch they were claimed in, or have left their batch already (it may be quicker than its mark),
 * or were skipped, for their run is just settling them; and how many stand in that epoch as $4 says. Asked in a statement of
 * its own: the fenced UPDATE's snapshot may be older than the settling that made it miss.
 */
export const EXPLAIN_MISSED = `
SELECT
  count(*) FILTER (WHERE d.epoch > c.epoch OR d.status IN ('DELIVERED', 'DEAD', 'DISCARDED') OR d.lease_token = $5::uuid)::integer
    AS overtaken,
  count(*) FILTER (WHERE d.epoch = c.epoch AND d.status = ANY ($4::text[]) AND d.lease_token IS DISTINCT FROM $5::uuid)::integer
    AS done_before
FROM unnest($1::uuid[], $2::integer[], $3::boolean[]) AS c(event_id, epoch, carried)
JOIN outbox.delivery d ON d.event_id = c.event_id AND (d.epoch = c.epoch OR (c.carried AND d.epoch > c.epoch))
`;

/**
 * Destinations that have rows waiting and no room, or none for a batch, while runs that fill it should have moved five minutes
 * ago. $1 default cap. Counts of runs stop at twice the cap.
 */
export const FULL_DESTINATIONS = `
WITH RECURSIVE ${waitingFrom("''")}
SELECT w.destination, s.started, p.past_due
FROM waiting w
LEFT JOIN LATERAL (SELECT max_runs FROM outbox.destination WHERE name = w.destination LIMIT 1) c ON true
CROSS JOIN LATERAL (SELECT coalesce(c.max_runs, $1::integer) AS cap) m
CROSS JOIN LATERAL (SELECT ${runsDueBefore("statement_timestamp() + interval '1 minute'")} AS started OFFSET 0) s
CROSS JOIN LATERAL (SELECT ${runsDueBefore("statement_timestamp() - interval '5 minutes'")} AS past_due OFFSET 0) p
CROSS JOIN LATERAL (SELECT ${batchesDueBefore("'infinity'", "'-infinity'", `${MOST_BATCHES}`)} AS open,
  ${batchesDueBefore("statement_timestamp() - interval '5 minutes'", "'-infinity'", '1')} AS past_due OFFSET 0) b
WHERE (s.started >= m.cap AND p.past_due > 0) OR (b.open >= ${MOST_BATCHES} AND b.past_due > 0)
`;
