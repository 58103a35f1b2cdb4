import type { PlaceStore } from '../../application/audit/log/ports.js';
import { HASH_BYTES } from '../../domain/audit/merkle-hash.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

/** Where records stand in the log, by named statements over the pool given. */
export function createPlaceStore(pool: PgPool): PlaceStore {
  return {
    async find(recordId, tenantId) {
      const [row] = await runAuditStatement<PlaceRow>(pool, {
        name: 'audit_find_place',
        text: FIND,
        values: [recordId, msOfUuid7(recordId), tenantId],
        timeoutMs: TIMEOUT_MS,
      });
      return row === undefined ? null : { epoch: row.epoch, txId: row.tx_id, seq: row.seq, leafHash: row.leaf_hash };
    },

    async findSeal({ epoch, txId, seq }) {
      const [row] = await runAuditStatement<{ first_index: string; hashes: Buffer }>(pool, {
        name: 'audit_find_seal',
        text: FIND_SEAL,
        values: [epoch, txId, seq],
        timeoutMs: TIMEOUT_MS,
      });
      if (row === undefined) return null;
      const hashes = Array.from({ length: row.hashes.length / HASH_BYTES }, (_, at) =>
        row.hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
      );
      return { firstIndex: Number(row.first_index), hashes };
    },
  };
}

interface PlaceRow {
  readonly epoch: number;
  readonly tx_id: string;
  readonly seq: string;
  readonly leaf_hash: Buffer;
}

/** A record's id holds its `recorded_at` (UUIDv7, RFC 9562 §5.7), which names its partition: one is looked into. */
function msOfUuid7(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
}

const FIND = `
SELECT r.log_epoch AS epoch, r.tx_id::text, r.seq::text, coalesce(r.leaf_hash, (SELECT k.leaf_hash FROM audit.record_key k
  WHERE k.tenant_id = r.tenant_id AND k.source = r.source AND k.event_id = r.event_id)) AS leaf_hash
FROM audit.record r WHERE r.record_id = $1::uuid AND r.recorded_at = to_timestamp($2::bigint / 1000.0) AND ($3::text IS NULL OR r.tenant_id = $3)`;

const FIND_SEAL = `
SELECT first_index, hashes FROM audit.seal
WHERE epoch = $1::integer AND (last_tx, last_seq) >= ($2::xid8, $3::bigint)
ORDER BY epoch, last_tx, last_seq LIMIT 1`;
