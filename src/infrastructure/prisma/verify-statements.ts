/** The statements of verification. All read; none locks anything that a writer waits for. */

const PLACE_OF_SEAL = 's.epoch, s.last_tx::text AS tx, s.last_seq::text AS seq';

export const READ_HEAD = `
SELECT s.first_index + s.size AS size, ${PLACE_OF_SEAL} FROM audit.seal s ORDER BY s.first_index DESC LIMIT 1`;

export const SEAL_EPOCHS = 'SELECT epoch, min(first_index) AS first_index FROM audit.seal GROUP BY epoch ORDER BY 2';

export const READ_SEALS = `
SELECT s.first_index, s.size, ${PLACE_OF_SEAL}, s.hashes FROM audit.seal s
WHERE s.first_index >= $1::bigint AND s.first_index < $2::bigint ORDER BY s.first_index LIMIT $3::integer`;

/** The one that holds the leaf, and the one before. */
export const FIND_SEAL = `
SELECT s.first_index, ${PLACE_OF_SEAL} FROM audit.seal s
WHERE s.first_index <= $1::bigint ORDER BY s.first_index DESC LIMIT 2`;

export const FIND_SEAL_OF = `
SELECT first_index FROM audit.seal
WHERE epoch = $1::integer AND (last_tx, last_seq) >= ($2::xid8, $3::bigint) ORDER BY last_tx, last_seq LIMIT 1`;

export const FIND_RECORD = `
SELECT log_epoch AS epoch, tx_id::text AS tx, seq::text AS seq FROM audit.record WHERE record_id = $1::uuid LIMIT 1`;

/**
 * $1 to $3 the place behind which to begin, $4 to $6 the last one, $7 how many. Served by record_seal_order; each row's identity is
 * looked up by its key (OFFSET 0 keeps the planner from joining, which would read all identities for every page).
 */
export const READ_ROWS = `
SELECT r.record_id AS "recordId", ${micros('r.recorded_at')} AS "recordedAtMicros", r.log_epoch AS epoch,
  r.tx_id::text AS tx, r.seq::text AS seq, r.tenant_id AS "tenantId", r.source, r.event_id AS "eventId", r.action,
  r.action_version AS "actionVersion", r.category, r.operation, r.outcome, r.severity,
  ${micros('r.occurred_at')} AS "occurredAtMicros", r.actor_type AS "actorType", r.actor_id AS "actorId", r.via,
  r.key_id AS "keyId", r.leaf_version AS "leafVersion", encode(r.salt, 'hex') AS salt, r.body::text AS body,
  r.leaf_hash AS "leafHash", r.erased_at IS NOT NULL AS erased, k.record_id AS "keyRecordId",
  ${micros('k.recorded_at')} AS "keyRecordedAtMicros", k.leaf_hash AS "keyLeafHash"
FROM (
  SELECT * FROM audit.record r
  WHERE (r.log_epoch, r.tx_id, r.seq) > ($1::integer, $2::xid8, $3::bigint)
    AND (r.log_epoch, r.tx_id, r.seq) <= ($4::integer, $5::xid8, $6::bigint)
  ORDER BY r.log_epoch, r.tx_id, r.seq LIMIT $7::integer
) r
LEFT JOIN LATERAL (
  SELECT k.record_id, k.recorded_at, k.leaf_hash FROM audit.record_key k
  WHERE k.tenant_id = r.tenant_id AND k.source = r.source AND k.event_id = r.event_id OFFSET 0
) k ON true
ORDER BY r.log_epoch, r.tx_id, r.seq`;

const CHECKPOINT = 'SELECT c.branch, c.size, c.root, c.note, c.anchor FROM audit.checkpoint c';

export const READ_CHECKPOINTS = `${CHECKPOINT}
WHERE (c.size, c.branch) > ($1::bigint, $2::integer) ORDER BY c.size, c.branch LIMIT $3::integer`;

export const FIND_CHECKPOINTS = `${CHECKPOINT}
JOIN unnest($1::integer[], $2::bigint[]) AS i(branch, size) ON c.branch = i.branch AND c.size = i.size`;

export const READ_TILES = `
SELECT i.position::integer AS position, t.root
FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS i(level, index, position)
JOIN audit.tile t ON t.level = i.level AND t.index = i.index`;

/** One snapshot: tiles are written behind the seals that they are of. */
export const EARLY_TILES = `
SELECT t.level::integer AS level, t.index FROM audit.tile t
WHERE (t.index + 1)::numeric * power(256::numeric, t.level + 1) >
  (SELECT coalesce(max(s.first_index + s.size), 0) FROM audit.seal s)
ORDER BY t.level, t.index LIMIT 20`;

export const PARTITIONS = `
SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'audit.record'::regclass AND NOT i.inhdetachpending ORDER BY 1`;

export const FIND_BY_LEAF_HASH = `
SELECT k.leaf_hash, k.record_id, EXISTS (SELECT FROM audit.record r WHERE r.record_id = k.record_id) AS stands
FROM audit.record_key k WHERE k.leaf_hash = ANY ($1::bytea[])`;

/**
 * $1 to $3 the head's place. What is behind it and no sealer comes to: records of an epoch that there is none of, or of a
 * transaction that this server has not begun. One snapshot, so that no record can have come after the xmax that it is
 * compared with.
 */
