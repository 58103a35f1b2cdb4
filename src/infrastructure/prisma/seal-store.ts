import type { SealStore } from '../../application/audit/log/ports.js';
import { followCluster, runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const READ_TIMEOUT_MS = 5_000;
const SEAL_TIMEOUT_MS = 20_000;

/** The sealer's statements, by named statements over the pool given: each a transaction of its own. */
export function createSealStore(pool: PgPool): SealStore {
  return {
    async readHead() {
      const [row] = await runAuditStatement<HeadRow>(pool, {
        name: 'audit_read_head',
        text: READ_HEAD,
        timeoutMs: READ_TIMEOUT_MS,
      });
      return {
        head: {
          size: Number(row?.size ?? 0),
          epoch: row?.epoch ?? 1,
          lastTx: row?.last_tx ?? '0',
          lastSeq: row?.last_seq ?? '0',
        },
        newestEpoch: row?.newest ?? null,
      };
    },

    followCluster: () => followCluster(pool),

    async seal(behind, { number, isNewest }, limit) {
      try {
        const [row] = await runAuditStatement<{ size: number }>(pool, {
          name: isNewest ? 'audit_seal' : 'audit_seal_older',
          text: isNewest ? sealSql('AND r.tx_id < pg_snapshot_xmin(pg_current_snapshot())') : sealSql(''),
          values: [number, behind.lastTx, behind.lastSeq, behind.size, limit],
          timeoutMs: SEAL_TIMEOUT_MS,
        });
        return row?.size ?? 0;
      } catch (error) {
        if ((error as { code?: unknown }).code === '23505') return 'taken';
        throw error;
      }
    },
  };
}

interface HeadRow {
  readonly size: string | null;
  readonly epoch: number | null;
  readonly last_tx: string | null;
  readonly last_seq: string | null;
  readonly newest: number | null;
}

const READ_HEAD = `
SELECT audit.current_epoch() AS newest, s.first_index + s.size AS size, s.epoch, s.last_tx::text, s.last_seq::text
FROM (VALUES (1)) one LEFT JOIN LATERAL (SELECT * FROM audit.seal ORDER BY first_index DESC LIMIT 1) s ON true`;

/**
 * $1 epoch, $2 and $3 the place behind which to go on, $4 the first index, $5 how many at most. One statement, one
 * snapshot: every record of a transaction below its xmin is there or never will be, and none that commits later sorts
 * before it. A record without a hash, which only its owner can have put
 * there, gets one that no leaf has: it must not hold up the log, and verification names it.
 */
const sealSql = (bound: string) => `
INSERT INTO audit.seal (first_index, size, epoch, last_tx, last_seq, hashes)
SELECT $4::bigint, count(*), $1::integer, (array_agg(b.tx_id ORDER BY b.tx_id DESC, b.seq DESC))[1],
  (array_agg(b.seq ORDER BY b.tx_id DESC, b.seq DESC))[1], string_agg(b.leaf_hash, ''::bytea ORDER BY b.tx_id, b.seq)
FROM (
  SELECT r.tx_id, r.seq, coalesce(r.leaf_hash,
    (SELECT k.leaf_hash FROM audit.record_key k WHERE k.tenant_id = r.tenant_id AND k.source = r.source
      AND k.event_id = r.event_id AND k.record_id = r.record_id), decode(repeat('00', 32), 'hex')) AS leaf_hash
  FROM audit.record r
  WHERE r.log_epoch = $1::integer AND (r.tx_id, r.seq) > ($2::xid8, $3::bigint) ${bound}
  ORDER BY r.log_epoch, r.tx_id, r.seq
  LIMIT $5::integer
) b
HAVING count(*) > 0
RETURNING size`;
