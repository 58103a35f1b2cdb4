/** The SQL of batches (R20). Parameters are listed above each statement; lists are in the order of the ids. */

import { SETTLED } from './attempt-statements.js';

/** Of a row d: whether a person holds it. */
const PAUSED = `EXISTS (SELECT FROM outbox.pause z
  WHERE coalesce(z.destination, d.destination) = d.destination AND coalesce(z.event_type, d.event_type) = d.event_type
    AND coalesce(z.tenant, d.tenant) = d.tenant AND (z.until IS NULL OR z.until > clock_timestamp()))`;

/**
 * $1 carrier, $2 events, $3 epochs, $4 bytes of payloads, $5 destination. One row for each that was asked for, in this order;
 * `state` tells the carried ones, of which those that may be sent come with the event (R15). The destination's row comes with
 * the first.
 */
export const LOAD_BATCH = `
WITH row AS MATERIALIZED (
  SELECT a.place, a.event_id, a.epoch,
    CASE WHEN d.epoch <> a.epoch THEN 'superseded' WHEN d.status = 'DELIVERED' THEN 'delivered'
      WHEN d.carrier IS DISTINCT FROM $1::text OR d.status NOT IN ('PENDING', 'STARTED') THEN 'superseded'
      WHEN ${PAUSED} THEN 'held' ELSE 'carried' END AS state
  FROM unnest($2::uuid[], $3::int[]) WITH ORDINALITY AS a(event_id, epoch, place)
  JOIN outbox.delivery d ON d.event_id = a.event_id
), small AS MATERIALIZED (
  -- By what is stored, so that what does not fit is not unpacked; what it unpacks to is counted again below.
  SELECT s.* FROM (
    SELECT row.*, sum(pg_column_size(e.payload)) OVER (ORDER BY row.place) AS stored, row_number() OVER (ORDER BY row.place) AS nth
    FROM row JOIN outbox.event e ON e.id = row.event_id WHERE row.state = 'carried') s
  WHERE s.stored <= $4::bigint OR s.nth = 1
), sendable AS MATERIALIZED (
  SELECT row.place, e.id, e.event_name, e.event_type, e.routing_key, e.source, e.aggregate_type, e.aggregate_id,
    e.aggregate_version::text AS aggregate_version, e.tenant_id, coalesce(r.payload, e.payload)::text AS payload, e.headers,
    coalesce(r.content_hash, e.content_hash) AS content_hash,
    to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS occurred_at,
    to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS recorded_at
  FROM small row
  JOIN outbox.event e ON e.id = row.event_id
  LEFT JOIN LATERAL (
    SELECT v.payload, v.content_hash FROM outbox.event_revision v
    WHERE row.epoch > 0 AND v.event_id = row.event_id AND v.epoch <= row.epoch ORDER BY v.epoch DESC, v.seq DESC LIMIT 1
  ) r ON true
), fit AS (
  SELECT *, sum(octet_length(payload)) OVER (ORDER BY place) AS bytes, row_number() OVER (ORDER BY place) AS nth FROM sendable
)
SELECT row.event_id, row.epoch, row.state, f.*
FROM row LEFT JOIN fit f ON f.place = row.place AND (f.bytes <= $4::bigint OR f.nth = 1)
ORDER BY row.place`;

/** $1 destination. */
export const LOAD_DESTINATION = `
SELECT t.breaker, t.generation, t.failures, t.open_ms, t.trial_token,
  (extract(epoch FROM CASE t.breaker WHEN 'open' THEN t.open_until WHEN 'half_open' THEN t.trial_until END
    - clock_timestamp()) * 1000)::float8 AS blocked_for_ms,
  (extract(epoch FROM clock_timestamp() - t.closed_at) * 1000)::float8 AS closed_for_ms
FROM outbox.destination t WHERE t.name = $1::text`;

