import { NO_PROCESS_KNOWN } from '../../../contract/verdict.js';
import type { SeenProcess } from '../monitor/ports.js';
import { type Finding, ok, orOk, warning, wrong } from './findings.js';

/** `version`: of this package, to which the processes should belong. */
export function judgeProcesses(processes: readonly SeenProcess[], version: string): readonly Finding[] {
  const id = 'processes';
  const living = processes.filter(({ silent }) => !silent);
  const found: Finding[] = [];
  for (const role of ['relay', 'worker'] as const) {
    if (living.some(({ roles }) => roles.includes(role))) continue;
    const last = latest(processes.filter(({ roles }) => roles.includes(role)));
    const seen = last === null ? NO_PROCESS_KNOWN : `the last one, ${nameOf(last)}, was seen at ${last.seenAt}`;
    const todo = `start one: \`outbox ${role}\`; one that runs and does not tell may lack rights (\`outbox grants\`) or be of an older release`;
    found.push(wrong(id, `no ${role} tells of itself: ${seen}`, todo));
  }
  for (const process of living) {
    const { temporal, auditApi } = process.says;
    for (const [part, said] of [['Temporal', temporal] as const, ['the audit API', auditApi] as const]) {
      if (said === null || said.ok) continue;
      const detail = `${nameOf(process)} does not reach ${part}: ${said.reason ?? 'it does not say why'}`;
      found.push(wrong(id, detail, 'look at it from that machine'));
    }
    if (process.version !== version) {
      const detail = `${nameOf(process)} is of release ${process.version}, and this is ${version}`;
      found.push(warning(id, detail, 'roll the release out everywhere; for a while both work side by side'));
    }
  }
  found.push(...judgeSame(living));
  return orOk(found, id, `${countOf(living, 'relay')}, ${countOf(living, 'worker')}, all of release ${version}`);
}

/** Those that work together must mean the same. */
function judgeSame(living: readonly SeenProcess[]): Finding[] {
  const found: Finding[] = [];
  const namespaces = distinct(living.map(({ says }) => says.namespace));
  if (namespaces.length > 1) {
    const detail = `relays and workers are in several namespaces of Temporal: ${namespaces.join(', ')}`;
    found.push(wrong('processes', detail, 'give every one the same TEMPORAL_NAMESPACE'));
  }
  const meant = distinct(living.map(({ says }) => (says.policies === null ? null : canonical(says))));
  if (meant.length > 1) {
    const detail = `relays and workers have ${meant.length} different sets of policies and orderings`;
    found.push(warning('processes', detail, 'give all of them the same configuration; `outbox policies` shows one'));
  }
  return found;
}

const distinct = (values: readonly (string | null)[]) => [...new Set(values.filter((value) => value !== null))];

/** However the keys are sorted. */
function canonical({ policies, orderings }: SeenProcess['says']): string {
  const sorted = (of: object) => Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([policies?.otherwise, sorted(policies?.byType ?? {}), sorted(orderings)]);
}

function latest(processes: readonly SeenProcess[]): SeenProcess | null {
  return processes.toSorted((a, b) => (a.seenAt < b.seenAt ? 1 : -1))[0] ?? null;
}

function nameOf({ roles, host, pid }: SeenProcess): string {
  return `${roles.join(' and ')} ${host}:${pid}`;
}

function countOf(living: readonly SeenProcess[], role: 'relay' | 'worker'): string {
  const count = living.filter(({ roles }) => roles.includes(role)).length;
  return `${count} ${count === 1 ? role : `${role}s`}`;
}

/** R21: a duty that has stopped itself. */
export interface StoppedDuty {
  readonly name: string;
  readonly reason: string;
}

export function judgeStopped(stopped: readonly StoppedDuty[]): readonly Finding[] {
  const todo =
    'docs/reconciler.md says for each reason what to look at; `outbox temporal adopt` says how the outbox and Temporal stand';
  return orOk(
    stopped.map(({ name, reason }) => wrong('reconciler', `the duty ${name} has stopped itself: ${reason}`, todo)),
    'reconciler',
    'no duty has stopped itself',
  );
}

/** Hours that were looked at. */
export interface BookFacts {
  readonly hours: number;
  readonly withGaps: number;
  /** RFC 3339. */
  readonly oldestGap: string | null;
  /** Since when a look is due (RFC 3339), for more than two hours; null: none is so late. */
  readonly lateSince: string | null;
  /** The error that a look waits for. */
  readonly waitsFor: string | null;
}

export function judgeBooks({ hours, withGaps, oldestGap, lateSince, waitsFor }: BookFacts): readonly Finding[] {
  const found: Finding[] = [];
  if (withGaps > 0) {
    const detail = `the books of ${withGaps} of ${hours} hours do not balance, the oldest ${oldestGap}`;
    found.push(wrong('books', detail, '`outbox books --gaps`; then docs/books.md, for each gap'));
  }
  if (lateSince !== null) {
    const waits = waitsFor === null ? '' : `, and one waits for ${waitsFor}`;
    const todo =
      'start a relay, or look at the log of the relays (`duty.failed`, books); they ask the audit API with OUTBOX_AUDIT_API_KEY';
    found.push(warning('books', `a look at the books is due since ${lateSince}${waits}`, todo));
  }
  return orOk(found, 'books', hours === 0 ? 'no hour has books yet' : `the books of ${hours} hours balance`);
}

/** So many, counted up to a bound, and since when there is the oldest (RFC 3339). */
export interface LeftBehind {
  readonly count: number;
  readonly countedUpTo: number;
  readonly oldest: string | null;
}

export const OLD_LETTER_DAYS = 7;

export function judgeLetters(old: LeftBehind): readonly Finding[] {
  if (old.count === 0) return [ok('letters', `no dead letter is open for more than ${OLD_LETTER_DAYS} days`)];
  const detail = `dead letters open for more than ${OLD_LETTER_DAYS} days: ${countOfMany(old)}, the oldest since ${old.oldest}`;
  return [warning('letters', detail, '`outbox dlq kinds` says of which kind; then redrive or discard them')];
}

/** A redrive job whose last step failed, or (error null) that nobody has moved for minutes. */
export interface StuckJob {
  readonly id: string;
  readonly error: string | null;
}

export function judgeJobs(stuck: readonly StuckJob[]): readonly Finding[] {
  const found = stuck.map(({ id, error }) =>
    error === null
      ? wrong('jobs', `redrive job ${id}: nobody moves it`, 'start a relay')
      : wrong('jobs', `redrive job ${id}: ${error}`, `mend what it says, or \`outbox dlq jobs ${id} --cancel\``),
  );
  return orOk(found, 'jobs', 'no redrive job is stuck');
}

export function judgeNotices(late: LeftBehind): readonly Finding[] {
  if (late.count === 0) return [ok('notices', 'of every dead letter somebody was told in time')];
  const detail = `dead letters that nobody was told of in time: ${countOfMany(late)}, the oldest since ${late.oldest}`;
  return [wrong('notices', detail, 'start a relay and a worker; where they run, look at their logs')];
}

function countOfMany({ count, countedUpTo }: LeftBehind): string {
  return count >= countedUpTo ? `${countedUpTo} or more` : `${count}`;
}
