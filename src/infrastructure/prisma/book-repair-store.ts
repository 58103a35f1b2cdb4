/** R23: repairs of the books. Delivery rows are locked first, by event id, letters last; every statement asks again whether it is so. */
import type { BookRepairs, Repairable } from '../../application/delivery/books/repair-books.js';
import type { PersonsWord } from '../../application/delivery/dead-letters/redrive-ports.js';
import { catalogEntry, ERROR_CODES } from '../../domain/delivery/error-catalog.js';
import { DEFAULT_POLICY } from '../../domain/delivery/policy.js';
import { lockDeliveries, wordValues } from './dead-letter-actions.js';
import { type PgPool, type Query, runTransaction } from './pg-pool.js';
import { recordOwnEvents } from './record-own-events.js';
import { toStorableText } from './to-storable.js';

const TIMEOUT_MS = 10_000;
/** Epochs that may have been begun after the last one that left a trace. */
const CLEAR_OF = 10;
const SPENDING_CODES = ERROR_CODES.filter((code) => catalogEntry(code).spends);

export function createBookRepairs(pool: PgPool): BookRepairs {
  return {
    repair: (hour, gaps, word) =>
      runTransaction(pool, { name: 'books_repair', timeoutMs: TIMEOUT_MS }, async (query) => {
        await lockDeliveries(query, gaps);
        const of = (wanted: Repairable) => gaps.filter(({ gap }) => gap === wanted);
        const ids = (wanted: Repairable) => of(wanted).map(({ eventId }) => eventId);
        const run = (name: string, text: string, values: readonly unknown[]) =>
          query<RepairedRow>({ name: `books_${name}`, text, values });

        const created = await run('create_delivery', CREATE_DELIVERY, [ids('no_delivery')]);
        const resolved = await run('resolve_stray', RESOLVE_STRAY, [
          [...ids('letter_without_dead'), ...ids('dead_without_letter')],
          ...wordValues(word),
        ]);
        const written = await run('write_letter', WRITE_LETTER, [
          ids('dead_without_letter'),
          ...wordValues(word),
          SPENDING_CODES,
          DEFAULT_POLICY.maxAttempts,
        ]);
        const missing = of('not_in_audit_log');
        const again = await run('dispatch_again', DISPATCH_AGAIN, [
          missing.map(({ eventId }) => eventId),
          missing.map(({ epoch }) => epoch),
        ]);
        const strays = new Set(ids('letter_without_dead'));
        const done = [
          ...named('no_delivery', created),
          ...named(
            'letter_without_dead',
            resolved.filter(({ event_id }) => strays.has(event_id)),
          ),
          ...named('dead_without_letter', written),
          ...named('not_in_audit_log', again),
        ];
        await appendAudit(query, hour, done, word);
        return done.map(({ gap, event_id: eventId }) => ({ gap, eventId }));
      }),
  };
}

interface RepairedRow {
  readonly event_id: string;
  readonly tenant: string;
  /** Of its delivery now, or of the letter. */
  readonly epoch: number;
}

type Done = RepairedRow & { readonly gap: Repairable };

function named(gap: Repairable, rows: readonly RepairedRow[]): Done[] {
  return rows.map((row) => ({ ...row, gap }));
}

/** As a redrive tells it: an event like any other, one for each tenant, since nobody reads another's ids. */
async function appendAudit(
  query: Query,
  hour: string,
  done: readonly Done[],
  { actor, reason }: PersonsWord,
): Promise<void> {
  const events = [...Map.groupBy(done, ({ tenant }) => tenant)].map(([tenantId, rows]) => ({
    eventName: 'outbox.books.repaired.v1',
    tenantId,
    aggregate: { type: 'books', id: hour },
    payload: {
      reason: toStorableText(reason),
      hour,
      events: rows.map(({ event_id: eventId, epoch, gap }) => ({ eventId, epoch, gap })),
    },
  }));
  await recordOwnEvents(query, actor, events);
}

/**
 * $1 events. As record_events makes it; dead where an open letter says so. Else far beyond every epoch that is told of: runs
 * that were lost, or never made an attempt, leave no row here, and Temporal knows them. Epochs without a letter ask `find`
 * before a letter (R18).
 */
