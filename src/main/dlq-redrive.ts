/** `outbox dlq redrive | edit | discard | jobs`: what a person does with dead letters, on the outbox database. */
import { readFile } from 'node:fs/promises';
import { type EditOutcome, editPayload } from '../application/delivery/dead-letters/edit-payload.js';
import { countRedrive, createRedriveJob, DEFAULT_RATE } from '../application/delivery/dead-letters/redrive-job.js';
import {
  type DiscardOutcome,
  discardLetters,
  MOST_IDS,
  type NotActed,
  type RedriveOutcome,
  redriveLetters,
} from '../application/delivery/dead-letters/redrive-letters.js';
import type { RedriveCount, RedriveJob, RedriveJobStore } from '../application/delivery/dead-letters/redrive-ports.js';
import { createRedactor } from '../domain/redaction/redactor.js';
import { loadConfigFile } from '../infrastructure/config/load-config-file.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createLogger } from '../infrastructure/log/create-logger.js';
import { createDeadLetterActions } from '../infrastructure/prisma/dead-letter-actions.js';
import { createDeadLetterReader } from '../infrastructure/prisma/dead-letter-reader.js';
import type { PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createRedriveJobStore } from '../infrastructure/prisma/redrive-job-store.js';
import { createCounters } from './counters.js';
import { deliveryHandlers } from './delivery-handlers.js';
import { type FilterOptions, filterOf, withDatabase } from './dlq.js';
import { type Asking, openAsking } from './dlq-asking.js';
import { EXIT } from './exit-codes.js';
import { complain, note, print, wordOf } from './terminal.js';
import { UsageError } from './usage-error.js';

interface WordOptions {
  readonly reason: string;
  readonly actor?: string;
  /** Of handlers: whoever has none cannot ask whether an effect stands. */
  readonly config?: string;
  readonly json?: boolean;
}

export interface RedriveOptions extends FilterOptions, WordOptions {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly rate?: number;
  readonly cap?: number;
  /** Of one id: how often its payload had been edited when it was looked at. */
  readonly revisions?: number;
  /** Of several ids: also those whose payload was edited. */
  readonly edited?: boolean;
  /** False: the job is left to the relay at once. */
  readonly wait: boolean;
}

export function runRedrive(ids: readonly string[], options: RedriveOptions): Promise<number> {
  const { type, code, tenant, destination, since, until, text, outage } = options;
  const given = [type, code, tenant, destination, since, until, text, outage];
  const filtered = given.some((value) => value !== undefined);
  const usage = (problem: string) => new UsageError(problem, { command: 'outbox dlq redrive' });
  if (ids.length > 0 && (filtered || options.all || options.rate !== undefined || options.cap !== undefined)) {
    throw usage('expected ids, or a filter with --rate and --cap, not both');
  }
  if (ids.length === 0 && !filtered && !options.all)
    throw usage('expected ids, a filter, or --all for every open letter');
  if (ids.length > MOST_IDS) throw usage(`expected at most ${MOST_IDS} ids; name more by a filter`);
  if (options.revisions !== undefined && ids.length !== 1) throw usage('--revisions: expected one id beside it');
  if (options.edited && ids.length === 0)
    throw usage('--edited: expected ids beside it: a job leaves edited letters out');
  return withDatabase(async (pool, settings) => {
    if (ids.length > 0)
      return options.dryRun ? previewIds(pool, ids, options) : redriveIds(pool, settings, ids, options);
    const deps = { jobs: createRedriveJobStore(pool), now: () => new Date() };
    const filter = await filterOf(options, createDeadLetterReader(pool));
    if (options.dryRun) {
      const counted = await countRedrive(deps, filter);
      if (options.json) print(JSON.stringify(counted));
      else for (const line of describeCount(counted)) print(line);
      return EXIT.done;
    }
    const { rate = DEFAULT_RATE, cap = null } = options;
    const job = await createRedriveJob(deps, { filter, rate, cap, ...wordOf(options) });
    if (job === null) {
      print(options.json ? JSON.stringify({ job: null }) : 'no letter is open that fits; nothing was done');
      return EXIT.done;
    }
    if (!options.wait) {
      print(options.json ? JSON.stringify({ job }) : `job ${job.id}: ${job.expected} letters; the relay redrives them`);
      return EXIT.done;
    }
    const ends = `\`outbox dlq jobs ${job.id} --cancel\` ends it`;
    note(
      `job ${job.id}: ${job.expected} letters, ${rate} a second at most. Ctrl-C leaves it to the relay; ${ends}`,
      options,
    );
    const ended = await follow(deps.jobs, job, options);
    if (options.json) print(JSON.stringify({ job: ended }));
    else print(describeJob(ended));
    return ended.state === 'done' || ended.looksAgainAt !== null ? EXIT.done : EXIT.failed;
  });
}

