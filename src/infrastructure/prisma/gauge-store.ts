import type { GaugeStore } from '../../application/metrics/read-gauges.js';
import { DUE_BY_LANE, LETTERS_BY_KIND, OLDEST_LETTER, TABLES } from './gauge-statements.js';
import { type PgPool, runStatement } from './pg-pool.js';

/** Behind the deadline of a scrape nobody waits for it any more. */
const TIMEOUT_MS = 2_000;

/** What a scrape counts, by named statements over the pool given. Reads only. */
export function createGaugeStore(pool: PgPool): GaugeStore {
  const run = <Row extends object>(name: string, text: string, values: readonly unknown[] = []) =>
    runStatement<Row>(pool, { name: `gauge_${name}`, text, values, timeoutMs: TIMEOUT_MS });
  return {
    async countDue() {
      const rows = await run<{ destination: string; event_type: string; due: number }>('due', DUE_BY_LANE);
      return rows.map(({ destination, event_type: eventType, due }) => ({ destination, eventType, due }));
    },
    async countLetters() {
      const rows = await run<{ event_type: string; code: string; open: number }>('letters', LETTERS_BY_KIND);
      return rows.map(({ event_type: eventType, code, open }) => ({ eventType, code, open }));
    },
    async readOldestLetter() {
      const [row] = await run<{ seconds: number }>('oldest_letter', OLDEST_LETTER);
      return row?.seconds ?? 0;
    },
    readTables: (schema) => run('tables', TABLES, [schema]),
  };
}
