/** Pure: the catalogue's rules, the default policy and made-up totals. Nothing real, nothing fake. */
import fc from 'fast-check';
import { type AttemptTotals, countAttempts, NO_ATTEMPTS } from '../../src/domain/delivery/attempt-totals.js';
import { computeDelay } from '../../src/domain/delivery/compute-delay.js';
import {
  decideAfterFailure,
  endedBy,
  type FailureDecision,
  isCrashLoop,
  maxAttemptsFor,
} from '../../src/domain/delivery/decide-after-failure.js';
import { catalogEntry, ERROR_CODES, type ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import {
  type Backoff,
  type CodeRefinement,
  DEFAULT_POLICY,
  type RetryPolicy,
} from '../../src/domain/delivery/policy.js';

const policy = DEFAULT_POLICY;
const codes = (keep: (code: ErrorCode) => boolean) => ERROR_CODES.filter(keep);
const kindOf = (code: ErrorCode) => catalogEntry(code).rule.kind;
const hugeTotals: AttemptTotals = { spent: 1e6, spentByCode: {}, lostInRow: 99, sinceFirstMs: 1e12 };

function decide(
  code: ErrorCode,
  totals: Partial<AttemptTotals> = {},
  more: { retryAfterMs?: number; policy?: RetryPolicy } = {},
) {
  const random = () => 0.5;
  return decideAfterFailure({
    code,
    retryAfterMs: null,
    policy,
    random,
    ...more,
    totals: { ...NO_ATTEMPTS, ...totals },
  });
}

/** Fails again and again, as the store would count it; the number of attempts made until the decision is final. */
function attemptsUntilFinal(code: ErrorCode): { attempts: number; last: FailureDecision } {
  let totals = NO_ATTEMPTS;
  for (let attempts = 1; attempts <= 100; attempts++) {
    const last = decide(code, totals);
    if (last.kind === 'final') return { attempts, last };
    const spends = catalogEntry(code).spends ? 1 : 0;
    const byCode = (totals.spentByCode[code] ?? 0) + spends;
    totals = { ...totals, spent: totals.spent + spends, spentByCode: { ...totals.spentByCode, [code]: byCode } };
  }
  return { attempts: Number.POSITIVE_INFINITY, last: decide(code, totals) };
}

describe('decideAfterFailure', () => {
  it.each(codes((code) => kindOf(code) === 'final'))('%s is final at once', (code) => {
    expect(decide(code)).toEqual({ kind: 'final', code });
  });

  it.each([
    ['HTTP.TIMEOUT', 10],
    ['HTTP.NETWORK', 10],
    ['HTTP.SERVER_ERROR', 10],
    ['HTTP.RATE_LIMITED', 10],
    ['INGEST.INTERNAL', 10],
    ['HTTP.TLS', 5],
    ['HTTP.UNAUTHORIZED', 5],
    ['DISPATCH.HANDLER_NOT_FOUND', 5],
    ['DISPATCH.EVENT_NOT_FOUND', 5],
    ['HANDLER.FAILED', 5],
  ] as const)('%s is final at attempt %i, with its own code', (code, attempts) => {
    expect(attemptsUntilFinal(code)).toEqual({ attempts, last: { kind: 'final', code } });
    expect(maxAttemptsFor(code, policy)).toBe(attempts);
  });

  it.each(codes((code) => kindOf(code) === 'wait'))('R12: %s is waited out without end, whatever was spent', (code) => {
    expect(decide(code, hugeTotals).kind).toBe('retry');
  });

  it('R12: counts all codes together towards the maximum of the policy', () => {
    const mixed = { spent: 9, spentByCode: { 'HTTP.TIMEOUT': 5, 'HTTP.NETWORK': 4 } };
    expect(decide('HTTP.SERVER_ERROR', mixed)).toEqual({ kind: 'final', code: 'HTTP.SERVER_ERROR' });
    expect(decide('HTTP.SERVER_ERROR', { ...mixed, spent: 8 }).kind).toBe('retry');
  });

  it('R12: counts one code by itself towards its own maximum', () => {
    expect(decide('HTTP.TLS', { spent: 5, spentByCode: { 'HTTP.TLS': 3, 'HTTP.TIMEOUT': 2 } }).kind).toBe('retry');
    expect(decide('HTTP.TLS', { spent: 6, spentByCode: { 'HTTP.TLS': 4, 'HTTP.TIMEOUT': 2 } }).kind).toBe('final');
  });

  it("never grants a code more attempts than the policy's maximum", () => {
    const strict = { ...policy, maxAttempts: 2 };
    expect(decide('HTTP.TLS', { spent: 1 }, { policy: strict })).toEqual({ kind: 'final', code: 'HTTP.TLS' });
    expect(maxAttemptsFor('HTTP.TLS', strict)).toBe(2);
  });

  it('R12: ends with DELIVERY.CRASH_LOOP at the third loss in a row, and spends no other budget on losses', () => {
    expect(decide('DELIVERY.ATTEMPT_LOST', { lostInRow: 1, spent: 1e6 }).kind).toBe('retry');
    expect(decide('DELIVERY.ATTEMPT_LOST', { lostInRow: 2 })).toEqual({ kind: 'final', code: 'DELIVERY.CRASH_LOOP' });
    expect(isCrashLoop({ ...NO_ATTEMPTS, lostInRow: 2 })).toBe(false);
    expect(isCrashLoop({ ...NO_ATTEMPTS, lostInRow: 3 })).toBe(true);
  });

  it('R12, R20: knows the code that attempts have ended a delivery with already: the last that spent', () => {
    const over = (codes: readonly ErrorCode[], own: Partial<RetryPolicy> = {}) =>
      endedBy(countAttempts(codes, 0), { ...policy, ...own });
    expect(over([])).toBeNull();
    expect(over(['HTTP.CLIENT_ERROR'])).toBe('HTTP.CLIENT_ERROR');
    expect(over(['HTTP.NETWORK', 'HTTP.SERVER_ERROR'], { maxAttempts: 2 })).toBe('HTTP.SERVER_ERROR');
    expect(over(['HTTP.NETWORK', 'HTTP.SERVER_ERROR'], { maxAttempts: 3 })).toBeNull();
    // A code's own maximum, and a policy that refines it.
    const tls = Array<ErrorCode>(5).fill('HTTP.TLS');
    expect(over(tls)).toBe('HTTP.TLS');
    expect(over(tls.slice(1))).toBeNull();
    expect(over(['HTTP.CLIENT_ERROR'], { codes: { 'HTTP.CLIENT_ERROR': { attempts: 2 } } })).toBeNull();
    expect(over(['HTTP.NETWORK'], { codes: { 'HTTP.NETWORK': 'final' } })).toBe('HTTP.NETWORK');
    // What spends nothing neither ends it nor hides what did.
    expect(over(['HTTP.NETWORK', 'DELIVERY.ATTEMPT_LOST'], { maxAttempts: 1 })).toBe('HTTP.NETWORK');
    expect(over(Array<ErrorCode>(20).fill('DESTINATION.BUSY'), { maxAttempts: 1 })).toBeNull();
  });

  it('R12, R20: whatever fails until it is final is ended by that very code, and by none before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...codes((code) => catalogEntry(code).spends)), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 12 }),
        (failures, maxAttempts) => {
          const own = { ...policy, maxAttempts };
          for (const [n, code] of failures.entries()) {
            const before = countAttempts(failures.slice(0, n), 0);
            expect(endedBy(before, own)).toBeNull();
            const decision = decideAfterFailure({
              ...{ code, retryAfterMs: null, totals: before, policy: own },
              random: () => 0.5,
            });
            const after = endedBy(countAttempts(failures.slice(0, n + 1), 0), own);
            expect(after).toBe(decision.kind === 'final' ? decision.code : null);
            if (decision.kind === 'final') return;
          }
        },
      ),
    );
  });

  it('R12: judges the deadline only after an attempt that the destination answered or let time out', () => {
    const late = { sinceFirstMs: policy.deadlineMs };
    const judged = codes((code) => kindOf(code) === 'retry' && decide(code, late).kind === 'final');
    expect(judged).toEqual([
      'HTTP.TIMEOUT',
      'HTTP.SERVER_ERROR',
      'HTTP.RATE_LIMITED',
      'HTTP.UNAUTHORIZED',
      'INGEST.INTERNAL',
    ]);
    for (const code of judged) {
      expect(decide(code, late)).toEqual({ kind: 'final', code: 'DELIVERY.DEADLINE' });
      expect(decide(code, { sinceFirstMs: policy.deadlineMs - 1 }).kind).toBe('retry');
    }
  });

  it('names the exhausted code rather than the deadline where both are reached', () => {
    expect(decide('HTTP.TIMEOUT', { spent: 9, sinceFirstMs: policy.deadlineMs })).toEqual({
      kind: 'final',
      code: 'HTTP.TIMEOUT',
    });
  });

  it('waits longer with every failure that spent', () => {
    const delays = [0, 1, 2, 9].map((spent) =>
      decide('HTTP.NETWORK', { spent }, { policy: { ...policy, maxAttempts: 99 } }),
    );
    expect(delays).toEqual([500, 1_000, 2_000, 150_000].map((delayMs) => ({ kind: 'retry', delayMs })));
    expect(decide('DELIVERY.ATTEMPT_LOST', { spent: 1, lostInRow: 1 })).toEqual({ kind: 'retry', delayMs: 2_000 });
  });
});