const CREATE_DELIVERY = `
INSERT INTO outbox.delivery (event_id, epoch, budget_epoch, status, destination, event_type, tenant, order_key, order_no, settled_at)
SELECT e.id, x.epoch, x.epoch, CASE WHEN l.epoch IS NULL THEN 'PENDING' ELSE 'DEAD' END, e.routing_key, e.event_type,
  e.tenant_id,
  CASE WHEN t.name IS NOT NULL THEN outbox.order_key(e.aggregate_type, e.aggregate_id) END,
  CASE WHEN t.name IS NOT NULL THEN e.aggregate_version END,
  CASE WHEN l.epoch IS NOT NULL THEN clock_timestamp() END
FROM outbox.event e
LEFT JOIN outbox.event_type t ON t.name = e.event_type AND t.ordering <> 'none' AND e.aggregate_version IS NOT NULL
LEFT JOIN outbox.dead_letter l ON l.event_id = e.id AND l.state = 'open'
CROSS JOIN LATERAL (SELECT coalesce(l.epoch, ${CLEAR_OF} + greatest(
  (SELECT max(a.epoch) FROM outbox.delivery_attempt a WHERE a.event_id = e.id),
  (SELECT max(o.epoch) FROM outbox.dead_letter o WHERE o.event_id = e.id),
  (SELECT max(r.epoch) FROM outbox.event_revision r WHERE r.event_id = e.id), 0)) AS epoch) x
WHERE e.id = ANY ($1::uuid[]) ORDER BY e.id
ON CONFLICT DO NOTHING RETURNING event_id, tenant, epoch`;

/** $1 events, $2 actor, $3 reason. */
const RESOLVE_STRAY = `
UPDATE outbox.dead_letter l
SET state = 'resolved', state_at = clock_timestamp(), state_actor = $2::text, state_reason = $3::text
FROM outbox.delivery d
WHERE l.event_id = ANY ($1::uuid[]) AND l.state = 'open' AND d.event_id = l.event_id
  AND (d.status <> 'DEAD' OR d.epoch <> l.epoch)
RETURNING l.event_id, l.tenant, l.epoch`;

/**
 * $1 events, $2 actor, $3 reason, $4 codes that spend, $5 attempts of a policy that is not kept. The effect is unknown, so
 * the destination is asked soon (R18). A letter of that epoch that was closed is opened again.
 */
const WRITE_LETTER = `
INSERT INTO outbox.dead_letter AS l (id, event_id, epoch, destination, event_type, tenant, code, message, stack, causes,
  response, field, last_code, last_status, retry_count, max_retries, effect, effect_ask_at, traceparent, policy_hash, first_failed_at, last_failed_at)
SELECT outbox.uuid_v7(), d.event_id, d.epoch, d.destination, d.event_type, d.tenant, coalesce(a.code, 'WORKFLOW.LOST'),
  coalesce(a.message, 'The event is dead, and no dead letter of it was found; a repair of the books wrote this one'),
  a.stack, a.causes, answered.response, a.field, a.code, a.status, spent.n,
  coalesce((SELECT (p.body->>'maxAttempts')::int FROM outbox.policy p WHERE p.hash = d.policy_hash), $5::int),
  'unknown', clock_timestamp() + interval '1 minute', e.headers->>'traceparent', d.policy_hash, spent.first,
  coalesce(a.finished_at, d.settled_at, clock_timestamp())
FROM outbox.delivery d
LEFT JOIN outbox.event e ON e.id = d.event_id
LEFT JOIN LATERAL (
  SELECT * FROM outbox.delivery_attempt t WHERE t.event_id = d.event_id AND t.code IS NOT NULL
  ORDER BY t.epoch DESC, t.n DESC LIMIT 1) a ON true
LEFT JOIN LATERAL (
  SELECT t.response FROM outbox.delivery_attempt t
  WHERE t.event_id = d.event_id AND t.epoch BETWEEN d.budget_epoch AND d.epoch AND t.response IS NOT NULL
  ORDER BY t.epoch DESC, t.n DESC LIMIT 1) answered ON true
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE t.code = ANY ($4::text[]))::int AS n, min(t.finished_at) AS first
  FROM outbox.delivery_attempt t WHERE t.event_id = d.event_id AND t.epoch BETWEEN d.budget_epoch AND d.epoch) spent
WHERE d.event_id = ANY ($1::uuid[]) AND d.status = 'DEAD'
  AND NOT EXISTS (SELECT FROM outbox.dead_letter o WHERE o.event_id = d.event_id AND o.state = 'open')
ORDER BY d.event_id
ON CONFLICT (event_id, epoch) DO UPDATE
SET state = 'open', state_at = clock_timestamp(), state_actor = $2::text, state_reason = $3::text
RETURNING l.event_id, l.tenant, l.epoch`;

/** $1 events, $2 their epochs: delivered again, with a new budget. What does stand collapses in the audit log (R25). */
const DISPATCH_AGAIN = `
UPDATE outbox.delivery d
SET status = 'PENDING', epoch = d.epoch + 1, budget_epoch = d.epoch + 1, policy_hash = NULL, lease_token = NULL,
  carrier = NULL, due_at = clock_timestamp(), started_at = NULL, settled_at = NULL, receipt = NULL, start_tries = 0,
  redispatches = 0, waited_ms = 0, no_coalesce = false, doubtful = true
FROM unnest($1::uuid[], $2::int[]) AS m(id, epoch)
WHERE d.event_id = m.id AND d.epoch = m.epoch AND d.status = 'DELIVERED'
RETURNING d.event_id, d.tenant, d.epoch`;
