import type { LagStore } from '../../application/audit/log/ports.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 5_000;
/** Enough to see that it grows, and cheap enough for a probe. */
const COUNTED_UP_TO = 10_000;

/** How far the sealer is behind, and whom it waits for, by named statements over the pool given. */
export function createLagStore(pool: PgPool): LagStore {
  return {
    async readLag() {
      const [row] = await runAuditStatement<LagRow>(pool, {
        name: 'audit_read_lag',
        text: READ_LAG,
        values: [COUNTED_UP_TO],
        timeoutMs: TIMEOUT_MS,
      });
      const { size, unsealed, oldest, unsigned, anchored, now } = row as LagRow;
      return {
        size: Number(size),
        unsealed: Number(unsealed),
        countedUpTo: COUNTED_UP_TO,
        oldestUnsealedAt: oldest,
        oldestUnsignedAt: unsigned,
        everAnchored: anchored,
        now,
      };
    },

    async readOldestTransaction() {
      const [row] = await runAuditStatement<HolderRow>(pool, {
        name: 'audit_read_holder',
        text: READ_HOLDER,
        timeoutMs: TIMEOUT_MS,
      });
      if (row === undefined) return null;
      const { kind, id, usename, datname, application_name, state, since } = row;
      return { kind, id, user: usename, database: datname, application: application_name, state, since };
    },
  };
}

interface LagRow {
  readonly size: string;
  readonly unsealed: string;
  readonly oldest: Date | null;
  readonly unsigned: Date | null;
  readonly anchored: boolean;
  readonly now: Date;
}

interface HolderRow {
  readonly kind: 'session' | 'prepared';
  readonly id: string;
  readonly usename: string | null;
  readonly datname: string | null;
  readonly application_name: string | null;
  readonly state: string | null;
  readonly since: Date | null;
}

/**
 * Behind the head in the order of sealing: the rest of the head's epoch, and every later one. By each month's index, and from
 * the head on: compared with its columns in a join the months would be read from their first record. The first leaf that is
 * not signed is the one at the index of the newest checkpoint's size: it stands in the last seal that begins there or before.
 */
const READ_LAG = `
WITH head AS (
  SELECT coalesce(max(s.next), 0) AS next, coalesce(max(s.epoch), 1) AS epoch,
    coalesce(max(s.last_tx::text), '0')::xid8 AS last_tx, coalesce(max(s.last_seq), 0) AS last_seq
  FROM (SELECT first_index + size AS next, epoch, last_tx, last_seq FROM audit.seal ORDER BY first_index DESC LIMIT 1) s
), behind AS (
  SELECT r.recorded_at FROM audit.record r
  WHERE (r.log_epoch, r.tx_id, r.seq) > ((SELECT epoch FROM head), (SELECT last_tx FROM head), (SELECT last_seq FROM head))
  ORDER BY r.log_epoch, r.tx_id, r.seq LIMIT $1::integer
), signed AS (
  SELECT coalesce((SELECT c.size FROM audit.checkpoint c ORDER BY c.branch DESC, c.size DESC LIMIT 1), 0) AS size
)
SELECT h.next AS size, (SELECT count(*) FROM behind) AS unsealed, (SELECT min(recorded_at) FROM behind) AS oldest,
  CASE WHEN h.next > (SELECT size FROM signed) THEN (SELECT s.sealed_at FROM audit.seal s
    WHERE s.first_index <= (SELECT size FROM signed) ORDER BY s.first_index DESC LIMIT 1) END AS unsigned,
  EXISTS (SELECT FROM audit.checkpoint c WHERE c.anchor IS NOT NULL) AS anchored, clock_timestamp() AS now
FROM head h`;

/**
 * Only transactions that have an id hold up a snapshot's xmin: readers do not. The server shows everybody whose sessions
 * they are; what they do it shows to their own role and to pg_read_all_stats.
 */
const READ_HOLDER = `
SELECT kind, id, usename, datname, application_name, state, since FROM (
  SELECT 'session' AS kind, pid::text AS id, usename::text, datname::text, application_name, state, xact_start AS since,
    backend_xid AS xid
  FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
  UNION ALL
  SELECT 'prepared', gid, owner::text, database::text, NULL, 'prepared', prepared, transaction FROM pg_prepared_xacts
) t ORDER BY age(xid) DESC LIMIT 1`;
