import { ALONE, pausedOf } from './claim-lanes-sql.js';

/** Lanes (event type × tenant) of one destination that are looked at; types behind them are not counted. */
const MOST_LANES = 5_000;

/** Of them, of one type: as many as could reach the limit by one event each. */
const MOST_TENANTS = 'greatest(500, $2::integer)';

const UNORDERED = `d.status = 'PENDING' AND d.order_key IS NULL`;
const ORDERED = `d.status = 'PENDING' AND d.order_key IS NOT NULL`;

/** Due rows that go alone are looked past up to so many. */
const MOST_PAST = 1_000;

interface Kind {
  readonly rows: string;
  /** Rows of one type that are looked at: more than are counted, since some of them are not. */
  readonly most: string;
  /** Of a lane: its due rows that a batch may carry, and how many were looked at for that, at most `most`. */
  readonly dueOf: (lane: string, most: string) => string;
  /** Of a type, by the lanes t: what counts as due. */
  readonly due: string;
}

const MOST_UNORDERED = `$2::integer + least($2::integer, ${MOST_PAST})`;

/**
 * Lanes of unordered rows are in the order of their due times: what is not due is not looked at. Asked for in the order of
 * the index, here and below: where most of the table waits, the planner would rather walk that, and go on when it no longer does.
 * Where more are due than are looked at, nobody knows what the others are: behind thousands that go alone, the oldest of all,
 * there may be a backlog, so they count as one.
 */
const DUE_UNORDERED: Kind = {
  rows: UNORDERED,
  most: MOST_UNORDERED,
  dueOf: (lane, most) => `(SELECT count(*) FILTER (WHERE NOT alone)::integer AS due, count(*)::integer AS looked FROM (
    SELECT ${ALONE} AS alone ${lane} AND d.due_at <= statement_timestamp() ORDER BY d.due_at LIMIT ${most}) counted)`,
  due: `CASE WHEN max(looked) >= ${MOST_UNORDERED} THEN $2::integer ELSE max(due) END`,
};

const DEAD_IN_LANE = `FROM outbox.delivery b
  WHERE b.status = 'DEAD' AND b.order_key IS NOT NULL AND b.destination = k.destination AND b.event_type = f.event_type
    AND b.tenant = g.tenant`;

/** R9. Of an ordered row d: a probe for each, but only in lanes that a dead one blocks, which is asked once for each. */
const BEHIND_DEAD = `CASE
  WHEN EXISTS (SELECT FROM outbox.event_type e WHERE e.name = f.event_type AND e.ordering = 'block')
    AND EXISTS (SELECT ${DEAD_IN_LANE})
  THEN EXISTS (SELECT ${DEAD_IN_LANE} AND b.order_key = d.order_key AND (b.order_no, b.event_id) < (d.order_no, d.event_id))
  ELSE false END`;

/** Those of ordered rows are in that of a hash: those that are looked at, whatever they are, stand for the others. */
const DUE_ORDERED: Kind = {
  rows: ORDERED,
  most: '2 * $2::integer',
  dueOf: (lane, most) => `(
    SELECT count(*) FILTER (WHERE due_at <= statement_timestamp() AND NOT kept)::integer AS due, count(*)::integer AS looked
    FROM (SELECT d.due_at, ${ALONE} OR ${BEHIND_DEAD} AS kept ${lane} ORDER BY d.order_key LIMIT ${most}) counted)`,
  due: 'max(due)',
};

/**
 * Of the destination k.destination: its event types with waiting rows of a kind, each with its due ones, but what a person has
 * paused. By loose index scans, and counted no further than the limit, so that a backlog costs what its limit does.
 */
const dueByType = ({ rows, most, dueOf, due }: Kind) => {
  const nextType = (after: string) => `(SELECT d.event_type FROM outbox.delivery d
    WHERE ${rows} AND d.destination = k.destination ${after} ORDER BY d.event_type LIMIT 1)`;
  const nextTenant = (after: string) => `(SELECT d.tenant FROM outbox.delivery d
    WHERE ${rows} AND d.destination = k.destination AND d.event_type = f.event_type ${after} ORDER BY d.tenant LIMIT 1)`;
  const dueOfTenant = (limit: string) =>
    dueOf(
      `FROM outbox.delivery d WHERE ${rows} AND d.destination = k.destination AND d.event_type = f.event_type AND d.tenant = g.tenant
        AND NOT ${pausedOf('k.destination', 'f.event_type', 'g.tenant')}`,
      limit,
    );
  const ofType = (lanes: string) => `(
    WITH RECURSIVE t AS (
      SELECT g.tenant, c.due, c.looked, 1 AS lanes FROM ${nextTenant('')} g CROSS JOIN LATERAL ${dueOfTenant(most)} c
      UNION ALL
      SELECT g.tenant, t.due + c.due, t.looked + c.looked, t.lanes + 1
      FROM t CROSS JOIN LATERAL ${nextTenant('AND d.tenant > t.tenant')} g
        CROSS JOIN LATERAL ${dueOfTenant(`${most} - t.looked`)} c
      WHERE t.looked < ${most} AND t.due < $2::integer AND t.lanes < least(${lanes}, ${MOST_TENANTS})
    ) SELECT ${due} AS due, max(lanes) AS lanes FROM t)`;
  return `
  WITH RECURSIVE y AS (
    SELECT f.event_type, w.due, w.lanes FROM ${nextType('')} f CROSS JOIN LATERAL ${ofType(`${MOST_LANES}`)} w
    UNION ALL
    SELECT f.event_type, w.due, y.lanes + w.lanes
    FROM y CROSS JOIN LATERAL ${nextType('AND d.event_type > y.event_type')} f
      CROSS JOIN LATERAL ${ofType(`${MOST_LANES} - y.lanes`)} w
    WHERE y.lanes < ${MOST_LANES}
  ) SELECT event_type, due FROM y`;
};

/**
 * $1 destinations · $2 where counting stops. Due rows that a batch may carry, now or when others of their aggregate are
 * through, by destination and event type, ordered ones and others together.
 */
export const COUNT_WAITING = `
SELECT k.destination, t.event_type, least($2::integer, sum(t.due))::integer AS waiting
FROM unnest($1::text[]) AS k(destination)
CROSS JOIN LATERAL ((${dueByType(DUE_UNORDERED)}) UNION ALL (${dueByType(DUE_ORDERED)})) t
GROUP BY k.destination, t.event_type
`;
