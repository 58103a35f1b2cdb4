import { v7 as uuidv7 } from 'uuid';
import type { FailedIngestFilter, FailedIngestStore, OpenFailedIngest } from '../../application/audit/ports.js';
import type { FailedIngest, FailedIngestState } from '../../domain/audit/failed-ingest.js';
import { runAuditStatement } from './audit-store.js';
import { changeWithRecord } from './change-with-record.js';
import type { PgPool } from './pg-pool.js';
import { toStorableText } from './to-storable.js';

const TIMEOUT_MS = 5_000;

/** What the ingest could not store, in PostgreSQL, by named statements over the pool given: one transaction each. */
export function createFailedIngestStore(pool: PgPool): FailedIngestStore {
  const run = <Row extends object>(name: string, text: string, values: readonly unknown[]) =>
    runAuditStatement<Row>(pool, { name, text, values, timeoutMs: TIMEOUT_MS });
  return {
    async keep({ identity, body, hmacKeyId, fingerprint, formerFingerprint, failure, keyId }) {
      const { tenantId, source, eventId } = identity;
      const [row] = await run<{ id: string }>('audit_keep_failed', KEEP, [
        tenantId,
        source,
        eventId,
        body,
        hmacKeyId,
        Buffer.from(fingerprint),
        toStorableText(failure.code),
        toStorableText(failure.message),
        keyId,
        uuidv7(),
        formerFingerprint === undefined ? null : Buffer.from(formerFingerprint),
      ]);
      return row?.id ?? null;
    },

    async list({ tenantId, state, filter, before, limit }) {
      const values = [state, before, limit, ...filterValues(filter)];
      const rows = await (tenantId === null
        ? run<Row>('audit_list_failed', `${LIST} ${PAGE}`, values)
        : run<Row>('audit_list_failed_of_tenant', `${LIST} AND tenant_id = $10 ${PAGE}`, [...values, tenantId]));
      return rows.map(toFailedIngest);
    },

    async openIds({ tenantId, filter, after, limit }) {
      const values = [after, limit, ...filterValues(filter)];
      const rows = await (tenantId === null
        ? run<{ id: string }>('audit_open_failed', `${OPEN_IDS} ${OLDEST}`, values)
        : run<{ id: string }>('audit_open_failed_of_tenant', `${OPEN_IDS} AND tenant_id = $9 ${OLDEST}`, [
            ...values,
            tenantId,
          ]));
      return rows.map(({ id }) => id);
    },

    async find({ id, tenantId }) {
      const text = `SELECT ${COLUMNS}, body FROM audit.failed_ingest WHERE ${MINE}`;
      const [row] = await run<Row & { readonly body: string }>('audit_find_failed', text, [id, tenantId]);
      return row === undefined ? null : { ...toFailedIngest(row), body: row.body === '' ? null : row.body };
    },

    async noteRetry({ id, tenantId }, { actor, reason }, record) {
      const text = `UPDATE audit.failed_ingest SET actor = $3, reason = $4 WHERE ${MINE} AND state = 'open' RETURNING ${OPEN}`;
      const change = { name: 'audit_note_retry_of_failed', text, values: [id, tenantId, actor, reason] };
      const row = await changeWithRecord<OpenRow>(pool, change, (changed) =>
        record(toFailedIngest(changed), changed.read_at),
      );
      return row === null ? null : toOpen(row);
    },

    async countFailure(id, { code, message }) {
      await run(
        'audit_count_failure_of_failed',
        `UPDATE audit.failed_ingest SET tries = tries + 1, last_at = clock_timestamp(), code = $2, message = $3
         WHERE id = $1 AND state = 'open'`,
        [id, toStorableText(code), toStorableText(message)],
      );
    },

    async close(id, state) {
      await run(
        'audit_close_failed',
        `UPDATE audit.failed_ingest SET state = $2, state_at = clock_timestamp() WHERE id = $1 AND state = 'open'`,
        [id, state],
      );
    },

    async discard({ id, tenantId }, { actor, reason }, record) {
      const text = `UPDATE audit.failed_ingest
        SET state = 'discarded', state_at = clock_timestamp(), actor = $3, reason = $4
        WHERE ${MINE} AND state = 'open' RETURNING ${COLUMNS}, ${READ_AT}`;
      const change = { name: 'audit_discard_failed', text, values: [id, tenantId, actor, reason] };
      const row = await changeWithRecord<Row & ReadAt>(pool, change, (changed) =>
        record(toFailedIngest(changed), changed.read_at),
      );
      return row === null ? null : toFailedIngest(row);
    },
  };
}

