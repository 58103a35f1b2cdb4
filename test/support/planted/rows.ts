/** What the planted rows are made of: names, ids, and what a row has that nothing is said of. */
import type { Pool } from 'pg';

export type PlantedText = (field: string, ordinary: string) => string;

/** What stands in a field on an ordinary day. */
export function ordinarily(_field: string, ordinary: string): string {
  return ordinary;
}

/** What a test goes to by its id. */
export const PLANTED = {
  /** Died twice: once redriven, once edited; its letter is open. */
  deadEvent: idOf(1, 1),
  letter: idOf(2, 1),
  /** One of many of its kind, of an event like any other. */
  plainLetter: idOf(2, 1_000),
  /** Delivered to the audit log, as `record`. */
  deliveredEvent: idOf(1, 2),
  /** Delivered to another destination, in a batch. */
  carriedEvent: idOf(1, 3),
  runningEvent: idOf(1, 4),
  runningJob: idOf(3, 1),
  cancelledJob: idOf(3, 2),
  failedIngest: idOf(4, 1),
} as const;

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const CODE_HASH = `sha-256:${'4f'.repeat(32)}`;
export const POLICY_HASH = 'sha-256:9b1c6c2e7f0a4d35';
export const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

export type Trouble = 'all' | 'some';

export interface Planting {
  readonly text: PlantedText;
  readonly ago: (minutes: number) => string;
}

export const TENANTS = ['acme', 'globex', 'initech'];
/** Events as an application has them: name, type, destination, aggregate. */
export const KINDS = [
  ['auth.user.signed_in.v1', 'AUTH', 'audit.log', 'user'],
  ['order.order.placed.v1', 'ORDER', 'audit.log', 'order'],
  ['order.order.exported.v1', 'ORDER', 'warehouse.orders', 'order'],
  ['billing.invoice.issued.v1', 'BILLING', 'audit.log', 'invoice'],
  ['billing.payment.captured.v1', 'BILLING', 'crm.contacts', 'invoice'],
] as const;

export const DELIVERY: Row = {
  epoch: 0,
  budget_epoch: 0,
  status: 'PENDING',
  lease_token: null,
  carrier: null,
  started_at: null,
  settled_at: null,
  receipt: null,
  start_tries: 0,
  redispatches: 0,
  waited_ms: 0,
  doubtful: false,
  policy_hash: null,
  order_key: null,
  order_no: null,
  no_coalesce: false,
};

export const LETTER: Row = {
  epoch: 0,
  retry_count: 1,
  max_retries: 10,
  effect: 'none',
  effect_asked: 0,
  state: 'open',
};

export const BLANK_LETTER: Row = {
  stack: null,
  causes: null,
  response: null,
  field: null,
  last_code: null,
  last_status: null,
  workflow_id: null,
  run_id: null,
  traceparent: null,
  policy_hash: null,
  first_failed_at: null,
  state_at: null,
  state_actor: null,
  state_reason: null,
  previous_id: null,
};

export function eventRow(id: string, kind: number, n: number): Row {
  const [name, type, destination, aggregate] = KINDS[kind] ?? KINDS[0];
  return {
    id,
    event_name: name,
    event_type: type,
    routing_key: destination,
    source: 'outbox:shop',
    aggregate_type: aggregate,
    aggregate_id: String(10_000 + n),
    aggregate_version: null,
    tenant_id: TENANTS[n % TENANTS.length],
    payload: { userId: `u-${(n * 17) % 40}` },
    headers: { traceparent: TRACE },
    content_hash: CODE_HASH,
  };
}

export function timesOf(at: string): Row {
  return { occurred_at: at, recorded_at: at };
}

export function hourOf(now: Date, hoursAgo: number): string {
  return new Date(Math.floor(now.getTime() / HOUR_MS) * HOUR_MS - hoursAgo * HOUR_MS).toISOString();
}

/** The same one each time. */
export function idOf(kind: number, n: number): string {
  return `0198c0de-${String(kind).padStart(4, '0')}-7000-8000-${String(n).padStart(12, '0')}`;
}

/** A record's id holds its time. */
export function recordIdOf(at: Date, n: number): string {
  const hex = at.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(n).padStart(12, '0')}`;
}

export type Row = Readonly<Record<string, unknown>>;

/** All rows have the columns of the first one. */
export async function insert(pool: Pool, table: string, rows: readonly Row[]): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const columns = Object.keys(first).join(', ');
  await pool.query(
    `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)`,
    [JSON.stringify(rows)],
  );
}

/** Of 32 bytes, in hex digits, and one for each record. */
export function leafHashOf(recordId: string): string {
  return `${'a1'.repeat(16)}${recordId.replaceAll('-', '')}`;
}
