/**
 * An outbox and an audit log that no view may feel: made by SQL inside of the server, the same rows each time but for ids
 * and times. It loads under Node alone, for the bench beside the tests.
 */
import type { Pool } from 'pg';
import { LATENCY_BUCKETS } from '../../src/domain/delivery/latency-histogram.ts';
import { eventually } from './eventually.ts';

export interface SeededOutbox {
  /** Delivered, an hour ago. */
  readonly event: string;
  /** Of a few events. */
  readonly aggregateId: string;
  readonly openLetter: string;
  readonly job: string;
  /** What a destination whose breaker is open has met. */
  readonly outage: string;
  /** Begin of a minute of yesterday that was not counted. */
  readonly uncountedMinute: string;
  /** Begin of a quarter of an hour that was not added up, all of whose minutes stand. */
  readonly uncountedQuarter: string;
}

/** Events are appended at one pace, so many a day; their deliveries, letters and attempts are of that day, too. */
const EVENTS_A_DAY = 150_000;
/** Of events, in one statement. */
const CHUNK = 25_000;

const OUTBOX_TABLES = ['event', 'delivery', 'dead_letter', 'delivery_attempt', 'figure', 'event_revision'] as const;

/**
 * `events` (a million) over some days, nearly all of them delivered; a third of the last day's dead, which makes 50,000 open
 * letters of 40 kinds, beside 90,000 that are closed; some thousands that wait or run; 300,000 attempts; 5,000 tenants; figures
 * of a day and a half. An outbox as migrated, with a deployment. The pool needs two connections.
 */
export async function seedOutbox(pool: Pool, { events = 1_000_000 } = {}): Promise<SeededOutbox> {
  const now = new Date();
  // It would work against us, and end when it is half-way through.
  await setAutovacuum(pool, 'SET (autovacuum_enabled = off)');
  const chunks = Array.from({ length: Math.ceil(events / CHUNK) }, (_, i) => [
    i * CHUNK + 1,
    Math.min(events, (i + 1) * CHUNK),
  ]);
  const makeIndexes = await dropIndexes(pool, ['outbox.event', 'outbox.delivery', 'outbox.dead_letter']);
  await inTwo(chunks.map((chunk) => () => pool.query(EVENTS, [...chunk, now, events, EVENTS_A_DAY])));
  await inTwo([LETTERS, ATTEMPTS].map((text) => () => pool.query(text)));
  await makeIndexes();
  await inTwo([
    () => pool.query(MINUTE_FIGURES, [now, LATENCY_BUCKETS]),
    async () => {
      await pool.query(QUARTER_FIGURES, [now, LATENCY_BUCKETS]);
      for (const text of FEW) await pool.query(text);
    },
  ]);
  await setAutovacuum(pool, 'RESET (autovacuum_enabled)');
  await vacuum(
    pool,
    OUTBOX_TABLES.map((table) => `outbox.${table}`),
  );
  const { rows } = await pool.query<SeededOutbox>(SEEDED, [now]);
  return rows[0] as SeededOutbox;
}

async function setAutovacuum(pool: Pool, change: string): Promise<void> {
  for (const table of OUTBOX_TABLES) await pool.query(`ALTER TABLE outbox.${table} ${change}`);
}