const COLUMNS = `id, tenant_id, source, event_id, code, message, key_id, tries, first_at, last_at, state, state_at, actor, reason`;
const READ_AT = `date_trunc('milliseconds', clock_timestamp()) AS read_at`;
const OPEN = `${COLUMNS}, body, hmac_key_id, fingerprint, ${READ_AT}`;
const MINE = 'id = $1 AND ($2::text IS NULL OR tenant_id = $2)';
const HOUR_MS = 3_600_000;
/** From the parameter `first` on: code, source, since, until, and the ids around these two, since the index goes by id. */
function matches(first: number): string {
  const [code, source, since, until, from, to] = Array.from({ length: 6 }, (_, i) => `$${first + i}`);
  return `(${code}::text IS NULL OR code = ${code}) AND (${source}::text IS NULL OR source = ${source})
  AND first_at >= coalesce(${since}::timestamptz, '-infinity') AND first_at < coalesce(${until}::timestamptz, 'infinity')
  AND id >= coalesce(${from}::uuid, '00000000-0000-0000-0000-000000000000')
  AND id <= coalesce(${to}::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')`;
}

/** No `OR` with $2: a generic plan, too, begins where the page before ended. No UUIDv7 is the last one. */
const LIST = `SELECT ${COLUMNS} FROM audit.failed_ingest
WHERE state = $1 AND id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') AND ${matches(4)}`;
const PAGE = 'ORDER BY id DESC LIMIT $3';
/** $1 the id before, $2 how many, $3 to $8 the filter. */
const OPEN_IDS = `SELECT id FROM audit.failed_ingest
WHERE state = 'open' AND id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000') AND ${matches(3)}`;
const OLDEST = 'ORDER BY id LIMIT $2';

/** An id tells when it was made, by the clock of the api that made it: within an hour of the database's. */
function filterValues({ code, source, since, until }: FailedIngestFilter): (string | null)[] {
  const idAt = (time: string, shiftMs: number) => {
    const hex = Math.max(0, Date.parse(time) + shiftMs)
      .toString(16)
      .padStart(12, '0');
    return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
  };
  const [from, to] = [since && idAt(since, -HOUR_MS), until && idAt(until, HOUR_MS)];
  return [code, source, since, until, from, to];
}

/**
 * A record that was stored meanwhile leaves nothing to keep. The row keeps its first sender, which its record will carry, and
 * the fingerprint that it has, be it as of an earlier release ($11).
 */
const KEEP = `
INSERT INTO audit.failed_ingest AS f (id, tenant_id, source, event_id, body, hmac_key_id, fingerprint, code, message, key_id)
SELECT $10::uuid, $1::text, $2::text, $3::text, $4::text, $5::text, coalesce((SELECT o.fingerprint FROM audit.failed_ingest o
    WHERE o.tenant_id = $1 AND o.source = $2 AND o.event_id = $3 AND o.fingerprint = $11::bytea AND o.state = 'open'),
  $6::bytea), $7::text, $8::text, $9::uuid
WHERE NOT EXISTS (SELECT FROM audit.record_key k WHERE k.tenant_id = $1 AND k.source = $2 AND k.event_id = $3)
ON CONFLICT (tenant_id, source, event_id, fingerprint) WHERE state = 'open'
DO UPDATE SET tries = f.tries + 1, last_at = clock_timestamp(), code = excluded.code, message = excluded.message
RETURNING id`;

interface Row {
  readonly id: string;
  readonly tenant_id: string;
  readonly source: string;
  readonly event_id: string;
  readonly code: string;
  readonly message: string;
  readonly key_id: string;
  readonly tries: number;
  readonly first_at: Date;
  readonly last_at: Date;
  readonly state: FailedIngestState;
  readonly state_at: Date | null;
  readonly actor: string | null;
  readonly reason: string | null;
}

interface ReadAt {
  /** The database's clock. */
  readonly read_at: Date;
}

interface OpenRow extends Row, ReadAt {
  readonly body: string;
  readonly hmac_key_id: string;
  readonly fingerprint: Buffer;
}

function toFailedIngest(row: Row): FailedIngest {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    source: row.source,
    eventId: row.event_id,
    failure: { code: row.code, message: row.message },
    keyId: row.key_id,
    tries: row.tries,
    firstAt: row.first_at,
    lastAt: row.last_at,
    state: row.state,
    stateAt: row.state_at,
    actor: row.actor,
    reason: row.reason,
  };
}

function toOpen(row: OpenRow): OpenFailedIngest {
  const { body, hmac_key_id: hmacKeyId, fingerprint, read_at: readAt } = row;
  return { ...toFailedIngest(row), body, hmacKeyId, fingerprint, readAt };
}
