/** Dead letters for people to look at: lists by keyset, one with its attempts. Reads only. */
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterReader,
  DeadLetterState,
  DeadLetterSummary,
} from '../../application/delivery/dead-letters/ports.js';
import { MOST_OF_EVENT } from '../../contract/events-api.js';
import { LATEST_OUTAGE, lastStatus, ofOutage } from './outage-letters.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

export function createDeadLetterReader(pool: PgPool): DeadLetterReader {
  return {
    async list({ state, ...filter }, { before, limit }) {
      const rows = await runStatement<SummaryRow>(pool, {
        name: 'dead_letter_list',
        text: LIST,
        values: [state, ...filterValues(filter), before, limit],
        timeoutMs: TIMEOUT_MS,
      });
      return rows.map(toSummary);
    },

    async findLatestOutage(destination) {
      const statement = { name: 'dead_letter_outage', text: LATEST_OUTAGE, values: [destination] };
      const [row] = await runStatement<{ id: string }>(pool, { ...statement, timeoutMs: TIMEOUT_MS });
      return row?.id ?? null;
    },

    async show(id, tenantId) {
      const [row] = await runStatement<LetterRow>(pool, {
        name: 'dead_letter_show',
        text: SHOW,
        values: [id, tenantId],
        timeoutMs: TIMEOUT_MS,
      });
      return row === undefined ? null : toLetter(row);
    },
  };
}

/** In the order of `matchesFilter`. */
export function filterValues(filter: DeadLetterFilter): (string | null)[] {
  const { eventType, code, tenantId, destination, since, until, text, outageId } = filter;
  return [eventType, code, tenantId, destination, since, until, text, outageId];
}

/**
 * Of the letter `l`, with the parameters from `$first` on. Time comes first and by the index `dead_letter_list`; the text
 * is looked for last, in what the rest has left.
 */
export function matchesFilter(first: number): string {
  const [type, code, tenant, destination, since, until, text, outage = ''] = Array.from(
    { length: 8 },
    (_, i) => `$${first + i}`,
  );
  return `l.created_at >= coalesce(${since}::timestamptz, '-infinity') AND l.created_at < coalesce(${until}::timestamptz, 'infinity')
  AND (${type}::text IS NULL OR l.event_type = ${type}) AND (${code}::text IS NULL OR l.code = ${code})
  AND (${tenant}::text IS NULL OR l.tenant = ${tenant}) AND (${destination}::text IS NULL OR l.destination = ${destination})
  AND (${outage}::uuid IS NULL OR ${ofOutage('l', outage)})
  AND CASE WHEN ${text}::text IS NULL THEN true ELSE strpos(
    lower(concat_ws(' ', l.message, l.field, l.response->>'body', l.causes::text)), lower(${text})) > 0 END`;
}

const SUMMARY = `l.id, l.event_id, l.epoch, l.destination, l.event_type, l.tenant, l.code, l.message,
  ${lastStatus('l')} AS status, l.retry_count, l.max_retries, l.effect, l.created_at, l.last_failed_at, l.state,
  l.state_at, l.state_actor, l.state_reason`;

/** $1 state, $2 to $9 the filter, $10 the last id of the page before, $11 how many. No `OR` with $10: a generic plan, too, begins there. */
const LIST = `
SELECT ${SUMMARY} FROM outbox.dead_letter l
WHERE l.state = $1::text AND ${matchesFilter(2)}
  AND (l.created_at, l.id) < (
    coalesce((SELECT b.created_at FROM outbox.dead_letter b WHERE b.id = $10::uuid AND ($4::text IS NULL OR b.tenant = $4)), 'infinity'),
    coalesce($10::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
ORDER BY l.created_at DESC, l.id DESC LIMIT $11::int`;

