/** Real: what the monitor's overview makes of what the stream tells. Fake: the messages. */
import type { OverviewPart } from '../../src/contract/overview-api.js';
import { judgeOverview, type Verdict } from '../../src/contract/verdict.js';
import { breakDown } from '../../src/monitor/logic/breakdown.js';
import { capital, headlineOf } from '../../src/monitor/logic/headline.js';
import { lagNote } from '../../src/monitor/logic/lag-note.js';
import { NO_NEWS, withMessage } from '../../src/monitor/logic/news.js';
import { type SeenProcess, sumUpSeen } from '../../src/monitor/logic/seen-parts.js';

const AT = '2026-11-29T10:00:00.000Z';
const NOW = Date.parse(AT);
const backlog = (due: number): OverviewPart => ({
  name: 'backlog',
  state: 'ok',
  at: AT,
  reason: null,
  value: { due, lagSeconds: 0 },
});

describe('the news of the stream', () => {
  it('begin with a snapshot, and each part replaces the one before', () => {
    const first = withMessage(NO_NEWS, { type: 'snapshot', at: AT, version: '1.0.0', parts: [backlog(1)] }, NOW - 500);
    expect(first).toMatchObject({ skewMs: 500, version: '1.0.0' });
    const second = withMessage(first, { type: 'part', part: backlog(2) }, NOW);
    expect(second.parts.get('backlog')).toEqual(backlog(2));
    expect(first.parts.get('backlog')).toEqual(backlog(1));
  });

  it("tell the server's clock by every tick", () => {
    expect(withMessage(NO_NEWS, { type: 'tick', at: AT }, NOW + 2_000).skewMs).toBe(-2_000);
    expect(withMessage(NO_NEWS, { type: 'tick', at: 'soon' }, NOW).skewMs).toBe(0);
  });

  it('of a newer api change nothing where they are not known', () => {
    expect(withMessage(NO_NEWS, { type: 'later' } as never, NOW)).toBe(NO_NEWS);
  });
});

it('beside the lag it is said where events are younger in it than they are', () => {
  expect(lagNote('20', null)).toBe('20 due');
  expect(lagNote('20', [{ kind: 'lag_over_limit' }])).toBe('20 due');
  expect(lagNote('20', [{ kind: 'relay_batch_failed' }])).toMatch(/^20 due; from their latest try on/);
});

describe('the headline', () => {
  const well: Verdict = { state: 'well', sentence: 'all is well', concerns: [], notLookedAt: [] };

  it('says that all is well only of what is known now', () => {
    expect(headlineOf(well, { none: false, stale: false })).toMatchObject({ level: 'well', sentence: 'All is well' });
    expect(headlineOf(well, { none: false, stale: true })).toMatchObject({
      level: 'unknown',
      sentence: 'Not known now; last: all is well',
    });
  });

  it('says before the first news that nothing is known', () => {
    expect(headlineOf(judgeOverview([]), { none: true, stale: false }).level).toBe('unknown');
    expect(headlineOf(judgeOverview([]), { none: true, stale: true }).sentence).toContain('does not come');
  });

  it('begins with a capital letter, of whatever alphabet', () => {
    expect(capital('élan')).toBe('Élan');
    expect(capital('')).toBe('');
    expect(capital('😀 x')).toBe('😀 x');
  });
});

describe('a part that relays and workers tell of', () => {
  const process = (more: Partial<SeenProcess>): SeenProcess => ({
    id: '1',
    roles: ['relay'],
    host: 'h',
    pid: 1,
    version: '1.0.0',
    startedAt: AT,
    seenAt: AT,
    silent: false,
    temporal: { ok: true, reason: null, at: AT },
    auditApi: null,
    namespace: null,
    ...more,
  });
  const temporal = ({ temporal: part }: SeenProcess) => part;

  it('is well where all that ask reach it, and away where one does not, with its reason', () => {
    expect(sumUpSeen([process({})], temporal)).toMatchObject({ word: { word: 'Well' }, asked: 1, well: 1 });
    const failing = process({ temporal: { ok: false, reason: 'refused', at: AT } });
    expect(sumUpSeen([process({}), failing], temporal)).toMatchObject({
      word: { word: 'Away' },
      reason: 'refused',
      asked: 2,
      well: 1,
    });
  });

  it('is not known where nobody tells of it now', () => {
    expect(sumUpSeen([], temporal).word.word).toBe('Not known');
    expect(sumUpSeen([process({ silent: true })], temporal).word.word).toBe('Not known');
    expect(sumUpSeen([process({})], ({ auditApi }) => auditApi).word.word).toBe('Not known');
  });
});

describe('a breakdown', () => {
  const figure = (name: string | null) => ({
    name,
    delivered: 1,
    died: 0,
    successRate: 1,
    p50Ms: 1,
    p95Ms: 1,
    p99Ms: 1,
    sampled: false,
  });

  it('puts the rate of now beside the figures of the window', () => {
    const rows = breakDown([figure('A'), figure('B'), figure(null)], [{ name: 'A', perSecond: 2 }], 100);
    expect(rows.map(({ name, perSecond }) => [name, perSecond])).toEqual([
      ['A', 2],
      ['B', 0],
      [null, null],
    ]);
  });

  it('has a line for what there is only now', () => {
    expect(breakDown([], [{ name: 'A', perSecond: 2 }], 100)).toEqual([
      { key: 'name A', name: 'A', figure: null, perSecond: 2 },
    ]);
  });

  it('says 0 of nothing that it does not know', () => {
    expect(breakDown([figure('B')], null, 100)[0]?.perSecond).toBeNull();
    expect(breakDown([figure('B')], [{ name: 'A', perSecond: 2 }], 1)[0]?.perSecond).toBeNull();
  });
});