/** All that hold no rule. What is returned makes them again, which is quicker than a row at a time. */
async function dropIndexes(pool: Pool, tables: readonly string[]): Promise<() => Promise<void>> {
  const { rows } = await pool.query<{ name: string; text: string }>(
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS text
     FROM pg_index WHERE indrelid = ANY ($1::regclass[]) AND NOT indisunique`,
    [tables],
  );
  for (const { name } of rows) await pool.query(`DROP INDEX ${name}`);
  return () =>
    inTwo(
      rows.map(
        ({ text }) =>
          () =>
            pool.query(text),
      ),
    );
}

/** On two connections at once. */
async function inTwo(works: (() => Promise<unknown>)[]): Promise<void> {
  const left = [...works];
  const workThrough = async () => {
    for (let work = left.shift(); work !== undefined; work = left.shift()) await work();
  };
  await Promise.all([workThrough(), workThrough()]);
}

/** Until nearly every page is visible to all, which it is once the commits are written out: a moment later here. */
async function vacuum(pool: Pool, tables: readonly string[]): Promise<void> {
  await inTwo(
    tables.map((table) => async () => {
      await eventually(
        `a vacuum of ${table} that finds its pages visible`,
        async () => {
          await pool.query(`VACUUM (ANALYZE) ${table}`);
          const { rows } = await pool.query(
            `SELECT coalesce(sum(c.relallvisible), 0) >= 0.95 * coalesce(sum(c.relpages), 0) AS visible FROM pg_class c
           WHERE c.oid = $1::regclass OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::regclass)`,
            [table],
          );
          return rows[0].visible === true;
        },
        120_000,
      );
    }),
  );
}

/**
 * $1 from, $2 to, $3 now, $4 events in all, $5 events a day. `h` spreads what is told by it over the events; `age` is 0 of
 * the newest. The newest 6,000 are settled in an hour, so that the rate of now finds all that it looks at, whenever it does.
 */
const EVENTS = `
WITH made AS MATERIALIZED (
  SELECT s.*,
    (lpad(to_hex(floor(extract(epoch FROM s.at) * 1000)::bigint), 12, '0') || '7' || substr(s.hash, 1, 3) || '8'
      || substr(s.hash, 4, 15))::uuid AS id,
    (ARRAY['ORDER', 'PAYMENT', 'AUTH', 'SHIPMENT', 'INVOICE', 'STOCK', 'USER', 'LEDGER'])[1 + h % 8] AS event_type,
    (ARRAY['audit.log', 'audit.log', 'audit.log', 'audit.log', 'audit.log', 'crm', 'billing', 'search', 'mail', 'stores'])[1 + h / 8 % 10]
      AS destination,
    CASE h / 80 % 10 WHEN 0 THEN 'tenant-0' WHEN 1 THEN 'tenant-0' WHEN 2 THEN '' ELSE 'tenant-' || n * 7919 % 5000 END AS tenant,
    CASE WHEN h / 800 % 50 = 0 THEN 'hot' ELSE 'a-' || n * 48271 % 200000 END AS aggregate_id,
    CASE WHEN age < $5::integer AND n % 3 = 0 THEN 'DEAD'
      WHEN age < $5 AND n % 25 = 1 THEN 'PENDING'
      WHEN age < $5 AND n % 25 = 2 THEN 'STARTED'
      WHEN age < $5 / 2 AND n % 25 = 3 THEN 'CARRIED'
      WHEN n % 500 = 4 THEN 'DISCARDED'
      WHEN n % 10 = 1 THEN 'REDRIVEN'
      ELSE 'DELIVERED' END AS what
  FROM (
    SELECT n, (n * 2654435761 % 4294967296) / 512 AS h, $4::bigint - n AS age, md5(n::text) AS hash,
      date_trunc('milliseconds', $3::timestamptz) - ($4 - n) * (interval '1 day' / $5::integer) AS at
    FROM generate_series($1::bigint, $2::bigint) n) s
), events AS (
  INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id, aggregate_version,
    tenant_id, payload, headers, content_hash, occurred_at, recorded_at)
  SELECT id, lower(event_type) || '.thing.v' || h / 64 % 5, event_type, destination, 'outbox:main', lower(event_type), aggregate_id,
    CASE event_type WHEN 'LEDGER' THEN n END, tenant,
    jsonb_build_object('orderId', hash, 'total', h % 1000, 'lines', jsonb_build_array(jsonb_build_object('sku', 'sku-' || h % 97, 'n', 2))),
    '{"correlationId":"c-1"}', 'sha-256:' || hash || hash, at, at
  FROM made
)
INSERT INTO outbox.delivery (event_id, epoch, budget_epoch, status, destination, event_type, tenant, due_at, carrier, started_at,
  settled_at, receipt, policy_hash, order_key, order_no)
