// What the parts of the overview add up to. Pure; nothing is fake.
import { readFileSync } from 'node:fs';
import type { AlertKind } from '../../src/application/delivery/notify/alert-ports.js';
import type { OverviewPart, OverviewPartName, OverviewValue } from '../../src/contract/overview-api.js';
import { ALERT_WORDS, judgeOverview } from '../../src/contract/verdict.js';

const AT = '2026-11-29T10:00:00.000Z';

type Parts = { [Name in OverviewPartName]: OverviewValue<Name> };
type SeenProcess = OverviewValue<'processes'>[number];

const process = (fields: Partial<SeenProcess> = {}): SeenProcess => ({
  id: '0198c0de-0000-7000-8000-000000000001',
  roles: ['relay', 'worker'],
  host: 'one',
  pid: 1,
  version: '0.1.0',
  startedAt: AT,
  seenAt: AT,
  silent: false,
  temporal: { ok: true, reason: null, at: AT },
  auditApi: null,
  namespace: 'default',
  ...fields,
});

type Destination = OverviewValue<'destinations'>['destinations'][number];
const destination = (fields: Partial<Destination> = {}): Destination => ({
  name: 'audit.log',
  breaker: 'closed',
  health: 'ok',
  p95Ms: 12,
  failures: 0,
  lastSuccessAt: AT,
  reason: null,
  openedAt: null,
  openUntil: null,
  closedAt: null,
  maxRuns: null,
  waiting: 0,
  running: 0,
  outage: null,
  ...fields,
});
const pause = {
  id: '0198c0de-0000-7000-8000-000000000002',
  destination: 'erp.sync',
  eventType: null,
  tenantId: null,
  until: null,
  reason: 'maintenance',
  actor: 'ada',
  createdAt: AT,
};
const alert = (kind: string, subject = '') => ({ kind, subject, fields: {}, since: AT, lastAt: AT, times: 1 });

const WELL: Parts = {
  outboxDatabase: { tookMs: 1 },
  auditDatabase: { tookMs: 1 },
  backlog: { due: 0, lagSeconds: 0 },
  rate: {
    perSecond: 0,
    overSeconds: 60,
    p50Ms: null,
    p95Ms: null,
    p99Ms: null,
    byDestination: [],
    byEventType: [],
    byTenant: [],
  },
  runs: { inFlight: 0, retrying: 0, retryingAtLeast: false },
  letters: { open: 0, oldestAt: null },
  destinations: { destinations: [destination()], pauses: [] },
  alerts: [],
  books: { hours: 3, withGaps: 0, oldestGap: null, checkedAt: AT, lateSince: null, waitsFor: null },
  processes: [process()],
  seal: {
    size: 5,
    unsealed: 0,
    countedUpTo: 10_000,
    oldestSeconds: null,
    checkpoint: { size: 5, ageSeconds: 3 },
    trouble: [],
    notes: ['no checkpoint was ever anchored'],
  },
  verification: null,
};

type Change = Partial<Pick<OverviewPart, 'state' | 'reason' | 'at'>>;

/** All parts, well but for these values and states. */
function judge(values: Partial<Parts>, changes: Partial<Record<OverviewPartName, Change>> = {}) {
  const parts = Object.entries({ ...WELL, ...values }).map(([name, value]) => {
    const change = changes[name as OverviewPartName] ?? {};
    return { name, state: 'ok', at: AT, reason: null, value, ...change } as OverviewPart;
  });
  return judgeOverview(parts);
}

const said = (values: Partial<Parts>, changes: Partial<Record<OverviewPartName, Change>> = {}) =>
  judge(values, changes).concerns.map(({ level, part }) => `${level} ${part}`);

it('is well where every part is, and unknown where nothing was looked at', () => {
  expect(judge({})).toEqual({ state: 'well', sentence: 'all is well', concerns: [], notLookedAt: [] });
  expect(judgeOverview([])).toMatchObject({ state: 'unknown', concerns: [] });
});

it('what was not asked for is no concern, and is told: the audit log of a terminal without its URL', () => {
  const { outboxDatabase } = WELL;
  const part = { name: 'outboxDatabase', state: 'ok', at: AT, reason: null, value: outboxDatabase } as const;
  expect(judgeOverview([part])).toMatchObject({
    state: 'well',
    sentence: 'what was looked at is well',
    notLookedAt: expect.arrayContaining(['auditDatabase', 'seal', 'verification', 'rate']),
  });
});

