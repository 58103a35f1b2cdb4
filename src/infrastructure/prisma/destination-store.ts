/** Destinations for people: how they stand, pauses (R6). What a person did is recorded in the statement that did it. */
import { v7 as uuidV7 } from 'uuid';
import {
  COUNTED_UP_TO,
  type DestinationStatus,
  type DestinationStore,
  type Pause,
  type PauseScope,
  type PersonsWord,
} from '../../application/delivery/destinations/ports.js';
import type { FailureReason } from '../../domain/delivery/breaker.js';
import { findKnownNames } from './known-names.js';
import { CARRIED, destinationsOf, type OpenKind, RUNNING, WAITING, WAITING_ORDERED } from './open-rows-sql.js';
import { madeByOutage } from './outage-letters.js';
import { type PgPool, runStatement } from './pg-pool.js';
import { toStorableText } from './to-storable.js';

const TIMEOUT_MS = 5_000;
const MOST_DESTINATIONS = 256;

export function createDestinationStore(pool: PgPool): DestinationStore {
  return {
    async list() {
      const [destinations, pauses] = await Promise.all([
        runStatement<DestinationRow>(pool, { name: 'destination_list', text: LIST, timeoutMs: TIMEOUT_MS }),
        runStatement<PauseRow>(pool, { name: 'destination_pauses', text: PAUSES, timeoutMs: TIMEOUT_MS }),
      ]);
      return { destinations: destinations.map(toStatus), pauses: pauses.map(toPause) };
    },

    findKnown: (scope) => findKnownNames(pool, scope),

    async pause(scope, until, word, replaces) {
      const [row] = await runStatement<PauseRow>(pool, {
        name: 'destination_pause',
        text: PAUSE,
        values: [
          uuidV7(),
          ...scopeValues(scope),
          until,
          toStorableText(word.reason),
          toStorableText(word.actor),
          auditEvent('paused', scope, word, { until }),
          replaces !== undefined,
          replaces ?? null,
        ],
        timeoutMs: TIMEOUT_MS,
      });
      return row === undefined ? null : toPause(row);
    },

    async resume(scope, word, id) {
      const [row] = await runStatement<PauseRow>(pool, {
        name: 'destination_resume',
        text: RESUME,
        values: [...scopeValues(scope), auditEvent('resumed', scope, word), id ?? null],
        timeoutMs: TIMEOUT_MS,
      });
      return row === undefined ? null : toPause(row);
    },

    async findPause(scope) {
      const statement = { name: 'destination_pause_of', text: PAUSE_OF, values: scopeValues(scope) };
      const [row] = await runStatement<PauseRow>(pool, { ...statement, timeoutMs: TIMEOUT_MS });
      return row === undefined ? null : toPause(row);
    },
  };
}

function scopeValues({ destination, eventType, tenantId }: PauseScope): (string | null)[] {
  return [destination, eventType, tenantId];
}

function auditEvent(verb: 'paused' | 'resumed', scope: PauseScope, { actor, reason }: PersonsWord, more = {}): string {
  return JSON.stringify({
    id: uuidV7(),
    eventName: `outbox.destination.${verb}.v1`,
    eventType: 'OUTBOX',
    aggregate: { type: 'destination', id: scope.destination ?? '*' },
    headers: { actor: { type: actor.startsWith('api-key:') ? 'apiKey' : 'user', id: toStorableText(actor) } },
    payload: { reason: toStorableText(reason), ...scope, ...more },
  });
}

const time = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const IN_FORCE = '(until IS NULL OR until > statement_timestamp())';
const PAUSE_COLUMNS = `id, destination, event_type, tenant, ${time('until')} AS until, reason, actor, ${time('created_at')} AS created_at`;

const PAUSES = `
SELECT ${PAUSE_COLUMNS} FROM outbox.pause
WHERE ${IN_FORCE} ORDER BY destination NULLS FIRST, event_type NULLS FIRST, tenant NULLS FIRST`;

/** $1 destination, $2 event type, $3 tenant. */
const OF_SCOPE = `destination IS NOT DISTINCT FROM $1::text AND event_type IS NOT DISTINCT FROM $2::text
    AND tenant IS NOT DISTINCT FROM $3::text AND ${IN_FORCE}`;
const PAUSE_OF = `SELECT ${PAUSE_COLUMNS} FROM outbox.pause WHERE ${OF_SCOPE}`;

/**
 * $1 id, $2 destination, $3 event type, $4 tenant, $5 until, $6 reason, $7 actor, $8 the event for the audit log, $9 whether only
 * $10 may give way (NULL: none). One that is over does, always. No row: another one is in force.
 */
const PAUSE = `
WITH paused AS (
  INSERT INTO outbox.pause (id, destination, event_type, tenant, until, reason, actor)
  VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::timestamptz, $6::text, $7::text)
  ON CONFLICT ON CONSTRAINT pause_scope DO UPDATE SET id = excluded.id, until = excluded.until, reason = excluded.reason,
    actor = excluded.actor, created_at = excluded.created_at
  WHERE NOT $9::boolean OR pause.id = $10::uuid OR pause.until <= statement_timestamp()
  RETURNING *
), recorded AS MATERIALIZED (SELECT outbox.record_event($8::jsonb) FROM paused)
SELECT ${PAUSE_COLUMNS} FROM paused, recorded`;