SELECT id, CASE what WHEN 'REDRIVEN' THEN 1 ELSE 0 END, CASE what WHEN 'REDRIVEN' THEN 1 ELSE 0 END,
  CASE what WHEN 'CARRIED' THEN 'STARTED' WHEN 'REDRIVEN' THEN 'DELIVERED' ELSE what END, destination, event_type, tenant,
  CASE WHEN what = 'PENDING' AND h % 3 = 0 OR what IN ('STARTED', 'CARRIED') THEN $3 + h % 600 * interval '1 second' ELSE at END,
  CASE what WHEN 'CARRIED' THEN 'main:batch:' || age / 5000 END,
  CASE WHEN what <> 'PENDING' THEN at + interval '2 milliseconds' END,
  CASE what WHEN 'DELIVERED' THEN
      CASE WHEN age < 6000 THEN $3 + interval '1 hour' ELSE at + (5 + h % 400) * interval '1 millisecond' * CASE h % 97 WHEN 0 THEN 60 ELSE 1 END END
    WHEN 'DEAD' THEN least($3, at + interval '2 minutes') WHEN 'DISCARDED' THEN least($3, at + interval '3 hours')
    WHEN 'REDRIVEN' THEN least($3, at + interval '1 hour') END,
  CASE WHEN what IN ('DELIVERED', 'REDRIVEN') THEN jsonb_build_object('status', 201, 'id', 'r-' || n, 'recordId', id) END,
  'policy-' || h % 3,
  -- Of LEDGER alone, and of what is not under way, of which an aggregate has one at most.
  CASE WHEN event_type = 'LEDGER' AND what IN ('PENDING', 'DEAD') THEN outbox.order_key('ledger', aggregate_id) END,
  CASE WHEN event_type = 'LEDGER' AND what IN ('PENDING', 'DEAD') THEN n END
FROM made`;

const LETTERS = `
INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, stack, response, last_code,
  last_status, retry_count, max_retries, first_failed_at, last_failed_at, created_at, state, state_at, state_actor, state_reason)
SELECT gen_random_uuid(), event_id, 0, destination, event_type, tenant, k.code, 'the destination answered 503 Service Unavailable',
  repeat('    at deliver (file:///app/handlers/deliver.js:17:11)\n', 8),
  jsonb_build_object('status', 503, 'headers', '{"content-type":"text/plain"}'::jsonb, 'body', repeat('upstream connect error; ', 10) || event_id),
  k.code, 503, 9, 10, k.at - interval '2 minutes', k.at, k.at, k.state, CASE WHEN k.state <> 'open' THEN settled_at END,
  CASE WHEN k.state <> 'open' THEN 'user:ada' END, CASE WHEN k.state <> 'open' THEN 'as agreed' END
FROM outbox.delivery, LATERAL (SELECT
  (ARRAY['HTTP.TIMEOUT', 'HTTP.SERVER_ERROR', 'HTTP.CLIENT_ERROR', 'HTTP.UNAUTHORIZED', 'HANDLER.FAILED'])[1 + abs(uuid_hash(event_id) % 5)] AS code,
  CASE status WHEN 'DEAD' THEN 'open' WHEN 'DISCARDED' THEN 'discarded' ELSE CASE uuid_hash(event_id) % 2 WHEN 0 THEN 'resolved' ELSE 'redriven' END END AS state,
  CASE status WHEN 'DEAD' THEN settled_at ELSE settled_at - interval '50 minutes' END AS at) k
WHERE status IN ('DEAD', 'DISCARDED') OR status = 'DELIVERED' AND epoch = 1`;

/** Four of what died, three of half that run, one of what was delivered in the end. */
const ATTEMPTS = `
INSERT INTO outbox.delivery_attempt (event_id, epoch, n, local, run_id, worker, started_at, finished_at, code, status, message,
  delay_ms)
