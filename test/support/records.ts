import { randomBytes, randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { leafHash } from '../../src/application/audit/leaf-hash.js';
import type { NewRecord } from '../../src/application/audit/ports.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';
import type { AuditRecord } from '../../src/domain/audit/audit-record.js';

/** A record of any time, as the ingest would have made it then. */
export function recordAt(recordedAt: Date, tenantId: string, event: AuditEvent): NewRecord {
  const record: AuditRecord = {
    recordId: uuidv7({ msecs: recordedAt.getTime() }),
    recordedAt: recordedAt.toISOString(),
    tenantId,
    via: 'api',
    keyId: randomUUID(),
    leafVersion: 1,
    salt: randomBytes(16).toString('hex'),
    event: event as unknown as AuditRecord['event'],
  };
  const identity = { tenantId, source: event.source, eventId: event.eventId };
  return { identity, record, hmacKeyId: 'k1', fingerprint: randomBytes(32), leafHash: leafHash(record) };
}

/** Partitions of months that are over, which nothing of ours makes: the first `months` of 2026, or of another year. */
export async function makeMonths(pool: Pool, months: number, year = 2026): Promise<void> {
  for (let month = 0; month < months; month++) {
    const [from, to] = [month, month + 1].map((n) => new Date(Date.UTC(year, n, 1)).toISOString());
    const name = `record_${from?.slice(0, 7).replace('-', '_')}`;
    await pool.query(
      `CREATE TABLE IF NOT EXISTS audit.${name} PARTITION OF audit.record FOR VALUES FROM ('${from}') TO ('${to}')`,
    );
  }
}

/** Many records, made in the database: one every `stepMs` from `from` on, each with `n` in its event. */
export async function fillRecords(
  pool: Pool,
  {
    tenantId,
    count,
    from,
    stepMs,
    firstN = 0,
  }: { tenantId: string; count: number; from: Date; stepMs: number; firstN?: number },
): Promise<void> {
  await pool.query(
    `WITH made AS MATERIALIZED (
       SELECT n, ms, (lpad(to_hex(ms), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid AS record_id,
         to_timestamp(ms / 1000.0) AS at, sha256(n::text::bytea) AS hash
       FROM (SELECT $5::integer + i AS n, $2::bigint + i * $3::bigint AS ms FROM generate_series(0, $4::integer - 1) i) s
     ), keys AS (
       INSERT INTO audit.record_key (tenant_id, source, event_id, record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash)
       SELECT $1, '/bulk', 'bulk-' || n, record_id, at, 'k1', hash, hash FROM made
     )
     INSERT INTO audit.record (record_id, recorded_at, tenant_id, source, event_id, action, action_version, category,
       operation, outcome, severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt, body)
     SELECT record_id, at, $1, '/bulk', 'bulk-' || n, 'bulk.record.made', 1, 'data', 'create', 'success', 'info', at, 'user',
       'u-' || n % 100, 'api', '0198c0de-0000-7000-8000-000000000001', 1, '\\x00',
       jsonb_build_object('specVersion', '1.0', 'eventId', 'bulk-' || n, 'source', '/bulk', 'action', 'bulk.record.made',
         'actionVersion', 1, 'category', 'data', 'operation', 'create', 'outcome', 'success',
         'occurredAt', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
         'actor', jsonb_build_object('type', 'user', 'id', 'u-' || n % 100),
         'targets', jsonb_build_array(jsonb_build_object('type', 'row', 'id', 'row-' || n)),
         'data', jsonb_build_object('n', n, 'text', repeat(md5(n::text), 20)))
     FROM made`,
    [tenantId, from.getTime(), stepMs, count, firstN],
  );
  await pool.query('ANALYZE audit.record');
}
