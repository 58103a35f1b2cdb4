import { type AuditStore, type NewRecord, StoreUnavailableError } from '../../application/audit/ports.js';
import { parseRfc3339 } from '../../contract/rfc3339.js';
import { type PgPool, runStatement, type Statement } from './pg-pool.js';

const PING_TIMEOUT_MS = 1_000;
const READ_TIMEOUT_MS = 2_000;
const WRITE_TIMEOUT_MS = 5_000;
const PARTITIONS_TIMEOUT_MS = 10_000;
/** Batches that overlap lock their keys in one order and so wait for each other; a deadlock needs a stranger. */
const WRITE_TRIES = 3;

/** The audit records in PostgreSQL, by named statements over the pool given. */
export function createAuditStore(pool: PgPool): AuditStore {
  let making: Promise<number> | null = null;
  /** One call at a time for all inserts that miss the same partition. */
  const ensurePartitions = (): Promise<number> => {
    making ??= runAuditStatement<{ made: number }>(pool, {
      name: 'audit_ensure_partitions',
      text: 'SELECT audit.ensure_partitions() AS made',
      timeoutMs: PARTITIONS_TIMEOUT_MS,
    })
      .then(([row]) => row?.made ?? 0)
      .finally(() => {
        making = null;
      });
    return making;
  };

  return {
    async insertNew(records) {
      const statement: Statement = {
        name: 'audit_insert_new',
        text: INSERT_NEW,
        values: insertValues(records),
        timeoutMs: WRITE_TIMEOUT_MS,
      };
      let missed = false;
      let followed = false;
      for (let attempt = 1; ; attempt++) {
        try {
          const rows = await runStatement<{ record_id: string }>(pool, statement);
          return new Set(rows.map((row) => row.record_id));
        } catch (error) {
          if (isWithoutPartition(error)) {
            // Ours to mend, never the event's fault: an error that called it final would make callers give it up.
            if (missed) throw new StoreUnavailableError(error);
            missed = true;
            await ensurePartitions().catch((cause: unknown) => {
              throw cause instanceof StoreUnavailableError ? cause : new StoreUnavailableError(cause);
            });
          } else if (isWithoutEpoch(error)) {
            // A restored cluster, whose order of records begins anew. Ours to mend as well.
            if (followed) throw new StoreUnavailableError(error);
            followed = true;
            await followCluster(pool).catch((cause: unknown) => {
              throw cause instanceof StoreUnavailableError ? cause : new StoreUnavailableError(cause);
            });
          } else if (attempt === WRITE_TRIES || !isRolledBackByConflict(error)) {
            throw toAuditStoreError(error);
          }
        }
      }
    },

    async readStanding(identities) {
      const rows = await runAuditStatement<StandingRow>(pool, {
        name: 'audit_read_standing',
        text: READ_STANDING,
        values: [
          identities.map(({ tenantId }) => tenantId),
          identities.map(({ source }) => source),
          identities.map(({ eventId }) => eventId),
        ],
        timeoutMs: READ_TIMEOUT_MS,
      });
      const byPosition = new Map(rows.map((row) => [row.position, row]));
      return identities.map((_, index) => {
        const row = byPosition.get(index + 1);
        if (row === undefined) return null;
        return {
          recordId: row.record_id,
          recordedAt: row.recorded_at.toISOString(),
          hmacKeyId: row.hmac_key_id,
          fingerprint: row.fingerprint,
          leafHash: row.leaf_hash,
        };
      });
    },

    async keepKeyChecks(checks) {
      const ids = checks.map(({ id }) => id);
      const hmacs = checks.map(({ hmac }) => Buffer.from(hmac));
      await runAuditStatement(pool, {
        name: 'audit_keep_key_checks',
        text: KEEP_KEY_CHECKS,
        values: [ids, hmacs],
        timeoutMs: WRITE_TIMEOUT_MS,
      });
      // A statement of its own: the first one does not see what another api has just kept.
      return runAuditStatement<{ id: string; hmac: Buffer }>(pool, {
        name: 'audit_read_key_checks',
        text: 'SELECT id, check_hmac AS hmac FROM audit.fingerprint_key WHERE id = ANY ($1::text[])',
        values: [ids],
        timeoutMs: READ_TIMEOUT_MS,
      });
    },

    ensurePartitions,

    async ping() {
      await runAuditStatement(pool, {
        name: 'audit_ping',
        text: 'SELECT FROM audit.record_key LIMIT 0',
        timeoutMs: PING_TIMEOUT_MS,
      });
    },
  };
}

/** What pg-pool tells as the store being away, in the audit side's own words. Anything else unchanged. */
export function toAuditStoreError(error: unknown): unknown {
  return hasCode(error, 'STORE.UNAVAILABLE') ? new StoreUnavailableError((error as Error).cause) : error;
}

interface StandingRow {
  readonly position: number;
  readonly record_id: string;
  readonly recorded_at: Date;
  readonly hmac_key_id: string;
  readonly fingerprint: Buffer;
  readonly leaf_hash: Buffer;
}

/**
 * R27. One order of identities for every writer (COLLATE "C", whatever the database's collation), so that overlapping
 * batches wait for each other instead of deadlocking. Columns are taken from the event itself: they cannot differ.
 * R28: what could not be stored before is closed here, by the very statement. What another request keeps while this one is
 * under way is not seen by it, and fingerprints of another key cannot be compared: both stay open until they are retried.
 * The epoch is asked for once a statement, not once a row as the column's default would.
 */