SELECT event_id, 0, n, n = 1, 'run', 'worker-1@host', started_at, started_at + interval '1 second', 'HTTP.SERVER_ERROR', 503,
  'the destination answered 503 Service Unavailable', 1000
FROM outbox.delivery, generate_series(1, CASE
  WHEN status IN ('DEAD', 'DISCARDED') THEN 4
  WHEN status = 'STARTED' AND carrier IS NULL AND uuid_hash(event_id) % 2 = 0 THEN 3
  WHEN epoch = 1 OR status = 'DELIVERED' AND uuid_hash(event_id) % 150 = 0 THEN 1 END) n`;

/** Times, from the begin of a span so long ago to so long after now. $1 now. */
const spansOf = (minutes: 1 | 15, ago: string, ahead: string) => `generate_series(
  date_bin('${minutes} minutes', $1::timestamptz, '2000-01-01 00:00Z') - interval '${ago}', $1::timestamptz + interval '${ahead}', interval '${minutes} minutes')`;
/** Ahead as well, so that nothing becomes unknown while somebody looks. */
const MINUTES = spansOf(1, '26 hours', '1 hour');
const QUARTERS = spansOf(15, '49 hours', '0 hours');
const UNCOUNTED_QUARTER = `(date_bin('15 minutes', $1::timestamptz, '2000-01-01 00:00Z') - interval '6 hours')`;

/** $1 now, $2 buckets. A span has all destinations and types, and other tenants than the one before it. */
const figuresOf = (minutes: 1 | 15, spans: string, but: string) => `
INSERT INTO outbox.figure (span, begins_at, dimension, folded, name, delivered, died, timed, latency)
SELECT ${minutes}, s.begins, f.dimension, f.folded, f.name, ${minutes} * f.delivered, f.delivered / 3, ${minutes} * f.delivered, l.latency
FROM (SELECT row_number() OVER () AS m, begins FROM ${spans} begins) s
CROSS JOIN (SELECT ARRAY(SELECT i % 7 FROM generate_series(1, $2::integer) i) AS latency) l
CROSS JOIN LATERAL (
  SELECT 'all' AS dimension, false AS folded, '' AS name, 150 AS delivered
  UNION ALL SELECT 'destination', false, unnest(ARRAY['audit.log', 'crm', 'billing', 'search', 'mail', 'stores']), 25
  UNION ALL SELECT 'event_type', false, unnest(ARRAY['ORDER', 'PAYMENT', 'AUTH', 'SHIPMENT', 'INVOICE', 'STOCK', 'USER', 'LEDGER']), 18
  UNION ALL SELECT 'tenant', false, 'tenant-' || (${minutes} * s.m * 30 + k) * 7 % 5000, 1 + k % 5 FROM generate_series(1, 30) k
  UNION ALL SELECT 'tenant', true, '', 60) f
