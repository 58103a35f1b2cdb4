/** R3, R21, R22: the reconciler's statements, each fenced by what it is about and by the lease. */
import type { OverdueRow, ReconcileStore } from '../../application/delivery/reconcile/ports.js';
import { leaseHeld } from './lease-store.js';
import { CARRIED, destinationsOf, type OpenKind, RUNNING } from './open-rows-sql.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

export function createReconcileStore(pool: PgPool): ReconcileStore {
  const run = <Row extends object = object>(name: string, text: string, values: readonly unknown[]) =>
    runStatement<Row>(pool, { name: `reconcile_${name}`, text, values, timeoutMs: TIMEOUT_MS });
  return {
    async findOverdue(overdueMs, limit) {
      const rows = await run<FoundRow>('find_overdue', FIND_OVERDUE, [overdueMs, limit]);
      return rows.map(
        ({ event_id, epoch, carrier, due_at, redispatches }): OverdueRow => ({
          run: { eventId: event_id, epoch, carrier },
          dueAt: due_at,
          redispatches,
        }),
      );
    },
    async putOff({ name, holder }, { run: { eventId, epoch, carrier }, dueAt }, overdueMs) {
      if (carrier !== null)
        return (await run('put_off_batch', PUT_OFF_BATCH, [name, holder, eventId, carrier, overdueMs])).length;
      return (await run('put_off', PUT_OFF, [name, holder, eventId, epoch, dueAt, overdueMs])).length;
    },
    async redispatch({ name, holder }, { eventId, epoch, carrier }, counted) {
      if (carrier !== null)
        return (await run('redispatch_batch', REDISPATCH_BATCH, [name, holder, eventId, carrier, counted])).length;
      return (await run('redispatch', REDISPATCH, [name, holder, eventId, epoch, counted])).length;
    },
    async adoptSome({ name, holder }, limit) {
      const [deployment] = await run<{ before: string }>('adopting', ADOPTING, []);
      if (deployment === undefined) return { moved: 0, left: false };
      const { before } = deployment;
      const { length: moved } = await run('adopt_some', ADOPT_SOME, [name, holder, before, limit]);
      if (moved === limit) return { moved, left: true };
      return { moved, left: (await run('adopt_finish', ADOPT_FINISH, [name, holder, before])).length === 0 };
    },
    async mayWrite({ name, holder }) {
      return (await run('may_write', `SELECT WHERE ${leaseHeld('$1', '$2')}`, [name, holder])).length > 0;
    },
    async setStop({ name, holder }, reason) {
      return (await run('set_stop', SET_STOP, [name, holder, reason])).length > 0;
    },
  };
}

interface FoundRow {
  readonly event_id: string;
  readonly epoch: number;
  readonly carrier: string | null;
  readonly due_at: string;
  readonly redispatches: number;
}

/** Past due by more than $1 ms. */
const OVERDUE = "due_at < statement_timestamp() - $1::bigint * interval '1 millisecond'";

/** The most overdue rows of each destination; of a batch its earliest one stands for all. */
const OWN_ROWS = `${destinationsOf('own', RUNNING)}, own_rows AS (
  SELECT o.* FROM own k CROSS JOIN LATERAL (
    SELECT d.event_id, d.epoch, d.carrier, d.due_at, d.redispatches, d.destination FROM outbox.delivery d
    WHERE ${RUNNING.rows} AND d.destination = k.destination AND d.${OVERDUE}
    ORDER BY d.due_at LIMIT $2::integer) o
)`;
const firstOf = (after: string) => `(
  SELECT d.event_id, d.epoch, d.carrier, d.due_at, d.redispatches, d.destination FROM outbox.delivery d
  WHERE ${CARRIED.rows} AND d.destination = k.destination ${after} ORDER BY d.carrier, d.due_at LIMIT 1)`;
const CARRIED_ROWS = `${destinationsOf('carried', CARRIED)}, carried_rows AS (
  SELECT o.* FROM carried k CROSS JOIN LATERAL (
    WITH RECURSIVE batch AS (
      SELECT f.* FROM ${firstOf('')} f
      UNION ALL
      SELECT n.* FROM batch b CROSS JOIN LATERAL ${firstOf('AND d.carrier > b.carrier')} n
    ) SELECT * FROM batch WHERE ${OVERDUE} ORDER BY due_at LIMIT $2::integer) o
)`;

/** $1 how long past due, ms, $2 limit. */
export const FIND_OVERDUE = `
WITH RECURSIVE ${OWN_ROWS}, ${CARRIED_ROWS}
SELECT r.event_id, r.epoch, r.carrier, r.due_at::text, r.redispatches
FROM (
  SELECT o.*, row_number() OVER (PARTITION BY o.destination ORDER BY o.due_at) AS turn
  FROM (SELECT * FROM own_rows UNION ALL SELECT * FROM carried_rows) o
) r ORDER BY r.turn, r.due_at LIMIT $2::integer`;

/** $1 lease, $2 holder, $3 event, $4 epoch: a run of its own. */
const STILL_SO = `event_id = $3::uuid AND epoch = $4::integer AND carrier IS NULL AND status = 'STARTED'
  AND ${leaseHeld('$1', '$2')}`;

