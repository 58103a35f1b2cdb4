/** Deliveries of minutes that are over, planted as rows, and a plain recount of them. */
import { randomUUID } from 'node:crypto';
import { bucketOf, NO_LATENCIES } from '../../src/domain/delivery/latency-histogram.js';
import type { PgPool } from '../../src/infrastructure/prisma/pg-pool.js';

export interface PlantedDelivery {
  readonly destination: string;
  readonly eventType: string;
  readonly tenant: string;
  /** When it was settled. */
  readonly at: string;
  /** From its commit on, whole milliseconds. */
  readonly tookMs: number;
  /** DEAD: with a letter of that time; `letter`: what became of it. */
  readonly status: 'DELIVERED' | 'DEAD' | 'DISCARDED';
  readonly letter?: 'open' | 'redriven' | 'resolved' | 'discarded';
}

const DEFAULTS: Omit<PlantedDelivery, 'at'> = {
  destination: 'audit.log',
  eventType: 'ORDER',
  tenant: 'acme',
  tookMs: 20,
  status: 'DELIVERED',
};

/** Their ids, in their order. */
export async function plantDeliveries(
  pool: PgPool,
  planted: readonly (Partial<PlantedDelivery> & Pick<PlantedDelivery, 'at'>)[],
): Promise<string[]> {
  const rows = planted.map((one) => ({ ...DEFAULTS, letter: 'open', ...one, id: randomUUID() }));
  await pool.query(
    `WITH p AS MATERIALIZED (
       SELECT * FROM jsonb_to_recordset($1::jsonb) AS p(id uuid, destination text, "eventType" text, tenant text, at timestamptz,
         "tookMs" integer, status text, letter text)
     ), e AS (
       INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id, tenant_id, payload,
         content_hash, occurred_at, recorded_at)
       SELECT id, 'order.order.placed.v1', "eventType", destination, 'outbox:main', 'order', '1', tenant, '{}', 'sha-256:0', at,
         at - "tookMs" * interval '1 millisecond' FROM p
     ), l AS (
       INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, retry_count,
         max_retries, created_at, state)
       SELECT gen_random_uuid(), id, 0, destination, "eventType", tenant, 'HTTP.CLIENT_ERROR', 'refused', 1, 1, at, letter
       FROM p WHERE status = 'DEAD'
     )
     INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, settled_at, status, receipt)
     SELECT id, destination, "eventType", tenant, at, status, CASE status WHEN 'DELIVERED' THEN '{"id":"r"}'::jsonb END FROM p`,
    [JSON.stringify(rows)],
  );
  return rows.map(({ id }) => id);
}

export interface FigureRow {
  readonly dimension: string;
  readonly folded: boolean;
  readonly name: string;
  readonly delivered: number;
  readonly died: number;
  readonly timed: number;
  readonly latency: readonly number[];
}

/** In the order of its key. */
export async function figureRows(pool: PgPool, begins: string, span: 1 | 15 = 1): Promise<FigureRow[]> {
  const { rows } = await pool.query<FigureRow>(
    `SELECT dimension, folded, name, delivered, died, timed, latency FROM outbox.figure
     WHERE span = $1 AND begins_at = $2::timestamptz ORDER BY dimension COLLATE "C", folded, name COLLATE "C"`,
    [span, begins],
  );
  return rows;
}

/** What these deliveries should be counted as, each name by itself. */
export function recount(planted: readonly PlantedDelivery[]): FigureRow[] {
  const rows = new Map<string, { -readonly [Field in keyof FigureRow]: FigureRow[Field] } & { latency: number[] }>();
  const rowOf = (dimension: string, name: string) => {
    const key = `${dimension} ${name}`;
    const known = rows.get(key);
    if (known !== undefined) return known;
    const fresh = { dimension, folded: false, name, delivered: 0, died: 0, timed: 0, latency: [...NO_LATENCIES] };
    rows.set(key, fresh);
    return fresh;
  };
  rowOf('all', '');
  for (const { destination, eventType, tenant, status, tookMs } of planted) {
    if (status === 'DISCARDED') continue;
    for (const [dimension, name] of [
      ['all', ''],
      ['destination', destination],
      ['event_type', eventType],
      ['tenant', tenant],
    ] as const) {
      const row = rowOf(dimension, name);
      if (status === 'DEAD') row.died++;
      else {
        row.delivered++;
        row.timed++;
        const bucket = bucketOf(tookMs);
        row.latency[bucket] = (row.latency[bucket] ?? 0) + 1;
      }
    }
  }
  return [...rows.entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row);
}
