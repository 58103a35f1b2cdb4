import { type OverviewPartName, type OverviewValue, PROCESS_SILENT_MS } from '../../../contract/overview-api.js';
import { NO_PROCESS_KNOWN } from '../../../contract/verdict.js';
import { type PartDeps, type PartReader, partReader } from '../../overview-part.js';
import type { DestinationStore } from '../destinations/ports.js';
import type { LatestDeliveries, OverviewStore, ProcessRole, ProcessStore, SeenProcess } from './ports.js';

/** What the outbox database tells; the rest of the overview is the audit log's. */
export const DELIVERY_PARTS = [
  'outboxDatabase',
  'processes',
  'destinations',
  'backlog',
  'rate',
  'runs',
  'letters',
  'alerts',
  'books',
] as const satisfies readonly OverviewPartName[];
export type DeliveryPartName = (typeof DELIVERY_PARTS)[number];

export type DeliveryReaders = { readonly [Name in DeliveryPartName]: PartReader<Name> };

export interface ReadOverviewDeps {
  readonly store: OverviewStore;
  readonly destinations: Pick<DestinationStore, 'list'>;
  readonly processes: Pick<ProcessStore, 'list'>;
  readonly part: PartDeps;
}

/** Of relays, and of workers. */
const MOST_PROCESSES = 100;
/** Of a part's troubles so many are said, then how many more there are. */
const MOST_SAID = 3;

/**
 * How the delivery stands, part by part, each with a deadline of its own and none that rejects: one that does not answer is
 * `away` with the last value there was. `failing` is judged here, with a sentence that says what to do. `lagLimitSeconds`: 0
 * for none.
 */
export function readOverview(
  { store, destinations, processes, part }: ReadOverviewDeps,
  { lagLimitSeconds }: { readonly lagLimitSeconds: number },
): DeliveryReaders {
  const reader = <Name extends DeliveryPartName>(
    name: Name,
    look: () => Promise<OverviewValue<Name>>,
    judge: (value: OverviewValue<Name>) => readonly string[] = () => [],
  ): PartReader<Name> =>
    partReader(
      name,
      async () => {
        const value = await look();
        return { value, trouble: join(judge(value)) };
      },
      part,
    );
  return {
    outboxDatabase: reader('outboxDatabase', async () => {
      const askedAt = performance.now();
      await store.ping();
      return { tookMs: Math.round((performance.now() - askedAt) * 10) / 10 };
    }),
    processes: reader('processes', async () => (await processes.list(MOST_PROCESSES)).map(toProcess), judgeProcesses),
    destinations: reader(
      'destinations',
      async () => {
        const list = await destinations.list();
        return { destinations: [...list.destinations], pauses: [...list.pauses] };
      },
      judgeDestinations,
    ),
    backlog: reader(
      'backlog',
      async () => {
        const { events, lagSeconds } = await store.measureBacklog();
        return { due: events, lagSeconds };
      },
      ({ lagSeconds }) => judgeLag(lagSeconds, lagLimitSeconds),
    ),
    rate: reader('rate', async () => toRate(await store.readLatest())),
    runs: reader('runs', () => store.countRuns()),
    letters: reader('letters', () => store.countLetters()),
    alerts: reader('alerts', async () => [...(await store.listAlerts())], judgeAlerts),
    books: reader('books', () => store.countBooks(), judgeBooks),
  };
}

/** null: nothing is wrong. Without a full stop: it may stand in a list. */
function join(troubles: readonly string[]): string | null {
  if (troubles.length === 0) return null;
  const said = troubles.slice(0, MOST_SAID).join('; ');
  return troubles.length > MOST_SAID ? `${said}; ${troubles.length - MOST_SAID} more` : said;
}

function toProcess({ id, roles, host, pid, version, startedAt, seenAt, silent, says }: SeenProcess) {
  const { temporal, auditApi, namespace } = says;
  return { id, roles: [...roles], host, pid, version, startedAt, seenAt, silent, temporal, auditApi, namespace };
}

