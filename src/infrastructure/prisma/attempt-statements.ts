/** The SQL of the attempt store. Parameters are listed above each statement. */

/**
 * $1 event, $2 epoch. The payload is that of the latest revision not above the epoch, with its hash (R15). With it how its
 * destination stands: the breaker, and the pauses that hold this event.
 */
const EVENT = `
  SELECT d.epoch AS delivery_epoch, d.budget_epoch, d.carrier, d.status, d.doubtful, d.receipt, d.waited_ms::float8 AS waited_ms,
    p.body AS policy, d.destination, coalesce(t.breaker, 'closed') AS breaker, coalesce(t.generation, 0) AS generation,
    coalesce(t.failures, 0) AS failures, t.open_ms, t.trial_token,
    (extract(epoch FROM CASE t.breaker WHEN 'open' THEN t.open_until WHEN 'half_open' THEN t.trial_until END
      - clock_timestamp()) * 1000)::float8 AS blocked_for_ms,
    (extract(epoch FROM clock_timestamp() - t.closed_at) * 1000)::float8 AS closed_for_ms,
    pause.held AS paused, (extract(epoch FROM pause.until - clock_timestamp()) * 1000)::float8 AS paused_for_ms,
    e.id, e.event_name, e.event_type, e.routing_key, e.source, e.aggregate_type, e.aggregate_id,
    e.aggregate_version::text AS aggregate_version, e.tenant_id,
    coalesce(r.payload, e.payload)::text AS payload, e.headers, coalesce(r.content_hash, e.content_hash) AS content_hash,
    to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS occurred_at,
    to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS recorded_at
  FROM outbox.delivery d
  JOIN outbox.event e ON e.id = d.event_id
  LEFT JOIN outbox.policy p ON p.hash = d.policy_hash
  LEFT JOIN outbox.destination t ON t.name = d.destination
  CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS held, CASE WHEN bool_and(z.until IS NOT NULL) THEN max(z.until) END AS until
    FROM outbox.pause z
    WHERE coalesce(z.destination, d.destination) = d.destination AND coalesce(z.event_type, d.event_type) = d.event_type
      AND coalesce(z.tenant, d.tenant) = d.tenant AND (z.until IS NULL OR z.until > clock_timestamp())
  ) pause
  LEFT JOIN LATERAL (
    SELECT v.payload, v.content_hash FROM outbox.event_revision v
    WHERE v.event_id = d.event_id AND v.epoch <= $2::int ORDER BY v.epoch DESC, v.seq DESC LIMIT 1
  ) r ON true
  WHERE d.event_id = $1::uuid`;

export const LOAD_EVENT = EVENT;

/** R18: what an attempt of any epoch may have done stays done, whatever the row is by now. */
const doubt = (doubtful: string) => `
  UPDATE outbox.delivery SET doubtful = true WHERE event_id = $1::uuid AND NOT doubtful AND ${doubtful}::boolean`;

/**
 * R11. $3 carrier, $4 run id, $5 worker; $6 code, $7 status, $8 message of `previous`; $9 workers, $10 codes,
 * $11 statuses of unwritten ends; $12 the message for a lost attempt; $13 the token of the trial that this attempt is;
 * $14 whether an unwritten end that leaves no row may have taken effect.
 *
 * Begins nothing unless this run may send: a paused destination takes nothing, one whose breaker is not closed only its
 * trial. Even then it closes what its own run left unfinished: nobody else will.
 * `history` is what the attempts since the budget's epoch are after this statement; all its parts see the rows as they
 * were before it. Two at once: the primary key lets one through, the other is retried.
 */
