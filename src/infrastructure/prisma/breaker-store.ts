/**
 * The breaker of each destination in PostgreSQL, shared by all workers and relays (R6, R19). The next state is computed by
 * the pure functions of the domain; its write names the revision that was read, so that two who decide at once do so one
 * after the other, each from what the other has left.
 */
import type { BreakerChange, BreakerStore } from '../../application/delivery/destinations/ports.js';
import {
  applyReport,
  type BreakerSettings,
  type BreakerState,
  endTrial,
  type FailureReason,
  healthOf,
  takeTrial,
} from '../../domain/delivery/breaker.js';
import { IntegrationError } from '../../domain/delivery/integration-error.js';
import { endAlertOf, raiseFrom } from './alert-store.js';
import { type PgPool, runStatement } from './pg-pool.js';

/** How often a write is made anew that came second. Writers come about once a second each. */
const TRIES = 10;

export function createBreakerStore(pool: PgPool, settings: BreakerSettings): BreakerStore {
  return {
    async report(destination, report, timeoutMs) {
      const change = await changeBreaker(pool, destination, settings, timeoutMs, (state, now) =>
        applyReport(state, report, now, settings),
      );
      // `applyReport` always answers a state.
      return change as BreakerChange;
    },
    async takeTrial(destination, token, trialMs, timeoutMs) {
      const change = await changeBreaker(pool, destination, settings, timeoutMs, (state, now) =>
        takeTrial(state, token, now, trialMs),
      );
      return change !== null;
    },
    endTrial: (destination, token, end, timeoutMs) =>
      changeBreaker(pool, destination, settings, timeoutMs, (state, now) => endTrial(state, token, end, now, settings)),
  };
}

type Change = (state: BreakerState, now: number) => BreakerState | null;

async function changeBreaker(
  pool: PgPool,
  destination: string,
  settings: BreakerSettings,
  timeoutMs: number,
  change: Change,
): Promise<BreakerChange | null> {
  const endsAt = performance.now() + timeoutMs;
  const leftMs = () => Math.max(50, endsAt - performance.now());
  for (let tries = 0; tries < TRIES; tries += 1) {
    const [row] = await runStatement<BreakerRow>(pool, {
      name: 'breaker_read',
      text: READ,
      values: [destination],
      timeoutMs: leftMs(),
    });
    if (row === undefined) throw new TypeError('expected one row of breaker_read');
    const before = toState(row);
    const after = change(before, row.now);
    if (after === null) return null;
    if (isSame(before, after)) return { before, after };
    const written = await runStatement(pool, {
      name: 'breaker_write',
      text: WRITE,
      values: toValues(destination, row.revision, before, after, healthOf(after, settings)),
      timeoutMs: leftMs(),
    });
    if (written.length > 0) return { before, after };
  }
  throw new IntegrationError('STORE.UNAVAILABLE', {
    message: `breaker of ${destination}: ${TRIES} writes came second`,
  });
}

interface BreakerRow {
  readonly now: number;
  readonly revision: string;
  readonly breaker: BreakerState['breaker'];
  readonly generation: number;
  readonly failures: number;
  readonly first_failure_at: number | null;
  readonly last_success_at: number | null;
  readonly reason_code: FailureReason['code'] | null;
  readonly reason_status: number | null;
  readonly opened_at: number | null;
  readonly open_until: number | null;
  readonly open_ms: number | null;
  readonly closed_at: number | null;
  readonly trial_token: string | null;
  readonly trial_until: number | null;
  readonly p95_ms: number | null;
}

function toState(row: BreakerRow): BreakerState {
  return {
    breaker: row.breaker,
    generation: row.generation,
    failures: row.failures,
    firstFailureAt: row.first_failure_at,
    lastSuccessAt: row.last_success_at,
    reason: row.reason_code === null ? null : { code: row.reason_code, status: row.reason_status },
    openedAt: row.opened_at,
    openUntil: row.open_until,
    openMs: row.open_ms,
    closedAt: row.closed_at,
    trialToken: row.trial_token,
    trialUntil: row.trial_until,
    p95Ms: row.p95_ms,
  };
}

function isSame(before: BreakerState, after: BreakerState): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}

