/**
 * Types of one destination, and tenants of one type, that are looked at. Where more tenants than that wait, and half of those
 * that were looked at have something due, it is taken for as much as was asked for.
 */
const MOST_TYPES = 100;
const MOST_TENANTS = 500;

const UNORDERED = `d.status = 'PENDING' AND d.order_key IS NULL`;
const ORDERED = `d.status = 'PENDING' AND d.order_key IS NOT NULL`;

/** Lanes of unordered rows are in the order of their due times: what is not due is not looked at. */
const UNORDERED_DUE = (lane: string, most: string) => `(SELECT count(*)::integer AS due FROM (
  SELECT ${lane} AND d.due_at <= statement_timestamp() ORDER BY d.due_at LIMIT ${most}) counted)`;

/** Those of ordered rows are not: so many are looked at, whatever they are. */
const ORDERED_DUE = (
  lane: string,
  most: string,
) => `(SELECT count(*) FILTER (WHERE due_at <= statement_timestamp())::integer AS due FROM (
  SELECT d.due_at ${lane} ORDER BY d.order_key, d.order_no LIMIT ${most}) counted)`;

/**
 * Of the destination k.destination: its event types with waiting `rows`, each with its due ones. By loose index scans, and
 * counted no further than $2, so that a backlog costs what its limit does.
 */
const dueByType = (rows: string, looked: (lane: string, most: string) => string) => {
  const nextType = (after: string) => `(SELECT d.event_type FROM outbox.delivery d
    WHERE ${rows} AND d.destination = k.destination ${after} ORDER BY d.event_type LIMIT 1)`;
  const nextTenant = (after: string) => `(SELECT d.tenant FROM outbox.delivery d
    WHERE ${rows} AND d.destination = k.destination AND d.event_type = y.event_type ${after} ORDER BY d.tenant LIMIT 1)`;
  const dueOf = (tenant: string, most: string) =>
    looked(
      `FROM outbox.delivery d WHERE ${rows} AND d.destination = k.destination AND d.event_type = y.event_type AND d.tenant = ${tenant}`,
      most,
    );
  return `
  SELECT y.event_type, w.waiting
  FROM (
    WITH RECURSIVE y AS (
      SELECT f.event_type, 1 AS n FROM ${nextType('')} f
      UNION ALL
      SELECT f.event_type, y.n + 1 FROM y CROSS JOIN LATERAL ${nextType('AND d.event_type > y.event_type')} f WHERE y.n < ${MOST_TYPES}
    ) SELECT event_type FROM y
  ) y
  CROSS JOIN LATERAL (
    WITH RECURSIVE t AS (
      SELECT f.tenant, c.due AS waiting, 1 AS n FROM ${nextTenant('')} f CROSS JOIN LATERAL ${dueOf('f.tenant', '$2::integer')} c
      UNION ALL
      SELECT f.tenant, t.waiting + c.due, t.n + 1
      FROM t CROSS JOIN LATERAL ${nextTenant('AND d.tenant > t.tenant')} f
        CROSS JOIN LATERAL ${dueOf('f.tenant', '$2::integer - t.waiting')} c
      WHERE t.waiting < $2::integer AND t.n < ${MOST_TENANTS}
    ) SELECT CASE WHEN max(n) = ${MOST_TENANTS} AND max(waiting) >= ${MOST_TENANTS / 2} THEN $2::integer ELSE max(waiting) END AS waiting FROM t
  ) w`;
};

/** $1 destinations · $2 where counting stops. Due rows by destination and event type, ordered ones and others together. */
export const COUNT_WAITING = `
SELECT k.destination, t.event_type, sum(t.waiting)::integer AS waiting
FROM unnest($1::text[]) AS k(destination)
CROSS JOIN LATERAL (${dueByType(UNORDERED, UNORDERED_DUE)}
  UNION ALL ${dueByType(ORDERED, ORDERED_DUE)}) t
GROUP BY k.destination, t.event_type
`;
