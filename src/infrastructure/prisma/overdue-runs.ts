import { CARRIED, destinationsOf, RUNNING } from './open-rows-sql.js';
import { type PgPool, runStatement } from './pg-pool.js';

/** Behind the deadline of a scrape nobody waits for it any more. */
const TIMEOUT_MS = 2_000;
/** Looked at of each destination and kind. */
const BOUND = 10_000;
const MOST_DESTINATIONS = 256;
/** R4: as old as what the reconciler looks at. A run in its backoff is due when that is over. */
const OVERDUE = "due_at < statement_timestamp() - interval '5 minutes'";

/** Runs of their own by the order of what is due; of what batches carry some are looked at, overdue or not. */
export const OVERDUE_RUNS = `
WITH RECURSIVE ${destinationsOf('running', RUNNING, MOST_DESTINATIONS)}, ${destinationsOf('carried', CARRIED, MOST_DESTINATIONS)}
SELECT destination, sum(overdue)::float8 AS overdue FROM (
  SELECT k.destination, (SELECT count(*) FROM (
    SELECT FROM outbox.delivery d WHERE ${RUNNING.rows} AND d.destination = k.destination AND d.${OVERDUE}
    ORDER BY d.due_at LIMIT ${BOUND}) r) AS overdue FROM running k
  UNION ALL
  SELECT k.destination, (SELECT count(*) FILTER (WHERE r.${OVERDUE}) FROM (
    SELECT d.due_at FROM outbox.delivery d WHERE ${CARRIED.rows} AND d.destination = k.destination
    ORDER BY d.carrier, d.due_at LIMIT ${BOUND}) r) FROM carried k
) t GROUP BY destination ORDER BY destination`;

/** Events that are under way and long past due, of each destination that has any under way. */
export async function countOverdueRuns(
  pool: PgPool,
): Promise<readonly { readonly destination: string; readonly overdue: number }[]> {
  return runStatement(pool, { name: 'gauge_overdue', text: OVERDUE_RUNS, timeoutMs: TIMEOUT_MS });
}
