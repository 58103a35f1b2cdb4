// What `outbox doctor` makes of what it sees: facts in, findings out. Pure; nothing is fake. That each check finds what is
// wrong for real: integration/doctor.
import { readFileSync } from 'node:fs';
import {
  away,
  CHECKS,
  type Finding,
  inOrder,
  ok,
  unknown,
  verdictOf,
  warning,
  wrong,
} from '../../src/application/delivery/doctor/findings.js';
import {
  judgePartitions,
  judgeSeal,
  judgeVerification,
  type VerificationFacts,
} from '../../src/application/delivery/doctor/judge-audit-log.js';
import { judgeClocks } from '../../src/application/delivery/doctor/judge-clock.js';
import {
  judgeBooks,
  judgeJobs,
  judgeLetters,
  judgeNotices,
  judgeProcesses,
  judgeStopped,
} from '../../src/application/delivery/doctor/judge-delivery.js';
import { judgeEventRetention } from '../../src/application/delivery/doctor/judge-event-retention.js';
import { judgeAuditApi } from '../../src/application/delivery/doctor/judge-reach.js';
import { judgeRights } from '../../src/application/delivery/doctor/judge-rights.js';
import { judgeMigrations, judgeSchema } from '../../src/application/delivery/doctor/judge-schema.js';
import {
  judgeConnections,
  judgeSettings,
  type SettingsFacts,
} from '../../src/application/delivery/doctor/judge-settings.js';
import { type Holder, judgeSnapshots } from '../../src/application/delivery/doctor/judge-snapshots.js';
import {
  judgeAutovacuum,
  judgeBloat,
  type StorageFacts,
  type TableFacts,
} from '../../src/application/delivery/doctor/judge-storage.js';
import {
  judgeNamespace,
  judgePollers,
  judgeRetention,
  judgeVersions,
} from '../../src/application/delivery/doctor/judge-temporal.js';
import type { SeenProcess } from '../../src/application/delivery/monitor/ports.js';
import { STATES } from '../../src/cli/events-commands.js';
import { EVENT_STATES } from '../../src/contract/events-api.js';

const said = (findings: readonly Finding[]) => findings.map(({ id, state }) => `${state} ${id}`);
const AT = '2026-11-29T10:00:00.000Z';

