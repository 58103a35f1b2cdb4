/** What the database says at one moment: read after every step, in one statement. */
import type { PgPool } from '../../src/infrastructure/prisma/pg-pool.js';

export type Status = 'PENDING' | 'STARTED' | 'DELIVERED' | 'DEAD' | 'DISCARDED';

export interface Row {
  readonly id: string;
  readonly epoch: number;
  readonly budget: number;
  readonly status: Status;
  readonly token: string | null;
  readonly carrier: string | null;
  readonly receipt: string | null;
  readonly alone: boolean;
  readonly redispatches: number;
  /** In ms, by the database's clock. */
  readonly due: number;
}

export interface Letter {
  readonly id: string;
  readonly event: string;
  readonly epoch: number;
  readonly state: 'open' | 'redriven' | 'resolved' | 'discarded';
  readonly code: string;
  readonly effect: 'none' | 'unknown' | 'stands';
  readonly retries: number;
  readonly max: number;
  /** Rows of notifications that tell of it. */
  readonly notices: number;
}

export interface Attempt {
  readonly event: string;
  readonly epoch: number;
  readonly n: number;
  readonly code: string | null;
  readonly finished: boolean;
}

export interface Books {
  readonly now: number;
  readonly rows: ReadonlyMap<string, Row>;
  readonly letters: readonly Letter[];
  readonly attempts: readonly Attempt[];
}

export async function readBooks(pool: PgPool): Promise<Books> {
  const { now, rows, letters, attempts } = (await pool.query({ name: 'model_books', text: BOOKS })).rows[0];
  return { now, rows: new Map(rows.map((row: Row) => [row.id, row])), letters, attempts };
}

const ms = (moment: string) => `(extract(epoch FROM ${moment}) * 1000)::float8`;
const all = (columns: string, from: string) =>
  `(SELECT coalesce(json_agg(x), '[]') FROM (SELECT ${columns} FROM ${from}) x)`;

const BOOKS = `SELECT ${ms('clock_timestamp()')} AS now,
  ${all(
    `event_id AS id, epoch, budget_epoch AS budget, status, lease_token AS token, carrier, receipt->>'id' AS receipt,
     no_coalesce AS alone, redispatches, ${ms('due_at')} AS due`,
    'outbox.delivery',
  )} AS rows,
  ${all(
    `id, event_id AS event, epoch, state, code, effect, retry_count AS retries, max_retries AS max,
     (SELECT count(*) FROM outbox.notification n WHERE n.dead_letter_id = l.id) AS notices`,
    'outbox.dead_letter l',
  )} AS letters,
  ${all('event_id AS event, epoch, n, code, finished_at IS NOT NULL AS finished', 'outbox.delivery_attempt')} AS attempts`;
