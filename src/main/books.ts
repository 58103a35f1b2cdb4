/** `outbox books`: what the books of each hour say, and their repair, on the outbox database and the audit log. */
import { listBooks } from '../application/delivery/books/list-books.js';
import { type GapSample, type HourBooks, hourAfter, type Tally } from '../application/delivery/books/ports.js';
import { type RepairOutcome, repairBooks } from '../application/delivery/books/repair-books.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { isIntegrationError } from '../domain/delivery/integration-error.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createHttpClient } from '../infrastructure/http/create-http-client.js';
import { createBookRepairs } from '../infrastructure/prisma/book-repair-store.js';
import { createBookStore } from '../infrastructure/prisma/book-store.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { EXIT } from './exit-codes.js';
import { explainingDatabase } from './explain-database.js';
import { standingOf } from './start-books.js';
import { complain, note, print, wordOf } from './terminal.js';

interface BooksOptions {
  readonly limit: number;
  readonly before?: string;
  readonly gaps?: boolean;
  readonly json?: boolean;
}

/** Exit code 1 where an hour that is shown does not balance. */
export function runBooks(options: BooksOptions): Promise<number> {
  return withDatabase(async (pool) => {
    const { limit, before = null, gaps = false } = options;
    const { items, next } = await listBooks(createBookStore(pool), { limit, before, gapsOnly: gaps });
    if (options.json) print(JSON.stringify({ items, next }));
    else {
      for (const books of items) print(describe(books));
      const none = gaps ? 'none has gaps' : 'there are none yet: a relay opens them ten minutes after an hour ended';
      print(items.length === 0 ? none : next === null ? 'that is all' : `more: --before ${next}`);
    }
    return exitOf(items);
  });
}

export function runHour(hour: string, options: { readonly again?: boolean; readonly json?: boolean }): Promise<number> {
  return withDatabase(async (pool) => {
    const store = createBookStore(pool);
    if (options.again) await store.lookAgain(hour, hourAfter(hour));
    const books = await store.show(hour);
    if (books === null) return complain(`${hour}: no books of this hour`);
    if (options.json) print(JSON.stringify(books));
    else {
      print(describe(books));
      for (const line of describeGaps(books)) print(line);
    }
    return exitOf([books]);
  });
}

/** Of many hours, as after a restore of the audit log: balanced and closed ones are looked at by nobody else. */
export function runAgain(
  since: string,
  { until = null, json }: { readonly until?: string | null; readonly json?: boolean },
): Promise<number> {
  return withDatabase(async (pool) => {
    const hours = await createBookStore(pool).lookAgain(since, until);
    print(json ? JSON.stringify({ hours }) : `${hours} hours are looked at anew, whole; then: outbox books --gaps`);
    return EXIT.done;
  });
}

export interface RepairOptions {
  readonly apply?: boolean;
  readonly reason?: string;
  readonly actor?: string;
  readonly rate: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function runRepair(hour: string, options: RepairOptions): Promise<number> {
  return withDatabase(async (pool, settings) => {
    const http = createHttpClient();
    const stopping = new AbortController();
    const stop = () => stopping.abort(new Error('interrupted'));
    process.once('SIGINT', stop).once('SIGTERM', stop);
    try {
      const standing = standingOf(settings, http);
      if (standing === null) note('OUTBOX_AUDIT_API_KEY is not set: the audit log is not asked', options);
      const { reason = '', actor, rate, force = false } = options;
      const word = options.apply ? wordOf({ reason, ...(actor === undefined ? {} : { actor }) }) : null;
      const store = createBookStore(pool);
      const deps = { store, repairs: createBookRepairs(pool), standing, time: systemTime };
      const outcome = await repairBooks(deps, { hour, rate, force, word }, stopping.signal);
      return tell(hour, outcome, options);
    } catch (error) {
      if (stopping.signal.aborted) return complain('interrupted: what is mended stays so; run it again', 'interrupted');
      if (!isIntegrationError(error) || error.code === 'STORE.UNAVAILABLE') throw error;
      return complain(`the audit log does not say what stands (${error.code}); nothing more was mended`, 'unavailable');
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      await http.close();
    }
  });
}

const NOT = {
  missing: 'no books of this hour',
  'not-closed': 'not looked at yet, or an append may still come; later',
  removed: 'retention has begun to remove this hour',
};

function tell(hour: string, outcome: RepairOutcome, { json, apply }: RepairOptions): number {
  if (json) print(JSON.stringify({ hour, ...outcome }));
  switch (outcome.kind) {
    case 'missing':
    case 'not-closed':
    case 'removed':
      return complain(`${hour}: ${NOT[outcome.kind]}; nothing was mended`);
    case 'counted':
    case 'too-many':
      if (!json) {
        for (const line of describeGaps(outcome.tally)) print(line);
        print(`${outcome.repairable} would be mended${apply ? '' : ': --apply --reason "…"'}`);
      }
      if (outcome.kind === 'counted') return EXIT.done;
      return complain('that is more than 5 % of the hour: look for what did it first, then --force');
    case 'repaired': {
      const done = Object.values(outcome.repaired).reduce((sum, n) => sum + n, 0);
      if (!json) {
        for (const [gap, n] of Object.entries(outcome.repaired)) print(`${gap}: ${n} mended`);
        print(`${done} of ${outcome.repairable} mended; the next look is due now`);
      }
      return EXIT.done;
    }
  }
}

function describe(books: HourBooks): string {
  const { hour, checkedAt, closed, gapCount, audited, againAt, waitsFor, statuses, removed } = books;
  const totals = Object.entries(statuses).map(([status, n]) => `${n} ${status.toLowerCase()}`);
  const gone = Object.values(removed).reduce((sum, n) => sum + n, 0);
  return [
    hour,
    checkedAt === null
      ? 'not looked at yet'
      : gapCount > 0
        ? `${gapCount} gaps`
        : closed
          ? 'balanced'
          : 'balanced so far',
    ...totals,
    ...(audited === 0 ? [] : [describeAsked(books)]),
    ...(gone === 0 ? [] : [`${gone} removed by retention`]),
    ...(waitsFor === null ? [] : [`waits for the audit log (${waitsFor})`]),
    ...(againAt === null ? [] : [`again ${againAt}`]),
  ].join('  ');
}

/** A look for what has moved says nothing of the rest: the one before that asked for it does. */
function describeAsked({ audited, asked, mode, lastFull }: HourBooks): string {
  if (mode !== 'moved') return `audit log asked for ${asked} of ${audited}`;
  const before = lastFull === null ? '' : `, and for ${lastFull.asked} of ${lastFull.audited} at ${lastFull.checkedAt}`;
  return `audit log asked for ${asked} that moved, of ${audited}${before}`;
}

function* describeGaps({
  gapCounts,
  gaps,
}: Pick<Tally, 'gapCounts'> & { gaps: readonly GapSample[] }): Generator<string> {
  for (const [gap, n] of Object.entries(gapCounts)) yield `${gap}: ${n}`;
  for (const { gap, eventId, tenantId, status, epoch } of gaps) {
    yield ['', eventId, gap, status ?? 'no delivery', epoch ?? '-', tenantId === '' ? '-' : tenantId].join('  ');
  }
}

function exitOf(items: readonly HourBooks[]): number {
  return items.some(({ gapCount }) => gapCount > 0) ? EXIT.failed : EXIT.done;
}

async function withDatabase(work: (pool: PgPool, settings: Settings) => Promise<number>): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['books']);
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), { max: 2 });
  try {
    return await explainingDatabase('outbox', () => work(pool, settings));
  } finally {
    await pool.end();
  }
}
