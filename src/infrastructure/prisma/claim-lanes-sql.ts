/** Parts of the claim (relay-sql.ts): walking lanes, and in the lanes of ordered events the aggregates (R5, R9). */

/**
 * A row d that is not carried: it fell out of a run, a start of its was refused, or its last claim's lease has ended and a run
 * of its own may be under way, which would then be the only one that its id can have.
 */
export const ALONE = '(d.no_coalesce OR d.start_tries > 0 OR (d.lease_token IS NOT NULL AND d.carrier IS NULL))';

/** Rows that wait for nobody but a claim. */
export const UNORDERED = `d.status = 'PENDING' AND d.order_key IS NULL`;
const ORDERED = `d.status = 'PENDING' AND d.order_key IS NOT NULL`;

/**
 * Where the walks go on. Hidden from the planner, which would take each cursor for worth a plan of its own: making that costs
 * as much as the claim.
 */
export const CURSOR = '(SELECT $4::jsonb)';

/** Lanes of ordered events looked at for each destination in one claim; the following claims go on at the cursor. */
const MOST_ORDERED_LANES = 50;

/** Aggregates looked at in one claim, shared by those lanes. */
const MOST_KEYS = 500;

/**
 * `WITH RECURSIVE lane (event_type, tenant, head, n, wrapped)`: the lanes of o.destination, by a loose index scan from the
 * cursor on, round to where it began; up to `most`, and one more that tells that lanes are left. `wrapped`: it went round the
 * end. `head`: when the first row of an unordered lane is due, for the index comes to that one.
 */
export const lanesOf = (rows: string, cursor: 'lanes' | 'ordered', most: string) => {
  const head = cursor === 'lanes' ? 'due_at' : 'order_key';
  const first = (after: string) => `(SELECT d.event_type, d.tenant, d.${head} AS head FROM outbox.delivery d
    WHERE ${rows} AND d.destination = o.destination ${after} ORDER BY d.event_type, d.tenant, d.${head} LIMIT 1)`;
  const from = `${CURSOR}->'${cursor}'->o.destination`;
  return `WITH RECURSIVE lane AS (
    SELECT f.event_type, f.tenant, f.head, f.event_type AS first_type, f.tenant AS first_tenant, 1 AS n,
      coalesce((f.event_type, f.tenant) <= (${from}->>0, ${from}->>1), false) AS wrapped
    FROM (${first(`AND (d.event_type, d.tenant) > (${from}->>0, ${from}->>1)`)} UNION ALL ${first('')} LIMIT 1) f
    UNION ALL
    SELECT n.event_type, n.tenant, n.head, l.first_type, l.first_tenant, l.n + 1,
      l.wrapped OR (n.event_type, n.tenant) < (l.event_type, l.tenant)
    FROM lane l CROSS JOIN LATERAL (
      ${first('AND (d.event_type, d.tenant) > (l.event_type, l.tenant)')} UNION ALL ${first('')} LIMIT 1) n
    WHERE l.n <= ${most} AND (n.event_type, n.tenant) IS DISTINCT FROM (l.first_type, l.first_tenant)
  )`;
};

/** Of a pause p. */
export const IN_FORCE = '(p.until IS NULL OR p.until > statement_timestamp())';

/** Of a lane in an open destination o: how many of its rows go into one run (R20). */
export const sizeOf = (lane: string) =>
  `greatest(1, coalesce((o.sizes->>${lane}.event_type)::integer, (o.sizes->>'*')::integer, 1))`;

/** Whether a person has paused what has this destination, event type and tenant. */
export const pausedOf = (destination: string, eventType: string, tenant: string) => `EXISTS (SELECT FROM outbox.pause p
  WHERE coalesce(p.destination, ${destination}) = ${destination}
    AND coalesce(p.event_type, ${eventType}) = ${eventType} AND coalesce(p.tenant, ${tenant}) = ${tenant}
    AND ${IN_FORCE})`;

/** Whether a person has paused the lane `lane` of o.destination. */
export const LANE_PAUSED = pausedOf('o.destination', 'lane.event_type', 'lane.tenant');

/** Where the walk over aggregates goes on. */
const KEY = `coalesce(${CURSOR}->>'key', '')`;

/** Whether a person has paused the row `row`. */
export const pauseOf = (row: string) => pausedOf(`${row}.destination`, `${row}.event_type`, `${row}.tenant`);

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
 * A lane with more aggregates than its share begins at the cursor's key, one for all lanes: `order_key` is a hash, so that
 * aggregates lie evenly everywhere, and the next claim goes on where the slowest of the lanes was.
 */
