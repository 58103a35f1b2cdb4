import type { ProvableStore } from '../../application/audit/prove/ports.js';
import type { AuditRecord } from '../../domain/audit/audit-record.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 60_000;

/** Records with their places and seals, by named statements over the pool given. */
export function createProvableStore(pool: PgPool): ProvableStore {
  return {
    async readPage({ tenantId }, behind, limit) {
      const rows = await runAuditStatement<Row>(pool, {
        name: 'audit_provable_page',
        text: READ_PAGE,
        values: [tenantId, behind ?? '00000000-0000-0000-0000-000000000000', limit],
        timeoutMs: TIMEOUT_MS,
      });
      return rows.map((row) => {
        const { epoch, tx, seq, erased, leafHash, recordedAt, ...leaf } = row;
        const at = recordedAt.toISOString();
        return {
          recordId: row.recordId,
          recordedAt: at,
          place: { epoch, tx, seq },
          leafHash,
          leaf: erased ? null : { ...leaf, recordedAt: at },
        };
      });
    },

    async findSeals(places) {
      const rows = await runAuditStatement<{ position: number; first_index: string; hashes: Buffer | null }>(pool, {
        name: 'audit_provable_seals',
        text: FIND_SEALS,
        values: [places.map(({ epoch }) => epoch), places.map(({ tx }) => tx), places.map(({ seq }) => seq)],
        timeoutMs: TIMEOUT_MS,
      });
      const hashes = new Map(
        rows.flatMap((row) => (row.hashes === null ? [] : [[row.first_index, row.hashes] as const])),
      );
      const firsts = new Map(rows.map((row) => [row.position, row.first_index]));
      return places.map((_, at) => {
        const first = firsts.get(at + 1);
        const found = first === undefined ? undefined : hashes.get(first);
        return first === undefined || found === undefined ? null : { firstIndex: Number(first), hashes: found };
      });
    },
  };
}

interface Row extends Omit<AuditRecord, 'recordedAt'> {
  readonly recordedAt: Date;
  readonly epoch: number;
  readonly tx: string;
  readonly seq: string;
  readonly leafHash: Buffer;
  readonly erased: boolean;
}

/** $1 tenant or null, $2 the id behind which to begin, $3 how many. Ids are UUIDv7: their order is that of time. */
const READ_PAGE = `
SELECT r.record_id AS "recordId", r.recorded_at AS "recordedAt", r.tenant_id AS "tenantId", r.via, r.key_id AS "keyId",
  r.leaf_version AS "leafVersion", encode(r.salt, 'hex') AS salt, r.body AS event, r.erased_at IS NOT NULL AS erased,
  r.log_epoch AS epoch, r.tx_id::text AS tx, r.seq::text AS seq,
  coalesce(r.leaf_hash, (SELECT k.leaf_hash FROM audit.record_key k WHERE k.tenant_id = r.tenant_id AND k.source = r.source
    AND k.event_id = r.event_id)) AS "leafHash"
FROM audit.record r
WHERE r.record_id > $2::uuid AND ($1::text IS NULL OR r.tenant_id = $1::text)
ORDER BY r.record_id LIMIT $3::integer`;

/** Each seal's hashes once, however many of the places it holds. */
const FIND_SEALS = `
WITH found AS (
  SELECT i.position::integer AS position, s.first_index
  FROM unnest($1::integer[], $2::xid8[], $3::bigint[]) WITH ORDINALITY AS i(epoch, tx, seq, position)
  CROSS JOIN LATERAL (SELECT first_index FROM audit.seal s WHERE s.epoch = i.epoch AND (s.last_tx, s.last_seq) >= (i.tx, i.seq)
    ORDER BY s.epoch, s.last_tx, s.last_seq LIMIT 1) s
)
SELECT f.position, f.first_index,
  CASE WHEN f.position = min(f.position) OVER (PARTITION BY f.first_index)
    THEN (SELECT s.hashes FROM audit.seal s WHERE s.first_index = f.first_index) END AS hashes
FROM found f`;
