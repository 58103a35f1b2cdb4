import type { Backlog } from '../../application/delivery/notify/watch-limits.js';
import { destinationsOf, type OpenKind, WAITING, WAITING_ORDERED } from './open-rows-sql.js';
import { type PgPool, runStatement } from './pg-pool.js';

/** Looked at of each destination and kind. Of a longer backlog so many are told, and the oldest of these. */
const LEAST_ROWS = 10_000;
const MOST_ROWS = 1_000_000;
/** Lanes asked for their oldest row, which need not be among those counted. */
const MOST_LANES = 10_000;
const TIMEOUT_MS = 5_000;

const dueOf = (name: string, { rows }: OpenKind) => `SELECT c.events, c.oldest FROM ${name} k CROSS JOIN LATERAL (
    SELECT count(*) AS events, min(r.due_at) AS oldest FROM (
      SELECT d.due_at FROM outbox.delivery d
      WHERE ${rows} AND d.destination = k.destination AND d.due_at <= statement_timestamp() LIMIT $1::integer) r) c`;

const nextLane = (after: string) => `(SELECT d.destination, d.event_type, d.tenant, d.due_at FROM outbox.delivery d
    WHERE ${WAITING.rows} ${after} ORDER BY d.destination, d.event_type, d.tenant, d.due_at LIMIT 1)`;

/** Rows that are leased or put off are not due: their due time lies ahead. $1 rows looked at. */
export const BACKLOG = `
WITH RECURSIVE ${destinationsOf('waiting', WAITING)}, ${destinationsOf('ordered', WAITING_ORDERED)},
lane AS (
  SELECT f.*, 1 AS n FROM ${nextLane('')} f
  UNION ALL
  SELECT f.*, l.n + 1 FROM lane l CROSS JOIN LATERAL ${nextLane(
    'AND (d.destination, d.event_type, d.tenant) > (l.destination, l.event_type, l.tenant)',
  )} f WHERE l.n < ${MOST_LANES}
), due AS (
  ${dueOf('waiting', WAITING)} UNION ALL ${dueOf('ordered', WAITING_ORDERED)}
  UNION ALL SELECT 0, min(due_at) FROM lane WHERE due_at <= statement_timestamp()
)
SELECT coalesce(sum(events), 0)::int AS events,
  coalesce(floor(extract(epoch FROM statement_timestamp() - min(oldest))), 0)::int AS lag_seconds
FROM due`;

/** `limit`: what the number is compared with; it is counted at least that far and one more. */
export async function measureBacklog(pool: PgPool, limit = 0): Promise<Backlog> {
  const [row] = await runStatement<{ events: number; lag_seconds: number }>(pool, {
    name: 'delivery_backlog',
    text: BACKLOG,
    values: [Math.min(MOST_ROWS, Math.max(LEAST_ROWS, limit + 1))],
    timeoutMs: TIMEOUT_MS,
  });
  return { events: row?.events ?? 0, lagSeconds: row?.lag_seconds ?? 0 };
}