export const UNSEALED = `
WITH behind AS (
  SELECT r.record_id, NOT EXISTS (SELECT FROM audit.epoch e WHERE e.epoch = r.log_epoch)
    OR (r.log_epoch = (SELECT max(e.epoch) FROM audit.epoch e) AND r.tx_id >= pg_snapshot_xmax(pg_current_snapshot())) AS stray
  FROM audit.record r WHERE (r.log_epoch, r.tx_id, r.seq) > ($1::integer, $2::xid8, $3::bigint)
)
SELECT count(*) AS pending, count(*) FILTER (WHERE stray) AS strays,
  (SELECT array_agg(s.record_id::text) FROM (SELECT record_id FROM behind WHERE stray LIMIT 20) s) AS named
FROM behind`;

/**
 * $1 months whose partitions were dropped, named as they were. That an identity names a record is not enough: it must be
 * the one that the record was sent under, or a forged one would have a resend answered.
 */
export const STRAY_KEYS = `
SELECT s.record_id, s.count, EXISTS (SELECT FROM audit.record r WHERE r.record_id = s.record_id) AS stands
FROM (
  SELECT k.record_id, count(*) OVER () AS count FROM audit.record_key k
  WHERE NOT EXISTS (SELECT FROM audit.record r WHERE r.record_id = k.record_id AND r.recorded_at = k.recorded_at
      AND r.tenant_id = k.tenant_id AND r.source = k.source AND r.event_id = k.event_id)
    AND NOT ${monthOf('k.recorded_at')} = ANY ($1::text[])
  ORDER BY k.record_id LIMIT 20
) s ORDER BY s.record_id`;

/**
 * $1 and $2 the month, $3 and $4 its leaves as runs of first index and count. Leaves and identities are matched by the
 * leaf's hash, of several alike one with one; what is left over has no partner. A row for each 4,096 leaf indexes, and one
 * for the identities without a leaf: sorted and joined in the server, on its disk where they are many.
 */
export const COMPARE_KEYS = `
WITH run AS (SELECT r.first, r.first + r.count AS behind FROM unnest($3::bigint[], $4::bigint[]) AS r(first, count)),
leaf AS (
  SELECT s.first_index + n.at AS index, substring(s.hashes FROM n.at * 32 + 1 FOR 32) AS hash
  FROM run
  CROSS JOIN LATERAL (
    SELECT s.first_index, s.size, s.hashes FROM audit.seal s
    WHERE s.first_index < run.behind AND s.first_index + s.size > run.first
      AND s.first_index >= coalesce((SELECT max(b.first_index) FROM audit.seal b WHERE b.first_index <= run.first), 0)
  ) s
  CROSS JOIN LATERAL generate_series(
    greatest(run.first - s.first_index, 0)::integer, (least(s.size, run.behind - s.first_index) - 1)::integer) AS n(at)
),
identity AS (
  SELECT k.leaf_hash AS hash, k.record_id, sha256(${utf8Hash('k.tenant_id')} || ${utf8Hash('k.source')} || ${utf8Hash('k.event_id')}
    || uuid_send(k.record_id) || int8send(${micros('k.recorded_at')}::bigint) || ${utf8Hash('k.hmac_key_id')} || k.fingerprint || k.leaf_hash) AS digest
  FROM audit.record_key k WHERE k.recorded_at >= $1::timestamptz AND k.recorded_at < $2::timestamptz
),
pair AS (
  SELECT l.index, i.record_id, i.digest
  FROM (SELECT index, hash, row_number() OVER (PARTITION BY hash ORDER BY index) AS nth FROM leaf) l
  FULL JOIN (SELECT hash, record_id, digest, row_number() OVER (PARTITION BY hash ORDER BY digest) AS nth FROM identity) i
    ON i.hash = l.hash AND i.nth = l.nth
)
SELECT (count(*) FILTER (WHERE p.digest IS NULL))::integer AS missing,
  (array_agg(p.index ORDER BY p.index) FILTER (WHERE p.digest IS NULL))[1:20] AS missing_at,
  count(*) FILTER (WHERE p.index IS NULL) AS extra,
  (array_agg(p.record_id ORDER BY p.record_id) FILTER (WHERE p.index IS NULL))[1:20] AS extra_ids,
  sha256(string_agg(p.digest, ''::bytea ORDER BY p.index) FILTER (WHERE p.index IS NOT NULL)) AS digest
FROM pair p GROUP BY p.index / 4096 ORDER BY p.index / 4096`;

export const NOT_ERASED = `
SELECT r.record_id FROM audit.record r WHERE r.record_id = ANY ($1::uuid[]) AND (r.erased_at IS NULL OR r.body <> '{}')`;

/** The month of a partition, as the parameters $1 and $2. */
export function boundsOf(name: string): readonly [Date, Date] {
  const [, year, month] = /^record_(\d{4})_(\d\d)$/.exec(name) ?? [];
  if (month === undefined) throw new Error(`expected a partition named record_YYYY_MM, got ${name}`);
  return [new Date(Date.UTC(Number(year), Number(month) - 1)), new Date(Date.UTC(Number(year), Number(month)))];
}

function micros(column: string): string {
  return `(extract(epoch FROM ${column}) * 1000000)::bigint::text`;
}

function utf8Hash(column: string): string {
  return `sha256(convert_to(${column}, 'UTF8'))`;
}

function monthOf(column: string): string {
  return `to_char(${column} AT TIME ZONE 'UTC', '"record_"YYYY_MM')`;
}