function judgeProcesses(processes: OverviewValue<'processes'>): string[] {
  const living = processes.filter(({ silent }) => !silent);
  const missing = (['relay', 'worker'] as const)
    .filter((role) => !living.some(({ roles }) => roles.includes(role)))
    .map((role) => missingRole(role, processes));
  const said = (what: 'Temporal' | 'the audit API', of: 'temporal' | 'auditApi', todo: string) =>
    living.flatMap(({ host, pid, roles, [of]: seen }) =>
      seen === null || seen.ok
        ? []
        : [`${roles.join(' and ')} ${host}:${pid} says of ${what}: ${seen.reason ?? 'it does not answer'}: ${todo}`],
    );
  return [
    ...missing,
    ...said('Temporal', 'temporal', 'look whether it runs and can be reached from there'),
    ...said('the audit API', 'auditApi', 'look whether an api runs, and at OUTBOX_AUDIT_URL there'),
  ];
}

function missingRole(role: ProcessRole, processes: OverviewValue<'processes'>): string {
  // The latest seen come first.
  const last = processes.find(({ roles }) => roles.includes(role));
  const seen = last === undefined ? NO_PROCESS_KNOWN : `${last.host}:${last.pid} was seen last, at ${last.seenAt}`;
  return (
    `no ${role} has told of itself for ${PROCESS_SILENT_MS / 1_000} s (${seen}): start one, or look at its log; ` +
    'after an upgrade run `outbox grants` again'
  );
}

function judgeDestinations({ destinations }: OverviewValue<'destinations'>): string[] {
  // Those that nothing is sent to first.
  const weights = { open: 0, half_open: 1, closed: 2 };
  return destinations
    .toSorted((one, other) => weights[one.breaker] - weights[other.breaker])
    .flatMap(({ name, breaker, failures, reason }) => {
      const code = reason === null ? '' : ` (${reason.code}${reason.status === null ? '' : ` ${reason.status}`})`;
      const row = `${failures === 1 ? 'one failure' : `${failures} failures in a row`}${code}`;
      const todo = 'docs/errors.md says what to do';
      if (breaker === 'open') return [`destination ${name} is left alone for a while, after ${row}: ${todo}`];
      if (breaker === 'half_open') return [`destination ${name} is being tried again, after ${row}: ${todo}`];
      return failures === 0 ? [] : [`destination ${name} fails, with ${row}: ${todo}`];
    });
}

function judgeLag(lagSeconds: number, limit: number): string[] {
  if (limit === 0 || lagSeconds <= limit) return [];
  return [
    `the oldest due event has waited ${lagSeconds} s, longer than OUTBOX_LAG_LIMIT_SECONDS (${limit}): look whether relay and ` +
      'workers keep up, and whether its destination is paused or away',
  ];
}

function judgeAlerts(alerts: OverviewValue<'alerts'>): string[] {
  return alerts.map(
    ({ kind, subject, since }) =>
      `alert ${kind}${subject === '' ? '' : ` (${subject})`} since ${since}: what to do stands in docs/notifications.md`,
  );
}

function judgeBooks({ withGaps, oldestGap, lateSince, waitsFor }: OverviewValue<'books'>): string[] {
  const hours = withGaps === 1 ? 'one hour' : `${withGaps} hours`;
  const waits = waitsFor === null ? '' : `, and one waits for ${waitsFor}`;
  return [
    ...(withGaps === 0
      ? []
      : [`the books of ${hours} do not balance, the oldest ${oldestGap}: look with \`outbox books --gaps\``]),
    ...(lateSince === null
      ? []
      : [
          `a look at the books is due since ${lateSince}${waits}: a relay does it, whose log says why not (\`duty.failed\`); ` +
            'it asks the audit API with OUTBOX_AUDIT_API_KEY',
        ]),
  ];
}

function toRate({ delivered, overSeconds, p50Ms, p95Ms, p99Ms, ...by }: LatestDeliveries): OverviewValue<'rate'> {
  const perSecond = (count: number) => Math.round((count / overSeconds) * 1_000) / 1_000;
  const named = (names: LatestDeliveries['byDestination']) =>
    names.map((one) => ({ name: one.name, perSecond: perSecond(one.delivered) }));
  return {
    perSecond: perSecond(delivered),
    overSeconds,
    p50Ms,
    p95Ms,
    p99Ms,
    byDestination: named(by.byDestination),
    byEventType: named(by.byEventType),
    byTenant: named(by.byTenant),
  };
}