export const INSERT_NEW = `
WITH input AS (
  SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[],
    $8::bytea[], $9::text[], $10::uuid[], $11::smallint[], $12::bytea[], $13::timestamptz[], $14::jsonb[], $15::bytea[])
    AS i(record_id, recorded_at, tenant_id, source, event_id, hmac_key_id, fingerprint,
      leaf_hash, via, key_id, leaf_version, salt, occurred_at, body, former_fingerprint)
), keys AS (
  INSERT INTO audit.record_key (tenant_id, source, event_id, record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash)
  SELECT tenant_id, source, event_id, record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash FROM input
  ORDER BY tenant_id COLLATE "C", source COLLATE "C", event_id COLLATE "C"
  ON CONFLICT (tenant_id, source, event_id) DO NOTHING
  RETURNING record_id
), resolved AS (
  UPDATE audit.failed_ingest f
  SET state = CASE WHEN f.fingerprint IN (i.fingerprint, i.former_fingerprint) THEN 'stored' ELSE 'other_content' END,
    state_at = clock_timestamp()
  FROM input i JOIN keys USING (record_id)
  WHERE f.tenant_id = i.tenant_id AND f.source = i.source AND f.event_id = i.event_id
    AND f.state = 'open' AND f.hmac_key_id = i.hmac_key_id
)
INSERT INTO audit.record (log_epoch, record_id, recorded_at, tenant_id, source, event_id, action, action_version, category,
  operation, outcome, severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt, body, leaf_hash)
SELECT (SELECT audit.current_epoch()), record_id, recorded_at, tenant_id, source, event_id, body->>'action', (body->>'actionVersion')::integer,
  body->>'category', body->>'operation', body->>'outcome', coalesce(body->>'severity', 'info'), occurred_at,
  body->'actor'->>'type', body->'actor'->>'id', via, key_id, leaf_version, salt, body, leaf_hash
FROM input JOIN keys USING (record_id)
ORDER BY tenant_id COLLATE "C", source COLLATE "C", event_id COLLATE "C"
RETURNING record_id`;

const READ_STANDING = `
SELECT i.position::integer AS position, k.record_id, k.recorded_at, k.hmac_key_id, k.fingerprint, k.leaf_hash
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS i(tenant_id, source, event_id, position)
JOIN audit.record_key k ON k.tenant_id = i.tenant_id AND k.source = i.source AND k.event_id = i.event_id`;

/** In one order, as every writer of several rows. */
const KEEP_KEY_CHECKS = `
INSERT INTO audit.fingerprint_key (id, check_hmac)
SELECT id, hmac FROM unnest($1::text[], $2::bytea[]) AS k(id, hmac) ORDER BY id COLLATE "C"
ON CONFLICT (id) DO NOTHING`;

export function insertValues(records: readonly NewRecord[]): unknown[] {
  return [
    records.map(({ record }) => record.recordId),
    records.map(({ record }) => record.recordedAt),
    records.map(({ identity }) => identity.tenantId),
    records.map(({ identity }) => identity.source),
    records.map(({ identity }) => identity.eventId),
    records.map(({ hmacKeyId }) => hmacKeyId),
    records.map(({ fingerprint }) => Buffer.from(fingerprint)),
    records.map(({ leafHash }) => Buffer.from(leafHash)),
    records.map(({ record }) => record.via),
    records.map(({ record }) => record.keyId),
    records.map(({ record }) => record.leafVersion),
    records.map(({ record }) => Buffer.from(record.salt, 'hex')),
    records.map(({ record }) => new Date(parseRfc3339(record.event.occurredAt as string) as number).toISOString()),
    records.map(({ record }) => JSON.stringify(record.event)),
    records.map(({ formerFingerprint }) => (formerFingerprint === undefined ? null : Buffer.from(formerFingerprint))),
  ];
}

/** As runStatement, with StoreUnavailableError for what is the database's being away. */
export async function runAuditStatement<Row extends object>(pool: PgPool, statement: Statement): Promise<Row[]> {
  try {
    return await runStatement<Row>(pool, statement);
  } catch (error) {
    throw toAuditStoreError(error);
  }
}

/**
 * Begins the log's epoch of this cluster, where there is none yet; returns the newest epoch. Throws StoreUnavailableError.
 */
export async function followCluster(pool: PgPool): Promise<number> {
  const [row] = await runAuditStatement<{ epoch: number }>(pool, {
    name: 'audit_follow_cluster',
    text: 'SELECT audit.follow_cluster() AS epoch',
    timeoutMs: WRITE_TIMEOUT_MS,
  });
  return row?.epoch ?? 1;
}

/** The epoch of a cluster that no epoch is of is null, which the column refuses. */
export function isWithoutEpoch(error: unknown): boolean {
  return hasCode(error, '23502') && (error as { column?: string }).column === 'log_epoch';
}

/** A check violation without a constraint's name is how PostgreSQL says that no partition takes the row. */
export function isWithoutPartition(error: unknown): boolean {
  return hasCode(error, '23514') && (error as { constraint?: string }).constraint === undefined;
}

function isRolledBackByConflict(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return hasCode(cause, '40P01') || hasCode(cause, '40001');
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === code;
}
