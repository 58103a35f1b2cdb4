import type { LeafPlace, ProofStateStore } from '../../application/audit/monitor/read-proof-states.js';
import { HASH_BYTES } from '../../domain/audit/merkle-hash.js';
import { isRecordId, timeOfPlace } from '../../domain/audit/record-id.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

/** Where a page of records stands in the log, by one statement over the pool given. */
export function createProofStateStore(pool: PgPool): ProofStateStore {
  return {
    async find(recordIds, tenantId) {
      const ids = recordIds.filter(isRecordId);
      if (ids.length === 0) return { signedSize: 0, places: new Map() };
      const rows = await runAuditStatement<PlaceRow>(pool, {
        name: 'audit_proof_states',
        text: FIND,
        values: [ids, ids.map((id) => new Date(timeOfPlace(id)).toISOString()), tenantId],
        timeoutMs: TIMEOUT_MS,
      });
      const places = new Map(rows.map((row): [string, LeafPlace] => [row.record_id, placeOf(row)]));
      return { signedSize: Number(rows[0]?.signed_size ?? 0), places };
    },
  };
}

interface PlaceRow {
  readonly record_id: string;
  readonly signed_size: string | null;
  /** null: no seal has it yet. */
  readonly first_index: string | null;
  /** Of the leaf's first byte among the seal's, from 1 on; 0 or null: it is not there. */
  readonly at: number | null;
}

function placeOf({ first_index: first, at }: PlaceRow): LeafPlace {
  if (first === null) return 'unsealed';
  const offset = (at ?? 0) - 1;
  return offset >= 0 && offset % HASH_BYTES === 0 ? Number(first) + offset / HASH_BYTES : 'astray';
}

/**
 * $1 ids, $2 the times that they hold (each names a partition), $3 tenant or NULL for all. Each record by its key, each seal
 * by seal_place; of a seal the hashes are read, for a leaf's index cannot be counted where months were dropped.
 */
const FIND = `
SELECT r.record_id, s.first_index, position(r.leaf_hash IN s.hashes) AS at,
  (SELECT c.size FROM audit.checkpoint c ORDER BY c.branch DESC, c.size DESC LIMIT 1) AS signed_size
FROM unnest($1::uuid[], $2::timestamptz[]) AS i(record_id, recorded_at)
CROSS JOIN LATERAL (
  SELECT r.record_id, r.log_epoch, r.tx_id, r.seq, coalesce(r.leaf_hash, (SELECT k.leaf_hash FROM audit.record_key k
    WHERE k.tenant_id = r.tenant_id AND k.source = r.source AND k.event_id = r.event_id)) AS leaf_hash
  FROM audit.record r
  WHERE r.record_id = i.record_id AND r.recorded_at = i.recorded_at AND ($3::text IS NULL OR r.tenant_id = $3) LIMIT 1) r
LEFT JOIN LATERAL (
  SELECT s.first_index, s.hashes FROM audit.seal s
  WHERE s.epoch = r.log_epoch AND (s.last_tx, s.last_seq) >= (r.tx_id, r.seq)
  ORDER BY s.epoch, s.last_tx, s.last_seq LIMIT 1) s ON true`;