describe('findings', () => {
  it('exit: what is wrong before what could not be looked at; warnings by --strict alone', () => {
    const [fine, odd, bad, gone, dark] = [
      ok('books', ''),
      warning('books', '', ''),
      wrong('books', '', ''),
      away('reach.outbox', '', ''),
      unknown('books', ''),
    ] as const;
    expect(verdictOf([fine, odd], false)).toBe('done');
    expect(verdictOf([fine, odd], true)).toBe('failed');
    expect(verdictOf([bad, gone, dark], false)).toBe('failed');
    expect(verdictOf([fine, gone], false)).toBe('unavailable');
    expect(verdictOf([fine, dark], true)).toBe('unavailable');
  });

  it('are told in the order of the checks', () => {
    expect(said(inOrder([ok('verification', ''), ok('reach.outbox', ''), ok('clock', '')]))).toEqual([
      'ok reach.outbox',
      'ok clock',
      'ok verification',
    ]);
  });

  it('docs/doctor.md has a section for every check, and for no other', () => {
    const headings = [...readFileSync('docs/doctor.md', 'utf8').matchAll(/^### `([a-z.-]+)`$/gm)].map(([, id]) => id);
    expect(headings).toEqual([...CHECKS]);
  });
});

it('outbox events list --state offers what the API knows', () => {
  expect(STATES).toEqual([...EVENT_STATES]);
});

describe('schema', () => {
  const CURRENT = { pending: [], unknown: [], changed: [], failed: [] };
  const MADE = {
    'column event.id': 'uuid NOT NULL',
    'index event.event_by_time': 'CREATE INDEX event_by_time ON outbox.event USING btree (recorded_at)',
    'constraint event.event_pkey': 'PRIMARY KEY (id)',
    'trigger event.event_insert_only': 'CREATE TRIGGER event_insert_only BEFORE UPDATE ON outbox.event …',
    'enabled event.event_insert_only': 'O',
    'function f()': 'plpgsql v 00',
    'settings event': 'fillfactor=70',
  };
  const of = (parts: Record<string, string>) => ({ parts, invalidIndexes: [], unguardedPartitions: [] });
  const { 'index event.event_by_time': _, ...withoutIndex } = MADE;

  it('migrations: pending, failed and changed are wrong; a newer package has migrated is a warning', () => {
    expect(said(judgeMigrations('outbox', CURRENT))).toEqual(['ok schema.migrations']);
    for (const kind of ['pending', 'failed', 'changed'] as const) {
      expect(said(judgeMigrations('outbox', { ...CURRENT, [kind]: ['a'] }))).toEqual(['wrong schema.migrations']);
    }
    expect(said(judgeMigrations('outbox', { ...CURRENT, unknown: ['b'] }))).toEqual(['warning schema.migrations']);
  });

  it('as migrated: well; what a table is tuned with is looked at with autovacuum', () => {
    const tuned = of({ ...MADE, 'settings event': 'fillfactor=50' });
    expect(said(judgeSchema('outbox', tuned, MADE, CURRENT))).toEqual(['ok schema.drift', 'ok schema.index']);
  });

  it('a missing index is told with the statement that makes it beside what runs', () => {
    const [, index] = judgeSchema('outbox', of(withoutIndex), MADE, CURRENT);
    expect(index).toMatchObject({ id: 'schema.index', state: 'wrong' });
    expect(index?.todo).toContain('CREATE INDEX CONCURRENTLY event_by_time ON outbox.event');
  });

  it('an invalid index, a disabled trigger, another definition, a foreign column: each by name', () => {
    const invalid = { ...of(MADE), invalidIndexes: ['event_by_time'] };
    expect(judgeSchema('outbox', invalid, MADE, CURRENT)[1]?.todo).toContain(
      'REINDEX INDEX CONCURRENTLY outbox.event_by_time',
    );
    const [disabled] = judgeSchema('outbox', of({ ...MADE, 'enabled event.event_insert_only': 'D' }), MADE, CURRENT);
    expect(disabled?.detail).toBe('outbox: the trigger event.event_insert_only is disabled, expected enabled');
    const [changed] = judgeSchema('outbox', of({ ...MADE, 'column event.id': 'text' }), MADE, CURRENT);
    expect(changed?.detail).toContain('expected uuid NOT NULL, got text');
    const [foreign] = judgeSchema('outbox', of({ ...MADE, 'column event.mine': 'text NOT NULL' }), MADE, CURRENT);
    expect(foreign).toMatchObject({ state: 'warning', id: 'schema.drift' });
  });

  it("somebody's own tables and functions are theirs; a missing trigger is told once", () => {
    const own = of({ ...MADE, 'column mine.id': 'text', 'function g()': 'sql v 11' });
    expect(said(judgeSchema('outbox', own, MADE, CURRENT))).toEqual(['ok schema.drift', 'ok schema.index']);
    const { 'trigger event.event_insert_only': _t, 'enabled event.event_insert_only': _e, ...rest } = MADE;
    expect(said(judgeSchema('outbox', of(rest), MADE, CURRENT))).toEqual(['wrong schema.drift', 'ok schema.index']);
  });

  it('records that somebody can change are wrong, whatever else', () => {
    const open = { ...of(MADE), unguardedPartitions: ['record_2026_11'] };
    expect(said(judgeSchema('audit', open, MADE, CURRENT))).toEqual(['wrong schema.drift', 'ok schema.index']);
  });

  it.each([
    ['without what is expected', null, CURRENT],
    ['without the migrations', MADE, null],
    ['before it is migrated', MADE, { ...CURRENT, pending: ['a'] }],
    ['after a newer release', MADE, { ...CURRENT, unknown: ['b'] }],
  ] as const)('%s it is not compared, which is not ok', (_name, expected, migrations) => {
    expect(said(judgeSchema('outbox', of(withoutIndex), expected, migrations))).toEqual([
      'unknown schema.drift',
      'unknown schema.index',
    ]);
  });
});

describe('snapshots', () => {
  const session = (fields: Partial<Extract<Holder, { kind: 'session' }>>): Holder => ({
    kind: 'session',
    pid: 7,
    user: 'shop',
    database: 'shop',
    application: 'report',
    backend: 'client backend',
    state: 'idle in transaction',
    seconds: 10,
    behind: 3,
    ...fields,
  });

  it('a session for five minutes is wrong, by its process and what ends it', () => {
    const [finding] = judgeSnapshots('outbox', [session({ seconds: 400 })]);
    expect(finding).toMatchObject({ state: 'wrong', todo: expect.stringContaining('pg_terminate_backend(7)') });
    expect(finding?.detail).toContain(
      'session 7 (shop, shop, report) is in a transaction for 400 s, idle in transaction',
    );
    expect(said(judgeSnapshots('outbox', [session({})]))).toEqual(['ok snapshots']);
  });

  it('what is not permitted to see is unknown, not ok, as soon as it lies behind', () => {
    const hidden = { backend: null, state: null, seconds: null };
    expect(said(judgeSnapshots('outbox', [session({ ...hidden, behind: 5_000 })]))).toEqual(['unknown snapshots']);
    expect(said(judgeSnapshots('outbox', [session({ ...hidden, behind: 5 })]))).toEqual(['ok snapshots']);
  });

  it('a standby, a prepared transaction and slots that nobody uses', () => {
    const standby = session({ backend: 'walsender', state: 'active', seconds: null, behind: 200_000 });
    const prepared = { kind: 'prepared', name: "o'brien", user: 'a', database: 'b', seconds: 301, behind: 1 } as const;
    const slot = { kind: 'slot', name: 's', active: false, holdsRows: true, behind: 9 } as const;
    const findings = judgeSnapshots('outbox', [standby, prepared, slot, { ...slot, holdsRows: false }]);
    expect(said(findings)).toEqual(['warning snapshots', 'wrong snapshots', 'wrong snapshots', 'warning snapshots']);
    expect(findings[1]?.todo).toContain("ROLLBACK PREPARED 'o''brien'");
    expect(said(judgeSnapshots('outbox', [{ ...slot, active: true }]))).toEqual(['ok snapshots']);
  });
});

describe('storage', () => {
  const table = (fields: Partial<TableFacts> = {}): TableFacts => ({
    name: 'delivery',
    live: 1_000,
    dead: 10,
    bytes: 500_000,
    vacuumsAbove: 5_000,
    vacuumedSecondsAgo: 60,
    autovacuum: true,
    settings: 'fillfactor=70',
    ...fields,
  });
  const storage = (fields: Partial<StorageFacts> = {}): StorageFacts => ({
    tables: [table()],
    indexes: [],
    autovacuum: true,
    trackCounts: true,
    busyWorkers: 0,
    workers: 3,
    frozenAge: 1_000,
    ...fields,
  });
  const vacuum = (facts: StorageFacts) => said(judgeAutovacuum('outbox', facts, 'fillfactor=70'));
  const MIB = 1024 * 1024;

  it('bloat: more dead than living rows, a table or an index far larger than what it holds', () => {
    expect(said(judgeBloat('outbox', storage()))).toEqual(['ok bloat']);
    expect(said(judgeBloat('outbox', storage({ tables: [table({ dead: 60_000, live: 70_000 })] })))).toEqual([
      'ok bloat',
    ]);
    const dead = storage({ tables: [table({ dead: 60_000 })] });
    expect(said(judgeBloat('outbox', dead))).toEqual(['warning bloat']);
    expect(said(judgeBloat('outbox', storage({ tables: [table({ bytes: 100 * MIB })] })))).toEqual(['warning bloat']);
    const index = { name: 'delivery_waiting', bytes: 100 * MIB, entries: 300 };
    expect(judgeBloat('outbox', storage({ indexes: [index] }))[0]?.todo).toBe(
      'REINDEX INDEX CONCURRENTLY outbox.delivery_waiting',
    );
    expect(said(judgeBloat('outbox', storage({ indexes: [{ ...index, entries: 1_000_000 }] })))).toEqual(['ok bloat']);
  });

  it('autovacuum: off anywhere is wrong; other settings than migrated are a warning', () => {
    expect(vacuum(storage())).toEqual(['ok autovacuum']);
    expect(vacuum(storage({ autovacuum: false }))).toEqual(['wrong autovacuum']);
    expect(vacuum(storage({ trackCounts: false }))).toEqual(['wrong autovacuum']);
    expect(vacuum(storage({ tables: [table({ autovacuum: false })] }))).toEqual(['wrong autovacuum']);
    expect(vacuum(storage({ tables: [table({ settings: null })] }))).toEqual(['warning autovacuum']);
    const [unset] = judgeAutovacuum('outbox', storage({ tables: [table({ settings: null })] }), 'fillfactor=80');
    expect(unset?.todo).toContain('ALTER TABLE outbox.delivery SET (fillfactor=80)');
    expect(vacuum(storage({ tables: [table({ name: 'event', settings: null })] }))).toEqual(['ok autovacuum']);
    expect(vacuum(storage({ frozenAge: 1_500_000_000 }))).toEqual(['wrong autovacuum']);
  });

  it('autovacuum: late where it does not come although it should; busy or not is said, or not known', () => {
    const late = storage({ tables: [table({ dead: 6_000, vacuumedSecondsAgo: null })], busyWorkers: 3 });
    expect(judgeAutovacuum('outbox', late, null)[0]?.detail).toContain('all 3 workers are busy');
    expect(vacuum({ ...late, busyWorkers: null })).toEqual(['warning autovacuum', 'unknown autovacuum']);
    expect(vacuum(storage({ tables: [table({ dead: 6_000 })] }))).toEqual(['ok autovacuum']);
  });
});

it('clocks: less than what cannot be told is nothing; a second is a warning, half a minute wrong', () => {
  const clock = (skewMs: number, withinMs = 5) => said(judgeClocks([{ what: 'this machine', skewMs, withinMs }]));
  expect(clock(900)).toEqual(['ok clock']);
  expect(clock(1_200, 300)).toEqual(['ok clock']);
  expect(clock(-1_200)).toEqual(['warning clock']);
  expect(clock(31_000)).toEqual(['wrong clock']);
  expect(judgeClocks([{ what: 'this machine', skewMs: -2_000, withinMs: 5 }])[0]?.detail).toContain('2000 ms ahead of');
  expect(judgeClocks([])).toEqual([]);
});

describe('temporal', () => {
  const namespace = { address: 'a:7233', namespace: 'n', namespaceId: 'x' };

  it('the namespace is the one that the runs are in, or none is kept yet, or that is not known', () => {
    expect(said(judgeNamespace({ ...namespace, keptId: 'x' }))).toEqual(['ok reach.temporal']);
    expect(said(judgeNamespace({ ...namespace, keptId: null }))).toEqual(['ok reach.temporal']);
    expect(said(judgeNamespace({ ...namespace, keptId: 'y' }))).toEqual(['wrong reach.temporal']);
    expect(said(judgeNamespace({ ...namespace, keptId: 'unknown' }))).toEqual(['unknown reach.temporal']);
  });

  it('pollers for workflows and for activities', () => {
    const queue = { taskQueue: 'outbox-main', workflowPollers: 2, activityPollers: 2 };
    expect(said(judgePollers(queue))).toEqual(['ok temporal.pollers']);
    expect(judgePollers({ ...queue, activityPollers: 0 })[0]?.detail).toContain('for activities');
  });

  it('the builds that get runs are among those that poll', () => {
    const current = { current: 'a', ramping: null };
    expect(said(judgeVersions('shop', current, ['a', 'b']))).toEqual(['ok temporal.versions']);
    const [alone] = judgeVersions('shop', current, []);
    expect(alone).toMatchObject({ state: 'wrong', todo: 'start workers of build a' });
    const [beside] = judgeVersions('shop', current, ['b']);
    expect(beside).toMatchObject({ state: 'wrong', todo: expect.stringContaining('--build-id b') });
    const ramping = { current: 'a', ramping: { buildId: 'c', percentage: 10 } };
    expect(judgeVersions('shop', ramping, ['a'])[0]?.detail).toContain('no worker of c polls');
    expect(said(judgeVersions('shop', { current: null, ramping: null }, ['a']))).toEqual(['wrong temporal.versions']);
  });

  it.each([
    [3_600, 86_400_000, 'wrong'],
    [86_400, 86_400_000, 'warning'],
    [25 * 3_600, 86_400_000, 'ok'],
    [86_400, 3_600_000, 'ok'],
    [72 * 3_600, 30 * 86_400_000, 'warning'],
    [null, 3_600_000, 'warning'],
  ] as const)('closed runs kept for %s s, a deadline of %s ms: %s', (retentionSeconds, deadlineMs, state) => {
    const [finding] = judgeRetention({ namespace: 'n', retentionSeconds }, deadlineMs);
    expect(finding?.state).toBe(state);
    if (state !== 'ok') expect(finding?.todo).toContain('--retention');
  });
});

describe('the audit API', () => {
  const ready = { url: 'http://a', ready: { status: 200, waitingFor: [] }, readyFailed: null, lookupFailed: null };

  it.each([
    ['ready', ready, 'ok', false],
    ['nobody there', { ...ready, ready: null, readyFailed: 'HTTP.NETWORK' }, 'wrong', true],
    ['not ready', { ...ready, ready: { status: 503, waitingFor: ['the database'] } }, 'wrong', true],
    ['something else', { ...ready, ready: { status: 404, waitingFor: [] } }, 'wrong', false],
    ['an unknown key', { ...ready, lookupFailed: { code: 'HTTP.UNAUTHORIZED', status: 401 } }, 'wrong', false],
    ['a key that may not', { ...ready, lookupFailed: { code: 'HTTP.UNAUTHORIZED', status: 403 } }, 'wrong', false],
    ['no answer to a lookup', { ...ready, lookupFailed: { code: 'HTTP.TIMEOUT', status: null } }, 'wrong', true],
  ] as const)('%s', (_, facts, state, gone) => {
    expect(judgeAuditApi(facts)).toMatchObject([{ id: 'reach.audit-api', state, away: gone }]);
  });
});

describe('settings', () => {
  const facts = (fields: Partial<SettingsFacts> = {}): SettingsFacts => ({
    given: new Set(['OUTBOX_DATABASE_URL']),
    deployment: 'main',
    storedDeployment: 'main',
    host: '127.0.0.1',
    ops: false,
    monitor: true,
    monitorSignIn: true,
    monitorUrl: null,
    searchAttributes: true,
    leaseMs: 30_000,
    startTimeoutMs: 5_000,
    pollFloorMs: 25,
    pollIdleMs: 1_000,
    mistyped: [],
    orderingChanges: [],
    ...fields,
  });
  const given = (...names: string[]) => new Set(names);
  const AUDIT = 'AUDIT_DATABASE_URL';

  it('the defaults contradict nothing', () => {
    expect(said(judgeSettings(facts()))).toEqual(['ok settings']);
  });

  it.each<[string, Partial<SettingsFacts>, 'warning' | 'wrong', RegExp]>([
    ['another deployment', { storedDeployment: 'shop' }, 'wrong', /belongs to shop/],
    [
      'no sign-in, open to others',
      { ops: true, host: '0.0.0.0', monitorSignIn: false, monitorUrl: 'https://x/' },
      'wrong',
      /does not start/,
    ],
    [
      'no sign-in behind a proxy of this machine',
      { ops: true, monitorSignIn: false, monitorUrl: 'https://x.example/monitor/' },
      'warning',
      /whoever reaches that sees everything/,
    ],
    ['cookies without TLS', { ops: true, host: '0.0.0.0' }, 'warning', /OUTBOX_MONITOR_URL is not set/],
    ['an address without TLS', { ops: true, host: '0.0.0.0', monitorUrl: 'http://x/' }, 'warning', /no https/],
    ['a lease below two starts', { leaseMs: 8_000 }, 'warning', /OUTBOX_LEASE_MS/],
    ['a floor above the idle time', { pollFloorMs: 2_000 }, 'warning', /OUTBOX_POLL_FLOOR_MS/],
    ['keys without an anchor', { given: given(AUDIT, 'AUDIT_SIGNING_KEYS') }, 'warning', /rewrite the log unseen/],
    ['retention without keys', { given: given(AUDIT, 'AUDIT_RETENTION_MONTHS') }, 'warning', /nothing is dropped/],
    ['audit settings without its database', { given: given('AUDIT_SECRET_KEY') }, 'warning', /nobody reads it/],
    [
      'a checkpoint pace without keys',
      { given: given(AUDIT, 'AUDIT_CHECKPOINT_MS') },
      'warning',
      /AUDIT_SIGNING_KEYS is not set/,
    ],
    ['a session of no monitor', { given: given('OUTBOX_MONITOR_SESSION_HOURS') }, 'warning', /no monitor is served/],
    [
      'a prefix of no attributes',
      { searchAttributes: false, given: given('OUTBOX_SEARCH_ATTRIBUTE_PREFIX') },
      'warning',
      /is off/,
    ],
    [
      'a mistyped variable',
      { mistyped: [{ variable: 'TEMPORAL_ADRESS', nearest: 'TEMPORAL_ADDRESS' }] },
      'warning',
      /TEMPORAL_ADRESS/,
    ],
    [
      'another ordering',
      { orderingChanges: [{ eventType: 'ORDER', from: 'none', to: 'block' }] },
      'warning',
      /ordering of ORDER/,
    ],
  ])('%s', (_, fields, state, detail) => {
    expect(judgeSettings(facts(fields))).toMatchObject([
      { id: 'settings', state, detail: expect.stringMatching(detail) },
    ]);
  });

  it('connections: those that are open, and those that the processes may open', () => {
    const server = { most: 97, open: 12, poolSize: 20, processes: 2 };
    expect(said(judgeConnections(server))).toEqual(['ok connections']);
    expect(said(judgeConnections({ ...server, open: 90 }))).toEqual(['warning connections']);
    expect(said(judgeConnections({ ...server, processes: 5 }))).toEqual(['warning connections']);
    expect(said(judgeConnections({ ...server, processes: null }))).toEqual(['ok connections']);
  });
});

describe('processes', () => {
  const seen = (fields: Partial<SeenProcess> = {}): SeenProcess => ({
    id: 'a',
    roles: ['relay', 'worker'],
    host: 'one',
    pid: 1,
    version: '0.1.0',
    startedAt: AT,
    seenAt: AT,
    silent: false,
    skewMs: 0,
    says: {
      temporal: { ok: true, reason: null, at: AT },
      auditApi: null,
      namespace: 'default',
      temporalAddress: 'localhost',
      policies: { byType: { B: '2', A: '1' }, otherwise: '0' },
      orderings: {},
      coalescing: [],
    },
    ...fields,
  });
  const judge = (...processes: SeenProcess[]) => judgeProcesses(processes, '0.1.0');

  it('one of each role that is not silent', () => {
    expect(said(judge(seen()))).toEqual(['ok processes']);
    expect(said(judge())).toEqual(['wrong processes', 'wrong processes']);
    expect(judge(seen({ silent: true, roles: ['worker'] }), seen({ roles: ['relay'] }))[0]?.detail).toContain(
      `the last one, worker one:1, was seen at ${AT}`,
    );
  });

  it('what they do not reach, other releases, namespaces and policies', () => {
    const { says } = seen();
    const away = { ok: false, reason: 'it does not answer', at: AT };
    expect(judge(seen({ says: { ...says, temporal: away } }))[0]?.detail).toContain('does not reach Temporal');
    expect(said(judge(seen(), seen({ version: '0.0.9' })))).toEqual(['warning processes']);
    expect(said(judge(seen(), seen({ says: { ...says, namespace: 'other' } })))).toEqual(['wrong processes']);
    const other = { byType: { A: '1', B: '3' }, otherwise: '0' };
    expect(said(judge(seen(), seen({ says: { ...says, policies: other } })))).toEqual(['warning processes']);
    const sorted = { byType: { A: '1', B: '2' }, otherwise: '0' };
    expect(said(judge(seen(), seen({ says: { ...says, policies: sorted } })))).toEqual(['ok processes']);
  });
});

it('duties that are behind', () => {
  const none = { count: 0, countedUpTo: 10, oldest: null };
  expect(said(judgeStopped([]))).toEqual(['ok reconciler']);
  expect(said(judgeStopped([{ name: 'reconcile', reason: 'too many not found' }]))).toEqual(['wrong reconciler']);
  const books = { hours: 2, withGaps: 0, oldestGap: null, lateSince: null, waitsFor: null };
  expect(said(judgeBooks({ ...books, hours: 0 }))).toEqual(['ok books']);
  expect(said(judgeBooks({ ...books, withGaps: 1, oldestGap: AT }))).toEqual(['wrong books']);
  expect(judgeBooks({ ...books, lateSince: AT, waitsFor: 'HTTP.TLS' })).toMatchObject([
    { state: 'warning', detail: `a look at the books is due since ${AT}, and one waits for HTTP.TLS` },
  ]);
  expect(said(judgeLetters(none))).toEqual(['ok letters']);
  expect(judgeLetters({ ...none, count: 10, oldest: AT })).toMatchObject([
    { state: 'warning', detail: expect.stringContaining('7 days: 10 or more, the oldest since') },
  ]);
  expect(said(judgeJobs([]))).toEqual(['ok jobs']);
  expect(said(judgeJobs([{ id: 'j', error: null }]))).toEqual(['wrong jobs']);
  expect(said(judgeNotices({ ...none, count: 1, oldest: AT }))).toEqual(['wrong notices']);
});

it('retention: six hours late is told, and for ever is never late', () => {
  expect(said(judgeEventRetention({ days: 30, lagSeconds: 6 * 3_600 - 1, unproven: 0 }))).toEqual(['ok retention']);
  expect(judgeEventRetention({ days: 30, lagSeconds: 6 * 3_600, unproven: 0 })).toMatchObject([
    { id: 'retention', state: 'warning', detail: expect.stringContaining('for 6 h'), todo: expect.any(String) },
  ]);
  expect(said(judgeEventRetention({ days: 0, lagSeconds: 10 ** 9, unproven: 0 }))).toEqual(['ok retention']);
});

it('retention: what stays because the audit log was not asked is told, and beside it that it is late', () => {
  expect(judgeEventRetention({ days: 30, lagSeconds: 0, unproven: 3 })).toMatchObject([
    {
      state: 'warning',
      detail: expect.stringContaining('3 of the'),
      todo: expect.stringContaining('OUTBOX_AUDIT_API_KEY'),
    },
  ]);
  expect(said(judgeEventRetention({ days: 30, lagSeconds: 6 * 3_600, unproven: 3 }))).toHaveLength(2);
});

describe('the audit log', () => {
  it('sealing and months ahead', () => {
    expect(said(judgeSeal(5, []))).toEqual(['ok seal']);
    expect(said(judgeSeal(5, ['a', 'b']))).toEqual(['warning seal', 'warning seal']);
    expect([3, 1, 0].map((ahead) => judgePartitions(ahead)[0]?.state)).toEqual(['ok', 'warning', 'wrong']);
  });

  const facts: VerificationFacts = {
    outcome: 'whole',
    endedHoursAgo: 3,
    unverifiedHours: 3,
    failed: null,
    waitingMinutes: null,
    everyHours: 24,
  };
  it.each<[string, Partial<VerificationFacts>, string[]]>([
    ['whole lately', {}, ['ok']],
    ['broken', { outcome: 'broken' }, ['wrong']],
    ['broken, and the one after it could not be done', { outcome: 'broken', failed: 'no keys' }, ['wrong', 'warning']],
    ['nobody takes it', { waitingMinutes: 6 }, ['warning']],
    ['never', { outcome: null, endedHoursAgo: null, unverifiedHours: 49 }, ['warning']],
    ['never, of a young log', { outcome: null, endedHoursAgo: null, unverifiedHours: 40 }, ['ok']],
    ['never, of nothing', { outcome: null, endedHoursAgo: null, unverifiedHours: null }, ['ok']],
    ['never, and nobody wishes it', { outcome: null, endedHoursAgo: null, unverifiedHours: 99, everyHours: 0 }, ['ok']],
    ['long ago', { endedHoursAgo: 49, unverifiedHours: 49 }, ['warning']],
  ])('verified: %s', (_, fields, states) => {
    expect(judgeVerification({ ...facts, ...fields }).map(({ state }) => state)).toEqual(states);
  });
});

it('rights: what a role lacks is wrong, with the command; nobody connected is unknown', () => {
  expect(said(judgeRights('outbox', []))).toEqual(['unknown rights']);
  const [finding] = judgeRights('outbox', [{ role: "re'lay", holder: 'relay', missing: ['SELECT on figure'] }]);
  expect(finding).toMatchObject({ state: 'wrong', detail: expect.stringContaining('may not SELECT on figure') });
  expect(finding?.todo).toContain(`--relay 're'\\''lay'`);
  expect(said(judgeRights('outbox', [{ role: 'relay', holder: 'relay', missing: [] }]))).toEqual(['ok rights']);
});
