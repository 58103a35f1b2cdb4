/** Dead letters as they are written (R17): one statement, fenced by the row that it changes. */
import { v7 as uuidV7 } from 'uuid';
import type { DeadLetterStore } from '../../application/delivery/ports.js';
import { maxAttemptsFor } from '../../domain/delivery/decide-after-failure.js';
import { catalogEntry, ERROR_CODES } from '../../domain/delivery/error-catalog.js';
import { DEFAULT_POLICY, type RetryPolicy } from '../../domain/delivery/policy.js';
import { type PgPool, runStatement } from './pg-pool.js';

const SPENDING_CODES = ERROR_CODES.filter((code) => catalogEntry(code).spends);
const UNKNOWN_EFFECT_CODES = ERROR_CODES.filter((code) => catalogEntry(code).effect === 'unknown');

export function createDeadLetterStore(pool: PgPool): DeadLetterStore {
  return {
    async recordDeadLetter({ run, code, message, attempt, workflowId, runId }, timeoutMs) {
      const [recorded] = await runStatement<LetterAnswer & { event_type: string }>(pool, {
        name: 'delivery_record_dead_letter',
        text: RECORD_DEAD_LETTER,
        values: [
          run.eventId,
          run.epoch,
          run.carrier,
          uuidV7(),
          uuidV7(),
          code,
          message,
          catalogEntry(code).effect,
          workflowId,
          runId,
          attempt?.n ?? null,
          attempt?.local ?? false,
          attempt?.status ?? null,
          SPENDING_CODES,
          maxAttemptsFor(code, UNBOUND),
          DEFAULT_POLICY.maxAttempts,
          catalogEntry('DELIVERY.ATTEMPT_LOST').message,
          maxAttemptsFor(code, { ...UNBOUND, codes: { [code]: 'final' } }),
          maxAttemptsFor(code, { ...UNBOUND, codes: { [code]: {} } }),
          UNKNOWN_EFFECT_CODES,
        ],
        timeoutMs,
      });
      if (recorded !== undefined) {
        const { event_type: eventType, ...letter } = recorded;
        return { kind: 'recorded', ...letter, eventType };
      }
      // A statement of its own: the first one may have waited for the transaction that wrote this very letter.
      const [standing] = await runStatement<LetterAnswer>(pool, {
        name: 'delivery_standing_letter',
        text: STANDING_LETTER,
        values: [run.eventId, run.epoch],
        timeoutMs,
      });
      return standing === undefined ? { kind: 'superseded' } : { kind: 'already', ...standing };
    },
  };
}

interface LetterAnswer {
  readonly id: string;
  /** The notification row that opened its group; null where an older one waits. */
  readonly notify: string | null;
}

/** Above any policy's maximum, so that the code's own number is left standing where it has one. */
const UNBOUND: RetryPolicy = { ...DEFAULT_POLICY, maxAttempts: 2 ** 31 - 1 };

/**
 * $1 event, $2 epoch, $3 carrier, $4 id of the letter, $5 id of the notification, $6 code, $7 message, $8 effect,
 * $9 workflow, $10 run; $11 n, $12 local, $13 status of the attempt that ended it; $14 codes that spend, $15 the code's
 * own maximum of attempts, $16 the default policy's, $17 the message for a lost attempt; $18 the code's maximum where the
 * policy calls it final, $19 where the policy refines it without a number; $20 codes of unknown effect.
 *
 * No fenced row, no letter: everything else joins `fenced`. No attempt will begin in this epoch any more that could close
 * the unfinished ones, so this closes them. `attempt` is what the rows of the budget are after this statement, but for
 * those just lost: they tell nothing and spend nothing. The response is the last that any of them got: a timeout after nine
 * telling answers has none, but the letter has; how the last one itself ended stands beside it. The effect may stand where any attempt of any epoch left that
 * open, those just lost, one whose receipt came too late and those that left no row included.
 */
