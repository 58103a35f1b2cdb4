/**
 * What the parts of the overview add up to, for whoever looks at all of them at once: the page and `outbox status` say the
 * same. Pure, and without a package at run time.
 */
import type { AnswerOf } from './answers.js';
import type { OVERVIEW_BOUNDS, OverviewPartName, overviewPartSchema } from './overview-api.js';

type Part = AnswerOf<typeof overviewPartSchema>;
type ValueOf<Name extends OverviewPartName> = NonNullable<Extract<Part, { name: Name }>['value']>;

/**
 * The worst first. `wrong`: something does not work now. `unknown`: it could not be looked at. `attention`: deliveries go on,
 * and a person has to look (open dead letters, a pause, a destination whose latest answers were failures).
 */
export const CONCERN_LEVELS = ['wrong', 'unknown', 'attention'] as const;
export type ConcernLevel = (typeof CONCERN_LEVELS)[number];

export interface Concern {
  readonly level: ConcernLevel;
  readonly part: OverviewPartName;
  /** One sentence without a full stop. Names in it are others' text: escape it. */
  readonly sentence: string;
}

export interface Verdict {
  /** The level of the worst concern; `well` without one. */
  readonly state: 'well' | ConcernLevel;
  /** The worst concern, and how many there are besides; without one, whether all was looked at. */
  readonly sentence: string;
  /** The worst first, within a level in the order of `PARTS_BY_WEIGHT`. */
  readonly concerns: readonly Concern[];
  /** Parts that were not among those given: not asked for, or not for whoever asks to see. Of them nothing is said. */
  readonly notLookedAt: readonly OverviewPartName[];
}

/** Judges the parts that are given: what was not asked for is no concern, and is told. None at all is `unknown`. */
export function judgeOverview(parts: readonly Part[]): Verdict {
  const given = new Set(parts.map(({ name }) => name));
  const notLookedAt = PARTS_BY_WEIGHT.filter((name) => !given.has(name));
  if (parts.length === 0) return { state: 'unknown', sentence: 'nothing was looked at', concerns: [], notLookedAt };
  const away = new Set(parts.filter(({ state }) => state === 'away').map(({ name }) => name));
  const concerns = parts
    .flatMap((part) => concernsOf(part, away, parts))
    .sort(
      (a, b) =>
        CONCERN_LEVELS.indexOf(a.level) - CONCERN_LEVELS.indexOf(b.level) ||
        PARTS_BY_WEIGHT.indexOf(a.part) - PARTS_BY_WEIGHT.indexOf(b.part),
    );
  const [worst] = concerns;
  if (worst === undefined) {
    const sentence = notLookedAt.length === 0 ? 'all is well' : 'what was looked at is well';
    return { state: 'well', sentence, concerns, notLookedAt };
  }
  const cut = parts.some((part) => part.name === 'alerts' && (part.value?.length ?? 0) >= ALERTS_BOUND);
  const more = concerns.length === 1 ? '' : `; ${concerns.length - 1}${cut ? ' or' : ''} more`;
  return { state: worst.level, sentence: `${worst.sentence}${more}`, concerns, notLookedAt };
}

/** Held to the contract's by its type, as `LETTERS_BOUND`. */
const ALERTS_BOUND: (typeof OVERVIEW_BOUNDS)['alerts'] = 100;

/** In words, as a sentence begins. */
export const PART_NAMES = {
  outboxDatabase: 'the outbox database',
  auditDatabase: 'the audit database',
  processes: 'relays and workers',
  destinations: 'the destinations',
  books: 'the books',
  seal: 'the sealing of the audit log',
  verification: 'the verification of the audit log',
  alerts: 'the alerts',
  backlog: 'what is due',
  runs: 'what is under way',
  letters: 'the dead letters',
  rate: 'the rate of now',
} as const satisfies Record<OverviewPartName, string>;

/** What others stand on first. */
const PARTS_BY_WEIGHT = Object.keys(PART_NAMES) as readonly OverviewPartName[];