describe('computeDelay', () => {
  const delay = (code: ErrorCode, attempt: number, random: number, retryAfterMs: number | null = null) =>
    computeDelay({ policy, code, attempt, retryAfterMs, random: () => random });

  it('R13: is full jitter from 1 ms to 1 s × 2 up to 5 min', () => {
    expect([1, 2, 3, 9, 10, 5_000].map((attempt) => delay('HTTP.TIMEOUT', attempt, 0.999999))).toEqual([
      1_000, 2_000, 4_000, 256_000, 300_000, 300_000,
    ]);
    expect(delay('HTTP.TIMEOUT', 5_000, 0)).toBe(1);
  });

  it('is exactly 60 s for a fixed interval, and does not ask Retry-After', () => {
    for (const code of [
      'HTTP.TLS',
      'HTTP.UNAUTHORIZED',
      'DISPATCH.HANDLER_NOT_FOUND',
      'DISPATCH.EVENT_NOT_FOUND',
    ] as const) {
      expect(delay(code, 3, 0.1, 5_000)).toBe(60_000);
    }
  });

  it.each([
    [2_000, 2_000],
    [1_499.6, 1_500],
    [0, 1_000],
    [-86_400_000, 1_000],
    [1e300, 3_600_000],
    [Number.POSITIVE_INFINITY, 3_600_000],
    [Number.NEGATIVE_INFINITY, 1_000],
    [Number.NaN, 1_000],
  ])('R13: takes a Retry-After of %d ms as %d ms, and waits the backoff after it', (asked, expected) => {
    for (const code of ['HTTP.RATE_LIMITED', 'HTTP.SERVER_ERROR'] as const) {
      expect(delay(code, 7, 0, asked)).toBe(expected);
      expect(delay(code, 7, 0.5, asked)).toBe(expected + 32_000);
    }
  });

  it('F19: spreads what one Retry-After of a second told, and further each time', () => {
    const latest = [1, 2, 3, 4].map((attempt) => delay('HTTP.RATE_LIMITED', attempt, 0.999999, 1_000));
    expect(latest).toEqual([2_000, 3_000, 5_000, 9_000]);
  });

  it('R6: waits as long as the breaker or the pause of its destination says, else a second and a spread', () => {
    expect(delay('DESTINATION.OPEN', 1, 0.5, 12_345)).toBe(12_345);
    expect(delay('DESTINATION.OPEN', 1, 0.5, 0)).toBe(1);
    expect(delay('DESTINATION.OPEN', 1, 0.5, 1e300)).toBe(86_400_000);
    expect(delay('DESTINATION.OPEN', 1, 0)).toBeGreaterThanOrEqual(1_000);
    expect(delay('DESTINATION.BUSY', 1, 0, 12_345)).toBe(1_000);
  });

  it('R14: spreads the wait for a place from 1 s to 2 s', () => {
    expect([0, 0.5, 0.999999].map((random) => delay('DESTINATION.BUSY', 1, random))).toEqual([1_000, 1_500, 2_000]);
  });

  it('is a whole number from 1 ms to a day, whatever comes in', () => {
    const anyNumber = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY));
    fc.assert(
      fc.property(
        fc.constantFrom(...ERROR_CODES),
        anyBackoff(anyNumber),
        anyNumber,
        fc.option(anyNumber),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (code, backoff, attempt, retryAfterMs, random) => {
          const strange = { ...policy, backoff };
          const delayMs = computeDelay({ policy: strange, code, attempt, retryAfterMs, random: () => random });
          expect(Number.isSafeInteger(delayMs)).toBe(true);
          expect(delayMs).toBeGreaterThanOrEqual(1);
          expect(delayMs).toBeLessThanOrEqual(86_400_000);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  const growing = { initialMs: 1_000, coefficient: 2, maximumMs: 10_000 };
  it.each<[Backoff, number, readonly number[]]>([
    [{ kind: 'full-jitter', ...growing }, 0, [1, 1, 1, 1, 1, 1]],
    [{ kind: 'full-jitter', ...growing }, 0.5, [500, 1_000, 2_000, 4_000, 5_000, 5_000]],
    [{ kind: 'equal-jitter', ...growing }, 0, [500, 1_000, 2_000, 4_000, 5_000, 5_000]],
    [{ kind: 'equal-jitter', ...growing }, 0.5, [750, 1_500, 3_000, 6_000, 7_500, 7_500]],
    [{ kind: 'exponential', ...growing }, 0.5, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]],
    [{ kind: 'fixed', intervalMs: 7_000 }, 0.5, [7_000, 7_000, 7_000, 7_000, 7_000, 7_000]],
    [{ kind: 'schedule', delaysMs: [10, 60_000, 5] }, 0.5, [10, 60_000, 5, 5, 5, 5]],
  ])('%j with random %d waits %j', (backoff, random, expected) => {
    const delays = expected.map((_, n) =>
      computeDelay({
        policy: { ...policy, backoff },
        code: 'HTTP.NETWORK',
        attempt: n + 1,
        retryAfterMs: null,
        random: () => random,
      }),
    );
    expect(delays).toEqual(expected);
  });

  it('stays within the bounds of its attempt under any policy that the schema takes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('full-jitter' as const, 'equal-jitter' as const, 'exponential' as const),
        fc.integer({ min: 1, max: 60_000 }),
        fc.double({ min: 1, max: 10, noNaN: true }),
        fc.integer({ min: 0, max: 3_600_000 }),
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (kind, initialMs, coefficient, more, attempt, random) => {
          const maximumMs = initialMs + more;
          const sane = { ...policy, backoff: { kind, initialMs, coefficient, maximumMs } };
          const code = 'HTTP.NETWORK';
          const delayMs = computeDelay({ policy: sane, code, attempt, retryAfterMs: null, random: () => random });
          const ceiling = Math.min(maximumMs, initialMs * coefficient ** (attempt - 1));
          expect(delayMs).toBeGreaterThanOrEqual(kind === 'full-jitter' ? 1 : Math.floor(ceiling / 2));
          expect(delayMs).toBeLessThanOrEqual(Math.ceil(ceiling));
          expect(delayMs).toBeLessThanOrEqual(maximumMs);
        },
      ),
    );
  });
});