/** $1 to $3 as above, $4 the event for the audit log, $5 its id, NULL for any. One that is over is as none: it goes unsaid. */
const RESUME = `
WITH resumed AS (
  DELETE FROM outbox.pause WHERE ${OF_SCOPE} AND ($5::uuid IS NULL OR id = $5)
  RETURNING *
), recorded AS MATERIALIZED (SELECT outbox.record_event($4::jsonb) FROM resumed)
SELECT ${PAUSE_COLUMNS} FROM resumed, recorded`;

/** Rows of two kinds, together counted up to the bound. */
const countOf = (...kinds: readonly [OpenKind, OpenKind]) => {
  const some = ({ rows }: OpenKind) =>
    `(SELECT FROM outbox.delivery d WHERE ${rows} AND d.destination = n.name LIMIT ${COUNTED_UP_TO})`;
  return `(SELECT count(*)::int FROM (${kinds.map(some).join(' UNION ALL ')} LIMIT ${COUNTED_UP_TO}) c)`;
};

/** Those that have a row, that something waits or runs for, and that are paused by name. */
export const LIST = `
WITH RECURSIVE ${destinationsOf('waiting', WAITING, MOST_DESTINATIONS)},
${destinationsOf('ordered', WAITING_ORDERED, MOST_DESTINATIONS)},
${destinationsOf('running', RUNNING, MOST_DESTINATIONS)},
${destinationsOf('carried', CARRIED, MOST_DESTINATIONS)},
names AS (
  SELECT name FROM outbox.destination UNION SELECT destination FROM waiting UNION SELECT destination FROM ordered
  UNION SELECT destination FROM running UNION SELECT destination FROM carried
  UNION SELECT destination FROM outbox.pause WHERE destination IS NOT NULL AND ${IN_FORCE}
  ORDER BY name LIMIT ${MOST_DESTINATIONS}
)
SELECT n.name, coalesce(t.breaker, 'closed') AS breaker, coalesce(t.health, 'ok') AS health, t.p95_ms,
  coalesce(t.failures, 0) AS failures, ${time('t.last_success_at')} AS last_success_at, t.reason_code, t.reason_status,
  ${time('t.opened_at')} AS opened_at, CASE t.breaker WHEN 'open' THEN ${time('t.open_until')} END AS open_until,
  ${time('t.closed_at')} AS closed_at, t.max_runs, ${countOf(WAITING, WAITING_ORDERED)} AS waiting, ${countOf(RUNNING, CARRIED)} AS running,
  o.outage
FROM names n
LEFT JOIN outbox.destination t ON t.name = n.name
LEFT JOIN LATERAL (
  SELECT jsonb_build_object('id', g.id, 'firstFailureAt', ${time('g.first_failure_at')}, 'openedAt', ${time('g.opened_at')},
    'closedAt', ${time('g.closed_at')}, 'code', g.code, 'status', g.status,
    'letters', (SELECT count(*) FROM (
      SELECT FROM outbox.dead_letter l WHERE l.state = 'open' AND ${madeByOutage('l', 'g')} LIMIT ${COUNTED_UP_TO}) c)) AS outage
  FROM outbox.outage g WHERE g.destination = n.name ORDER BY g.opened_at DESC LIMIT 1
) o ON true
ORDER BY n.name`;

interface PauseRow {
  readonly id: string;
  readonly destination: string | null;
  readonly event_type: string | null;
  readonly tenant: string | null;
  readonly until: string | null;
  readonly reason: string;
  readonly actor: string;
  readonly created_at: string;
}

interface DestinationRow {
  readonly name: string;
  readonly breaker: DestinationStatus['breaker'];
  readonly health: DestinationStatus['health'];
  readonly p95_ms: number | null;
  readonly failures: number;
  readonly last_success_at: string | null;
  readonly reason_code: FailureReason['code'] | null;
  readonly reason_status: number | null;
  readonly opened_at: string | null;
  readonly open_until: string | null;
  readonly closed_at: string | null;
  readonly max_runs: number | null;
  readonly waiting: number;
  readonly running: number;
  readonly outage: DestinationStatus['outage'];
}

function toPause(row: PauseRow): Pause {
  const { id, destination, event_type: eventType, tenant: tenantId, until, reason, actor, created_at: createdAt } = row;
  return { id, destination, eventType, tenantId, until, reason, actor, createdAt };
}

function toStatus(row: DestinationRow): DestinationStatus {
  return {
    name: row.name,
    breaker: row.breaker,
    health: row.health,
    p95Ms: row.p95_ms,
    failures: row.failures,
    lastSuccessAt: row.last_success_at,
    reason: row.reason_code === null ? null : { code: row.reason_code, status: row.reason_status },
    openedAt: row.opened_at,
    openUntil: row.open_until,
    closedAt: row.closed_at,
    maxRuns: row.max_runs,
    waiting: row.waiting,
    running: row.running,
    outage: row.outage,
  };
}