/** These are read from the audit log's database, all others from the outbox's. */
const IN_AUDIT: ReadonlySet<OverviewPartName> = new Set<OverviewPartName>(['seal', 'verification']);
const DATABASES: ReadonlySet<OverviewPartName> = new Set<OverviewPartName>(['outboxDatabase', 'auditDatabase']);

function concernsOf(part: Part, away: ReadonlySet<OverviewPartName>, parts: readonly Part[]): Concern[] {
  const { name, state, reason } = part;
  const one = (level: ConcernLevel, sentence: string): Concern[] => [{ level, part: name, sentence }];
  if (state === 'away') {
    if (DATABASES.has(name)) return one('wrong', reason ?? `${PART_NAMES[name]} does not answer`);
    // Said once, of the database.
    if (away.has(IN_AUDIT.has(name) ? 'auditDatabase' : 'outboxDatabase')) return [];
    return one('unknown', `${PART_NAMES[name]}: not known${reason === null ? '' : `: ${reason}`}`);
  }
  const judged = judgeValue(part, parts);
  if (judged !== null) return judged.flatMap(([level, sentence]) => one(level, sentence));
  return state === 'failing' ? one(ownLevel(part), reason ?? `${PART_NAMES[name]}: not well`) : [];
}

/** A backlog that is worked off is no outage. Of the audit log's verification it is one that something is broken, not that none was. */
function ownLevel(part: Part): ConcernLevel {
  if (part.name === 'verification') return part.value?.outcome === 'broken' ? 'wrong' : 'attention';
  return part.name === 'backlog' ? 'attention' : 'wrong';
}

/** null: what is wrong with it is the part's own to say, for how much is too much is a setting, or it has no value. */
function judgeValue(part: Part, parts: readonly Part[]): Judged | null {
  if (part.value === null) return null;
  switch (part.name) {
    case 'processes':
      return judgeProcesses(part.value);
    case 'destinations':
      return judgeDestinations(part.value);
    case 'alerts':
      return judgeAlerts(part.value, parts);
    case 'letters':
      return judgeLetters(part.value);
    case 'books':
      return judgeBooks(part.value);
    case 'seal':
      return part.value.trouble.map((sentence) => ['attention', `the audit log: ${sentence}`] as const);
    case 'outboxDatabase':
    case 'auditDatabase':
    case 'verification':
    case 'backlog':
    case 'rate':
    case 'runs':
      return null;
  }
}

type Judged = readonly (readonly [ConcernLevel, string])[];

/** Of a role that no row tells of: one that ends by itself takes its own along. */
export const NO_PROCESS_KNOWN = 'none is known, and one that was stopped leaves no trace';

function judgeProcesses(processes: ValueOf<'processes'>): Judged {
  const living = processes.filter(({ silent }) => !silent);
  const missing = (['relay', 'worker'] as const).flatMap((role) => {
    if (living.some(({ roles }) => roles.includes(role))) return [];
    const last = processes
      .filter(({ roles }) => roles.includes(role))
      .map(({ seenAt }) => seenAt)
      .sort()
      .at(-1);
    const seen = last === undefined ? NO_PROCESS_KNOWN : `the last one was seen at ${last}`;
    return [['wrong', `no ${role} tells of itself: ${seen}`] as const];
  });
  return [
    ...missing,
    ...judgePart('Temporal', living, ({ temporal }) => temporal),
    ...judgePart('the audit API', living, ({ auditApi }) => auditApi),
  ];
}

type SeenProcess = ValueOf<'processes'>[number];

/** What those that live say of a part that they need. */
function judgePart(what: string, living: readonly SeenProcess[], partOf: (seen: SeenProcess) => Said): Judged {
  const asked = living.map(partOf).filter((said) => said !== null);
  const failing = asked.filter(({ ok }) => !ok);
  const [first] = failing;
  if (first === undefined) return [];
  const who = `${failing.length} of ${asked.length} ${asked.length === 1 ? 'process' : 'processes'}`;
  return [['wrong', `${what}: ${first.reason ?? 'does not answer'} (${who})`]];
}

type Said = SeenProcess['temporal'];

