// What `outbox status` prints of a status. Pure; the status is made up.
import type { Figures, OverviewPart } from '../../src/contract/overview-api.js';
import { judgeOverview } from '../../src/contract/verdict.js';
import { describeStatus } from '../../src/main/describe-status.js';
import type { Status } from '../../src/main/read-status.js';

const AT = '2026-11-29T10:00:00.000Z';
const part = (name: string, value: unknown) => ({ name, state: 'ok', at: AT, reason: null, value }) as OverviewPart;

const TOTAL: Figures['total'] = {
  delivered: 299_999,
  died: 1,
  successRate: 299_999 / 300_000,
  p50Ms: 64,
  p95Ms: 2_896.3,
  p99Ms: 86_400_000,
  sampled: false,
};
const figures = (total: Partial<Figures['total']> = {}): Figures => ({
  window: '1h',
  since: AT,
  until: AT,
  missingMinutes: 0,
  total: { ...TOTAL, ...total },
  byDestination: [],
  byEventType: [],
  byTenant: [],
  series: [],
});

function print(parts: readonly OverviewPart[], of: readonly Figures[] = []): string {
  const status: Status = {
    at: AT,
    verdict: judgeOverview(parts),
    parts,
    figures: of,
    figuresMissing: null,
    notLookedAt: [],
  };
  return describeStatus(status).join('\n');
}

it('100 % are all; a percentile of counted figures is a bound, and the last bucket has none', () => {
  expect(print([], [figures()])).toContain(
    'last hour      299999 delivered, 1 died, 99.99 %; p50 <= 64 ms, p95 <= 2.9 s, p99 13 h or more',
  );
  expect(print([], [figures({ died: 0, successRate: 1 })])).toContain(', 100 %;');
  expect(print([], [figures({ successRate: 0.000_01 })])).toContain(', < 0.01 %;');
});

it('what was measured of now is told as it was', () => {
  const names = { byDestination: [], byEventType: [], byTenant: [] };
  const rate = part('rate', { perSecond: 3, overSeconds: 60, p50Ms: 12.4, p95Ms: 2_500, p99Ms: 86_400_000, ...names });
  expect(print([rate])).toContain('rate           3/s over 60 s; p50 12 ms, p95 2.5 s, p99 1 d');
});

it('a number that was counted to a bound says so', () => {
  const seal = { size: 5, unsealed: 10_000, countedUpTo: 10_000, oldestSeconds: 9, checkpoint: null, trouble: [] };
  const text = print([
    part('runs', { inFlight: 10_000, retrying: 0, retryingAtLeast: true }),
    part('seal', { ...seal, notes: ['no checkpoint was ever anchored'] }),
  ]);
  expect(text).toContain('retrying       0 or more');
  expect(text).toContain('seal           5 sealed, 10000 or more not yet, the oldest for 9 s; no checkpoint');
  expect(text).toContain('               no checkpoint was ever anchored');
});

it('books that nobody looks at are told beside what they said last', () => {
  const books = { hours: 3, withGaps: 0, oldestGap: null, checkedAt: AT, lateSince: AT, waitsFor: 'HTTP.TLS' };
  expect(print([part('books', books)])).toContain(
    `books          of 3 hours, looked at ${AT}, the next look due since ${AT}, one waits for HTTP.TLS`,
  );
});