it('names the worst first, and says how many there are besides', () => {
  const verdict = judge({
    letters: { open: 2, oldestAt: AT },
    books: { ...WELL.books, withGaps: 1, oldestGap: AT },
  });
  expect(verdict).toMatchObject({
    state: 'wrong',
    sentence: `the books of one hour do not balance, the oldest ${AT}; 1 more`,
    concerns: [
      { level: 'wrong', part: 'books' },
      { level: 'attention', part: 'letters' },
    ],
  });
});

it('a database that is away is said once, not of each part that is read from it', () => {
  const away: Change = { state: 'away', reason: 'the outbox database does not answer: ECONNREFUSED' };
  const verdict = judge({}, { outboxDatabase: away, backlog: away, rate: away, letters: away, processes: away });
  expect(verdict).toMatchObject({ state: 'wrong', sentence: away.reason });
  expect(verdict.concerns).toHaveLength(1);
});

it('a part that alone is away is unknown, with its reason, whatever it said last', () => {
  const books = { ...WELL.books, withGaps: 1, oldestGap: AT };
  const verdict = judge({ books }, { books: { state: 'away', reason: 'no answer within 1500 ms' } });
  expect(verdict).toMatchObject({ state: 'unknown', sentence: 'the books: not known: no answer within 1500 ms' });
  expect(said({}, { seal: { state: 'away' }, auditDatabase: { state: 'away' } })).toEqual(['wrong auditDatabase']);
});

describe('relays and workers', () => {
  it('one of each has to tell of itself; a silent one does not count, and is no concern beside another', () => {
    expect(judge({ processes: [] }).concerns.map(({ sentence }) => sentence)).toEqual([
      'no relay tells of itself: none is known, and one that was stopped leaves no trace',
      'no worker tells of itself: none is known, and one that was stopped leaves no trace',
    ]);
    expect(
      judge({ processes: [process({ silent: true, roles: ['relay'] }), process({ roles: ['worker'] })] }),
    ).toMatchObject({
      state: 'wrong',
      sentence: `no relay tells of itself: the last one was seen at ${AT}`,
    });
    expect(said({ processes: [process(), process({ silent: true, pid: 2 })] })).toEqual([]);
  });

  it('says what they do not reach; what a silent one said is nothing of now', () => {
    const temporal = { ok: false, reason: 'it does not answer at localhost', at: AT };
    expect(judge({ processes: [process({ temporal }), process({ pid: 2 })] })).toMatchObject({
      state: 'wrong',
      sentence: 'Temporal: it does not answer at localhost (1 of 2 processes)',
    });
    expect(said({ processes: [process(), process({ temporal, silent: true })] })).toEqual([]);
    const auditApi = { ok: false, reason: 'it answers 503 to /ready', at: AT };
    expect(judge({ processes: [process({ auditApi })] }).sentence).toBe(
      'the audit API: it answers 503 to /ready (1 of 1 process)',
    );
  });
});

describe('destinations', () => {
  it.each([
    [{ breaker: 'open', failures: 12, reason: { code: 'HTTP.NETWORK', status: null } }, 'wrong destinations'],
    [{ breaker: 'half_open', failures: 12 }, 'wrong destinations'],
    [{ failures: 1 }, 'attention destinations'],
    [{ health: 'degraded' }, 'attention destinations'],
  ] as const)('%j: %s', (fields, expected) => {
    expect(said({ destinations: { destinations: [destination(fields)], pauses: [] } })).toEqual([expected]);
  });

  it('slow is no concern; a pause asks for attention, for nothing is sent', () => {
    expect(said({ destinations: { destinations: [destination({ health: 'slow' })], pauses: [] } })).toEqual([]);
    expect(said({ destinations: { destinations: [destination()], pauses: [pause] } })).toEqual([
      'attention destinations',
    ]);
  });

  it('the sentence has the code and the status', () => {
    const failing = destination({ failures: 3, reason: { code: 'HTTP.SERVER_ERROR', status: 503 } });
    expect(judge({ destinations: { destinations: [failing], pauses: [] } }).sentence).toBe(
      'destination audit.log fails: 3 in a row by HTTP.SERVER_ERROR 503',
    );
  });
});

