import type { ErasedNoteRow, ProvableStore } from '../../application/audit/prove/ports.js';
import type { AuditRecord } from '../../domain/audit/audit-record.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 60_000;
/** Of up to 90 KB each. */
const NOTES_AT_ONCE = 50;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** Records with their places and seals, and what was erased, by named statements over the pool given. */
export function createProvableStore(pool: PgPool): ProvableStore {
  const run = <Result extends object>(name: string, text: string, values: readonly unknown[]) =>
    runAuditStatement<Result>(pool, { name: `audit_provable_${name}`, text, values, timeoutMs: TIMEOUT_MS });
  return {
    async readPage({ tenantId }, behind, limit) {
      const id = behind?.recordId ?? BEFORE_ALL;
      const rows =
        tenantId === null
          ? await run<Row>('page', PAGE_OF_ALL, [id, limit])
          : await run<Row>('page_of_tenant', PAGE_OF_TENANT, [tenantId, behind?.recordedAtMicros ?? null, id, limit]);
      return rows.map((row) => {
        const { epoch, tx, seq, erased, leafHash, recordedAt, recordedAtMicros, ...leaf } = row;
        const at = recordedAt.toISOString();
        return {
          recordId: row.recordId,
          recordedAt: at,
          recordedAtMicros,
          place: { epoch, tx, seq },
          leafHash,
          leaf: erased ? null : { ...leaf, recordedAt: at },
        };
      });
    },

    async findSeals(places) {
      const values = [places.map(({ epoch }) => epoch), places.map(({ tx }) => tx), places.map(({ seq }) => seq)];
      const rows = await run<{ position: number; first_index: string }>('seals', FIND_SEALS, values);
      const firsts = new Map(rows.map((row) => [row.position, Number(row.first_index)]));
      return places.map((_, at) => firsts.get(at + 1) ?? null);
    },

    async readSeal(firstIndex) {
      const text = 'SELECT hashes FROM audit.seal WHERE first_index = $1::bigint';
      const [row] = await run<{ hashes: Buffer }>('seal', text, [firstIndex]);
      return row?.hashes ?? null;
    },

    async *listErasedNotes() {
      for (let behind = BEFORE_ALL; ; ) {
        const rows = await run<ErasedNoteRow>('erased_notes', ERASED_NOTES, [behind, NOTES_AT_ONCE]);
        yield* rows;
        const last = rows.at(-1);
        if (last === undefined || rows.length < NOTES_AT_ONCE) return;
        behind = last.id;
      }
    },

    async readNote(id) {
      const [row] = await run<{ note: string }>('note', 'SELECT note FROM audit.note WHERE id = $1::uuid', [id]);
      return row?.note ?? null;
    },
  };
}

interface Row extends Omit<AuditRecord, 'recordedAt'> {
  readonly recordedAt: Date;
  readonly recordedAtMicros: string;
  readonly epoch: number;
  readonly tx: string;
  readonly seq: string;
  readonly leafHash: Buffer;
  readonly erased: boolean;
}

const SELECT = `
SELECT r.record_id AS "recordId", r.recorded_at AS "recordedAt", (extract(epoch FROM r.recorded_at) * 1000000)::bigint::text AS "recordedAtMicros",
  r.tenant_id AS "tenantId", r.via, r.key_id AS "keyId", r.leaf_version AS "leafVersion", encode(r.salt, 'hex') AS salt, r.body AS event,
  r.erased_at IS NOT NULL AS erased, r.log_epoch AS epoch, r.tx_id::text AS tx, r.seq::text AS seq,
  coalesce(r.leaf_hash, (SELECT k.leaf_hash FROM audit.record_key k WHERE k.tenant_id = r.tenant_id AND k.source = r.source
    AND k.event_id = r.event_id)) AS "leafHash"
FROM audit.record r`;

/** $1 the id behind which to begin, $2 how many. Ids are UUIDv7: their order is that of time. */
const PAGE_OF_ALL = `${SELECT}
WHERE r.record_id > $1::uuid ORDER BY r.record_id LIMIT $2::integer`;

/**
 * $1 tenant, $2 and $3 time and id behind which to begin, $4 how many: by record_by_time, one month after the other, so that
 * what others have stored is not looked at. The time alone says which months are done.
 */
const BEHIND = `coalesce('epoch'::timestamptz + $2::bigint * interval '1 microsecond', '-infinity')`;
const PAGE_OF_TENANT = `${SELECT}
WHERE r.tenant_id = $1::text AND (r.recorded_at, r.record_id) > (${BEHIND}, $3::uuid) AND r.recorded_at >= ${BEHIND}
ORDER BY r.recorded_at, r.record_id LIMIT $4::integer`;

const FIND_SEALS = `
SELECT i.position::integer AS position, s.first_index
FROM unnest($1::integer[], $2::xid8[], $3::bigint[]) WITH ORDINALITY AS i(epoch, tx, seq, position)
CROSS JOIN LATERAL (SELECT first_index FROM audit.seal s WHERE s.epoch = i.epoch AND (s.last_tx, s.last_seq) >= (i.tx, i.seq)
  ORDER BY s.epoch, s.last_tx, s.last_seq LIMIT 1) s`;

const ERASED_NOTES = `
SELECT id, note FROM audit.note WHERE kind = 'erased' AND id > $1::uuid ORDER BY id LIMIT $2::integer`;
