/** Parts of the claim (relay-sql.ts): walking lanes, and in the lanes of ordered events the aggregates (R5, R9). */

/** Rows that wait for nobody but a claim. */
export const UNORDERED = `d.status = 'PENDING' AND d.order_key IS NULL`;
const ORDERED = `d.status = 'PENDING' AND d.order_key IS NOT NULL`;

/** Lanes of ordered events looked at for each destination in one claim; the following claims go on at the cursor. */
const MOST_ORDERED_LANES = 50;

/** Aggregates looked at in one claim, shared by those lanes. */
const MOST_KEYS = 500;

/**
 * `WITH RECURSIVE lane (event_type, tenant, n)`: the lanes of o.destination, by a loose index scan from the cursor on, round
 * to where it began; up to `most`, and one more that tells that lanes are left.
 */
export const lanesOf = (rows: string, cursor: 'lanes' | 'ordered', most: string) => {
  const first = (after: string) => `(SELECT d.event_type, d.tenant FROM outbox.delivery d
    WHERE ${rows} AND d.destination = o.destination ${after} ORDER BY d.event_type, d.tenant LIMIT 1)`;
  const from = `$4::jsonb->'${cursor}'->o.destination`;
  return `WITH RECURSIVE lane AS (
    SELECT f.event_type, f.tenant, f.event_type AS first_type, f.tenant AS first_tenant, 1 AS n
    FROM (${first(`AND (d.event_type, d.tenant) > (${from}->>0, ${from}->>1)`)} UNION ALL ${first('')} LIMIT 1) f
    UNION ALL
    SELECT n.event_type, n.tenant, l.first_type, l.first_tenant, l.n + 1
    FROM lane l CROSS JOIN LATERAL (
      ${first('AND (d.event_type, d.tenant) > (l.event_type, l.tenant)')} UNION ALL ${first('')} LIMIT 1) n
    WHERE l.n <= ${most} AND (n.event_type, n.tenant) IS DISTINCT FROM (l.first_type, l.first_tenant)
  )`;
};

/** Of a pause p. */
export const IN_FORCE = '(p.until IS NULL OR p.until > statement_timestamp())';

/** Whether a person has paused the lane `lane` of o.destination. */
export const LANE_PAUSED = `EXISTS (SELECT FROM outbox.pause p
  WHERE coalesce(p.destination, o.destination) = o.destination
    AND coalesce(p.event_type, lane.event_type) = lane.event_type AND coalesce(p.tenant, lane.tenant) = lane.tenant
    AND ${IN_FORCE})`;

/** The first waiting row of the next aggregate of the lane l. */
const nextKey = (after: string) => `(SELECT d.order_key, d.order_no, d.event_id, d.due_at FROM outbox.delivery d
  WHERE ${ORDERED} AND d.destination = l.destination AND d.event_type = l.event_type AND d.tenant = l.tenant ${after}
  ORDER BY d.order_key, d.order_no, d.event_id LIMIT 1)`;
const OF_KEY = `b.destination = l.destination AND b.event_type = l.event_type AND b.tenant = l.tenant
  AND b.order_key = k.order_key`;

/**
 * R9. `ordered_lanes`, and `keys`: their aggregates, each with the one row of it that may be claimed, or NULL. That is
 * - nothing while one is under way (STARTED, or leased): but where its lease has ended, that one and no other, for its
 *   relay may have started it;
 * - else the lowest waiting version, when it is due, unless the event type blocks behind a dead one and there is one below.
 * A lane with more aggregates than its share begins at one that the lease token draws, so that none is passed by for ever
 * and no cursor has to remember where each lane was.
 */
export const ORDERED_HEADS = `
ordered_lanes AS MATERIALIZED (
  SELECT o.destination, o.room, l.n, l.event_type, l.tenant, l.paused
  FROM open o
  CROSS JOIN LATERAL (
    ${lanesOf(ORDERED, 'ordered', `${MOST_ORDERED_LANES}`)}
    SELECT lane.n, lane.event_type, lane.tenant, ${LANE_PAUSED} AS paused FROM lane
  ) l
),
keys AS MATERIALIZED (
  SELECT l.destination, l.event_type, l.tenant, l.room, l.n, h.event_id, h.left_over
  FROM (
    SELECT w.*, coalesce(t.ordering = 'block', false) AS blocks,
      ceil(${MOST_KEYS}::numeric / count(*) OVER ())::integer AS share
    FROM ordered_lanes w LEFT JOIN outbox.event_type t ON t.name = w.event_type
    WHERE NOT w.paused AND w.n <= ${MOST_ORDERED_LANES}
  ) l
  CROSS JOIN LATERAL (
    WITH RECURSIVE k AS (
      SELECT f.*, f.order_key AS first_key, 1 AS n
      FROM (${nextKey('AND d.order_key > md5($1::uuid::text)')} UNION ALL ${nextKey('')} LIMIT 1) f
      UNION ALL
      SELECT n.*, k.first_key, k.n + 1
      FROM k CROSS JOIN LATERAL (${nextKey('AND d.order_key > k.order_key')} UNION ALL ${nextKey('')} LIMIT 1) n
      WHERE k.n <= l.share AND n.order_key <> k.first_key
    )
    SELECT k.n > l.share AS left_over, CASE
      WHEN k.n > l.share THEN NULL
      WHEN u.event_id IS NOT NULL THEN CASE WHEN u.status = 'PENDING' AND u.due_at <= statement_timestamp() THEN u.event_id END
      WHEN k.due_at > statement_timestamp() THEN NULL
      WHEN l.blocks AND EXISTS (SELECT FROM outbox.delivery b
        WHERE b.status = 'DEAD' AND ${OF_KEY} AND (b.order_no, b.event_id) < (k.order_no, k.event_id)) THEN NULL
      ELSE k.event_id
    END AS event_id
    FROM k LEFT JOIN LATERAL (
      SELECT b.event_id, b.status, b.due_at FROM outbox.delivery b
      WHERE ${OF_KEY} AND (b.status = 'STARTED' OR b.lease_token IS NOT NULL) LIMIT 1) u ON true
  ) h
)`;

/** Where the next claim's walk over the lanes of `walk` goes on: a destination that was walked round starts one lane further. */
export const cursorOf = (walk: string, most: string) => `(
  SELECT coalesce(jsonb_object_agg(destination, jsonb_build_array(event_type, tenant)), '{}')
  FROM (
    SELECT w.*, n = CASE WHEN max(n) OVER (PARTITION BY destination) > ${most} THEN ${most} ELSE 1 END AS here
    FROM ${walk} w
  ) w WHERE here
)`;

/** The whole cursor, and whether lanes or aggregates were left. */
export const WALK = `(
  SELECT jsonb_build_object('lanes', ${cursorOf('walked', '$8::integer')},
      'ordered', ${cursorOf('ordered_lanes', `${MOST_ORDERED_LANES}`)}) AS cursor,
    EXISTS (SELECT FROM walked WHERE n > $8::integer) OR EXISTS (SELECT FROM ordered_lanes WHERE n > ${MOST_ORDERED_LANES})
      OR EXISTS (SELECT FROM keys WHERE left_over) AS unfinished
)`;
