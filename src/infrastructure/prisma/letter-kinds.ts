/** Open dead letters by event type and code, counted from one index alone. Reads only. */
import type { LetterKindReader } from '../../application/delivery/dead-letters/ports.js';
import { type PgPool, runStatement } from './pg-pool.js';

/** Ten million open letters are counted within it; more are more than anybody sorts by hand. */
const TIMEOUT_MS = 10_000;
const MOST_KINDS = 200;
const MOST_DESTINATIONS = 10;
const HOURS = 24;

export function createLetterKinds(pool: PgPool): LetterKindReader {
  return {
    async listKinds({ tenantId, destination }) {
      const rows = await runStatement<KindRow>(pool, {
        name: 'dead_letter_kinds',
        text: KINDS,
        values: [tenantId, destination],
        timeoutMs: TIMEOUT_MS,
      });
      const kinds = rows.filter((row): row is CountedRow => row.event_type !== null);
      return {
        // The statement answers a row where there is no letter, too.
        at: (rows[0] as KindRow).at.toISOString(),
        items: kinds.slice(0, MOST_KINDS).map(({ event_type: eventType, code, count, ...row }) => ({
          eventType,
          code,
          count,
          first: row.first_at.toISOString(),
          last: row.last_at.toISOString(),
          destinations: row.destinations,
          perHour: row.per_hour,
        })),
        more: kinds.length > MOST_KINDS,
      };
    },
  };
}

interface CountedRow {
  readonly at: Date;
  readonly event_type: string;
  readonly code: string;
  readonly count: number;
  readonly first_at: Date;
  readonly last_at: Date;
  readonly destinations: readonly string[];
  readonly per_hour: readonly number[];
}
type KindRow = CountedRow | { readonly at: Date; readonly event_type: null };

/** Of the hour that ended so many hours ago; those from before the 24 hours are in none. */
const inHour = (ago: number) => `coalesce(sum(c.letters) FILTER (WHERE c.hours_ago = ${ago}), 0)::integer`;
const PER_HOUR = Array.from({ length: HOURS }, (_, hour) => inHour(HOURS - 1 - hour)).join(', ');

/**
 * $1 tenant, $2 destination, or NULL. The index `dead_letter_kinds` has every column that is asked for and open letters
 * only. Counted to what there are few of first, so that the hours are sorted out of that.
 */
export const KINDS = `
WITH counted AS MATERIALIZED (
  SELECT l.event_type, l.code, l.destination,
    least(${HOURS}, greatest(0, floor(extract(epoch FROM statement_timestamp() - l.created_at)::float8 / 3600)))::integer
      AS hours_ago,
    count(*) AS letters, min(l.created_at) AS first_at, max(l.created_at) AS last_at
  FROM outbox.dead_letter l
  WHERE l.state = 'open' AND ($1::text IS NULL OR l.tenant = $1) AND ($2::text IS NULL OR l.destination = $2)
  GROUP BY l.event_type, l.code, l.destination, hours_ago
)
SELECT statement_timestamp() AS at, k.*
FROM (SELECT) one
LEFT JOIN LATERAL (
  SELECT c.event_type, c.code, sum(c.letters)::integer AS count, min(c.first_at) AS first_at, max(c.last_at) AS last_at,
    (array_agg(DISTINCT c.destination ORDER BY c.destination))[1:${MOST_DESTINATIONS}] AS destinations,
    ARRAY[${PER_HOUR}] AS per_hour
  FROM counted c GROUP BY c.event_type, c.code
  ORDER BY sum(c.letters) DESC, c.event_type, c.code LIMIT ${MOST_KINDS + 1}
) k ON true
ORDER BY k.count DESC, k.event_type, k.code`;