/** $1 lease, $2 holder, $3 one of its events, $4 carrier, which says the epochs too: whatever leaves a batch has none. */
const STILL_CARRIED = `destination = (SELECT o.destination FROM outbox.delivery o WHERE o.event_id = $3::uuid)
  AND carrier = $4::text AND status = 'STARTED' AND ${leaseHeld('$1', '$2')}`;

/** To a minute before rows are looked at: it stays due, so it keeps its place in the destination's room (R6). */
const lookAgain = (overdueMs: string) =>
  `due_at = statement_timestamp() - ${overdueMs}::bigint * interval '1 millisecond' + interval '1 minute'`;

/** As above, and $5 due_at as it was read, $6 how long past due rows are looked at, ms. */
const PUT_OFF = `
UPDATE outbox.delivery SET ${lookAgain('$6')} WHERE ${STILL_SO} AND due_at = $5::timestamptz RETURNING event_id`;

/** As above, and $5 how long past due rows are looked at, ms. */
const PUT_OFF_BATCH = `
UPDATE outbox.delivery SET ${lookAgain('$5')}
WHERE ${STILL_CARRIED} AND due_at < statement_timestamp() - $5::bigint * interval '1 millisecond' RETURNING event_id`;

/**
 * What was attempted stays counted: the budget goes on, and with it the attempts that nobody will finish. R18: what the run
 * knew of attempts without a row is lost with it.
 */
const AGAIN = `status = 'PENDING', epoch = epoch + 1, carrier = NULL, lease_token = NULL, due_at = statement_timestamp(),
  started_at = NULL, start_tries = 0, doubtful = true`;

/** As above, and $5 whether it counts. */
const COUNTED = 'redispatches = redispatches + CASE WHEN $5::boolean THEN 1 ELSE 0 END';
const REDISPATCH = `UPDATE outbox.delivery SET ${AGAIN}, ${COUNTED} WHERE ${STILL_SO} RETURNING event_id`;
const REDISPATCH_BATCH = `
UPDATE outbox.delivery SET ${AGAIN}, ${COUNTED}, no_coalesce = true WHERE ${STILL_CARRIED} RETURNING event_id`;

/** Nothing where no adoption goes on, which is how it nearly always is. As text, to the microsecond. */
const ADOPTING = `
SELECT adopting_before::text AS before FROM outbox.deployment WHERE adopting_before IS NOT NULL`;

const LOST = `coalesce(d.started_at, '-infinity') < $3::timestamptz`;

/** Parts of WITH RECURSIVE. In the order of the indexes: what is lost is due and stays so, what runs again is due later. */
const lost = (limit: string) => {
  const of = (name: string, { rows, key }: OpenKind) => `SELECT l.event_id FROM ${name} k CROSS JOIN LATERAL (
    SELECT d.event_id FROM outbox.delivery d WHERE ${rows} AND d.destination = k.destination AND ${LOST}
    ORDER BY ${Object.keys(key)
      .map((column) => `d.${column}`)
      .join(', ')} LIMIT ${limit}) l`;
  return `${destinationsOf('own', RUNNING)}, ${destinationsOf('carried', CARRIED)},
  lost AS MATERIALIZED (${of('own', RUNNING)} UNION ALL ${of('carried', CARRIED)} LIMIT ${limit})`;
};

/** $1 lease, $2 holder, $3 started before, $4 limit. Counts no redispatch: it is nobody's but Temporal's fault. */
export const ADOPT_SOME = `
WITH RECURSIVE ${lost('$4::integer')}, free AS MATERIALIZED (
  SELECT d.event_id FROM outbox.delivery d
  WHERE d.event_id = ANY (ARRAY(SELECT event_id FROM lost)) AND d.status = 'STARTED' AND ${LOST}
  ORDER BY d.event_id FOR UPDATE SKIP LOCKED
)
UPDATE outbox.delivery SET ${AGAIN}
WHERE event_id = ANY (ARRAY(SELECT event_id FROM free)) AND status = 'STARTED' AND ${leaseHeld('$1', '$2')}
RETURNING event_id`;

/** $1 lease, $2 holder, $3 started before: one that began meanwhile has another moment and goes on. */
export const ADOPT_FINISH = `
WITH RECURSIVE ${lost('1')}
UPDATE outbox.deployment p SET adopting_before = NULL
WHERE p.adopting_before = $3::timestamptz AND NOT EXISTS (SELECT FROM lost) AND ${leaseHeld('$1', '$2')}
RETURNING singleton`;

/**
 * $1 lease, $2 holder, $3 reason. Whoever holds the lease may stop, and go on. An adoption that a person began since the
 * runs were looked at needs the lease without a stop. FOR SHARE: one that is about to commit is waited for, and seen.
 */
const SET_STOP = `
WITH adopting AS MATERIALIZED (SELECT adopting_before FROM outbox.deployment FOR SHARE)
UPDATE outbox.lease SET stopped_reason = $3::text
WHERE name = $1::text AND holder = $2::uuid AND until > statement_timestamp() AND stopped_reason IS DISTINCT FROM $3::text
  AND ($3::text IS NULL OR NOT EXISTS (SELECT FROM adopting WHERE adopting_before IS NOT NULL))
RETURNING name`;
