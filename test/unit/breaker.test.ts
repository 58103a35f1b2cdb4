/** The breaker's decisions (R6, R19), pure: any interleaving of workers, trials and time, beside a model that is simpler. */
import fc from 'fast-check';
import {
  admissionLimit,
  applyReport,
  type BreakerState,
  DEFAULT_BREAKER,
  type DestinationReport,
  type DestinationView,
  endTrial,
  type FailureReason,
  healthOf,
  healthyView,
  mayTakeTrial,
  NEW_BREAKER,
  RAMP,
  rampLimit,
  takeTrial,
  waitForDestination,
} from '../../src/domain/delivery/breaker.js';
import { ERROR_CODES } from '../../src/domain/delivery/error-catalog.js';
import { OUTAGE_CODES, weighOutcome } from '../../src/domain/delivery/weigh-outcome.js';

const settings = DEFAULT_BREAKER;
const NETWORK: FailureReason = { code: 'HTTP.NETWORK', status: null };
const TLS: FailureReason = { code: 'HTTP.TLS', status: null };
const failed = (failures: number, more: Partial<DestinationReport> = {}): DestinationReport => ({
  generation: 0,
  succeeded: false,
  failures,
  failingForMs: 0,
  reason: failures === 0 ? null : NETWORK,
  p95Ms: null,
  ...more,
});
const report = (state: BreakerState, one: DestinationReport, now = 1_000_000) => applyReport(state, one, now, settings);
const opened = () => report(NEW_BREAKER, failed(10));

type Step =
  | { readonly kind: 'report'; readonly stale: boolean; readonly succeeded: boolean; readonly failures: number }
  | { readonly kind: 'take'; readonly token: string }
  | { readonly kind: 'end'; readonly token: string; readonly weight: 'failure' | 'success' | 'none' }
  | { readonly kind: 'pass'; readonly ms: number };

const token = fc.constantFrom('a', 'b', 'c');
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('report' as const),
      stale: fc.boolean(),
      succeeded: fc.boolean(),
      failures: fc.integer({ min: 0, max: 12 }),
    }),
    fc.record({ kind: fc.constant('take' as const), token }),
    fc.record({
      kind: fc.constant('end' as const),
      token,
      weight: fc.constantFrom('failure' as const, 'success' as const, 'none' as const),
    }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
  ),
  { maxLength: 60 },
);

it('R19: whatever comes in whatever order, it opens and closes as a model does that counts by hand', () => {
  fc.assert(
    fc.property(steps, (all) => {
      let now = 1_000_000;
      let state = NEW_BREAKER;
      const model = { breaker: 'closed', inRow: 0, lastSuccess: null as number | null, until: 0, ms: settings.openMs };
      let trial: { token: string; until: number } | null = null;
      for (const step of all) {
        const before = state;
        switch (step.kind) {
          case 'pass':
            now += step.ms;
            break;
          case 'report': {
            const generation = step.stale ? state.generation - 1 : state.generation;
            state = report(state, failed(step.failures, { generation, succeeded: step.succeeded }), now);
            if (step.stale || model.breaker !== 'closed') break;
            if (step.succeeded) Object.assign(model, { inRow: 0, lastSuccess: now });
            model.inRow += step.failures;
            const quiet = model.lastSuccess === null || now - model.lastSuccess >= settings.quietMs;
            if (model.inRow >= 10 && quiet) {
              Object.assign(model, { breaker: 'open', until: now + model.ms, ms: Math.min(300_000, model.ms * 2) });
            }
            break;
          }
          case 'take': {
            const free = model.breaker === 'half_open' && (trial === null || trial.until <= now);
            const may = free || (model.breaker === 'open' && now >= model.until);
            const taken = takeTrial(state, step.token, now, 25_000);
            expect(taken !== null).toBe(may);
            if (taken === null) break;
            state = taken;
            model.breaker = 'half_open';
            trial = { token: step.token, until: now + 25_000 };
            break;
          }
          case 'end': {
            const reason = step.weight === 'failure' ? TLS : null;
            const ended = endTrial(state, step.token, { weight: step.weight, reason }, now, settings);
            expect(ended !== null).toBe(trial !== null && trial.token === step.token);
            if (ended === null) break;
            state = ended;
            trial = null;
            if (step.weight === 'success') {
              Object.assign(model, { breaker: 'closed', inRow: 0, lastSuccess: now, ms: settings.openMs });
            } else if (step.weight === 'failure') {
              Object.assign(model, { breaker: 'open', until: now + model.ms, ms: Math.min(300_000, model.ms * 2) });
            }
            break;
          }
        }
        expect(state.breaker).toBe(model.breaker);
        expect(state.generation - before.generation).toBe(state.breaker === before.breaker ? 0 : 1);
        expect(state.trialToken === null).toBe(trial === null);
        if (state.breaker === 'closed') expect(state.failures).toBe(model.inRow);
        if (state.breaker === 'closed') expect(state.firstFailureAt === null).toBe(state.failures === 0);
        else expect(state.reason).not.toBeNull();
        if (state.breaker === 'open') expect(state.openUntil).toBe(model.until);
      }
    }),
    { numRuns: 2_000 },
  );
});

it('R19: ten in a row open it, with the reason; nine do not; a success in between starts the count anew', () => {
  expect(report(NEW_BREAKER, failed(9))).toMatchObject({ breaker: 'closed', failures: 9 });
  expect(opened()).toMatchObject({
    breaker: 'open',
    generation: 1,
    failures: 10,
    reason: NETWORK,
    openUntil: 1_030_000,
  });
  const nine = report(NEW_BREAKER, failed(9));
  expect(report(nine, failed(1, { succeeded: true }))).toMatchObject({ breaker: 'closed', failures: 1 });
  expect(report(nine, failed(1))).toMatchObject({ breaker: 'open' });
});

