/** What relays and workers tell of themselves, one row for each process. Rows are few: the dead ones go after a day. */
import { z } from 'zod';
import type { ProcessSays, ProcessStore, SeenProcess } from '../../application/delivery/monitor/ports.js';
import { PROCESS_SILENT_MS } from '../../contract/overview-api.js';
import { type PgPool, runStatement, runTransaction } from './pg-pool.js';
import { toStorableText } from './to-storable.js';

const TIMEOUT_MS = 2_000;
/** By one process that starts. */
const FORGOTTEN = 1_000;

export function createProcessStore(pool: PgPool): ProcessStore {
  return {
    async write({ id, roles, host, pid, version }, says) {
      const json = JSON.stringify(says, (_, value) => (typeof value === 'string' ? toStorableText(value) : value));
      // In a transaction, so that the clock is read when the statement goes out, not while it waits for a connection.
      await runTransaction(pool, { name: 'process_tell', timeoutMs: TIMEOUT_MS }, (query) =>
        query({
          name: 'process_write',
          text: WRITE,
          values: [id, roles, toStorableText(host), pid, version, Date.now(), json],
        }),
      );
    },

    async remove(id) {
      const text = 'DELETE FROM outbox.process WHERE id = $1::uuid';
      await runStatement(pool, { name: 'process_remove', text, values: [id], timeoutMs: TIMEOUT_MS });
    },

    async forgetOld() {
      await runStatement(pool, { name: 'process_forget', text: FORGET, values: [FORGOTTEN], timeoutMs: TIMEOUT_MS });
    },

    async list(most) {
      const values = [PROCESS_SILENT_MS, most];
      const rows = await runStatement<ProcessRow>(pool, {
        name: 'process_list',
        text: LIST,
        values,
        timeoutMs: TIMEOUT_MS,
      });
      return rows.map(toSeen);
    },
  };
}

/** $1 id, $2 roles, $3 host, $4 pid, $5 version, $6 its clock, ms since 1970, $7 what it says. No index has what is updated. */
const WRITE = `
INSERT INTO outbox.process (id, roles, host, pid, version, skew_ms, says)
VALUES ($1::uuid, $2::text[], $3::text, $4::integer, $5::text,
  greatest(-2147483648, least(2147483647, extract(epoch FROM clock_timestamp()) * 1000 - $6::bigint))::integer, $7::jsonb)
ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), skew_ms = excluded.skew_ms, says = excluded.says`;

const rfc3339 = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * $1 silent after, ms; $2 at most of each role: beside more workers than that a relay must not be missing, nor beside the rows
 * that one leaves which is started again and again.
 */
const LIST = `
SELECT id, roles, host, pid, version, ${rfc3339('started_at')} AS started_at, ${rfc3339('seen_at')} AS seen_at,
  seen_at < statement_timestamp() - $1::integer * interval '1 millisecond' AS silent, skew_ms, says
FROM outbox.process p WHERE p.id IN (
  (SELECT r.id FROM outbox.process r WHERE 'relay' = ANY (r.roles) ORDER BY r.seen_at DESC, r.id LIMIT $2::integer)
  UNION
  (SELECT w.id FROM outbox.process w WHERE 'worker' = ANY (w.roles) ORDER BY w.seen_at DESC, w.id LIMIT $2::integer))
ORDER BY p.seen_at DESC, p.id`;

/** $1 at most. Two at once forget others; one that was seen meanwhile stays: its row is another version by then. */
const FORGET = `
DELETE FROM outbox.process WHERE seen_at < statement_timestamp() - interval '24 hours' AND ctid = ANY (ARRAY(
  SELECT p.ctid FROM outbox.process p WHERE p.seen_at < statement_timestamp() - interval '24 hours'
  LIMIT $1::integer FOR UPDATE SKIP LOCKED))`;

interface ProcessRow {
  readonly id: string;
  readonly roles: readonly string[];
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly started_at: string;
  readonly seen_at: string;
  readonly silent: boolean;
  readonly skew_ms: number;
  readonly says: unknown;
}

function toSeen({ id, host, pid, version, silent, ...row }: ProcessRow): SeenProcess {
  const roles = row.roles.filter((role) => role === 'relay' || role === 'worker');
  const { started_at: startedAt, seen_at: seenAt, skew_ms: skewMs } = row;
  return { id, roles, host, pid, version, startedAt, seenAt, silent, skewMs, says: saysSchema.parse(row.says) };
}

const SAYS_NOTHING: ProcessSays = {
  temporal: null,
  auditApi: null,
  namespace: null,
  temporalAddress: null,
  policies: null,
  orderings: {},
  coalescing: [],
};
const text = z.string().nullable().catch(null);
const part = z
  .object({ ok: z.boolean(), reason: z.string().nullable(), at: z.iso.datetime({ offset: true }) })
  .nullable()
  .catch(null);
/** A process of another version may say something else: what does not read is as if it was not said. */
const saysSchema: z.ZodType<ProcessSays> = z
  .object({
    temporal: part,
    auditApi: part,
    namespace: text,
    temporalAddress: text,
    policies: z
      .object({ byType: z.record(z.string(), z.string()), otherwise: z.string() })
      .nullable()
      .catch(null),
    orderings: z.record(z.string(), z.enum(['block', 'skip'])).catch({}),
    coalescing: z.array(z.object({ destination: z.string(), eventType: z.string(), on: z.boolean() })).catch([]),
  })
  .catch(() => ({ ...SAYS_NOTHING, coalescing: [] }));