describe('a policy refined for a code', () => {
  const refined = (code: ErrorCode, refinement: CodeRefinement): RetryPolicy => ({
    ...policy,
    codes: { [code]: refinement },
  });

  it('makes a code final that the catalogue would retry', () => {
    expect(decide('HTTP.SERVER_ERROR', {}, { policy: refined('HTTP.SERVER_ERROR', 'final') })).toEqual({
      kind: 'final',
      code: 'HTTP.SERVER_ERROR',
    });
  });

  it("retries a code that the catalogue ends at once, by the policy's backoff and maximum where it names none", () => {
    const once = refined('HTTP.CLIENT_ERROR', {});
    expect(maxAttemptsFor('HTTP.CLIENT_ERROR', once)).toBe(10);
    expect(decide('HTTP.CLIENT_ERROR', { spent: 1 }, { policy: once })).toEqual({ kind: 'retry', delayMs: 1_000 });
    const three = refined('HTTP.CLIENT_ERROR', { attempts: 3, backoff: { kind: 'fixed', intervalMs: 250 } });
    expect(decide('HTTP.CLIENT_ERROR', {}, { policy: three })).toEqual({ kind: 'retry', delayMs: 250 });
    const spentByCode = { 'HTTP.CLIENT_ERROR': 2 };
    expect(decide('HTTP.CLIENT_ERROR', { spent: 2, spentByCode }, { policy: three }).kind).toBe('final');
  });

  it("keeps the catalogue's number and interval where it names only the other", () => {
    const slower = refined('HTTP.TLS', { backoff: { kind: 'fixed', intervalMs: 90_000 } });
    expect(maxAttemptsFor('HTTP.TLS', slower)).toBe(5);
    expect(decide('HTTP.TLS', {}, { policy: slower })).toEqual({ kind: 'retry', delayMs: 90_000 });
    const fewer = refined('HTTP.TLS', { attempts: 2 });
    expect(maxAttemptsFor('HTTP.TLS', fewer)).toBe(2);
    expect(decide('HTTP.TLS', {}, { policy: fewer })).toEqual({ kind: 'retry', delayMs: 60_000 });
  });

  it('honours Retry-After where the catalogue does, whatever the backoff', () => {
    const own = refined('HTTP.RATE_LIMITED', { backoff: { kind: 'fixed', intervalMs: 5 } });
    expect(decide('HTTP.RATE_LIMITED', {}, { policy: own, retryAfterMs: 2_000 })).toEqual({
      kind: 'retry',
      delayMs: 2_005,
    });
    expect(decide('HTTP.RATE_LIMITED', {}, { policy: own })).toEqual({ kind: 'retry', delayMs: 5 });
  });

  it('does not ask Retry-After of a code that the catalogue ends at once', () => {
    const once = refined('HTTP.CLIENT_ERROR', {});
    expect(decide('HTTP.CLIENT_ERROR', {}, { policy: once, retryAfterMs: 9_000 })).toEqual({
      kind: 'retry',
      delayMs: 500,
    });
  });

  it('knows how many failures of each code end a delivery', () => {
    expect(maxAttemptsFor('HTTP.CLIENT_ERROR', policy)).toBe(1);
    expect(maxAttemptsFor('STORE.UNAVAILABLE', { ...policy, maxAttempts: 4 })).toBe(4);
    expect(maxAttemptsFor('HTTP.TLS', policy)).toBe(5);
    expect(maxAttemptsFor('HTTP.TLS', { ...policy, maxAttempts: 3 })).toBe(3);
  });

  it('never refines a wait: no outage of ours becomes a dead letter', () => {
    for (const code of codes((c) => kindOf(c) === 'wait')) {
      expect(decide(code, hugeTotals, { policy: refined(code, 'final') }).kind).toBe('retry');
    }
  });
});

function anyBackoff(number: fc.Arbitrary<number>): fc.Arbitrary<Backoff> {
  return fc.oneof(
    fc.record({
      kind: fc.constantFrom('full-jitter' as const, 'equal-jitter' as const, 'exponential' as const),
      initialMs: number,
      coefficient: number,
      maximumMs: number,
    }),
    fc.record({ kind: fc.constant('fixed' as const), intervalMs: number }),
    fc.record({ kind: fc.constant('schedule' as const), delaysMs: fc.array(number, { maxLength: 4 }) }),
  );
}
