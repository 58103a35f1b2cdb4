/** Lanes (event type × tenant) of one destination that are looked at; types behind them are not counted. */
const MOST_LANES = 5_000;

/** Of them, of one type: as many as could reach the limit by one event each. */
const MOST_TENANTS = 'greatest(500, $2::integer)';

const UNORDERED = `d.status = 'PENDING' AND d.order_key IS NULL`;
const ORDERED = `d.status = 'PENDING' AND d.order_key IS NOT NULL`;

interface Kind {
  readonly rows: string;
  /** Of a lane: its due rows, and how many were looked at for that, at most `most`. */
  readonly dueOf: (lane: string, most: string) => string;
  /** Rows of one type that are looked at. */
  readonly most: string;
}

/**
 * Lanes of unordered rows are in the order of their due times: what is not due is not looked at. Asked for in the order of
 * the index, here and below: where most of the table waits, the planner would rather walk that, and go on when it no longer does.
 */
const DUE_UNORDERED: Kind = {
  rows: UNORDERED,
  dueOf: (lane, most) => `(SELECT count(*)::integer AS due, count(*)::integer AS looked FROM (
    SELECT ${lane} AND d.due_at <= statement_timestamp() ORDER BY d.due_at LIMIT ${most}) counted)`,
  most: '$2::integer',
};

/** Those of ordered rows are not: so many are looked at, whatever they are. */
const DUE_ORDERED: Kind = {
  rows: ORDERED,
  dueOf: (lane, most) => `(
    SELECT count(*) FILTER (WHERE due_at <= statement_timestamp())::integer AS due, count(*)::integer AS looked
    FROM (SELECT d.due_at ${lane} ORDER BY d.order_key LIMIT ${most}) counted)`,
  most: '2 * $2::integer',
};

/**
 * Of the destination k.destination: its event types with waiting rows of a kind, each with its due ones. By loose index
 * scans, and counted no further than the limit, so that a backlog costs what its limit does.
 */
const dueByType = ({ rows, dueOf, most }: Kind) => {
  const nextType = (after: string) => `(SELECT d.event_type FROM outbox.delivery d
    WHERE ${rows} AND d.destination = k.destination ${after} ORDER BY d.event_type LIMIT 1)`;
  const nextTenant = (after: string) => `(SELECT d.tenant FROM outbox.delivery d
    WHERE ${rows} AND d.destination = k.destination AND d.event_type = f.event_type ${after} ORDER BY d.tenant LIMIT 1)`;
  const dueOfTenant = (limit: string) =>
    dueOf(
      `FROM outbox.delivery d WHERE ${rows} AND d.destination = k.destination AND d.event_type = f.event_type AND d.tenant = g.tenant`,
      limit,
    );
  const ofType = (lanes: string) => `(
    WITH RECURSIVE t AS (
      SELECT g.tenant, c.due, c.looked, 1 AS lanes FROM ${nextTenant('')} g CROSS JOIN LATERAL ${dueOfTenant(most)} c
      UNION ALL
      SELECT g.tenant, t.due + c.due, t.looked + c.looked, t.lanes + 1
      FROM t CROSS JOIN LATERAL ${nextTenant('AND d.tenant > t.tenant')} g
        CROSS JOIN LATERAL ${dueOfTenant(`${most} - t.looked`)} c
      WHERE t.looked < ${most} AND t.lanes < least(${lanes}, ${MOST_TENANTS})
    ) SELECT max(due) AS due, max(lanes) AS lanes FROM t)`;
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

/** $1 destinations · $2 where counting stops. Due rows by destination and event type, ordered ones and others together. */
export const COUNT_WAITING = `
SELECT k.destination, t.event_type, least($2::integer, sum(t.due))::integer AS waiting
FROM unnest($1::text[]) AS k(destination)
CROSS JOIN LATERAL ((${dueByType(DUE_UNORDERED)}) UNION ALL (${dueByType(DUE_ORDERED)})) t
GROUP BY k.destination, t.event_type
`;
