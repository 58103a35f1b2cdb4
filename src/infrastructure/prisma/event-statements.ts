/**
 * The SQL of reading events. Lists share the parameters $1 to $14 (`listValues`) and are planned for their very values,
 * so that what is NULL falls out of the plan. Events are found by `event_recorded_at`, `event_by_aggregate` or the
 * primary keys; whatever else is asked of one is a probe of an index: a subquery with a LIMIT, or a scalar one, cannot
 * become a join that reads a whole table.
 */
import type { EventFilter, EventPlace } from '../../application/delivery/events/ports.js';
import { type EventState, MOST_OF_EVENT } from '../../contract/events-api.js';
import { CARRIED, destinationsOf, type OpenKind, RUNNING, WAITING, WAITING_ORDERED } from './open-rows-sql.js';

/** No event comes before it at its time, the newest first. */
export const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** In the order of the parameters. */
export function listValues(filter: EventFilter, before: EventPlace | null, events: number, take: number): unknown[] {
  return [
    before?.recordedAt ?? 'infinity',
    before?.id ?? LAST_ID,
    filter.since ?? '-infinity',
    filter.until ?? 'infinity',
    events,
    take,
    filter.eventType,
    filter.eventName,
    filter.destination,
    filter.tenantId,
    filter.aggregateType,
    filter.aggregateId,
    filter.source,
    filter.state,
  ];
}

const timeOf = (column: string, digits: 'MS' | 'US' = 'MS') =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.${digits}"Z"')`;

/**
 * Of an event e: not yet shown on this page or one before, and in the time asked for. The page's place and the end of that time are
 * one bound, the earlier of the two: of two the server may begin at the later one, and walk all that lies between.
 */
const IN_TIME = `(e.recorded_at, e.id) < (least($1::timestamptz, $4::timestamptz),
      CASE WHEN $1 < $4 THEN $2::uuid ELSE '00000000-0000-0000-0000-000000000000' END)
    AND e.recorded_at >= $3::timestamptz`;

/** What the filter says of an event e itself. A delivery's destination, type and tenant are the event's. */
const MEANT = `($7::text IS NULL OR e.event_type = $7) AND ($8::text IS NULL OR e.event_name = $8)
    AND ($9::text IS NULL OR e.routing_key = $9) AND ($10::text IS NULL OR e.tenant_id = $10)
    AND ($11::text IS NULL OR e.aggregate_type = $11) AND ($12::text IS NULL OR e.aggregate_id = $12)
    AND ($13::text IS NULL OR e.source = $13)`;

/** What a person calls the state of a delivery d. By `delivery_attempt_pkey`, and only of what runs. */
const STATE = `CASE d.status WHEN 'PENDING' THEN 'waiting'
    WHEN 'STARTED' THEN CASE WHEN EXISTS (SELECT FROM outbox.delivery_attempt a
        WHERE a.event_id = d.event_id AND a.epoch BETWEEN d.budget_epoch AND d.epoch AND a.code IS NOT NULL)
      THEN 'retrying' ELSE 'running' END
    ELSE lower(d.status) END`;

/** Of the event with this id. By `delivery_pkey`. */
const inState = (id: string) =>
  `($14::text IS NULL OR $14 = (SELECT ${STATE} FROM outbox.delivery d WHERE d.event_id = ${id}))`;

const OF_AGGREGATE = `b.destination = d.destination AND b.event_type = d.event_type AND b.tenant = d.tenant
      AND b.order_key = d.order_key`;
const BEFORE_IT = '(b.order_no, b.event_id) < (d.order_no, d.event_id)';

/** R9, as the claim judges. By `delivery_order`, `delivery_order_busy` and `delivery_order_dead`. */
const BLOCKED = `CASE WHEN d.status = 'PENDING' AND d.order_key IS NOT NULL THEN
      EXISTS (SELECT FROM outbox.delivery b
        WHERE b.order_key IS NOT NULL AND b.status = 'PENDING' AND ${OF_AGGREGATE} AND ${BEFORE_IT})
      OR EXISTS (SELECT FROM outbox.delivery b
        WHERE b.order_key IS NOT NULL AND (b.status = 'STARTED' OR b.lease_token IS NOT NULL) AND ${OF_AGGREGATE}
          AND b.event_id <> d.event_id)
      OR (EXISTS (SELECT FROM outbox.event_type t WHERE t.name = d.event_type AND t.ordering = 'block')
        AND EXISTS (SELECT FROM outbox.delivery b
          WHERE b.order_key IS NOT NULL AND b.status = 'DEAD' AND ${OF_AGGREGATE} AND ${BEFORE_IT}))
    ELSE false END`;

/** Of an event e and its delivery d, if it has one. By name, for not every role may read what the event says. */
const SUMMARY = `e.id, e.event_name, e.event_type, e.routing_key, e.tenant_id, e.aggregate_type, e.aggregate_id,
    e.aggregate_version::text AS aggregate_version, ${timeOf('e.recorded_at', 'US')} AS recorded_at,
    ${STATE} AS state, d.epoch,
    CASE WHEN d.status IN ('PENDING', 'STARTED') AND d.lease_token IS NULL THEN ${timeOf('d.due_at')} END AS due_at,
    ${timeOf('d.settled_at')} AS settled_at, ${BLOCKED} AS blocked`;