export function runDiscard(ids: readonly string[], options: WordOptions): Promise<number> {
  if (ids.length > MOST_IDS) {
    throw new UsageError(`expected at most ${MOST_IDS} ids`, { command: 'outbox dlq discard' });
  }
  return withDatabase(async (pool) => {
    const deps = { actions: createDeadLetterActions(pool), log: SILENT };
    return tell(ids, await discardLetters(deps, { ids, tenantId: null }, wordOf(options)), 'discarded', options);
  });
}

export function runEdit(
  id: string,
  options: WordOptions & { readonly payload: string; readonly revisions?: number; readonly dryRun?: boolean },
): Promise<number> {
  return withDatabase(async (pool, settings) => {
    const payload = await readPayload(options.payload);
    return withAsking(pool, settings, options, async (asking) => {
      const deps = { actions: createDeadLetterActions(pool), log: SILENT, ...asking };
      const { revisions, dryRun = false } = options;
      const input = { id, tenantId: null, payload, revisions, dryRun };
      const outcome = await editPayload(deps, input, wordOf({ ...options, reason: options.reason ?? 'dry run' }));
      const { kind, ...more } = outcome;
      if (options.json) print(JSON.stringify({ asked: id, outcome: kind, ...more }));
      else for (const line of describeEdit(outcome)) print(`${id}: ${line}`);
      return kind === 'edited' || kind === 'fits' ? EXIT.done : EXIT.failed;
    });
  });
}

export function runPayload(id: string): Promise<number> {
  return withDatabase(async (pool) => {
    const actions = createDeadLetterActions(pool);
    const [letter] = await actions.find([id], null);
    const loaded = letter?.kind === 'letter' ? await actions.loadEvent(letter) : null;
    if (loaded === null) return complain(`${id}: no such dead letter, and no event that has one`);
    // The database's own text: no number changes on the way to an editor and back.
    print(loaded.payload);
    // As it was before the payload was read: whoever edits in between is not overlooked.
    if (letter?.kind === 'letter') note(`edit it with --revisions ${letter.revisions}`, {});
    return EXIT.done;
  });
}

export function runJobs(
  id: string | undefined,
  options: { limit: number; before?: string; cancel?: boolean; actor?: string; json?: boolean },
): Promise<number> {
  return withDatabase(async (pool) => {
    const jobs = createRedriveJobStore(pool);
    if (id === undefined) {
      if (options.cancel) throw new UsageError('--cancel: expected the id of a job', { command: 'outbox dlq jobs' });
      const rows = await jobs.list({ tenantId: null, before: options.before ?? null, limit: options.limit + 1 });
      const items = rows.slice(0, options.limit);
      const next = rows.length > options.limit ? (items.at(-1)?.id ?? null) : null;
      if (options.json) print(JSON.stringify({ items, next }));
      else {
        for (const job of items) print(describeJob(job));
        print(items.length === 0 ? 'there is none' : next === null ? 'that is all' : `more: --before ${next}`);
      }
      return EXIT.done;
    }
    const { actor } = wordOf({ ...options, reason: '' });
    const job = await (options.cancel ? jobs.cancel(id, null, actor) : jobs.show(id, null));
    if (job === null) return complain(`${id}: no such job`);
    if (options.json) print(JSON.stringify(job));
    else {
      for (const [name, value] of Object.entries(job)) {
        if (value !== null) print(`${name.padEnd(10)}${typeof value === 'object' ? JSON.stringify(value) : value}`);
      }
    }
    return options.cancel && job.state !== 'cancelled' ? EXIT.failed : EXIT.done;
  });
}