WHERE ${but}`;
const MINUTE_FIGURES = figuresOf(1, MINUTES, 's.m <> 300');
const QUARTER_FIGURES = figuresOf(15, QUARTERS, `s.begins <> ${UNCOUNTED_QUARTER}`);

const FEW = [
  `INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('LEDGER', 'block', 'user:ada')`,
  `INSERT INTO outbox.policy (hash, body) SELECT 'policy-' || n, '{}' FROM generate_series(0, 2) n`,
  `INSERT INTO outbox.destination (name, breaker, failures, first_failure_at, opened_at, open_until, reason_code, reason_status)
   SELECT name, CASE name WHEN 'crm' THEN 'open' ELSE 'closed' END, CASE name WHEN 'crm' THEN 12 ELSE 0 END, now() - interval '1 day',
     now() - interval '1 day', now() + interval '1 day', 'HTTP.SERVER_ERROR', 503
   FROM unnest(ARRAY['audit.log', 'crm', 'billing', 'search', 'mail', 'stores']) name`,
  `INSERT INTO outbox.outage (id, destination, first_failure_at, opened_at, code, status)
   VALUES (gen_random_uuid(), 'crm', now() - interval '1 day', now() - interval '1 day', 'HTTP.SERVER_ERROR', 503)`,
  `INSERT INTO outbox.pause (id, destination, tenant, reason, actor)
   SELECT gen_random_uuid(), 'mail', 'tenant-' || n, 'moving house', 'user:ada' FROM generate_series(1, 40) n`,
  `INSERT INTO outbox.alert (kind, subject, fields, over_at)
   SELECT 'destination.open', 'd-' || n, '{}', CASE WHEN n > 20 THEN now() END FROM generate_series(1, 500) n`,
  `INSERT INTO outbox.book_check (hour, checked_at, closed, gap_count)
   SELECT h, h + interval '1 hour', true, CASE WHEN extract(hour FROM h) = 7 THEN 1 ELSE 0 END
   FROM generate_series(date_trunc('hour', now()) - interval '365 days', now(), interval '1 hour') h`,
  `INSERT INTO outbox.process (id, roles, host, pid, version, seen_at, skew_ms, says)
   SELECT gen_random_uuid(), ARRAY[CASE n % 2 WHEN 0 THEN 'relay' ELSE 'worker' END], 'host-' || n, n, '0.1.0',
     now() + CASE WHEN n < 40 THEN interval '1 hour' ELSE interval '-2 hours' END, 3,
     '{"temporal":{"ok":true,"reason":null,"at":"2026-01-01T00:00:00.000Z"},"auditApi":null,"namespace":"default","temporalAddress":"t","policies":null,"orderings":{},"coalescing":[]}'
   FROM generate_series(1, 400) n`,
  `INSERT INTO outbox.redrive_job (id, filter, rate, expected, state, redriven, actor, reason, created_at, ended_at)
   SELECT gen_random_uuid(),
     '{"eventType":"ORDER","code":null,"tenantId":null,"destination":null,"since":null,"until":null,"text":null,"outageId":null}', 50, 10, 'done', 10, 'user:ada', 'as agreed', now() - n * interval '1 minute', now() FROM generate_series(1, 2000) n`,
  `INSERT INTO outbox.event_revision (event_id, epoch, payload, content_hash, actor, reason)
   SELECT event_id, 1, '{"total":1}', 'h', 'user:ada', 'as agreed' FROM outbox.dead_letter WHERE state = 'open' ORDER BY id LIMIT 500`,
];

/** $1 now. */
const SEEDED = `
SELECT e.id AS event, (SELECT aggregate_id FROM outbox.event WHERE recorded_at < $1::timestamptz - interval '2 days'
    AND aggregate_id <> 'hot' ORDER BY recorded_at DESC LIMIT 1) AS "aggregateId",
  (SELECT id FROM outbox.dead_letter WHERE state = 'open' ORDER BY created_at DESC LIMIT 1) AS "openLetter",
  (SELECT id FROM outbox.redrive_job ORDER BY created_at DESC LIMIT 1) AS job, (SELECT id FROM outbox.outage LIMIT 1) AS outage,
  (SELECT m::text FROM ${MINUTES} m
    WHERE NOT EXISTS (SELECT FROM outbox.figure f WHERE f.span = 1 AND f.begins_at = m) LIMIT 1) AS "uncountedMinute",
  ${UNCOUNTED_QUARTER}::text AS "uncountedQuarter"