const RECORD_DEAD_LETTER = `
WITH fenced AS (
  UPDATE outbox.delivery SET status = 'DEAD', settled_at = clock_timestamp(), lease_token = NULL
  WHERE event_id = $1::uuid AND epoch = $2::int AND carrier IS NOT DISTINCT FROM $3::text AND status IN ('PENDING', 'STARTED')
  RETURNING event_id, budget_epoch, destination, event_type, tenant, policy_hash, doubtful
), local_row AS (
  INSERT INTO outbox.delivery_attempt (event_id, epoch, n, local, run_id, finished_at, code, status, message)
  SELECT $1::uuid, $2::int, $11::int, true, $10::text, clock_timestamp(), $6::text, $13::int, $7::text
  FROM fenced WHERE $11::int IS NOT NULL AND $12::boolean
  ON CONFLICT DO NOTHING
), unwritten_row AS (
  UPDATE outbox.delivery_attempt a SET finished_at = clock_timestamp(), code = $6::text, status = $13::int, message = $7::text
  FROM fenced
  WHERE a.event_id = $1::uuid AND a.epoch = $2::int AND a.n = $11::int AND NOT a.local AND a.finished_at IS NULL
), lost_row AS (
  UPDATE outbox.delivery_attempt a
  SET finished_at = clock_timestamp(), code = 'DELIVERY.ATTEMPT_LOST', message = $17::text
  FROM fenced f
  WHERE a.event_id = $1::uuid AND a.epoch BETWEEN f.budget_epoch AND $2::int AND a.finished_at IS NULL
    AND (a.epoch, a.n) IS DISTINCT FROM ($2::int, $11::int)
), attempt AS MATERIALIZED (
  SELECT a.epoch, a.n, coalesce(a.finished_at, clock_timestamp()) AS failed_at, coalesce(a.code, $6::text) AS code,
    CASE WHEN a.finished_at IS NULL THEN $13::int ELSE a.status END AS status, a.message, a.stack, a.causes, a.response, a.field
  FROM fenced f JOIN outbox.delivery_attempt a ON a.event_id = f.event_id AND a.epoch BETWEEN f.budget_epoch AND $2::int
  WHERE a.code IS NOT NULL OR (a.finished_at IS NULL AND a.epoch = $2::int AND a.n = $11::int)
  UNION ALL
  SELECT $2::int, $11::int, clock_timestamp(), $6::text, $13::int, NULL, NULL, NULL, NULL, NULL
  WHERE $12::boolean AND NOT EXISTS (
    SELECT FROM outbox.delivery_attempt WHERE event_id = $1::uuid AND epoch = $2::int AND n = $11::int)
), last AS (
  SELECT * FROM attempt ORDER BY epoch DESC, n DESC LIMIT 1
), letter AS (
  INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, stack, causes, response,
    field, last_code, last_status, retry_count, max_retries, effect, effect_ask_at, workflow_id, run_id, traceparent, policy_hash, first_failed_at,
    last_failed_at, previous_id)
  SELECT $4::uuid, f.event_id, $2::int, f.destination, f.event_type, f.tenant, $6::text,
    CASE WHEN last.code = $6::text THEN coalesce(last.message, $7::text) ELSE $7::text END,
    last.stack, last.causes,
    (SELECT a.response FROM attempt a WHERE a.response IS NOT NULL ORDER BY a.epoch DESC, a.n DESC LIMIT 1),
    last.field, last.code, last.status,
    (SELECT count(*) FROM attempt WHERE code = ANY ($14::text[])),
    least(
      CASE jsonb_typeof(p.body->'codes'->$6::text)
        WHEN 'string' THEN $18::int
        WHEN 'object' THEN coalesce((p.body->'codes'->$6::text->>'attempts')::int, $19::int)
        ELSE $15::int
      END,
      coalesce((p.body->>'maxAttempts')::int, $16::int)),
    x.effect, CASE x.effect WHEN 'unknown' THEN clock_timestamp() + interval '1 minute' END,
    $9::text, $10::text, e.headers->>'traceparent', f.policy_hash,
    (SELECT min(failed_at) FROM attempt), coalesce(last.failed_at, clock_timestamp()),
    (SELECT l.id FROM outbox.dead_letter l WHERE l.event_id = $1::uuid AND l.epoch < $2::int ORDER BY l.epoch DESC LIMIT 1)
  FROM fenced f
  LEFT JOIN last ON true
  LEFT JOIN outbox.event e ON e.id = f.event_id
  LEFT JOIN outbox.policy p ON p.hash = f.policy_hash
  CROSS JOIN LATERAL (SELECT CASE WHEN f.doubtful OR EXISTS (
    SELECT FROM outbox.delivery_attempt a
    WHERE a.event_id = f.event_id AND (a.epoch, a.n) IS DISTINCT FROM ($2::int, $11::int)
      AND (a.code IS NULL OR a.code = ANY ($20::text[]))
  ) THEN 'unknown' ELSE $8::text END AS effect) x
  RETURNING id
), notification AS (
  INSERT INTO outbox.notification (id, kind, group_key, dead_letter_id, event_id, epoch, code, event_type, tenant)
  SELECT $5::uuid, 'dead_letter', f.event_type || ':' || $6::text, letter.id, f.event_id, $2::int, $6::text, f.event_type,
    f.tenant
  FROM fenced f, letter
)
SELECT letter.id, f.event_type, CASE WHEN NOT EXISTS (
  SELECT FROM outbox.notification n
  WHERE n.group_key = f.event_type || ':' || $6::text AND n.claimed_by IS NULL AND n.done_at IS NULL
) THEN $5::uuid END AS notify
FROM letter, fenced f`;

/** $1 event, $2 epoch. The answer that told of its group may be the one that was lost. */
const STANDING_LETTER = `
SELECT l.id, CASE WHEN oldest.dead_letter_id = l.id THEN oldest.id END AS notify
FROM outbox.delivery d
JOIN outbox.dead_letter l USING (event_id, epoch)
LEFT JOIN LATERAL (
  SELECT n.id, n.dead_letter_id FROM outbox.notification n
  WHERE n.group_key = d.event_type || ':' || l.code AND n.claimed_by IS NULL AND n.done_at IS NULL
  ORDER BY n.created_at, n.id LIMIT 1
) oldest ON true
WHERE d.event_id = $1::uuid AND d.epoch = $2::int AND d.status = 'DEAD'`;