export const ORDERED_HEADS = `
ordered_lanes AS MATERIALIZED (
  SELECT o.destination, o.turn, o.room, o.batches, ${sizeOf('l')} AS size, l.n, l.event_type, l.tenant, l.wrapped, l.paused
  FROM open o
  CROSS JOIN LATERAL (
    ${lanesOf(ORDERED, 'ordered', `${MOST_ORDERED_LANES}`)}
    SELECT lane.n, lane.event_type, lane.tenant, lane.wrapped, ${LANE_PAUSED} AS paused FROM lane
  ) l
),
keys AS MATERIALIZED (
  SELECT l.destination, l.turn, l.event_type, l.tenant, l.room, l.batches, l.size, l.n, h.event_id, h.order_key, h.last, h.wrapped,
    bool_or(h.left_over) OVER (PARTITION BY l.destination, l.event_type, l.tenant) AS left_over
  FROM (
    SELECT w.*, coalesce(t.ordering = 'block', false) AS blocks,
      ceil(${MOST_KEYS}::numeric / count(*) OVER ())::integer AS share
    FROM ordered_lanes w LEFT JOIN outbox.event_type t ON t.name = w.event_type
    WHERE NOT w.paused AND w.n <= ${MOST_ORDERED_LANES}
  ) l
  CROSS JOIN LATERAL (
    WITH RECURSIVE k AS (
      SELECT f.*, f.order_key AS first_key, 1 AS n, f.order_key <= ${KEY} AS wrapped
      FROM (${nextKey(`AND d.order_key > ${KEY}`)} UNION ALL ${nextKey('')} LIMIT 1) f
      UNION ALL
      SELECT n.*, k.first_key, k.n + 1, k.wrapped OR n.order_key < k.order_key
      FROM k CROSS JOIN LATERAL (${nextKey('AND d.order_key > k.order_key')} UNION ALL ${nextKey('')} LIMIT 1) n
      WHERE k.n <= l.share AND n.order_key <> k.first_key
    )
    SELECT k.n > l.share AS left_over, k.n = l.share AS last, k.order_key, k.wrapped, CASE
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

/**
 * Where the next claim's walk over the lanes of `walk` goes on: what was walked round begins one lane further, so that with
 * room for one every lane gets its turn. A destination that was not walked (it is full) keeps its place, one that nothing
 * waits for loses it; where not all destinations are looked at, that cannot be told, and `most` of them are kept.
 */
const lanesAfter = (walk: string, cursor: 'lanes' | 'ordered', mostLanes: string, most: number) => `(
  SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM (
    SELECT key, value FROM jsonb_each(${CURSOR}->'${cursor}')
    WHERE key IN (SELECT destination FROM waiting) OR (SELECT max(n) FROM waiting) > ${most}
    LIMIT ${8 * most}) kept
) || (
  SELECT coalesce(jsonb_object_agg(destination, jsonb_build_array(event_type, tenant)), '{}')
  FROM (
    SELECT w.*, n = CASE WHEN max(n) OVER (PARTITION BY destination) > ${mostLanes} THEN ${mostLanes} ELSE 1 END AS here
    FROM ${walk} w
  ) w WHERE here
)`;

/** Names of destinations, told apart from those of the other walk. */
const named = (rows: string, kind: string) =>
  `(SELECT coalesce(jsonb_agg(DISTINCT '${kind}:' || destination), '[]') FROM ${rows})`;

/**
 * The cursor; `lanes_left`: what was not walked to its end, by name; `wrapped`: what went round the end, by the same names.
 * What was left and did not wrap may hold something due. With a batch of one, destinations take turns.
 */
export const walkOf = (mostDestinations: number) => `(
  SELECT jsonb_build_object(
      'from', (SELECT destination FROM waiting WHERE n = (
        SELECT CASE WHEN max(n) > ${mostDestinations} THEN ${mostDestinations} ELSE 1 END FROM waiting)),
      'lanes', ${lanesAfter('walked', 'lanes', '$8::integer', mostDestinations)},
      'ordered', ${lanesAfter('ordered_lanes', 'ordered', `${MOST_ORDERED_LANES}`, mostDestinations)},
      'key', (SELECT order_key FROM keys WHERE left_over AND last ORDER BY wrapped, order_key LIMIT 1)) AS cursor,
    ${named('walked WHERE n > $8::integer', 'lanes')} || ${named(`ordered_lanes WHERE n > ${MOST_ORDERED_LANES}`, 'ordered')}
      || (SELECT CASE WHEN EXISTS (SELECT FROM keys WHERE left_over) THEN '["keys"]' ELSE '[]' END::jsonb)
      || (SELECT CASE WHEN max(n) > ${mostDestinations} THEN '["destinations"]' ELSE '[]' END::jsonb FROM waiting) AS lanes_left,
    ${named('walked WHERE wrapped AND n <= $8::integer', 'lanes')}
      || ${named(`ordered_lanes WHERE wrapped AND n <= ${MOST_ORDERED_LANES}`, 'ordered')}
      || (SELECT CASE WHEN bool_and(wrapped) THEN '["keys"]' ELSE '[]' END::jsonb FROM keys WHERE left_over AND last)
      || (SELECT CASE WHEN bool_or(wrapped) THEN '["destinations"]' ELSE '[]' END::jsonb
          FROM waiting WHERE n <= ${mostDestinations}) AS wrapped
)`;