const time = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** $1 a letter or an event, $2 tenant or NULL for any. */
const SHOW = `
SELECT ${SUMMARY}, l.stack, l.causes, l.response, l.field, l.workflow_id, l.run_id, l.traceparent, l.policy_hash, l.first_failed_at,
  CASE WHEN e.id IS NOT NULL THEN jsonb_build_object(
    'eventName', e.event_name, 'source', e.source,
    'aggregate', jsonb_build_object('type', e.aggregate_type, 'id', e.aggregate_id, 'version', e.aggregate_version),
    'occurredAt', ${time('e.occurred_at')}, 'recordedAt', ${time('e.recorded_at')}) END AS event,
  CASE WHEN d.event_id IS NOT NULL THEN jsonb_build_object('status', d.status, 'epoch', d.epoch) END AS delivery,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'epoch', a.epoch, 'n', a.n, 'local', a.local, 'startedAt', ${time('a.started_at')}, 'finishedAt', ${time('a.finished_at')},
      'code', a.code, 'status', a.status, 'message', a.message, 'worker', a.worker, 'carrier', a.carrier) ORDER BY a.epoch, a.n), '[]')
   FROM (SELECT * FROM outbox.delivery_attempt WHERE event_id = l.event_id AND epoch <= l.epoch
         ORDER BY epoch DESC, n DESC LIMIT ${MOST_OF_EVENT}) a) AS attempts,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'epoch', r.epoch, 'actor', r.actor, 'reason', r.reason, 'createdAt', ${time('r.created_at')})
      ORDER BY r.epoch, r.created_at), '[]')
   FROM outbox.event_revision r WHERE r.event_id = l.event_id) AS revisions,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'id', p.id, 'epoch', p.epoch, 'code', p.code, 'state', p.state, 'createdAt', ${time('p.created_at')}) ORDER BY p.epoch DESC), '[]')
   FROM (SELECT * FROM outbox.dead_letter WHERE event_id = l.event_id AND epoch < l.epoch
         ORDER BY epoch DESC LIMIT ${MOST_OF_EVENT}) p) AS previous
FROM outbox.dead_letter l
LEFT JOIN outbox.event e ON e.id = l.event_id
LEFT JOIN outbox.delivery d ON d.event_id = l.event_id
WHERE (l.id = $1::uuid OR l.event_id = $1::uuid) AND ($2::text IS NULL OR l.tenant = $2)
ORDER BY l.id = $1::uuid DESC, l.epoch DESC LIMIT 1`;

interface SummaryRow {
  readonly id: string;
  readonly event_id: string;
  readonly epoch: number;
  readonly destination: string;
  readonly event_type: string;
  readonly tenant: string;
  readonly code: string;
  readonly message: string;
  readonly status: number | null;
  readonly retry_count: number;
  readonly max_retries: number;
  readonly effect: DeadLetterSummary['effect'];
  readonly created_at: Date;
  readonly last_failed_at: Date;
  readonly state: DeadLetterState;
  readonly state_at: Date | null;
  readonly state_actor: string | null;
  readonly state_reason: string | null;
}

interface LetterRow
  extends SummaryRow,
    Pick<
      DeadLetter,
      | 'stack'
      | 'causes'
      | 'response'
      | 'field'
      | 'traceparent'
      | 'event'
      | 'delivery'
      | 'attempts'
      | 'revisions'
      | 'previous'
    > {
  readonly workflow_id: string | null;
  readonly run_id: string | null;
  readonly policy_hash: string | null;
  readonly first_failed_at: Date | null;
}

function toSummary(row: SummaryRow): DeadLetterSummary {
  return {
    id: row.id,
    eventId: row.event_id,
    epoch: row.epoch,
    destination: row.destination,
    eventType: row.event_type,
    tenantId: row.tenant === '' ? null : row.tenant,
    code: row.code,
    message: row.message,
    status: row.status,
    retryCount: row.retry_count,
    maxRetries: row.max_retries,
    effect: row.effect,
    createdAt: row.created_at.toISOString(),
    lastFailedAt: row.last_failed_at.toISOString(),
    state: row.state,
    stateAt: row.state_at?.toISOString() ?? null,
    actor: row.state_actor,
    reason: row.state_reason,
  };
}

function toLetter(row: LetterRow): DeadLetter {
  const { stack, causes, response, field, traceparent, event, delivery, attempts, revisions, previous } = row;
  return {
    ...toSummary(row),
    stack,
    causes,
    response,
    field,
    workflowId: row.workflow_id,
    runId: row.run_id,
    traceparent,
    policyHash: row.policy_hash,
    firstFailedAt: row.first_failed_at?.toISOString() ?? null,
    event,
    delivery,
    attempts,
    revisions,
    previous,
  };
}
