/**
 * What the databases say of a run, read page by page: of a payload only its hash is kept, so a hundred thousand events fit into
 * memory. The outbox is read in one snapshot.
 */
import type pg from 'pg';
import { toAuditSource } from '../../application/delivery/mappers/to-audit-event.js';
import type { RetryPolicy } from '../../domain/delivery/policy.js';
import type {
  BookDelay,
  BookDelivery,
  BookHurry,
  BookLetter,
  BookMisfit,
  BookRecord,
  BookRow,
  Books,
} from './books.js';
import { hashPayload, hashShown } from './payload-hash.js';

export interface ReadOptions {
  /** Only events of this source, on a staging that has others; null: all of the deployment. */
  readonly source: string | null;
  /** Records before it are not looked at. Default: all. */
  readonly since?: Date;
}

const PAGE = 5_000;
const STATEMENT_TIMEOUT_MS = 60_000;
/** Of open events so many are told of at length. */
const MOST_HANGING = 100;
/** Of what should not be there at all. */
const MOST_ODD = 100;

/** @throws the database's error: without books there is nothing to compare */
export async function readBooks(
  pools: { readonly outbox: pg.Pool; readonly audit: pg.Pool },
  options: ReadOptions,
): Promise<Books> {
  const outbox = await inSnapshot(pools.outbox, async (client) => ({
    aheadMs: await readAhead(client),
    rows: await readRows(client, options),
    letters: await readLetters(client, options),
    policies: await readPolicies(client),
    delays: await readDelays(client, options),
    hurried: await readHurried(client, options),
  }));
  const audit = await inSnapshot(pools.audit, async (client) => ({
    records: await readRecords(client, options),
    misfits: await readMisfits(client, options),
  }));
  return { ...outbox, ...audit };
}