function judgeDestinations({ destinations, pauses }: ValueOf<'destinations'>): Judged {
  const told = destinations.flatMap(({ name, breaker, failures, reason, health }): Judged => {
    const why = reason === null ? '' : ` by ${reason.code}${reason.status === null ? '' : ` ${reason.status}`}`;
    const row = failures === 0 ? '' : ` after ${failures} ${failures === 1 ? 'failure' : 'failures in a row'}${why}`;
    if (breaker === 'open') return [['wrong', `destination ${name} is left alone${row}`]];
    if (breaker === 'half_open') return [['wrong', `destination ${name} is being tried again${row}`]];
    if (failures > 0) return [['attention', `destination ${name} fails: ${failures} in a row${why}`]];
    return health === 'degraded' ? [['attention', `destination ${name} is degraded`]] : [];
  });
  const paused = pauses.length === 1 ? 'a pause is in force' : `${pauses.length} pauses are in force`;
  return pauses.length === 0 ? told : [...told, ['attention', paused]];
}

/** What else an alert may be of is named by its kind. */
export const ALERT_WORDS: Readonly<Record<string, string>> = {
  breaker_opened: 'a destination is left alone',
  relay_batch_failed: 'workflows cannot be started',
  lag_over_limit: 'the oldest due event has waited longer than the limit',
  backlog_over_limit: 'more events are due than the limit',
  books_unbalanced: 'the books of an hour do not balance',
  workflows_stuck: 'workflows make no progress',
  worker_missing: 'no worker polls the task queue',
  event_not_found: 'events are not in the database of a worker',
  reconciler_stopped: 'the reconciler has stopped itself',
};

const ATTENTION_ONLY: ReadonlySet<string> = new Set(['lag_over_limit', 'backlog_over_limit']);

function judgeAlerts(alerts: ValueOf<'alerts'>, parts: readonly Part[]): Judged {
  return alerts.flatMap(({ kind, subject, since }): Judged => {
    if (parts.some((part) => saysSo(part, kind, subject))) return [];
    const what = `${ALERT_WORDS[kind] ?? kind}${subject === '' ? '' : ` (${subject})`}`;
    return [[ATTENTION_ONLY.has(kind) ? 'attention' : 'wrong', `${what}, since ${since}`]];
  });
}

/**
 * Whether that part says the same, from what stands now. Where it does not, the alert is said: an alert may outlive its cause
 * for a while, and the limit of the lag is a setting, of which that of whoever raised it may be lower than this one's.
 */
function saysSo(part: Part, kind: string, subject: string): boolean {
  if (part.state === 'away' || part.value === null) return false;
  switch (part.name) {
    case 'destinations':
      return (
        kind === 'breaker_opened' &&
        part.value.destinations.some(({ name, breaker }) => name === subject && breaker !== 'closed')
      );
    case 'books':
      return kind === 'books_unbalanced' && part.value.withGaps > 0;
    case 'backlog':
      return kind === 'lag_over_limit' && part.state === 'failing';
    default:
      return false;
  }
}

/** Held to the contract's by its type: its value would bring zod along. */
const LETTERS_BOUND: (typeof OVERVIEW_BOUNDS)['letters'] = 100_000;

function judgeLetters({ open, oldestAt }: ValueOf<'letters'>): Judged {
  if (open === 0) return [];
  const many = open >= LETTERS_BOUND ? `${open} or more dead letters are` : `${open} dead letters are`;
  const count = open === 1 ? 'one dead letter is' : many;
  return [['attention', `${count} open${oldestAt === null ? '' : `, the oldest since ${oldestAt}`}`]];
}

function judgeBooks({ withGaps, oldestGap, lateSince, waitsFor }: ValueOf<'books'>): Judged {
  const hours = withGaps === 1 ? 'one hour' : `${withGaps} hours`;
  const oldest = oldestGap === null ? '' : `, the oldest ${oldestGap}`;
  const waits = waitsFor === null ? '' : `, and one waits for ${waitsFor}`;
  return [
    ...(withGaps === 0 ? [] : ([['wrong', `the books of ${hours} do not balance${oldest}`]] as const)),
    ...(lateSince === null ? [] : ([['attention', `a look at the books is due since ${lateSince}${waits}`]] as const)),
  ];
}