it('R19: while another worker has successes the failing one is what is sick: 3 s, and 60 s for what is its own', () => {
  const well = report(NEW_BREAKER, failed(0, { succeeded: true }), 0);
  for (const [reason, quietMs] of [
    [NETWORK, 3_000],
    [TLS, 60_000],
    [{ code: 'HTTP.UNAUTHORIZED', status: 401 }, 60_000],
    [{ code: 'DISPATCH.HANDLER_NOT_FOUND', status: null }, 60_000],
  ] as const) {
    expect(report(well, failed(20, { reason }), quietMs - 1).breaker).toBe('closed');
    const later = report(well, failed(20, { reason }), quietMs);
    expect(later.breaker).toBe('open');
    // Enough failures are not forgotten: once the success is long enough ago, an empty report opens it.
    const waiting = report(well, failed(20, { reason }), 1);
    expect(report(waiting, failed(0), quietMs)).toMatchObject({ breaker: 'open', reason, firstFailureAt: 1 });
  }
});

it('R19: a trial that fails leaves it open twice as long, up to five minutes; one that succeeds closes it', () => {
  let state = opened();
  let now = 1_000_000;
  const waits: number[] = [];
  for (let i = 0; i < 6; i += 1) {
    waits.push((state.openUntil ?? 0) - now);
    now = state.openUntil ?? 0;
    state = endTrial(
      takeTrial(state, 't', now, 1) as BreakerState,
      't',
      { weight: 'failure', reason: TLS },
      now,
      settings,
    ) as BreakerState;
    expect(state).toMatchObject({ breaker: 'open', openedAt: 1_000_000, reason: TLS });
  }
  expect(waits).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
  now = state.openUntil ?? 0;
  const closed = endTrial(
    takeTrial(state, 't', now, 1) as BreakerState,
    't',
    { weight: 'success', reason: null },
    now,
    settings,
  );
  expect(closed).toMatchObject({ breaker: 'closed', failures: 0, openMs: null, closedAt: now, lastSuccessAt: now });
});

it('R6: runs that wait look again when it may be tried, spread; a pause is looked at within a minute', () => {
  const open: DestinationView = { ...healthyView('d'), breaker: 'open', blockedForMs: 20_000, openMs: 60_000 };
  expect(waitForDestination(open, () => 0, settings)).toBe(20_000);
  expect(waitForDestination(open, () => 0.999_999, settings)).toBeGreaterThan(79_000);
  expect(waitForDestination({ ...open, openMs: 1_000 }, () => 0.999_999, settings)).toBeLessThan(21_001);
  expect(waitForDestination({ ...open, pausedForMs: null }, () => 0.999_999, settings)).toBeLessThan(60_001);
  expect(waitForDestination({ ...open, pausedForMs: 500 }, () => 0, settings)).toBe(500);
  expect(mayTakeTrial(open)).toBe(false);
  expect(mayTakeTrial({ ...open, blockedForMs: 0 })).toBe(true);
  expect(mayTakeTrial({ ...open, blockedForMs: 0, pausedForMs: null })).toBe(false);
  expect(mayTakeTrial(healthyView('d'))).toBe(false);
});

it('R19: after a failure no more are under way than may still fail, one at least; R6: after closing the ramp', () => {
  expect([0, 1, 9, 10, 40].map((failures) => admissionLimit(failures, null, settings))).toEqual([
    Number.POSITIVE_INFINITY,
    9,
    1,
    1,
    1,
  ]);
  expect([0, 5_000, 20_000].map((ms) => rampLimit(ms))).toEqual([10, 20, 160]);
  expect(rampLimit(RAMP.untilMs)).toBe(Number.POSITIVE_INFINITY);
  expect(admissionLimit(1, 5_000, settings)).toBe(9);
});

it('R10: only a destination that is well and quick gets local first attempts', () => {
  expect(healthOf({ ...NEW_BREAKER, p95Ms: 500 }, settings)).toBe('ok');
  expect(healthOf({ ...NEW_BREAKER, p95Ms: 501 }, settings)).toBe('slow');
  expect(healthOf({ ...NEW_BREAKER, failures: 5 }, settings)).toBe('degraded');
  expect(healthOf(opened(), settings)).toBe('degraded');
});

it('R19: what counts is what the next event would meet, too: the five of the rule, 404, and what does not answer', () => {
  const counting = ERROR_CODES.filter((code) => weighOutcome(code, null) === 'failure');
  expect(counting).toEqual([
    'HTTP.TIMEOUT',
    'HTTP.NETWORK',
    'HTTP.TLS',
    'HTTP.SERVER_ERROR',
    'HTTP.UNAUTHORIZED',
    'HTTP.BAD_RESPONSE',
    'DISPATCH.HANDLER_NOT_FOUND',
    'INGEST.INTERNAL',
  ]);
  expect(weighOutcome('HTTP.CLIENT_ERROR', 404)).toBe('failure');
  expect(weighOutcome('HTTP.CLIENT_ERROR', 422)).toBe('success');
  expect(weighOutcome('HTTP.RATE_LIMITED', 503)).toBe('failure');
  expect(weighOutcome('HTTP.RATE_LIMITED', 429)).toBe('success');
  for (const code of ['DISPATCH.INVALID_EVENT', 'HANDLER.FAILED', 'DESTINATION.BUSY', 'DELIVERY.CANCELLED'] as const) {
    expect(weighOutcome(code, null)).toBe('none');
  }
  expect(OUTAGE_CODES).toEqual([
    ...counting.map((code) => ({ code, status: null })),
    { code: 'HTTP.CLIENT_ERROR', status: 404 },
    { code: 'HTTP.RATE_LIMITED', status: 503 },
  ]);
});