async function inSnapshot<T>(pool: pg.Pool, read: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let done = false;
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(`SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    const found = await read(client);
    await client.query('COMMIT');
    done = true;
    return found;
  } finally {
    client.release(!done);
  }
}

async function readAhead(client: pg.PoolClient): Promise<number> {
  const before = Date.now();
  const { rows } = await client.query<{ at: number }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at',
  );
  return Number(rows[0]?.at) - (before + Date.now()) / 2;
}

/** All pages of a statement that takes the last key as $1 and the size of a page as $2. */
async function* readPages<Row extends pg.QueryResultRow & { readonly key: string }>(
  client: pg.PoolClient,
  text: string,
  values: readonly unknown[],
): AsyncGenerator<Row> {
  let last = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const { rows } = await client.query<Row>(text, [last, PAGE, ...values]);
    yield* rows;
    if (rows.length < PAGE) return;
    last = rows.at(-1)?.key ?? last;
  }
}

interface EventRow {
  readonly key: string;
  readonly event_name: string;
  readonly routing_key: string;
  readonly event_type: string;
  readonly tenant_id: string;
  readonly source: string;
  readonly aggregate: string;
  readonly version: string | null;
  readonly payload: unknown;
  readonly edited: boolean;
  readonly status: BookDelivery['status'] | null;
  readonly destination: string;
  readonly tenant: string;
  readonly epoch: number;
  readonly policy_hash: string | null;
  readonly ordered: boolean;
  readonly started_at: number | null;
  readonly settled_at: number | null;
  readonly receipt_id: string | null;
  readonly replayed: boolean;
  readonly carried: boolean;
}

async function readRows(client: pg.PoolClient, { source }: ReadOptions): Promise<ReadonlyMap<string, BookRow>> {
  const failures = await readFailures(client, source);
  const hangs = await readHanging(client, source);
  const text = `
    SELECT e.id::text AS key, e.event_name, e.routing_key, e.event_type, e.tenant_id, e.source,
      e.aggregate_type || '/' || e.aggregate_id AS aggregate, e.aggregate_version::text AS version, e.payload,
      EXISTS (SELECT FROM outbox.event_revision v WHERE v.event_id = e.id) AS edited,
      d.status, d.destination, d.tenant, d.epoch, d.policy_hash, d.order_key IS NOT NULL AS ordered,
      (extract(epoch FROM d.started_at) * 1000)::float8 AS started_at, (extract(epoch FROM d.settled_at) * 1000)::float8 AS settled_at, d.receipt->>'id' AS receipt_id, coalesce((d.receipt->>'replayed')::boolean, false) AS replayed,
      d.carrier IS NOT NULL AS carried
    FROM outbox.event e LEFT JOIN outbox.delivery d ON d.event_id = e.id
    WHERE e.id > $1::uuid AND ($3::text IS NULL OR e.source = $3::text)
    ORDER BY e.id LIMIT $2`;
  const rows = new Map<string, BookRow>();
  for await (const row of readPages<EventRow>(client, text, [source])) {
    rows.set(row.key, toBookRow(row, failures.get(row.key) ?? NO_FAILURES, hangs.get(row.key) ?? null));
  }
  return rows;
}

const NO_FAILURES: BookDelivery['failures'] = {};

function toBookRow(row: EventRow, failures: BookDelivery['failures'], hangs: string | null): BookRow {
  return {
    id: row.key,
    eventName: row.event_name,
    routingKey: row.routing_key,
    eventType: row.event_type,
    tenantId: row.tenant_id,
    source: toAuditSource(row.source),
    aggregate: row.aggregate,
    version: row.version === null ? null : Number(row.version),
    payloadHash: hashPayload(row.payload),
    edited: row.edited,
    delivery:
      row.status === null
        ? null
        : {
            status: row.status,
            destination: row.destination,
            tenant: row.tenant,
            epoch: row.epoch,
            policyHash: row.policy_hash,
            ordered: row.ordered,
            startedAt: row.started_at,
            settledAt: row.settled_at,
            receiptId: row.receipt_id,
            replayed: row.replayed,
            carried: row.carried,
            failures,
            hangs,
          },
  };
}

async function readFailures(
  client: pg.PoolClient,
  source: string | null,
): Promise<Map<string, Record<string, number>>> {
  const { rows } = await client.query<{ id: string; code: string; n: number }>(
    `SELECT a.event_id::text AS id, a.code, count(*)::int AS n
     FROM outbox.delivery_attempt a JOIN outbox.delivery d ON d.event_id = a.event_id
     WHERE a.epoch BETWEEN d.budget_epoch AND d.epoch AND a.code IS NOT NULL AND ${OF_SOURCE('a.event_id')}
     GROUP BY a.event_id, a.code`,
    [source],
  );
  const failures = new Map<string, Record<string, number>>();
  for (const { id, code, n } of rows) failures.set(id, { ...failures.get(id), [code]: n });
  return failures;
}

const OF_SOURCE = (id: string) =>
  `($1::text IS NULL OR EXISTS (SELECT FROM outbox.event s WHERE s.id = ${id} AND s.source = $1::text))`;

async function readHanging(client: pg.PoolClient, source: string | null): Promise<Map<string, string>> {
  const { rows } = await client.query<{ id: string; told: string }>(
    `SELECT d.event_id::text AS id, concat_ws(', ',
        'epoch ' || d.epoch, 'carrier ' || d.carrier, 'due ' || d.due_at, 'lease ' || d.lease_token,
        'start_tries ' || nullif(d.start_tries, 0), 'order ' || d.order_key || ' ' || d.order_no,
        'breaker ' || t.breaker, 'run ' || a.run_id,
        'last attempt ' || a.n || ' of epoch ' || a.epoch || ' from ' || a.started_at
          || ' ' || coalesce(a.code, CASE WHEN a.finished_at IS NULL THEN 'not finished' ELSE 'succeeded' END)) AS told
     FROM outbox.delivery d
     LEFT JOIN outbox.destination t ON t.name = d.destination
     LEFT JOIN LATERAL (SELECT * FROM outbox.delivery_attempt a WHERE a.event_id = d.event_id
       ORDER BY a.epoch DESC, a.n DESC LIMIT 1) a ON true
     WHERE d.status IN ('PENDING', 'STARTED') AND ${OF_SOURCE('d.event_id')}
     ORDER BY d.due_at LIMIT ${MOST_HANGING}`,
    [source],
  );
  return new Map(rows.map(({ id, told }) => [id, told]));
}

interface LetterRow extends Omit<BookLetter, 'notifications'> {
  readonly notifications: BookLetter['notifications'] | null;
}

async function readLetters(client: pg.PoolClient, { source }: ReadOptions): Promise<BookLetter[]> {
  const { rows } = await client.query<LetterRow>(
    `SELECT l.id::text, l.event_id::text AS "eventId", l.epoch, l.state, l.code, l.retry_count AS "retryCount", l.effect,
        l.effect_ask_at IS NOT NULL AS asks,
        (SELECT jsonb_agg(jsonb_build_object('claimedBy', n.claimed_by, 'done', n.done_at IS NOT NULL,
            'outcome', coalesce(n.outcome, '{}'))) FROM outbox.notification n WHERE n.dead_letter_id = l.id) AS notifications
     FROM outbox.dead_letter l WHERE ${OF_SOURCE('l.event_id')}`,
    [source],
  );
  return rows.map((row) => ({ ...row, notifications: row.notifications ?? [] }));
}

async function readPolicies(client: pg.PoolClient): Promise<Map<string, RetryPolicy>> {
  const { rows } = await client.query<{ hash: string; body: RetryPolicy }>('SELECT hash, body FROM outbox.policy');
  return new Map(rows.map(({ hash, body }) => [hash, body]));
}

async function readDelays(client: pg.PoolClient, { source }: ReadOptions): Promise<BookDelay[]> {
  const { rows } = await client.query<BookDelay>(
    `SELECT d.policy_hash AS "policyHash", a.code, max(a.delay_ms)::float8 AS "longestMs"
     FROM outbox.delivery_attempt a JOIN outbox.delivery d ON d.event_id = a.event_id
     WHERE a.epoch BETWEEN d.budget_epoch AND d.epoch AND a.code IS NOT NULL AND a.delay_ms IS NOT NULL
       AND d.policy_hash IS NOT NULL AND ${OF_SOURCE('a.event_id')}
     GROUP BY d.policy_hash, a.code`,
    [source],
  );
  return rows;
}

/** Temporal's timers and the clocks' grain. */
const EARLY_MS = 50;
/** A worker that dies once the failure is written: its attempt ends by start-to-close, and Temporal retries by a delay of its own. */
const OWN_RETRY_MS = 20_000;

const clockOf = (time: string) => `to_char(${time} AT TIME ZONE 'UTC', 'HH24:MI:SS.MS')`;

/**
 * By starts alone: the end of an attempt may be written late, through a slow network, and would blame a retry that was in time.
 * Local attempts are left out: their row is written once the next one begins.
 */
async function readHurried(client: pg.PoolClient, { source }: ReadOptions): Promise<BookHurry[]> {
  const { rows } = await client.query<BookHurry>(
    `SELECT a.event_id::text AS "eventId", a.epoch, a.n, a.code, a.delay_ms::float8 AS "delayMs",
        (extract(epoch FROM b.started_at - a.started_at) * 1000)::float8 AS "cameMs",
        concat(${clockOf('a.started_at')}, ' to ', ${clockOf('a.finished_at')}, ' by ', a.worker, ', then ', ${clockOf('b.started_at')},
          ' by ', b.worker) AS how
     FROM outbox.delivery_attempt a JOIN outbox.delivery_attempt b
       ON b.event_id = a.event_id AND b.epoch = a.epoch AND b.n = a.n + 1 AND b.run_id = a.run_id
     WHERE NOT a.local AND NOT b.local AND a.carrier IS NULL AND a.code IS NOT NULL AND a.delay_ms IS NOT NULL
       AND b.started_at < a.started_at + (least(a.delay_ms, ${OWN_RETRY_MS}) - ${EARLY_MS}) * interval '1 millisecond'
       AND ${OF_SOURCE('a.event_id')}
     LIMIT ${MOST_ODD}`,
    [source],
  );
  return rows;
}

interface RecordRow {
  readonly key: string;
  readonly event_id: string;
  readonly tenant_id: string;
  readonly source: string;
  readonly seq: string;
  readonly data: unknown;
}

/** Whoever sent it: nobody but the run's own outbox has anything to record here. */
async function readRecords(client: pg.PoolClient, { source, since }: ReadOptions): Promise<BookRecord[]> {
  const text = `
    SELECT r.record_id::text AS key, r.event_id, r.tenant_id, r.source, r.seq::text AS seq, r.body->'data' AS data
    FROM audit.record r
    WHERE r.record_id > $1::uuid AND ($3::text IS NULL OR r.source = $3::text)
      AND ($4::timestamptz IS NULL OR r.recorded_at >= $4::timestamptz)
    ORDER BY r.record_id LIMIT $2`;
  const records: BookRecord[] = [];
  const values = [source === null ? null : toAuditSource(source), since ?? null];
  for await (const row of readPages<RecordRow>(client, text, values)) {
    records.push({
      recordId: row.key,
      eventId: row.event_id,
      tenantId: row.tenant_id,
      source: row.source,
      seq: Number(row.seq),
      shown: hashShown(row.data),
    });
  }
  return records;
}

/** R25, R28. */
async function readMisfits(client: pg.PoolClient, { source }: ReadOptions): Promise<BookMisfit[]> {
  const { rows } = await client.query<BookMisfit>(
    `(SELECT coalesce(k.event_id, r.event_id) AS "eventId", NULL AS code,
        CASE WHEN k.record_id IS NULL THEN 'record without key' ELSE 'key without record' END AS kind
      FROM audit.record_key k FULL JOIN audit.record r
        ON r.record_id = k.record_id AND r.tenant_id = k.tenant_id AND r.source = k.source AND r.event_id = k.event_id
      WHERE (k.record_id IS NULL OR r.record_id IS NULL) AND ($1::text IS NULL OR coalesce(k.source, r.source) = $1::text)
      LIMIT ${MOST_ODD})
     UNION ALL
     (SELECT f.event_id, f.code, 'not stored' FROM audit.failed_ingest f
      WHERE f.state = 'open' AND ($1::text IS NULL OR f.source = $1::text) LIMIT ${MOST_ODD})`,
    [source === null ? null : toAuditSource(source)],
  );
  return rows;
}
