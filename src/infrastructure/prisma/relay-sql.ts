/** Looked at in one statement. */
const MOST_DESTINATIONS = 256;

/**
 * Destinations with waiting rows, by a loose index scan: one index probe for each, whatever their backlog. From `from` on,
 * round to where it began; one more than are looked at tells that some are left. `wrapped`: it went round the end.
 */
const waitingFrom = (from: string) => `waiting AS (
  SELECT f.destination, f.destination AS first, 1 AS n, f.destination <= ${from} AS wrapped
  FROM (
    (SELECT destination FROM outbox.delivery WHERE status = 'PENDING' AND destination > ${from} ORDER BY destination LIMIT 1)
    UNION ALL
    (SELECT destination FROM outbox.delivery WHERE status = 'PENDING' ORDER BY destination LIMIT 1)
    LIMIT 1) f
  UNION ALL
  SELECT n.destination, w.first, w.n + 1, w.wrapped OR n.destination < w.destination
  FROM waiting w CROSS JOIN LATERAL (
    (SELECT d.destination FROM outbox.delivery d WHERE d.status = 'PENDING' AND d.destination > w.destination
     ORDER BY d.destination LIMIT 1)
    UNION ALL
    (SELECT destination FROM outbox.delivery WHERE status = 'PENDING' ORDER BY destination LIMIT 1)
    LIMIT 1) n
  WHERE w.n <= ${MOST_DESTINATIONS} AND n.destination <> w.first
)`;

/**
 * R6: how many runs of w.destination are STARTED and due before a moment. Two counts, each of which stops at m.cap: events'
 * own runs, without touching those that sleep in a backoff, and batches by their earliest row, one probe for each.
 */