export const BEGIN_ATTEMPT = `
WITH ev AS MATERIALIZED (${EVENT}
), live AS MATERIALIZED (
  SELECT budget_epoch FROM ev
  WHERE delivery_epoch = $2::int AND carrier IS NOT DISTINCT FROM $3::text AND status IN ('PENDING', 'STARTED')
    AND NOT paused AND (breaker = 'closed' OR coalesce(trial_token = $13::uuid, false))
), unwritten AS MATERIALIZED (
  SELECT * FROM unnest($9::text[], $10::text[], $11::int[]) AS u(worker, code, status)
), earlier AS MATERIALIZED (
  SELECT a.epoch, a.n, a.started_at,
    CASE WHEN a.finished_at IS NOT NULL THEN 'finished' WHEN u.worker IS NULL THEN 'lost' WHEN u.code IS NULL THEN 'unspent'
      ELSE 'unwritten' END AS state,
    -- R20: a batch that was lost says of none of its events that it kills workers.
    CASE WHEN a.carrier IS NOT NULL AND a.code = 'DELIVERY.ATTEMPT_LOST' THEN NULL WHEN a.finished_at IS NOT NULL THEN a.code
      ELSE coalesce(u.code, 'DELIVERY.ATTEMPT_LOST') END AS code, u.status
  FROM outbox.delivery_attempt a
  LEFT JOIN unwritten u ON u.worker = a.worker AND a.run_id = $4::text
  WHERE a.event_id = $1::uuid AND a.epoch BETWEEN coalesce((SELECT budget_epoch FROM live), $2::int) AND $2::int
    AND (a.run_id = $4::text OR EXISTS (SELECT FROM live))
), closed AS (
  UPDATE outbox.delivery_attempt a
  SET finished_at = clock_timestamp(), code = h.code, status = h.status,
    message = CASE h.state WHEN 'lost' THEN $12::text END
  FROM earlier h
  WHERE a.event_id = $1::uuid AND a.epoch = h.epoch AND a.n = h.n AND a.finished_at IS NULL AND h.state IN ('lost', 'unwritten')
), unspent AS (
  DELETE FROM outbox.delivery_attempt a USING earlier h
  WHERE a.event_id = $1::uuid AND a.epoch = h.epoch AND a.n = h.n AND a.finished_at IS NULL AND h.state = 'unspent'
), doubt AS (${doubt('$14')}
), added AS MATERIALIZED (
  SELECT FROM live WHERE $6::text IS NOT NULL AND NOT EXISTS (SELECT FROM earlier WHERE epoch = $2::int AND n = 1)
), previous AS (
  INSERT INTO outbox.delivery_attempt (event_id, epoch, n, local, run_id, finished_at, code, status, message)
  SELECT $1::uuid, $2::int, 1, true, $4::text, clock_timestamp(), $6::text, $7::int, $8::text FROM added
  ON CONFLICT DO NOTHING
), history AS (
  SELECT epoch, n, code, started_at FROM earlier WHERE state <> 'unspent'
  UNION ALL
  SELECT $2::int, 1, $6::text, clock_timestamp() FROM added
), mine AS (
  INSERT INTO outbox.delivery_attempt (event_id, epoch, n, local, run_id, worker)
  SELECT $1::uuid, $2::int, 1 + greatest((SELECT max(n) FROM earlier WHERE epoch = $2::int),
    (SELECT max(n) FROM history WHERE epoch = $2::int), 0), false, $4::text, $5::text
  FROM live
  RETURNING n
)
SELECT ev.*, mine.n,
  (SELECT count(*)::int FROM earlier WHERE state = 'lost')
    + (SELECT count(*)::int FROM added WHERE $6::text = 'DELIVERY.ATTEMPT_LOST') AS lost,
  coalesce((SELECT array_agg(h.code ORDER BY h.epoch, h.n) FROM history h), '{}') AS earlier_codes,
  coalesce((SELECT (extract(epoch FROM clock_timestamp() - min(h.started_at)) * 1000)::int8::float8 FROM history h), 0)
    AS since_first_ms
FROM ev LEFT JOIN mine ON true`;

/** Of this very try: a number is given out again once its row is removed, so it alone would let a late writer hit another. */
const mine = (run: string, worker: string) =>
  `run_id = ${run}::text AND worker = ${worker}::text AND finished_at IS NULL`;

/** R4: for a STARTED row due_at is when it should next move. Never of a PENDING row: there it is the relay's lease. */
const MOVE_DUE = `
  UPDATE outbox.delivery SET due_at = clock_timestamp() + $4::bigint * interval '1 millisecond'
  WHERE event_id = $1::uuid AND epoch = $2::int AND status = 'STARTED' AND $4::bigint IS NOT NULL`;

/**
 * $1 event, $2 epoch, $3 n, $4 delay, $5 code, $6 status, $7 message, $8 stack, $9 causes, $10 response, $11 field,
 * $12 run id, $13 worker.
 */
export const FAIL_ATTEMPT = `
WITH due AS (${MOVE_DUE})
UPDATE outbox.delivery_attempt
SET finished_at = clock_timestamp(), delay_ms = $4::bigint, code = $5::text, status = $6::int, message = $7::text,
  stack = $8::text, causes = $9::jsonb, response = $10::jsonb, field = $11::text
WHERE event_id = $1::uuid AND epoch = $2::int AND n = $3::int AND ${mine('$12', '$13')}`;

/** As above. A row that stands was inserted from `previous` and says the same. */
export const FAIL_LOCAL_ATTEMPT = `
WITH due AS (${MOVE_DUE})
INSERT INTO outbox.delivery_attempt (event_id, epoch, n, local, finished_at, delay_ms, code, status, message, stack, causes,
  response, field, run_id, worker)
VALUES ($1::uuid, $2::int, $3::int, true, clock_timestamp(), $4::bigint, $5::text, $6::int, $7::text, $8::text, $9::jsonb,
  $10::jsonb, $11::text, $12::text, $13::text)
ON CONFLICT DO NOTHING`;