function toValues(name: string, revision: string, before: BreakerState, after: BreakerState, health: string) {
  const { reason } = after;
  return [
    name,
    revision,
    after.breaker,
    after.generation,
    after.failures,
    after.firstFailureAt,
    after.lastSuccessAt,
    reason?.code ?? null,
    reason?.status ?? null,
    after.openedAt,
    after.openUntil,
    after.openMs,
    after.closedAt,
    after.trialToken,
    after.trialUntil,
    after.p95Ms,
    health,
    before.breaker === 'closed' && after.breaker === 'open',
    before.breaker !== 'closed' && after.breaker === 'closed',
  ];
}

const ms = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`;
const at = (parameter: string) => `to_timestamp(${parameter}::float8 / 1000)`;

/** $1 name. One row, with the defaults where the destination has none. */
const READ = `
SELECT ${ms('clock_timestamp()')} AS now, coalesce(d.revision, 0)::text AS revision, coalesce(d.breaker, 'closed') AS breaker,
  coalesce(d.generation, 0) AS generation, coalesce(d.failures, 0) AS failures,
  ${ms('d.first_failure_at')} AS first_failure_at, ${ms('d.last_success_at')} AS last_success_at, d.reason_code,
  d.reason_status, ${ms('d.opened_at')} AS opened_at, ${ms('d.open_until')} AS open_until, d.open_ms,
  ${ms('d.closed_at')} AS closed_at, d.trial_token, ${ms('d.trial_until')} AS trial_until, d.p95_ms
FROM (SELECT) one LEFT JOIN outbox.destination d ON d.name = $1::text`;

/**
 * $1 name, $2 revision read; $3 breaker, $4 generation, $5 failures, $6 first failure, $7 last success, $8 code, $9 status,
 * $10 opened, $11 open until, $12 open ms, $13 closed, $14 token, $15 until of the trial, $16 p95, $17 health; $18 it opens,
 * $19 it closes. A row when it was written. The outage and the alert that tells of it begin and end in the same statement, so
 * that no worker's death keeps either of them back.
 */
const WRITE = `
WITH written AS (
  INSERT INTO outbox.destination AS d (name, revision, breaker, generation, failures, first_failure_at, last_success_at,
    reason_code, reason_status, opened_at, open_until, open_ms, closed_at, trial_token, trial_until, p95_ms, health)
  VALUES ($1::text, 1, $3::text, $4::int, $5::int, ${at('$6')}, ${at('$7')}, $8::text, $9::int, ${at('$10')}, ${at('$11')},
    $12::int, ${at('$13')}, $14::uuid, ${at('$15')}, $16::int, $17::text)
  ON CONFLICT (name) DO UPDATE SET revision = d.revision + 1, breaker = excluded.breaker, generation = excluded.generation,
    failures = excluded.failures, first_failure_at = excluded.first_failure_at, last_success_at = excluded.last_success_at,
    reason_code = excluded.reason_code, reason_status = excluded.reason_status, opened_at = excluded.opened_at,
    open_until = excluded.open_until, open_ms = excluded.open_ms, closed_at = excluded.closed_at,
    trial_token = excluded.trial_token, trial_until = excluded.trial_until, p95_ms = excluded.p95_ms,
    health = excluded.health, updated_at = clock_timestamp()
  WHERE d.revision = $2::bigint
  RETURNING name
), began AS (
  INSERT INTO outbox.outage (id, destination, first_failure_at, opened_at, code, status)
  SELECT outbox.uuid_v7(), name, coalesce(${at('$6')}, ${at('$10')}), ${at('$10')}, $8::text, $9::int
  FROM written WHERE $18::boolean
  ON CONFLICT DO NOTHING
), ended AS (
  UPDATE outbox.outage SET closed_at = ${at('$13')}
  WHERE destination = $1::text AND closed_at IS NULL AND $19::boolean AND EXISTS (SELECT FROM written)
), alerted AS (${raiseFrom(`
  SELECT 'breaker_opened', name, jsonb_build_object('destination', name, 'code', $8::text, 'failures', $5::int)
  FROM written WHERE $18::boolean`)}
), over AS (${endAlertOf("'breaker_opened'", '$1::text')} AND $19::boolean AND EXISTS (SELECT FROM written)
)
SELECT name FROM written`;