/** From `looked (id, …)` and `page (id, recorded_at)`: a row for each of the page, one with NULLs where it is empty. */
const answer = (place: string) => `
SELECT (SELECT count(*)::integer FROM looked) AS looked, ${place}, s.*
FROM (SELECT) one
LEFT JOIN page p ON true
LEFT JOIN LATERAL (
  SELECT ${SUMMARY}
  FROM outbox.event e
  LEFT JOIN LATERAL (SELECT * FROM outbox.delivery WHERE event_id = e.id LIMIT 1) d ON true
  WHERE e.id = p.id LIMIT 1
) s ON true
ORDER BY p.recorded_at DESC, p.id DESC`;

const lastLooked = (value: string) => `(SELECT ${value} FROM looked l ORDER BY l.recorded_at, l.id LIMIT 1)`;
const LAST_LOOKED = `${lastLooked(timeOf('l.recorded_at', 'US'))} AS last_recorded_at,
  ${lastLooked('l.id')} AS last_id`;

/**
 * $5 events back in time. By `event_recorded_at`, or of one aggregate's id by `event_by_aggregate`: no other row is
 * read.
 */
function walk(where: string): string {
  return `
WITH looked AS MATERIALIZED (
  SELECT e.id, e.recorded_at, ${MEANT} AS meant FROM outbox.event e
  WHERE ${where}${IN_TIME}
  ORDER BY e.recorded_at DESC, e.id DESC LIMIT $5::integer
), page AS MATERIALIZED (
  SELECT l.id, l.recorded_at FROM looked l WHERE l.meant AND ${inState('l.id')}
  ORDER BY l.recorded_at DESC, l.id DESC LIMIT $6::integer
)${answer(LAST_LOOKED)}`;
}

export const WALKS = {
  all: { name: 'event_walk_all', text: walk('') },
  aggregate: { name: 'event_walk_aggregate', text: walk('e.aggregate_id = $12::text AND ') },
} as const;

/**
 * Everything that is kept of one state, at most $5 and one more, which says that it is too much: then nothing of it is
 * looked at. Of rows that moved meanwhile it is the state now that counts.
 */
function pick(recursive: string, ids: string): string {
  return `
WITH RECURSIVE ${recursive}looked AS MATERIALIZED (SELECT o.event_id AS id FROM (${ids}) o LIMIT $5::integer + 1),
page AS MATERIALIZED (
  SELECT DISTINCT m.id, m.recorded_at FROM looked l
  CROSS JOIN LATERAL (
    SELECT e.id, e.recorded_at FROM outbox.event e WHERE e.id = l.id AND ${MEANT} AND ${IN_TIME} LIMIT 1) m
  WHERE (SELECT count(*) FROM looked) <= $5::integer AND ${inState('l.id')}
  ORDER BY m.recorded_at DESC, m.id DESC LIMIT $6::integer
)${answer('NULL::text AS last_recorded_at, NULL::uuid AS last_id')}`;
}

/**
 * What the filter says of a row beside an event, a delivery or a letter, which has its destination, type and tenant from it:
 * so that only what is meant counts against how much is picked.
 */
const meantBeside = (row: 'd' | 'l') =>
  `($7::text IS NULL OR ${row}.event_type = $7) AND ($10::text IS NULL OR ${row}.tenant = $10)`;

/**
 * By the partial indexes of open rows. Of the destination that is asked for, or of each: it has a row at least, so that
 * more destinations than rows are asked for are too many.
 */
function pickOpen(kinds: readonly OpenKind[]): string {
  const name = (at: number) => `kind_${at}`;
  const recursive = kinds.map((kind, at) => `${destinationsOf(name(at), kind, MOST_PICKED + 1)}, `).join('');
  const ids = kinds.map(({ rows, key }, at) => {
    const order = Object.keys(key).map((column) => `d.${column}`);
    return `SELECT r.event_id FROM (
    SELECT w.destination FROM ${name(at)} w WHERE $9::text IS NULL
    UNION ALL SELECT $9::text WHERE $9::text IS NOT NULL) k
  CROSS JOIN LATERAL (
    SELECT d.event_id FROM outbox.delivery d
    WHERE ${rows} AND d.destination = k.destination AND ${meantBeside('d')}
    ORDER BY ${order.join(', ')} LIMIT $5::integer + 1) r`;
  });
  return pick(recursive, ids.join(' UNION ALL '));
}

/**
 * By `dead_letter_list`, or `dead_letter_kinds`: what is dead has an open letter, what was given up one that says so (R23). A
 * letter is written after its event was recorded: an hour is what two servers' clocks may differ by at a failover.
 */
