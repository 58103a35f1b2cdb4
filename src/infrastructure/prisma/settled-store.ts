/** Retention in the outbox. A batch of events is one transaction: they leave, and the books have them, or neither. */
import type { RemovedStep, SettledCursor, SettledStore } from '../../application/delivery/retention/ports.js';
import { type PgPool, type Query, runStatement, runTransaction } from './pg-pool.js';
import * as sql from './settled-statements.js';

const TIMEOUT_MS = 15_000;
const LAG_TIMEOUT_MS = 5_000;

export interface SettledStoreOptions {
  /** For tests of crashes. */
  readonly failpoint?: (point: string) => void;
  /** Whether the books of this process can ask the audit log. */
  readonly canAsk: boolean;
}

export function createSettledStore(pool: PgPool, { failpoint = () => {}, canAsk }: SettledStoreOptions): SettledStore {
  return {
    async removeEvents({ name, holder }, olderThanMs, after) {
      const page = await runStatement<SettledCursor & { readonly id: string }>(pool, {
        name: 'settled_page',
        text: sql.PAGE,
        values: [olderThanMs, after?.at ?? null, after?.id ?? null],
        timeoutMs: TIMEOUT_MS,
      });
      const last = page.at(-1);
      if (last === undefined) return { removed: 0, unproven: 0, cursor: null };
      const ids = page.map(({ id }) => id);
      const done = await runTransaction(pool, { name: 'settled_remove', timeoutMs: TIMEOUT_MS }, async (query) => {
        const hours = await query<{ hour: string }>({
          name: 'settled_hours',
          text: sql.LOCK_HOURS,
          values: [name, holder, ids],
        });
        if (hours.length === 0) return { removed: 0, unproven: 0 };
        const values = [olderThanMs, ids, hours.map(({ hour }) => hour)];
        const rows = await query<LeavingRow>({ name: 'settled_lock', text: sql.LOCK_EVENTS, values });
        if (rows.length > 0) await remove(query, rows);
        const [kept] = await query<{ n: number }>({
          name: 'settled_unproven',
          text: sql.KEEP_UNPROVEN,
          values: [...values, canAsk],
        });
        failpoint('retention-before-commit');
        return { removed: rows.length, unproven: kept?.n ?? 0 };
      });
      const step: RemovedStep = { ...done, cursor: page.length < sql.EVENTS_AT_ONCE ? null : last };
      return step;
    },

    async removeNotices({ name, holder }, olderThanMs, after) {
      const [row] = await runStatement<{ removed: number; cursor: string | null }>(pool, {
        name: 'settled_notices',
        text: sql.REMOVE_NOTICES,
        values: [name, holder, olderThanMs, after],
        timeoutMs: TIMEOUT_MS,
      });
      return row ?? { removed: 0, cursor: null };
    },

    async removeJobs({ name, holder }, olderThanMs) {
      const values = [name, holder, olderThanMs];
      const rows = await runStatement(pool, {
        name: 'settled_jobs',
        text: sql.REMOVE_JOBS,
        values,
        timeoutMs: TIMEOUT_MS,
      });
      return { removed: rows.length, left: rows.length === sql.JOBS_AT_ONCE };
    },
  };
}

interface LeavingRow {
  readonly id: string;
  readonly status: string;
  readonly hour: string;
}

async function remove(query: Query, rows: readonly LeavingRow[]): Promise<void> {
  const ids = [rows.map(({ id }) => id)];
  for (const [what, text] of Object.entries(sql.REMOVE)) {
    await query({ name: `settled_remove_${what}`, text, values: ids });
  }
  const counted = [...Map.groupBy(rows, ({ hour, status }) => `${status} ${hour}`).values()];
  const first = counted.map(([row]) => row as LeavingRow); // no group is empty
  const counts = [
    first.map(({ hour }) => hour),
    first.map(({ status }) => status),
    counted.map(({ length }) => length),
  ];
  await query({ name: 'settled_book', text: sql.ADD_TO_BOOK, values: counts });
  await query({ name: 'settled_totals', text: sql.TAKE_FROM_TOTALS, values: counts });
}

/**
 * For how many seconds the oldest settled event that may leave has been allowed to: 0 where none may. Where the oldest 2,000
 * are all kept: how long the oldest of them is too old. Of `olderThanMs` by
 * OUTBOX_RETENTION_DAYS. One bounded statement; throws IntegrationError `STORE.UNAVAILABLE`.
 */
export async function readRetentionLag(pool: PgPool, olderThanMs: number): Promise<number> {
  const statement = { name: 'settled_lag', text: sql.LAG, values: [olderThanMs], timeoutMs: LAG_TIMEOUT_MS };
  const [row] = await runStatement<{ seconds: number }>(pool, statement);
  return Math.max(0, row?.seconds ?? 0);
}

/** Of the 2,000 oldest settled events: how many stay only because the audit log was not asked about them. As above. */
export async function readUnproven(pool: PgPool, olderThanMs: number): Promise<number> {
  const statement = {
    name: 'settled_unproven_oldest',
    text: sql.UNPROVEN,
    values: [olderThanMs],
    timeoutMs: LAG_TIMEOUT_MS,
  };
  const [row] = await runStatement<{ n: number }>(pool, statement);
  return row?.n ?? 0;
}