/** $1 events, $2 epochs: what each budget has used up, by attempts that have an end. */
export const READ_BUDGETS = `
SELECT d.event_id, p.body AS policy, coalesce(h.codes, '{}') AS codes,
  greatest(0, coalesce(h.since_first_ms, 0) - d.waited_ms)::float8 AS since_first_ms
FROM unnest($1::uuid[], $2::int[]) AS a(event_id, epoch)
JOIN outbox.delivery d ON d.event_id = a.event_id AND d.epoch = a.epoch
LEFT JOIN outbox.policy p ON p.hash = d.policy_hash
LEFT JOIN LATERAL (
  SELECT array_agg(coalesce(t.code, 'DELIVERY.ATTEMPT_LOST') ORDER BY t.epoch, t.n) AS codes,
    extract(epoch FROM clock_timestamp() - min(t.started_at)) * 1000 AS since_first_ms
  FROM outbox.delivery_attempt t WHERE t.event_id = d.event_id AND t.epoch BETWEEN d.budget_epoch AND d.epoch
) h ON true`;

/**
 * R16, the hot path. $1 events, $2 epochs, $3 receipts. Answers what it settled. By lists, here and below: of those the planner
 * expects few, and comes by the primary key; a function that makes rows of JSON it takes for more, and may walk the table.
 */
export const SETTLE_BATCH = `
UPDATE outbox.delivery d SET status = 'DELIVERED', receipt = r.receipt, settled_at = clock_timestamp(), lease_token = NULL
FROM unnest($1::uuid[], $2::int[], $3::jsonb[]) AS r(event_id, epoch, receipt)
WHERE d.event_id = r.event_id AND d.epoch = r.epoch AND d.status IN ('PENDING', 'STARTED')
RETURNING d.event_id, ${SETTLED}`;

/** $1 events, $2 epochs. Which are settled in their epoch: a settling that was not answered has done its work. */
export const FIND_SETTLED = `
SELECT d.event_id FROM unnest($1::uuid[], $2::int[]) AS a(event_id, epoch)
JOIN outbox.delivery d ON d.event_id = a.event_id AND d.epoch = a.epoch AND d.status = 'DELIVERED'`;

/**
 * R17, R20. $1 carrier, $2 events, $3 epochs, $4 delays, $5 whether alone, $6 whether tried, $7 [{event_id, epoch, n, …}]
 * attempts, $8 run, $9 worker, $10 doubt. The budget goes on; where nothing has begun to spend it, it begins with the next epoch, so that the next
 * run may begin as a first one does.
 */
export const FALL_OUT = `
WITH fallen AS (
  UPDATE outbox.delivery d
  SET status = 'PENDING', epoch = d.epoch + 1, carrier = NULL, lease_token = NULL, started_at = NULL, start_tries = 0,
    budget_epoch = CASE WHEN d.budget_epoch = d.epoch AND NOT f.tried THEN d.epoch + 1 ELSE d.budget_epoch END,
    no_coalesce = d.no_coalesce OR f.alone, doubtful = d.doubtful OR $10::boolean,
    due_at = CASE WHEN f.delay_ms IS NOT NULL THEN clock_timestamp() + f.delay_ms * interval '1 millisecond'
      -- A budget that goes on counts from its due time on what it waits for us.
      WHEN f.tried OR d.budget_epoch < d.epoch THEN clock_timestamp()
      ELSE least(clock_timestamp(), (SELECT e.recorded_at FROM outbox.event e WHERE e.id = d.event_id)) END
  FROM unnest($2::uuid[], $3::int[], $4::bigint[], $5::boolean[], $6::boolean[]) AS f(event_id, epoch, delay_ms, alone, tried)
  WHERE d.event_id = f.event_id AND d.epoch = f.epoch AND d.carrier = $1::text AND d.status IN ('PENDING', 'STARTED')
  RETURNING d.event_id, f.epoch
), attempts AS (
  INSERT INTO outbox.delivery_attempt (event_id, epoch, n, local, carrier, run_id, worker, finished_at, code, status, message, stack,
    causes, response, field, delay_ms)
  SELECT a.event_id, a.epoch, a.n, a.local, $1::text, $8::text, $9::text, clock_timestamp(), a.code, a.status, a.message, a.stack, a.causes,
    a.response, a.field, a.delay_ms
  FROM jsonb_to_recordset($7::jsonb) AS a(event_id uuid, epoch int, n int, local boolean, code text, status int, message text,
    stack text, causes jsonb, response jsonb, field text, delay_ms bigint)
  JOIN fallen USING (event_id, epoch)
  ON CONFLICT DO NOTHING
)
SELECT event_id FROM fallen`;
