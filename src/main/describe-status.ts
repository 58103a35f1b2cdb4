import { COUNTED_UP_TO } from '../application/delivery/destinations/ports.js';
import { type Figures, OVERVIEW_BOUNDS, type OverviewPart, type OverviewPartName } from '../contract/overview-api.js';
import { ALERT_WORDS, PART_NAMES } from '../contract/verdict.js';
import { durationOf, isOpenEnded, OPEN_ENDED, percentOf } from '../domain/delivery/figure-words.js';
import type { Status } from './read-status.js';

/** For people: the verdict first, then a line for each thing. Nothing of it is escaped. */
export function describeStatus({ verdict, parts, figures, figuresMissing, notLookedAt }: Status): string[] {
  const [first] = verdict.concerns;
  return [
    line('verdict', first === undefined ? verdict.sentence : `${first.level}: ${first.sentence}`),
    ...verdict.concerns.slice(1).map(({ level, sentence }) => line('', `${level}: ${sentence}`)),
    ...LINES.flatMap((describe) => describe(parts)),
    ...figures.map((one) => line(WINDOW_NAMES[one.window], describeFigures(one))),
    ...(figuresMissing === null ? [] : [line('figures', `not known: ${figuresMissing}`)]),
    ...LISTS.flatMap((describe) => describe(parts)),
    ...notLookedAt.map((what) => line('not looked at', what)),
  ];
}

const WIDTH = 15;

function line(name: string, text: string): string {
  return `${name.padEnd(WIDTH)}${text}`;
}

type PartOf<Name extends OverviewPartName> = Extract<OverviewPart, { readonly name: Name }>;
type ValueOf<Name extends OverviewPartName> = NonNullable<PartOf<Name>['value']>;

/** `none`: what is said of a value that is null although it was looked at. */
function part<Name extends OverviewPartName>(
  name: Name,
  describe: (value: ValueOf<Name>) => readonly string[],
  none: readonly string[] = [],
): (parts: readonly OverviewPart[]) => readonly string[] {
  return (parts) => {
    const found = parts.find((one): one is PartOf<Name> => one.name === name);
    if (found === undefined) return [];
    const { state, value, at, reason } = found;
    // What was known is shown with its age, never as if it were of now; what never was is not shown as nothing.
    const away = state === 'away' ? [line(LABELS[name] ?? name, describeAway(at, reason))] : [];
    if (value === null) return state === 'away' ? away : none;
    // A name and its own value, which is not to be told of a name that is a parameter.
    return [...away, ...describe(value as unknown as ValueOf<Name>)];
  };
}

function describeAway(at: string | null, reason: string | null): string {
  const because = reason === null ? '' : `: ${reason}`;
  return at === null ? `not known${because}` : `not known since ${at}, shown as it was then${because}`;
}

const LABELS: Partial<Record<OverviewPartName, string>> = {
  outboxDatabase: 'database',
  auditDatabase: 'database',
  runs: 'in flight',
  letters: 'dead',
  backlog: 'lag',
};

const LINES = [
  part('rate', (rate) => [line('rate', describeRate(rate))]),
  part('backlog', ({ due, lagSeconds }) => [line('lag', `${lagSeconds} s, ${upTo(due, OVERVIEW_BOUNDS.open)} due`)]),
  part('runs', ({ inFlight, retrying, retryingAtLeast }) => [
    line('in flight', upTo(inFlight, OVERVIEW_BOUNDS.open)),
    line('retrying', retryingAtLeast ? `${retrying} or more` : `${retrying}`),
  ]),
  part('letters', ({ open, oldestAt }) => {
    const count = upTo(open, OVERVIEW_BOUNDS.letters);
    return [line('dead', oldestAt === null ? count : `${count}, the oldest since ${oldestAt}`)];
  }),
];

/** Counted to a bound, of each destination where it is so counted: beyond it there may be more. */
function upTo(count: number, bound: number): string {
  return count < bound ? `${count}` : `${count} or more`;
}