/** What is done is printed here, and stands in the letter. */
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

async function redriveIds(
  pool: PgPool,
  settings: Settings,
  ids: readonly string[],
  options: RedriveOptions,
): Promise<number> {
  return withAsking(pool, settings, options, async (asking) => {
    const deps = { actions: createDeadLetterActions(pool), ask: asking.ask, log: SILENT };
    const which = { ids, tenantId: null, revisions: options.revisions, leavesEdited: leavesEdited(ids, options) };
    return tell(ids, await redriveLetters(deps, which, wordOf(options)), 'redriven', options);
  });
}

async function withAsking(
  pool: PgPool,
  settings: Settings,
  options: WordOptions,
  work: (asking: Asking) => Promise<number>,
): Promise<number> {
  const config = await loadConfigFile(options.config ?? null, process.cwd());
  const log = createLogger({ level: 'silent', base: {}, redactor: createRedactor(config.redaction) });
  const handlers = deliveryHandlers({ settings, config, log, counters: createCounters() });
  const asking = openAsking(pool, handlers, SILENT);
  try {
    return await work(asking);
  } finally {
    await asking.close();
  }
}

/** Of several nobody has looked at each: what somebody edited is sent where it is named alone, or where that is said. */
function leavesEdited(ids: readonly string[], { edited }: RedriveOptions): boolean {
  return ids.length > 1 && edited !== true;
}

async function previewIds(pool: PgPool, ids: readonly string[], options: RedriveOptions): Promise<number> {
  const found = await createDeadLetterActions(pool).find(ids, null);
  const leaves = leavesEdited(ids, options);
  const results = ids.map((id, at) => {
    const letter = found[at];
    const state = letter?.kind === 'letter' ? letter.state : letter?.kind === 'no-letter' ? letter.status : null;
    const revisions = letter?.kind === 'letter' ? letter.revisions : 0;
    const { revisions: seen = revisions } = options;
    return { id, state, revisions, fits: state === 'open' && revisions === seen && !(leaves && revisions > 0) };
  });
  const count = results.filter(({ fits }) => fits).length;
  if (options.json) print(JSON.stringify({ count, results }));
  else {
    for (const { id, state, revisions } of results) {
      const edited = revisions === 0 ? '' : `, its payload edited (revision ${revisions})`;
      print(`${id}: ${state ?? 'no such dead letter'}${edited}`);
    }
    print(`${count} would be redriven`);
  }
  return EXIT.done;
}

function tell(
  ids: readonly string[],
  outcomes: readonly (RedriveOutcome | DiscardOutcome)[],
  wanted: 'redriven' | 'discarded',
  { json }: WordOptions,
): number {
  const results = outcomes.map(({ kind, ...more }, at) => ({ asked: ids[at], outcome: kind, ...more }));
  if (json) print(JSON.stringify({ results }));
  else for (const [at, outcome] of outcomes.entries()) print(`${ids[at]}: ${describeOutcome(outcome)}`);
  return outcomes.every(({ kind }) => kind === wanted) ? EXIT.done : EXIT.failed;
}

function describeOutcome(outcome: RedriveOutcome | DiscardOutcome): string {
  switch (outcome.kind) {
    case 'redriven':
      return `redriven, as epoch ${outcome.epoch}`;
    case 'discarded':
      return 'discarded';
    case 'effect-stands':
      return 'not redriven: its payload was edited, and the effect of what was sent before stands';
    case 'edited':
      return 'not redriven: its payload was edited: redrive it alone, or say --edited';
    case 'not-told':
      return 'not redriven: its payload was edited, and its destination did not say whether the effect stands; try again';
    default:
      return describeNotActed(outcome);
  }
}

