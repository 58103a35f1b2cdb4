/** Figures of the deliveries: counted and removed by one relay at a time, read by whoever shows them. */
import type { FigureReader, FigureWriter, NamedTally, SpanTally } from '../../application/delivery/monitor/ports.js';
import * as sql from './figure-statements.js';
import { type PgPool, runStatement, type Statement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;
/** Of a minute that hundreds of thousands were delivered in. */
const COUNT_TIMEOUT_MS = 10_000;

export function createFigureStore(pool: PgPool): FigureWriter & FigureReader {
  const run = <Row extends object = object>(
    name: string,
    text: string,
    values: readonly unknown[],
    options: Partial<Pick<Statement, 'timeoutMs' | 'replan'>> = {},
  ) => runStatement<Row>(pool, { name: `figure_${name}`, text, values, timeoutMs: TIMEOUT_MS, ...options });
  return {
    async findUncounted(since) {
      const [row] = await run<UncountedRow>('find_uncounted', sql.FIND_UNCOUNTED, [since]);
      return row as UncountedRow; // it is of no table that could be empty
    },

    async countMinute({ name, holder }, begins) {
      // How many rows a minute has is nothing that a plan for any minute could know.
      const options = { timeoutMs: COUNT_TIMEOUT_MS, replan: true } as const;
      const [row] = await run<HeldRow>('count_minute', sql.COUNT_MINUTE, [name, holder, begins], options);
      return row?.held ?? false;
    },

    async findWhole(most) {
      return (await run<{ begins: string }>('find_whole', sql.FIND_WHOLE, [most])).map(({ begins }) => begins);
    },

    async addQuarter({ name, holder }, begins) {
      const [row] = await run<HeldRow>('add_quarter', sql.ADD_QUARTER, [name, holder, begins]);
      return row?.held ?? false;
    },

    async removeOld({ name, holder }, most) {
      await run('remove', sql.REMOVE_FIGURES, [name, holder, most]);
      await run('remove_processes', sql.REMOVE_PROCESSES, [name, holder, most]);
    },

    async readSpans(minutes, quarters) {
      const rows = await run<SpanRow>('read_spans', sql.READ_SPANS, [minutes, quarters]);
      return {
        now: (rows[0] as SpanRow).now, // a row even where nothing stands
        spans: rows.flatMap(({ now: _, ...row }) => (row.span === null ? [] : [row as SpanTally])),
      };
    },

    async readNamed(spans, most) {
      const begins = spans.map((span) => new Date(span.begins).toISOString());
      const values = [spans.map(({ span }) => span), begins, most];
      const rows = await run<NamedRow>('read_named', sql.READ_NAMED, values);
      return rows.map(({ folded, name, ...row }): NamedTally => ({ ...row, name: folded ? null : name }));
    },
  };
}

interface UncountedRow {
  readonly closed: string;
  readonly minutes: readonly string[];
}

interface HeldRow {
  readonly held: boolean;
}

type SpanRow = { readonly now: number } & (SpanTally | { readonly [Field in keyof SpanTally]: null });

interface NamedRow extends Omit<NamedTally, 'name'> {
  readonly folded: boolean;
  readonly name: string;
}