const LISTS = [
  part('destinations', describeDestinations),
  part('books', ({ hours, withGaps, oldestGap, checkedAt, lateSince, waitsFor }) => {
    const looked = checkedAt === null ? '' : `, looked at ${checkedAt}`;
    const gaps = withGaps === 0 ? '' : `, ${withGaps} with gaps, the oldest ${oldestGap}`;
    const late = lateSince === null ? '' : `, the next look due since ${lateSince}`;
    const waits = waitsFor === null ? '' : `, one waits for ${waitsFor}`;
    return [line('books', `${hours === 0 ? 'of no hour yet' : `of ${hours} hours${gaps}${looked}`}${late}${waits}`)];
  }),
  part('seal', ({ size, unsealed, countedUpTo, oldestSeconds, checkpoint, notes }) => {
    const waiting = oldestSeconds === null ? '' : `, the oldest for ${oldestSeconds} s`;
    const signed =
      checkpoint === null ? 'no checkpoint' : `checkpoint of ${checkpoint.size}, ${checkpoint.ageSeconds} s ago`;
    return [
      line('seal', `${size} sealed, ${upTo(unsealed, countedUpTo)} not yet${waiting}; ${signed}`),
      ...notes.map((note) => line('', note)),
    ];
  }),
  part(
    'verification',
    ({ state, outcome, endedAt, records }) => {
      const of = records === null ? '' : ` of ${records} records`;
      return [line('verification', `${outcome ?? state}${of}${endedAt === null ? '' : `, ${endedAt}`}`)];
    },
    [line('verification', 'never')],
  ),
  part('processes', (processes) => (processes.length === 0 ? [line('process', 'none')] : processes.map(toLine))),
  part('alerts', (alerts) =>
    alerts.map(({ kind, subject, since, times }) => {
      const what = `${ALERT_WORDS[kind] ?? kind}${subject === '' ? '' : ` (${subject})`}`;
      return line('alert', `${what}, since ${since}${times > 1 ? `, ${times} times` : ''}`);
    }),
  ),
  part('outboxDatabase', ({ tookMs }) => [
    line('database', `${PART_NAMES.outboxDatabase} answered within ${tookMs} ms`),
  ]),
  part('auditDatabase', ({ tookMs }) => [line('database', `${PART_NAMES.auditDatabase} answered within ${tookMs} ms`)]),
];

function describeRate({ perSecond, overSeconds, ...percentiles }: ValueOf<'rate'>): string {
  const over = overSeconds >= 10 ? Math.round(overSeconds) : Math.round(overSeconds * 10) / 10;
  return `${perSecond}/s over ${over} s${describePercentiles(percentiles, durationOf)}`;
}

type Percentiles = Pick<ValueOf<'rate'>, 'p50Ms' | 'p95Ms' | 'p99Ms'>;

function describePercentiles({ p50Ms, p95Ms, p99Ms }: Percentiles, words: (ms: number) => string): string {
  if (p50Ms === null || p95Ms === null || p99Ms === null) return '';
  return `; p50 ${words(p50Ms)}, p95 ${words(p95Ms)}, p99 ${words(p99Ms)}`;
}

/** What was counted in buckets is told as the upper bound of its own. */
function boundOf(ms: number): string {
  return isOpenEnded(ms) ? OPEN_ENDED : `<= ${durationOf(ms)}`;
}

function shareOf(share: number): string {
  const percent = percentOf(share);
  return percent === null ? '< 0.01 %' : `${percent} %`;
}

const WINDOW_NAMES = { '15m': 'last 15 min', '1h': 'last hour', '24h': 'last 24 h' } as const;

/** Minutes that nobody counted are in no sum: said, for else few would look like little. */
function describeFigures({ total, missingMinutes }: Figures): string {
  const { delivered, died, successRate, sampled } = total;
  const rate = successRate === null ? '' : `, ${shareOf(successRate)}`;
  const missing = missingMinutes === 0 ? '' : `; ${missingMinutes} minutes were not counted`;
  return `${delivered} delivered, ${died} died${rate}${describePercentiles(total, boundOf)}${sampled ? ' (of a part)' : ''}${missing}`;
}

function describeDestinations({ destinations, pauses }: ValueOf<'destinations'>): string[] {
  const count = (n: number) => (n < COUNTED_UP_TO ? `${n}` : `${n} or more`);
  return [
    ...destinations.map(({ name, breaker, health, failures, reason, p95Ms, waiting, running }) => {
      const code = reason === null ? '' : ` by ${reason.code}${reason.status === null ? '' : ` ${reason.status}`}`;
      const parts = [
        name,
        breaker === 'closed' ? `closed, ${health}` : breaker.replace('_', ' '),
        ...(failures === 0 ? [] : [`${failures} failures in a row${code}`]),
        ...(p95Ms === null ? [] : [`p95 ${p95Ms} ms`]),
        `${count(waiting)} waiting`,
        `${count(running)} under way`,
      ];
      return line('destination', parts.join('  '));
    }),
    ...pauses.map(({ destination, eventType, tenantId, until, actor, reason }) => {
      const scope = [
        destination ?? 'all destinations',
        ...(eventType === null ? [] : [`type ${eventType}`]),
        ...(tenantId === null ? [] : [tenantId === '' ? 'without a tenant' : `tenant ${tenantId}`]),
      ].join(', ');
      const end = until === null ? 'until it is resumed' : `until ${until}`;
      return line('paused', `${scope}  ${end}  by ${actor}: ${reason}`);
    }),
  ];
}

function toLine(process: ValueOf<'processes'>[number]): string {
  const { roles, host, pid, version, seenAt, silent, temporal, auditApi } = process;
  const said = [['Temporal', temporal] as const, ['the audit API', auditApi] as const].flatMap(([what, seen]) =>
    seen === null || seen.ok ? [] : [`${what}: ${seen.reason ?? 'does not answer'}`],
  );
  const when = silent ? `not seen since ${seenAt}` : `seen ${seenAt}`;
  return line('process', [roles.join(' and '), `${host}:${pid}`, version, when, ...said].join('  '));
}
