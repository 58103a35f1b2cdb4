/** The statements of verifications. At most a thousand rows and a hundred open ones: none reads more. */
import { leaseHeld } from './lease-store.js';

const BESIDE_REPORT = 'v.id, v.record_id, v.asked_by, v.asked_at, v.state, v.progress, v.ended_at, v.outcome, v.error';
const COLUMNS = `${BESIDE_REPORT}, v.report`;
/** Of a hundred breaks the first three: whoever wants the others asks for the one. */
const SHORT_COLUMNS = `${BESIDE_REPORT},
  jsonb_set(v.report, '{breaks}', jsonb_path_query_array(v.report, '$.breaks[0 to 2]')) AS report`;

/**
 * $1 id, $2 record or null, $3 who asks, $4 how many may be open. No row: the same is open (verification_same), or too many
 * are. Of several at once some more may come in than that.
 */
export const ASK = `
INSERT INTO audit.verification AS v (id, record_id, asked_by)
SELECT $1::uuid, $2::uuid, $3::text WHERE $4::integer > (SELECT count(*) FROM (
  SELECT FROM audit.verification o WHERE o.state IN ('asked', 'running') LIMIT $4::integer) o)
ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`;

export const FIND_OPEN = `
SELECT ${COLUMNS} FROM audit.verification v
WHERE v.record_id IS NOT DISTINCT FROM $1::uuid AND v.state IN ('asked', 'running')`;

export const LIST = `
SELECT ${SHORT_COLUMNS} FROM audit.verification v ORDER BY v.asked_at DESC, v.id DESC LIMIT $1::integer`;

export const FIND = `SELECT ${COLUMNS} FROM audit.verification v WHERE v.id = $1::uuid`;

/** Of the whole log; and of a part, what was found broken and stands. It waits for nobody while another one is under way: they are done one after the other. */
export const LATEST = `
(SELECT 'latest' AS what, ${SHORT_COLUMNS}, CASE WHEN v.state = 'asked'
    AND NOT EXISTS (SELECT FROM audit.verification r WHERE r.state = 'running')
  THEN extract(epoch FROM clock_timestamp() - v.asked_at)::integer END AS waiting_seconds
  FROM audit.verification v WHERE v.record_id IS NULL ORDER BY v.asked_at DESC, v.id DESC LIMIT 1)
UNION ALL
(SELECT 'done', ${SHORT_COLUMNS}, NULL
  FROM audit.verification v WHERE v.record_id IS NULL AND v.state = 'done' ORDER BY v.asked_at DESC, v.id DESC LIMIT 1)
UNION ALL
(SELECT 'part', ${SHORT_COLUMNS}, NULL
  FROM audit.verification v WHERE v.record_id IS NOT NULL AND v.outcome = 'broken' AND v.asked_at > coalesce(
    (SELECT max(w.asked_at) FROM audit.verification w WHERE w.record_id IS NULL AND w.outcome = 'whole'), '-infinity')
  ORDER BY v.asked_at DESC, v.id DESC LIMIT 1)`;

export const UNVERIFIED = `
SELECT extract(epoch FROM clock_timestamp() - coalesce(
  (SELECT max(v.ended_at) FROM audit.verification v WHERE v.record_id IS NULL AND v.state = 'done'),
  (SELECT s.sealed_at FROM audit.seal s ORDER BY s.first_index LIMIT 1)))::bigint::text AS seconds
WHERE EXISTS (SELECT FROM audit.seal)`;

const held = leaseHeld('$1', '$2', 'audit');

/** A row goes back, or fails where it was begun as often as it may be: $3 how often, $4 the sentence then. */
const back = (tries: string) => `state = CASE WHEN ${tries} < $3::integer THEN 'asked' ELSE 'failed' END,
  ended_at = CASE WHEN ${tries} >= $3::integer THEN clock_timestamp() END,
  error = CASE WHEN ${tries} >= $3::integer THEN $4::text END, holder = NULL, beat_at = NULL, progress = NULL`;

/** $1 lease, $2 holder, $3 and $4 as above, $5 how long without a beat, ms. */
export const RECOVER = `
UPDATE audit.verification v SET ${back('v.tries')}
WHERE v.state = 'running' AND v.beat_at < clock_timestamp() - $5::integer * interval '1 millisecond' AND ${held}`;

/** $1 lease, $2 holder, $3 id, $4 hours between two, $5 hours after one that failed. */
export const ASK_WHEN_DUE = `
INSERT INTO audit.verification (id, asked_by)
SELECT $3::uuid, 'outbox:schedule' WHERE ${held} AND NOT EXISTS (
  SELECT FROM audit.verification w WHERE w.record_id IS NULL AND coalesce(w.ended_at, 'infinity') > clock_timestamp()
    - CASE WHEN w.state = 'failed' THEN least($4::integer, $5::integer) ELSE $4::integer END * interval '1 hour')
ON CONFLICT DO NOTHING RETURNING id`;

/** $1 lease, $2 holder. */
export const TAKE = `
UPDATE audit.verification v SET state = 'running', holder = $2::uuid, beat_at = clock_timestamp(), tries = v.tries + 1
WHERE v.id = (
  SELECT a.id FROM audit.verification a WHERE a.state = 'asked' AND ${held}
  ORDER BY a.asked_at, a.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING v.id, v.record_id, v.asked_by`;

/** $1 id, $2 holder: what a worker has taken, as long as nobody has taken it from there. */
const TAKEN = `v.id = $1::uuid AND v.holder = $2::uuid`;

export const BEAT = `
UPDATE audit.verification v SET beat_at = clock_timestamp(), progress = $3::jsonb
WHERE ${TAKEN} AND v.state = 'running' RETURNING v.id`;

/** The holder stays: one whose answer was lost is written again, to the same. */
export const FINISH = `
UPDATE audit.verification v SET state = 'done', ended_at = clock_timestamp(), outcome = $3::text, report = $4::jsonb,
  progress = NULL
WHERE ${TAKEN} AND v.state IN ('running', 'done') RETURNING v.id`;

export const FAIL = `
UPDATE audit.verification v SET state = 'failed', ended_at = clock_timestamp(), error = $3::text, progress = NULL
WHERE ${TAKEN} AND v.state IN ('running', 'failed') RETURNING v.id`;

/** $1 id, $2 holder, $3 and $4 as above; $5 is 1 where it does not count as begun. */
export const GIVE_UP = `
UPDATE audit.verification v SET tries = v.tries - $5::smallint, ${back('(v.tries - $5::smallint)')}
WHERE ${TAKEN} AND v.state = 'running' RETURNING v.id`;

/** $1 lease, $2 holder, $3 how many are kept. What is known of the log stays, whatever else is asked for. */
export const PRUNE = `
DELETE FROM audit.verification v WHERE ${held} AND v.state IN ('done', 'failed') AND v.id IN (
    SELECT k.id FROM audit.verification k ORDER BY k.asked_at DESC, k.id DESC OFFSET $3::integer LIMIT 1000)
  AND v.id IS DISTINCT FROM (SELECT b.id FROM audit.verification b
    WHERE b.record_id IS NOT NULL AND b.outcome = 'broken' ORDER BY b.asked_at DESC, b.id DESC LIMIT 1)
  AND NOT (v.record_id IS NULL AND v.asked_at >= coalesce(
    (SELECT max(w.asked_at) FROM audit.verification w WHERE w.record_id IS NULL AND w.state = 'done'), '-infinity'))`;