function pickLetters(state: 'open' | 'discarded'): string {
  return pick(
    '',
    `SELECT l.event_id FROM outbox.dead_letter l WHERE l.state = '${state}' AND ${meantBeside('l')}
    AND ($9::text IS NULL OR l.destination = $9) AND l.created_at >= $3::timestamptz - interval '1 hour'
  ORDER BY l.created_at DESC, l.id DESC LIMIT $5::integer + 1`,
  );
}

/** So many are quickly read and sorted. */
export const MOST_PICKED = 5_000;

const RUNS = pickOpen([RUNNING, CARRIED]);
/** null: what is delivered is in no index of its own, and not rare. */
export const PICKS = {
  waiting: { name: 'event_pick_waiting', text: pickOpen([WAITING, WAITING_ORDERED]) },
  running: { name: 'event_pick_running', text: RUNS },
  retrying: { name: 'event_pick_running', text: RUNS },
  dead: { name: 'event_pick_dead', text: pickLetters('open') },
  discarded: { name: 'event_pick_discarded', text: pickLetters('discarded') },
  delivered: null,
} as const satisfies Record<EventState, { readonly name: string; readonly text: string } | null>;

/** $1 an event or a letter of one. By primary keys. */
const ONE = `WITH one AS MATERIALIZED (
  SELECT coalesce((SELECT e.id FROM outbox.event e WHERE e.id = $1::uuid),
    (SELECT l.event_id FROM outbox.dead_letter l WHERE l.id = $1::uuid)) AS id
)`;

/** The latest of them, in their order. `last`: the order from the last one on. */
const listOf = (table: string, last: string, alias: string, order: string, fields: string) => `(
  SELECT coalesce(jsonb_agg(jsonb_build_object(${fields}) ORDER BY ${order}), '[]')
  FROM (SELECT * FROM outbox.${table} WHERE event_id = e.id ORDER BY ${last} LIMIT ${MOST_OF_EVENT}) ${alias})`;

const ATTEMPTS = listOf(
  'delivery_attempt',
  'epoch DESC, n DESC',
  'a',
  'a.epoch, a.n',
  `'epoch', a.epoch, 'n', a.n, 'local', a.local, 'startedAt', ${timeOf('a.started_at')},
    'finishedAt', ${timeOf('a.finished_at')}, 'code', a.code, 'status', a.status, 'message', a.message,
    'delayMs', a.delay_ms, 'worker', a.worker, 'carrier', a.carrier, 'runId', a.run_id`,
);
const LETTERS = listOf(
  'dead_letter',
  'epoch DESC',
  'l',
  'l.epoch',
  `'id', l.id, 'epoch', l.epoch, 'code', l.code, 'state', l.state, 'createdAt', ${timeOf('l.created_at')},
    'stateAt', ${timeOf('l.state_at')}, 'actor', l.state_actor, 'reason', l.state_reason,
    'workflowId', l.workflow_id, 'runId', l.run_id`,
);

/** $2 tenant or NULL for any. Edited payloads without the payloads, for a role may be kept from those. */
export const SHOW = `${ONE}
SELECT ${SUMMARY}, e.source, ${timeOf('e.occurred_at')} AS occurred_at, e.content_hash,
  e.headers->>'traceparent' AS traceparent,
  CASE WHEN d.event_id IS NOT NULL THEN jsonb_build_object('status', d.status, 'epoch', d.epoch,
    'claimed', d.lease_token IS NOT NULL, 'startedAt', ${timeOf('d.started_at')}, 'startTries', d.start_tries,
    'carrier', d.carrier, 'policyHash', d.policy_hash, 'receipt', d.receipt) END AS delivery,
  ${ATTEMPTS} AS attempts, ${LETTERS} AS letters,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('epoch', r.epoch, 'actor', r.actor, 'reason', r.reason,
      'createdAt', ${timeOf('r.created_at')}) ORDER BY r.epoch, r.seq), '[]')
    FROM (SELECT epoch, seq, actor, reason, created_at FROM outbox.event_revision WHERE event_id = e.id
      ORDER BY epoch DESC, seq DESC LIMIT ${MOST_OF_EVENT}) r) AS revisions
FROM one JOIN outbox.event e ON e.id = one.id
LEFT JOIN outbox.delivery d ON d.event_id = e.id
WHERE $2::text IS NULL OR e.tenant_id = $2`;

/** As above. What was edited is sent from the redrive on, which a dead one waits for (R15). */
export const LOAD_PAYLOAD = `${ONE}
SELECT e.event_type, coalesce(r.payload, e.payload)::text AS payload, e.headers
FROM one JOIN outbox.event e ON e.id = one.id
LEFT JOIN outbox.delivery d ON d.event_id = e.id
LEFT JOIN LATERAL (
  SELECT v.payload FROM outbox.event_revision v
  WHERE v.event_id = e.id AND v.epoch <= CASE d.status WHEN 'DEAD' THEN d.epoch + 1 ELSE d.epoch END
  ORDER BY v.epoch DESC, v.seq DESC LIMIT 1
) r ON true
WHERE $2::text IS NULL OR e.tenant_id = $2`;