FROM outbox.event e JOIN outbox.delivery d ON d.event_id = e.id
WHERE e.recorded_at < $1::timestamptz - interval '1 hour' AND e.recorded_at > $1::timestamptz - interval '2 hours'
  AND d.status = 'DELIVERED' ORDER BY e.recorded_at DESC LIMIT 1`;

const MONTHS = 24;
const RECORDS_CHUNK = 25_000;

/** `records` of about a kilobyte each, evenly over the last two years, nine tenths of them one tenant's. Not sealed. */
export async function seedRecords(pool: Pool, { records = 200_000 } = {}): Promise<void> {
  const now = new Date();
  const monthsBack = (n: number) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - n)).toISOString();
  for (let n = 1; n < MONTHS; n++) {
    const name = `record_${monthsBack(n).slice(0, 7).replace('-', '_')}`;
    await pool.query(
      `CREATE TABLE audit.${name} PARTITION OF audit.record FOR VALUES FROM ('${monthsBack(n)}') TO ('${monthsBack(n - 1)}')`,
    );
  }
  // Made afterwards, which is quicker.
  const { rows: indexes } = await pool.query<{ name: string; text: string }>(
    `SELECT indexname AS name, indexdef AS text FROM pg_indexes
     WHERE schemaname = 'audit' AND tablename = 'record' AND indexname IN ('record_by_actor', 'record_by_action', 'record_by_target')`,
  );
  for (const { name } of indexes) await pool.query(`DROP INDEX audit.${name}`);
  const first = Date.parse(monthsBack(MONTHS - 1));
  const step = (now.getTime() - first) / records;
  const chunks = Array.from({ length: Math.ceil(records / RECORDS_CHUNK) }, (_, i) => i * RECORDS_CHUNK);
  await inTwo(
    chunks.map((from) => () => pool.query(RECORDS, [first, step, from, Math.min(RECORDS_CHUNK, records - from)])),
  );
  await inTwo(
    indexes.map(
      ({ text }) =>
        () =>
          pool.query(text.replace(' ON ONLY ', ' ON ')),
    ),
  );
  await vacuum(pool, ['audit.record', 'audit.record_key']);
}

/** $1 the first millisecond, $2 milliseconds between two, $3 the first number, $4 how many. */
const RECORDS = `
WITH made AS MATERIALIZED (
  SELECT n, CASE WHEN n % 10 = 0 THEN 't-' || n / 10 % 9 + 1 ELSE 't-0' END AS tenant,
    (lpad(to_hex(ms), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS record_id,
    to_timestamp(ms / 1000.0) AS at, sha256(n::text::bytea) AS hash,
    CASE WHEN n % 50000 = 11 THEN 'role.role.granted'
      ELSE (ARRAY['auth.user.signed_in', 'order.order.placed', 'order.order.paid', 'data.file.read'])[1 + n % 4] END AS action
  FROM (SELECT n, $1::bigint + floor(n * $2::float8)::bigint AS ms FROM generate_series($3::integer, $3::integer + $4::integer - 1) n) s
), keys AS (
  INSERT INTO audit.record_key (tenant_id, source, event_id, record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash)
  SELECT tenant, '/orders', 'e-' || n, record_id, at, 'k1', hash, hash FROM made
)
INSERT INTO audit.record (record_id, recorded_at, tenant_id, source, event_id, action, action_version, category, operation, outcome,
  severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt, body, leaf_hash)
SELECT record_id, at, tenant, '/orders', 'e-' || n, action, 1, 'data', 'create', 'success', 'info', at, 'user', 'u-' || n % 100,
  'api', '0198c0de-0000-7000-8000-000000000001', 1, '\\x00',
  jsonb_build_object('specVersion', '1.0', 'eventId', 'e-' || n, 'source', '/orders', 'action', action, 'actionVersion', 1,
    'category', 'data', 'operation', 'create', 'outcome', 'success',
    'occurredAt', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'actor', jsonb_build_object('type', 'user', 'id', 'u-' || n % 100),
    'targets', jsonb_build_array(jsonb_build_object('type', 'row', 'id', 'row-' || n),
      jsonb_build_object('type', 'customer', 'id', 'customer-' || n % 20)),
    'data', jsonb_build_object('n', n, 'text', repeat(md5(n::text), 16))),
  hash
FROM made`;