function describeNotActed(outcome: NotActed): string {
  switch (outcome.kind) {
    case 'missing':
      return 'no such dead letter, and no event that has one';
    case 'not-open': {
      const by = outcome.actor === null ? '' : ` by ${outcome.actor}, ${outcome.at}`;
      return `expected one that is open, this one is ${outcome.state}${by}`;
    }
    case 'edited-meanwhile':
      return (
        `not done: its payload was edited meanwhile${outcome.by === null ? '' : ` by ${outcome.by}`}, ` +
        `${outcome.revisions} times in all: look at it again`
      );
    default:
      return assertNever(outcome);
  }
}

function* describeEdit(outcome: EditOutcome): Generator<string> {
  switch (outcome.kind) {
    case 'edited':
    case 'fits':
      for (const { pointer, before, after } of outcome.difference) {
        yield `${pointer}  ${before === undefined ? '(nothing)' : JSON.stringify(before)} -> ${after === undefined ? '(nothing)' : JSON.stringify(after)}`;
      }
      if (outcome.checkedBy === 'limits') yield 'no handler for it here, so only the limits were checked (--config)';
      yield outcome.kind === 'fits' ? 'would fit' : `revision ${outcome.revision}; redrive it to send it`;
      return;
    case 'invalid':
      return yield `refused at ${outcome.field}: ${outcome.message}`;
    case 'effect-stands':
      return yield 'refused: the effect of what was sent before stands';
    default:
      yield describeNotActed(outcome);
  }
}

async function readPayload(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--payload: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      command: 'outbox dlq edit',
    });
  }
}

function* describeCount({ count, edited, groups }: RedriveCount): Generator<string> {
  for (const group of groups)
    yield [`${group.count}`.padStart(9), group.destination, group.eventType, group.code].join('  ');
  yield `${count} would be redriven`;
  if (edited > 0) yield `${edited} with an edited payload would be left out: redrive those by id`;
}

function describeJob(job: RedriveJob): string {
  const done = `${job.redriven} of ${job.expected} redriven, ${job.skipped} skipped`;
  const state = job.looksAgainAt === null ? job.state : `done, but looks once more at ${job.looksAgainAt}`;
  return [job.id, job.createdAt, state, done, job.actor, job.error ?? job.reason].join('  ');
}

const POLL_MS = 250;
const TELL_EVERY_MS = 2_000;
const WITHOUT_A_RELAY_MS = 15_000;

/**
 * Until it ends, or has done every letter that stood when it was made: nobody waits for what may have been written just then.
 * Says how far it is every two seconds, and where nobody seems to run it.
 */
async function follow(jobs: RedriveJobStore, job: RedriveJob, options: WordOptions): Promise<RedriveJob> {
  let [toldAt, movedAt, told] = [performance.now(), performance.now(), false];
  for (let last = job; ; ) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const now = await jobs.show(job.id, null);
    if (now === null || now.state !== 'running' || now.looksAgainAt !== null) return now ?? last;
    const at = performance.now();
    if (now.redriven + now.skipped > last.redriven + last.skipped) movedAt = at;
    last = now;
    if (at - movedAt > WITHOUT_A_RELAY_MS && !told) {
      told = true;
      note('nothing moves: is a relay running? The job waits for one', options);
    }
    if (at - toldAt < TELL_EVERY_MS) continue;
    toldAt = at;
    note(
      `${now.redriven} of ${now.expected} redriven${now.error === null ? '' : `; the last step failed: ${now.error}`}`,
      options,
    );
  }
}

function assertNever(value: never): never {
  throw new Error(`unexpected outcome: ${JSON.stringify(value)}`);
}
