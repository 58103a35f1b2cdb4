/** What is wrong with the environment, and how far it has been told. Rows are few: one for each kind and subject. */

import type { QueryResultRow } from 'pg';
import type { Alert, AlertStore, Tellings } from '../../application/delivery/notify/alert-ports.js';
import { leaseHeld } from './lease-store.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 2_000;

interface AlertRow {
  readonly kind: Alert['kind'];
  readonly subject: string;
  readonly fields: Alert['fields'];
  readonly since: string;
  readonly over_at: string | null;
  readonly tellings: Tellings;
  readonly now: number;
}

export function createAlertStore(pool: PgPool): AlertStore {
  const run = <Row extends QueryResultRow = QueryResultRow>(name: string, text: string, values: readonly unknown[]) =>
    runStatement<Row>(pool, { name, text, values, timeoutMs: TIMEOUT_MS });
  return {
    async raise({ kind, subject, fields }) {
      await run('alert_raise', RAISE, [kind, subject, JSON.stringify(fields)]);
    },

    async end({ kind, subject }) {
      await run('alert_end', END, [kind, subject]);
    },

    async endStale(kind, afterMs) {
      await run('alert_end_stale', END_STALE, [kind, afterMs]);
    },

    async due(limit, quietMs) {
      const rows = await run<AlertRow>('alert_due', DUE, [limit, quietMs]);
      return rows.map(({ kind, subject, fields, since, over_at: overAt, tellings, now }) => ({
        alert: { kind, subject, fields } as Alert,
        since,
        overAt,
        tellings,
        now: Number(now),
      }));
    },

    async note({ name, holder }, { alert, since, overAt }, { tellings, settled, againInMs }) {
      const { kind, subject } = alert;
      const values = [name, holder, kind, subject, since, overAt, JSON.stringify(tellings), settled, againInMs];
      return (await run('alert_note', NOTE, values)).length > 0;
    },

    async forget({ name, holder }) {
      await run('alert_forget', FORGET, [name, holder]);
    },
  };
}

/**
 * From rows of kind, subject and fields, one for each kind and subject. What is over but was told to nobody yet goes on as if it had not been over; else it is a
 * new occurrence. `told_at` stays, so that one that comes and goes is told no more often than the quiet time allows.
 */
export const raiseFrom = (rows: string) => `
INSERT INTO outbox.alert AS a (kind, subject, fields) ${rows}
ON CONFLICT (kind, subject) DO UPDATE SET
  (since, times, tellings, tell_from) = (SELECT
    CASE WHEN same THEN a.since ELSE excluded.since END,
    CASE WHEN same THEN a.times + 1 ELSE 1 END,
    CASE WHEN same THEN a.tellings ELSE '{}' END,
    CASE WHEN same AND a.over_at IS NULL THEN a.tell_from ELSE excluded.since END
    FROM (SELECT a.over_at IS NULL OR (
      (a.told_over_at IS NULL OR a.told_over_at < a.over_at) AND NOT jsonb_path_exists(a.tellings, '$.*.over')) AS same) s),
  fields = excluded.fields, last_at = excluded.last_at, over_at = NULL`;

/** $1 kind, $2 subject, $3 fields. */
const RAISE = raiseFrom('VALUES ($1, $2, $3::jsonb)');

export const endAlertOf = (kind: string, subject: string) => `
UPDATE outbox.alert SET over_at = clock_timestamp(), tell_from = clock_timestamp()
WHERE kind = ${kind} AND subject = ${subject} AND over_at IS NULL`;

/** $1 kind, $2 subject. */
const END = endAlertOf('$1', '$2');

/** $1 kind, $2 not raised for, ms. */
const END_STALE = `
UPDATE outbox.alert SET over_at = clock_timestamp(), tell_from = clock_timestamp()
WHERE kind = $1 AND over_at IS NULL AND last_at < statement_timestamp() - $2::integer * interval '1 millisecond'`;

/** Microseconds and all: it is compared when progress is noted. */
const rfc3339 = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** $1 at most, $2 quiet time, ms. */
const DUE = `
SELECT kind, subject, fields, ${rfc3339('since')} AS since, ${rfc3339('over_at')} AS over_at, tellings,
  floor(extract(epoch FROM statement_timestamp()) * 1000) AS now
FROM outbox.alert
WHERE tell_from <= statement_timestamp() AND CASE
  WHEN over_at IS NOT NULL THEN told_over_at IS NULL OR told_over_at < over_at
  ELSE told_at IS NULL OR (told_at < since AND told_at <= statement_timestamp() - $2::integer * interval '1 millisecond')
END
ORDER BY tell_from, kind, subject LIMIT $1::integer`;

/** $1 lease, $2 holder, $3 kind, $4 subject, $5 since, $6 over at, $7 tellings, $8 settled, $9 again in, ms. */
const NOTE = `
UPDATE outbox.alert SET tellings = $7::jsonb,
  tell_from = statement_timestamp() + $9::integer * interval '1 millisecond',
  told_at = CASE WHEN $8::boolean AND over_at IS NULL THEN clock_timestamp() ELSE told_at END,
  told_over_at = CASE WHEN $8::boolean AND over_at IS NOT NULL THEN clock_timestamp() ELSE told_over_at END
WHERE kind = $3 AND subject = $4 AND since = $5::timestamptz AND over_at IS NOT DISTINCT FROM $6::timestamptz
  AND ${leaseHeld('$1', '$2')}
RETURNING kind`;

/** $1 lease, $2 holder. Hours whose books did not balance would be kept for ever. */
const FORGET = `
DELETE FROM outbox.alert
WHERE told_over_at >= over_at AND over_at < statement_timestamp() - interval '30 days' AND ${leaseHeld('$1', '$2')}`;
