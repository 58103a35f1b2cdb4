/** What waits to be told, and who tells it (R24). */
import type { LeftBehind, NotificationStore } from '../../application/delivery/notify/ports.js';
import type { DeadLetterSample } from '../../domain/delivery/dead-letter-group.js';
import type { ErrorCode } from '../../domain/delivery/error-catalog.js';
import { type PgPool, runStatement } from './pg-pool.js';

/** A storm's worth: fifty thousand rows are claimed in a second. Both of a claim fit into its activity's 15 s. */
const TIMEOUT_MS = 9_000;
const READ_TIMEOUT_MS = 4_000;
/** One claim's; what is left is another notice's, which the next row's run or the relay gives. */
const MOST_ROWS = 50_000;
const SAMPLES = 10;

interface GroupRow {
  readonly event_type: string;
  readonly code: ErrorCode;
  readonly destination: string | null;
  readonly count: number;
  readonly first_at: Date;
  readonly last_at: Date;
  readonly at: Date;
  readonly samples: readonly DeadLetterSample[];
}

export function createNotificationStore(pool: PgPool): NotificationStore {
  return {
    async claimGroup({ rowId, claimant }) {
      await runStatement(pool, {
        name: 'notification_claim',
        text: CLAIM,
        values: [rowId, claimant, MOST_ROWS],
        timeoutMs: TIMEOUT_MS,
      });
      // A statement of its own: it sees what the first one claimed, also where that one's answer was lost.
      const [row] = await runStatement<GroupRow>(pool, {
        name: 'notification_group',
        text: GROUP,
        values: [claimant, SAMPLES],
        timeoutMs: READ_TIMEOUT_MS,
      });
      if (row === undefined) return null;
      const { event_type: eventType, code, destination, count, first_at, last_at, at, samples } = row;
      return {
        at: at.toISOString(),
        group: {
          eventType,
          code,
          destination: destination ?? '',
          count,
          firstAt: first_at.toISOString(),
          lastAt: last_at.toISOString(),
          samples,
        },
      };
    },

    async findLeftBehind({ waitedMs, heldMs, limit, after }) {
      const rows = await runStatement<{ row_id: string | null; claimed_by: string | null }>(pool, {
        name: 'notification_left_behind',
        text: LEFT_BEHIND,
        values: [waitedMs, heldMs, limit, after.rowId, after.claimant],
        timeoutMs: TIMEOUT_MS,
      });
      return rows.map(({ row_id: rowId, claimed_by: claimant }) => ({ rowId, claimant }) as LeftBehind);
    },

    async finishGroup({ claimant, outcome }) {
      const values = [claimant, JSON.stringify(outcome)];
      await runStatement(pool, { name: 'notification_finish', text: FINISH, values, timeoutMs: TIMEOUT_MS });
    },
  };
}

/**
 * $1 row that opened the group, $2 claimant, $3 rows at most. The window ends with this statement, by the database's clock:
 * whatever is committed by then is told, nothing later. Once the row is claimed this claims nothing more: its claimant's
 * notice may have been sent, and where another one was quicker, the others are that one's, or the next one's. The row
 * itself is among them however many there are: a run that ended without it could not be started for it again.
 *
 * All claims of a group lock in one order, so that they wait for each other; a row that was waited for is looked at again
 * and left out when it was claimed meanwhile. By place and without a join, since the plan may be one that was made while
 * the table was nearly empty: joined so, fifty thousand rows take minutes.
 */
const CLAIM = `
WITH opened AS MATERIALIZED (
  SELECT group_key FROM outbox.notification WHERE id = $1::uuid AND claimed_by IS NULL AND done_at IS NULL
), bound AS MATERIALIZED (
  SELECT n.created_at, n.id FROM outbox.notification n
  WHERE n.group_key = (SELECT group_key FROM opened) AND n.claimed_by IS NULL AND n.done_at IS NULL
  ORDER BY n.created_at, n.id OFFSET $3::int - 1 LIMIT 1
), candidate AS MATERIALIZED (
  SELECT n.id, n.ctid AS place FROM outbox.notification n
  WHERE n.group_key = (SELECT group_key FROM opened) AND n.claimed_by IS NULL AND n.done_at IS NULL
    AND (n.id = $1::uuid OR (SELECT (n.created_at, n.id) <= (created_at, id) FROM bound) IS NOT FALSE)
  ORDER BY n.created_at, n.id
  FOR UPDATE OF n
)
UPDATE outbox.notification n SET claimed_by = $2::text, claimed_at = statement_timestamp()
WHERE n.ctid = ANY (ARRAY(SELECT place FROM candidate)) AND EXISTS (SELECT FROM candidate WHERE id = $1::uuid)`;

/** $1 claimant, $2 samples. No row: it holds none. */
const GROUP = `
WITH held AS MATERIALIZED (
  SELECT * FROM outbox.notification WHERE claimed_by = $1::text AND done_at IS NULL
), sample AS MATERIALIZED (
  SELECT s.created_at, s.id, s.dead_letter_id, s.event_id, s.epoch, s.tenant, e.event_name, d.destination
  FROM (SELECT * FROM held ORDER BY created_at, id LIMIT $2::int) s
  LEFT JOIN outbox.event e ON e.id = s.event_id
  LEFT JOIN outbox.delivery d ON d.event_id = s.event_id
)
SELECT min(event_type) AS event_type, min(code) AS code, count(*)::int AS count, min(created_at) AS first_at,
  max(created_at) AS last_at, min(claimed_at) AS at,
  (SELECT string_agg(DISTINCT destination, ', ') FROM sample) AS destination,
  (SELECT json_agg(json_build_object('deadLetterId', dead_letter_id, 'eventId', event_id, 'epoch', epoch,
     'eventName', coalesce(event_name, ''), 'tenantId', tenant) ORDER BY created_at, id) FROM sample) AS samples
FROM held HAVING count(*) > 0`;

/**
 * $1 for how long it has waited, $2 for how long it has been held, ms, $3 at most of each, $4 row and $5 claimant to go on
 * after: the oldest row of each group whose window is long over, and the claimants that have not come to an end.
 */
const LEFT_BEHIND = `
(SELECT id AS row_id, NULL AS claimed_by FROM (
   SELECT DISTINCT ON (group_key) id, created_at FROM outbox.notification
   WHERE claimed_by IS NULL AND done_at IS NULL ORDER BY group_key, created_at, id) oldest
 WHERE created_at <= statement_timestamp() - $1::int * interval '1 millisecond' AND ($4::uuid IS NULL OR id > $4::uuid)
 ORDER BY id LIMIT $3::int)
UNION ALL
(SELECT NULL, claimed_by FROM outbox.notification
 WHERE claimed_by IS NOT NULL AND done_at IS NULL AND ($5::text IS NULL OR claimed_by > $5::text)
 GROUP BY claimed_by HAVING min(claimed_at) <= statement_timestamp() - $2::int * interval '1 millisecond'
 ORDER BY claimed_by LIMIT $3::int)`;

/** $1 claimant, $2 outcome. */
const FINISH = `
UPDATE outbox.notification SET done_at = statement_timestamp(), outcome = $2::jsonb
WHERE claimed_by = $1::text AND done_at IS NULL`;
