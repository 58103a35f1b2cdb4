/** `outbox dlq list | show`: dead letters, on the outbox database. What is done with them: dlq-redrive. */
import { FilterError } from '../application/delivery/dead-letters/check-filter.js';
import { listDeadLetters } from '../application/delivery/dead-letters/list-dead-letters.js';
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterReader,
  DeadLetterState,
} from '../application/delivery/dead-letters/ports.js';
import { MOST_OF_EVENT } from '../contract/events-api.js';
import { catalogEntry, isErrorCode } from '../domain/delivery/error-catalog.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createDeadLetterReader } from '../infrastructure/prisma/dead-letter-reader.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { complain, print } from './terminal.js';
import { UsageError } from './usage-error.js';

/** As the command line gives them. */
export interface FilterOptions {
  readonly type?: string;
  readonly code?: string;
  readonly tenant?: string;
  readonly destination?: string;
  readonly since?: string;
  readonly until?: string;
  readonly text?: string;
  /** A destination: its latest outage is meant. */
  readonly outage?: string;
}

export function runList(
  options: FilterOptions & { state: DeadLetterState; limit: number; before?: string; json?: boolean },
): Promise<number> {
  return withDatabase(async (pool) => {
    const deps = { letters: createDeadLetterReader(pool), now: () => new Date() };
    const { state, limit, before = null } = options;
    const filter = { ...(await filterOf(options, deps.letters)), state };
    const { items, next } = await listDeadLetters(deps, filter, { before, limit });
    if (options.json) print(JSON.stringify({ items, next }));
    else {
      for (const { id, createdAt, code, status, eventType, destination, tenantId, eventId, message } of items) {
        const reason = status === null ? code : `${code} ${status}`;
        print(
          [id, createdAt, reason, eventType, destination, tenantId ?? '-', eventId, message.slice(0, 80)].join('  '),
        );
      }
      print(items.length === 0 ? `none is ${state}` : next === null ? 'that is all' : `more: --before ${next}`);
    }
    return 0;
  });
}

export function runShow(id: string, options: { json?: boolean }): Promise<number> {
  return withDatabase(async (pool) => {
    const letter = await createDeadLetterReader(pool).show(id, null);
    if (letter === null) return complain(`${id}: no such dead letter, and no event that has one`);
    if (options.json) print(JSON.stringify(letter));
    else for (const line of describe(letter)) print(line);
    return 0;
  });
}

function* describe(letter: DeadLetter): Generator<string> {
  const { event, delivery, attempts, revisions, previous, stack, causes, response, ...fields } = letter;
  const shown = { ...fields, ...event, delivery, causes, response };
  for (const [name, value] of Object.entries(shown)) {
    if (value !== null) yield `${name.padEnd(15)}${typeof value === 'object' ? JSON.stringify(value) : value}`;
  }
  if (isErrorCode(letter.code)) yield `${'advice'.padEnd(15)}${catalogEntry(letter.code).advice}`;
  for (const line of (stack ?? '').split('\n')) if (line !== '') yield `${'stack'.padEnd(15)}${line}`;
  if ([attempts, previous].some(({ length }) => length >= MOST_OF_EVENT)) {
    yield `${''.padEnd(15)}of attempts and previous letters the latest ${MOST_OF_EVENT} are shown`;
  }
  for (const { epoch, n, local, startedAt, code, status, message, carrier } of attempts) {
    const end = code === null ? 'without an error' : [code, status, message].filter((part) => part !== null).join(' ');
    yield `${'attempt'.padEnd(15)}${epoch}.${n}${local ? ' local' : ''}  ${startedAt}  ${end}${carrier === null ? '' : `  in ${carrier}`}`;
  }
  for (const { epoch, actor, reason, createdAt } of revisions) {
    yield `${'revision'.padEnd(15)}from epoch ${epoch}  ${createdAt}  ${actor}: ${reason}`;
  }
  for (const { id, epoch, code, state, createdAt } of previous) {
    yield `${'previous'.padEnd(15)}${id}  epoch ${epoch}  ${createdAt}  ${code}  ${state}`;
  }
}

export async function filterOf(options: FilterOptions, letters: DeadLetterReader): Promise<DeadLetterFilter> {
  const { type, code, tenant, destination, since, until, text, outage } = options;
  const outageId = outage === undefined ? null : await letters.findLatestOutage(outage);
  if (outage !== undefined && outageId === null) {
    throw new UsageError(`--outage: no outage of ${outage} is known`, { command: 'outbox destinations list' });
  }
  return {
    eventType: type ?? null,
    code: code ?? null,
    tenantId: tenant ?? null,
    destination: destination ?? null,
    since: since ?? null,
    until: until ?? null,
    text: text ?? null,
    outageId,
  };
}

export async function withDatabase(work: (pool: PgPool, settings: Settings) => Promise<number>): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['dlq']);
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), { max: 1 });
  try {
    return await explainingDatabase('outbox', () => work(pool, settings));
  } catch (error) {
    throw error instanceof FilterError ? new UsageError(`--${error.message}`, { command: 'outbox dlq' }) : error;
  } finally {
    await pool.end();
  }
}