describe('alerts', () => {
  it('has words for every kind', () => {
    const kinds: Record<AlertKind, true> = {
      breaker_opened: true,
      relay_batch_failed: true,
      lag_over_limit: true,
      backlog_over_limit: true,
      books_unbalanced: true,
      workflows_stuck: true,
      worker_missing: true,
      event_not_found: true,
      reconciler_stopped: true,
    };
    expect(Object.keys(ALERT_WORDS).sort()).toEqual(Object.keys(kinds).sort());
  });

  it('a kind that a newer version raises is told by its name', () => {
    expect(judge({ alerts: [alert('something_new', 'x')] }).sentence).toBe(`something_new (x), since ${AT}`);
  });

  it('what another part says from what stands now is not said twice; where that part is away, it is said', () => {
    const alerts = [alert('breaker_opened', 'audit.log'), alert('books_unbalanced', AT)];
    const destinations = { destinations: [destination({ breaker: 'open', failures: 12 })], pauses: [] };
    const books = { ...WELL.books, withGaps: 1, oldestGap: AT };
    const once = ['wrong destinations', 'wrong books'];
    expect(said({ alerts, destinations, books })).toEqual(once);
    expect(said({ alerts, destinations, books }, { alerts: { state: 'failing', reason: 'two alerts' } })).toEqual(once);
    expect(said({ alerts, destinations, books }, { destinations: { state: 'away' } })).toEqual([
      'wrong books',
      'wrong alerts',
      'unknown destinations',
    ]);
  });

  it('one that no other part says is said, though what it is of looks well by now', () => {
    const alerts = [alert('breaker_opened', 'audit.log'), alert('books_unbalanced', AT)];
    expect(said({ alerts })).toEqual(['wrong alerts', 'wrong alerts']);
    const other = { destinations: [destination({ name: 'erp.sync', breaker: 'open', failures: 12 })], pauses: [] };
    expect(said({ alerts: alerts.slice(0, 1), destinations: other })).toEqual(['wrong destinations', 'wrong alerts']);
  });

  it('as many as are read may be more', () => {
    const alerts = Array.from({ length: 100 }, (_, n) => alert('worker_missing', `queue-${n}`));
    expect(judge({ alerts }).sentence).toMatch(/; 99 or more$/);
    expect(judge({ alerts: alerts.slice(1) }).sentence).toMatch(/; 98 more$/);
  });

  it('a lag is attention, said by the part of what is due where that finds it too', () => {
    const alerts = [alert('lag_over_limit')];
    expect(said({ alerts })).toEqual(['attention alerts']);
    const reason = 'the oldest due event has waited 400 s';
    expect(said({ alerts }, { backlog: { state: 'failing', reason } })).toEqual(['attention backlog']);
    expect(said({ alerts: [alert('workflows_stuck')] })).toEqual(['wrong alerts']);
  });
});

it('dead letters ask for attention, counted to a bound', () => {
  expect(judge({ letters: { open: 1, oldestAt: AT } }).sentence).toBe(
    `one dead letter is open, the oldest since ${AT}`,
  );
  expect(judge({ letters: { open: 100_000, oldestAt: AT } }).sentence).toMatch(/^100000 or more dead letters are open/);
});

it('what the log says of its sealing asks for attention, each', () => {
  const seal = { ...WELL.seal, trouble: ['nothing is signed yet', 'the newest checkpoint is not anchored'] };
  expect(said({ seal }, { seal: { state: 'failing', reason: 'both' } })).toEqual(['attention seal', 'attention seal']);
});

it('books that nobody looks at ask for attention, whatever they said last', () => {
  const books = { ...WELL.books, lateSince: AT, waitsFor: 'HTTP.UNAUTHORIZED' };
  expect(judge({ books })).toMatchObject({
    state: 'attention',
    sentence: `a look at the books is due since ${AT}, and one waits for HTTP.UNAUTHORIZED`,
  });
  expect(said({ books: { ...books, withGaps: 1, oldestGap: AT } })).toEqual(['wrong books', 'attention books']);
  // A look that waits for a moment is none yet.
  expect(said({ books: { ...WELL.books, waitsFor: 'HTTP.TIMEOUT' } })).toEqual([]);
});

it('a log that is broken is wrong, in its own words; that none was verified for long asks for attention', () => {
  const broken: Change = { state: 'failing', reason: 'the log is broken: 1 leaf' };
  const verification = { endedAt: AT, state: 'done', outcome: 'broken', records: 5 } as const;
  expect(judge({ verification }, { verification: broken })).toMatchObject({
    state: 'wrong',
    sentence: 'the log is broken: 1 leaf',
  });
  const late: Change = { state: 'failing', reason: 'the whole log was never verified' };
  expect(said({}, { verification: late })).toEqual(['attention verification']);
});

it('the page loads it without zod: it imports types alone', () => {
  const source = readFileSync('src/contract/verdict.ts', 'utf8');
  expect(source.match(/^import (?!type )/gm)).toBeNull();
});