/**
 * $1 event, $2 epoch, $3 ms. An open run waits for its destination: that is not part of its deadline, which counts from its
 * budget's first attempt on.
 */
export const WAIT = `
UPDATE outbox.delivery d
SET due_at = CASE WHEN d.status = 'STARTED' THEN clock_timestamp() + $3::bigint * interval '1 millisecond' ELSE d.due_at END,
  waited_ms = d.waited_ms + CASE WHEN EXISTS (
    SELECT FROM outbox.delivery_attempt a WHERE a.event_id = d.event_id AND a.epoch BETWEEN d.budget_epoch AND d.epoch
  ) THEN $3::bigint ELSE 0 END
WHERE d.event_id = $1::uuid AND d.epoch = $2::int AND d.status IN ('PENDING', 'STARTED')`;

/**
 * $1 event, $2 epoch, $3 n, $4 delay, $5 run id, $6 worker, $7 whether it may have taken effect. Due time and doubt by one
 * update: two of one row in one statement would be one.
 */
export const REMOVE_ATTEMPT = `
WITH moved AS (
  UPDATE outbox.delivery SET
    due_at = CASE WHEN epoch = $2::int AND status = 'STARTED'
      THEN clock_timestamp() + $4::bigint * interval '1 millisecond' ELSE due_at END,
    doubtful = doubtful OR $7::boolean
  WHERE event_id = $1::uuid AND ((epoch = $2::int AND status = 'STARTED') OR ($7::boolean AND NOT doubtful)))
DELETE FROM outbox.delivery_attempt
WHERE event_id = $1::uuid AND epoch = $2::int AND n = $3::int AND ${mine('$5', '$6')}`;

/**
 * Whatever the row's answer: this attempt did end with a receipt. Once one settles no attempt will begin that could close
 * the unfinished ones before it. A later one may still be under way (this one was paused) and tells its own end.
 */
const CLOSE_ATTEMPTS = `
  UPDATE outbox.delivery_attempt
  SET finished_at = clock_timestamp(),
    code = CASE WHEN n < $4::int THEN 'DELIVERY.ATTEMPT_LOST' END, message = CASE WHEN n < $4::int THEN $7::text END
  WHERE event_id = $1::uuid AND epoch = $2::int AND finished_at IS NULL
    AND ((n < $4::int AND EXISTS (SELECT FROM done)) OR (n = $4::int AND ${mine('$5', '$6')}))`;

/** What is counted of a settled row d: also how long it was on its way, by the one clock. */
export const SETTLED = `d.event_type, (extract(epoch FROM d.settled_at
    - (SELECT e.recorded_at FROM outbox.event e WHERE e.id = d.event_id)) * 1000)::float8 AS since_commit_ms`;

/**
 * R16, the hot path. $1 event, $2 epoch, $3 receipt; $4 n, $5 run id, $6 worker of the attempt, all NULL for a local one;
 * $7 the message for a lost attempt. Answers a row when it settled.
 */
export const SETTLE = `
WITH done AS (
  UPDATE outbox.delivery d SET status = 'DELIVERED', receipt = $3::jsonb, settled_at = clock_timestamp(), lease_token = NULL
  WHERE event_id = $1::uuid AND epoch = $2::int AND status IN ('PENDING', 'STARTED')
  RETURNING ${SETTLED}
), attempts AS (${CLOSE_ATTEMPTS})
SELECT * FROM done`;

/**
 * R16, for a row that the hot path did not find open. A statement of its own, for the first one may have waited for the
 * transaction that wrote the letter, and would not see it. Where this one sees DEAD, it sees the letter too.
 */
export const SETTLE_DEAD = `
WITH done AS (
  UPDATE outbox.delivery d SET status = 'DELIVERED', receipt = $3::jsonb, settled_at = clock_timestamp()
  WHERE event_id = $1::uuid AND epoch = $2::int AND status = 'DEAD'
  RETURNING ${SETTLED}
), attempts AS (${CLOSE_ATTEMPTS}
), letter AS (
  UPDATE outbox.dead_letter
  SET state = 'resolved', effect = 'stands', state_at = clock_timestamp(), state_actor = 'outbox',
    state_reason = 'a receipt came after the letter'
  WHERE event_id = $1::uuid AND epoch = $2::int AND state = 'open' AND EXISTS (SELECT FROM done)
)
SELECT CASE
  WHEN EXISTS (SELECT FROM done) THEN 'settled'
  WHEN EXISTS (SELECT FROM outbox.delivery WHERE event_id = $1::uuid AND epoch = $2::int AND status = 'DELIVERED') THEN 'already'
  ELSE 'superseded' END AS answer, done.*
FROM (SELECT) one LEFT JOIN done ON true`;
