import type { Backlog } from '../../application/delivery/notify/watch-limits.js';
import { type PgPool, runStatement } from './pg-pool.js';

/** A million rows are counted in a fifth of a second; of more, so many are told. */
const MOST_ROWS = 1_000_000;
const TIMEOUT_MS = 5_000;

/** Rows that are leased or put off are not due: their due time lies ahead. */
const BACKLOG = `
SELECT count(*)::int AS events,
  coalesce(floor(extract(epoch FROM statement_timestamp() - min(due_at))), 0)::int AS lag_seconds
FROM (SELECT due_at FROM outbox.delivery WHERE status = 'PENDING' AND due_at <= statement_timestamp()
  LIMIT ${MOST_ROWS}) due`;

export async function measureBacklog(pool: PgPool): Promise<Backlog> {
  const [row] = await runStatement<{ events: number; lag_seconds: number }>(pool, {
    name: 'delivery_backlog',
    text: BACKLOG,
    timeoutMs: TIMEOUT_MS,
  });
  return { events: row?.events ?? 0, lagSeconds: row?.lag_seconds ?? 0 };
}