const runsDueBefore = (moment: string) => `(
  (SELECT count(*)::integer FROM (
    SELECT FROM outbox.delivery d
    WHERE d.status = 'STARTED' AND d.destination = w.destination AND d.carrier IS NULL AND d.due_at <= ${moment}
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

/**
 * The claim in one statement (R4-R6): every scan is by an index of open rows or a primary key, whatever the backlog.
 * One time for all of it, `statement_timestamp()`: stable, so that indexes can serve it.
 *
 * $1 lease token · $2 lease, ms · $3 batch · $4 cursor, {"from": destination, "lanes": {destination:
 * [event type, tenant]}} · $5 default cap ·
 * $6 policy hash · $7 probe holder · $8 lanes walked for each destination
 */
export const CLAIM = `
WITH RECURSIVE
${waitingFrom("coalesce($4::jsonb->>'from', '')")},
-- R6: their room. OFFSET 0 keeps the planner from computing it twice.
open AS MATERIALIZED (
  SELECT w.destination, w.n AS turn, r.room
  FROM waiting w
  LEFT JOIN LATERAL (SELECT * FROM outbox.destination WHERE name = w.destination LIMIT 1) c ON true
  CROSS JOIN LATERAL (SELECT coalesce(c.max_runs, $5::integer) AS cap) m
  CROSS JOIN LATERAL (SELECT CASE
    WHEN EXISTS (SELECT FROM outbox.pause p WHERE coalesce(p.destination, w.destination) = w.destination
      AND p.event_type IS NULL AND p.tenant IS NULL) THEN 0
    WHEN c.breaker = 'open' THEN 0
    WHEN c.breaker = 'half_open' THEN
      CASE WHEN c.probe_holder = $7::uuid AND c.probe_until > statement_timestamp() THEN 1 ELSE 0 END
    ELSE m.cap - ${runsDueBefore("statement_timestamp() + interval '1 minute'")}
  END AS room OFFSET 0) r
  WHERE w.n <= ${MOST_DESTINATIONS} AND r.room > 0
),
-- R5: up to $8 lanes of each, from its own cursor on, round to where it began; one more tells that lanes are left.
walked AS MATERIALIZED (
  SELECT o.destination, o.turn, o.room, l.n, l.event_type, l.tenant, l.wrapped, l.due
  FROM (SELECT *, $4::jsonb->'lanes'->destination->>0 AS type_seen, $4::jsonb->'lanes'->destination->>1 AS tenant_seen
        FROM open) o
  CROSS JOIN LATERAL (
    WITH RECURSIVE lane AS (
      SELECT f.event_type, f.tenant, f.event_type AS first_type, f.tenant AS first_tenant, 1 AS n,
        coalesce((f.event_type, f.tenant) <= (o.type_seen, o.tenant_seen), false) AS wrapped
      FROM (
        (SELECT d.event_type, d.tenant FROM outbox.delivery d
         WHERE d.status = 'PENDING' AND d.destination = o.destination
           AND (d.event_type, d.tenant) > (o.type_seen, o.tenant_seen)
         ORDER BY d.event_type, d.tenant LIMIT 1)
        UNION ALL
        (SELECT d.event_type, d.tenant FROM outbox.delivery d
         WHERE d.status = 'PENDING' AND d.destination = o.destination ORDER BY d.event_type, d.tenant LIMIT 1)
        LIMIT 1) f
      UNION ALL
      SELECT n.event_type, n.tenant, l.first_type, l.first_tenant, l.n + 1,
        l.wrapped OR (n.event_type, n.tenant) < (l.event_type, l.tenant)
      FROM lane l CROSS JOIN LATERAL (
        (SELECT d.event_type, d.tenant FROM outbox.delivery d
         WHERE d.status = 'PENDING' AND d.destination = o.destination
           AND (d.event_type, d.tenant) > (l.event_type, l.tenant)
         ORDER BY d.event_type, d.tenant LIMIT 1)
        UNION ALL
        (SELECT d.event_type, d.tenant FROM outbox.delivery d
         WHERE d.status = 'PENDING' AND d.destination = o.destination ORDER BY d.event_type, d.tenant LIMIT 1)
        LIMIT 1) n
      WHERE l.n <= $8::integer AND (n.event_type, n.tenant) IS DISTINCT FROM (l.first_type, l.first_tenant)
    )
    SELECT lane.n, lane.event_type, lane.tenant, lane.wrapped,
      NOT EXISTS (SELECT FROM outbox.pause p
        WHERE coalesce(p.destination, o.destination) = o.destination
          AND coalesce(p.event_type, lane.event_type) = lane.event_type AND coalesce(p.tenant, lane.tenant) = lane.tenant)
      AND EXISTS (SELECT FROM outbox.delivery d
        WHERE d.status = 'PENDING' AND d.destination = o.destination AND d.event_type = lane.event_type
          AND d.tenant = lane.tenant AND d.due_at <= statement_timestamp()) AS due
    FROM lane
  ) l
),
-- The lanes that take part, each with its share: the batch is split evenly over destinations, then over their lanes.
due AS MATERIALIZED (
  SELECT w.destination, w.turn, w.event_type, w.tenant, w.room, w.n,
    ceil(least(w.room, ceil($3::numeric / nullif(d.destinations, 0))) / count(*) OVER (PARTITION BY w.destination))::integer AS quota
  FROM walked w, (SELECT count(DISTINCT destination) AS destinations FROM walked WHERE due AND n <= $8) d
  WHERE w.due AND w.n <= $8
),
-- First pass: everybody's share. What another relay holds is skipped, not waited for; a row that moved on since the
-- statement's snapshot is looked at again by FOR UPDATE and falls out.
first AS MATERIALIZED (
  SELECT l.destination, l.turn, l.event_type, l.tenant, l.room, l.n, l.quota, x.event_id, x.due_at,
    row_number() OVER (PARTITION BY l.destination, l.event_type, l.tenant ORDER BY x.due_at) AS rank
  FROM due l CROSS JOIN LATERAL (
    SELECT d.event_id, d.due_at FROM outbox.delivery d
    WHERE d.status = 'PENDING' AND d.destination = l.destination AND d.event_type = l.event_type AND d.tenant = l.tenant
      AND d.due_at <= statement_timestamp()
    ORDER BY d.due_at LIMIT l.quota FOR UPDATE SKIP LOCKED) x
),
-- Second pass: what is left of batch and room goes to the lanes that filled their share, so that a lone one takes it
-- all. Rows of the first pass are excluded by id: SKIP LOCKED does not skip this statement's own locks.
spare AS MATERIALIZED (
  SELECT f.*, ceil(greatest(0, least(
      $3::integer - sum(f.taken) OVER (), f.room - sum(f.taken) OVER (PARTITION BY f.destination)))
    / nullif(count(*) FILTER (WHERE f.full_lane) OVER (PARTITION BY f.destination), 0))::integer AS quota
  FROM (
    SELECT destination, turn, event_type, tenant, room, n, count(*) AS taken, count(*) >= quota AS full_lane,
      max(due_at) AS last_due, array_agg(event_id) AS ids
    FROM first GROUP BY destination, turn, event_type, tenant, room, n, quota
  ) f
),
second AS MATERIALIZED (
  SELECT l.destination, l.turn, l.room, l.n, x.event_id, x.due_at,
    l.taken + row_number() OVER (PARTITION BY l.destination, l.event_type, l.tenant ORDER BY x.due_at) AS rank
  FROM spare l CROSS JOIN LATERAL (
    SELECT d.event_id, d.due_at FROM outbox.delivery d
    WHERE d.status = 'PENDING' AND d.destination = l.destination AND d.event_type = l.event_type AND d.tenant = l.tenant
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
    policy_hash = coalesce(d.policy_hash, $6::text)
  WHERE d.event_id = ANY (ARRAY(SELECT event_id FROM fit))
  RETURNING d.event_id, d.epoch, d.budget_epoch, d.carrier, d.destination, d.event_type, d.tenant, d.policy_hash, d.start_tries
)
-- One row at least, so that the cursor comes back from an empty claim. What was walked round begins one further next
-- time: with room for one, every lane gets its turn, and with a batch of one every destination. A destination that was not
-- walked (it is full) keeps its place; one that nothing waits for loses it.
SELECT jsonb_build_object('from', walk.next_destination, 'lanes', walk.lanes) AS cursor,
  walk.lanes_left, walk.wrapped, c.event_id, c.epoch, c.carrier, c.destination, c.event_type, c.tenant,
  c.policy_hash, c.start_tries, coalesce(e.event_name, '') AS event_name, coalesce(e.aggregate_type, '') AS aggregate_type,
  coalesce(e.aggregate_id, '') AS aggregate_id,
  -- A local attempt counts nothing that came before it: only a budget that begins with it is right for one.
  c.budget_epoch = c.epoch AND coalesce(h.health = 'ok' AND h.breaker = 'closed', true) AS local_first
FROM (
  SELECT (SELECT destination FROM waiting
          WHERE n = (SELECT CASE WHEN max(n) > ${MOST_DESTINATIONS} THEN ${MOST_DESTINATIONS} ELSE 1 END FROM waiting)) AS next_destination,
    (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM (
       SELECT key, value FROM jsonb_each($4::jsonb->'lanes')
       WHERE key IN (SELECT destination FROM waiting) OR (SELECT max(n) FROM waiting) > ${MOST_DESTINATIONS}
       LIMIT ${8 * MOST_DESTINATIONS}) kept)
      || coalesce(jsonb_object_agg(destination, jsonb_build_array(event_type, tenant)) FILTER (WHERE here), '{}') AS lanes,
    coalesce(jsonb_agg(destination) FILTER (WHERE here AND cut), '[]')
      || (SELECT CASE WHEN max(n) > ${MOST_DESTINATIONS} THEN '[""]' ELSE '[]' END::jsonb FROM waiting) AS lanes_left,
    coalesce(jsonb_agg(destination) FILTER (WHERE here AND round), '[]')
      || (SELECT CASE WHEN bool_or(wrapped) THEN '[""]' ELSE '[]' END::jsonb FROM waiting WHERE n <= ${MOST_DESTINATIONS}) AS wrapped
  FROM (
    SELECT destination, event_type, tenant, cut, round, n = CASE WHEN cut THEN $8::integer ELSE 1 END AS here
    FROM (SELECT w.*, max(n) OVER (PARTITION BY destination) > $8 AS cut,
            bool_or(wrapped AND n <= $8) OVER (PARTITION BY destination) AS round
          FROM walked w) w
  ) w
) walk
LEFT JOIN (claimed c JOIN fit USING (event_id)) ON true
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
