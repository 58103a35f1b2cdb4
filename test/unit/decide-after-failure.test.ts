/** Pure: the catalogue's rules, the default policy and made-up totals. Nothing real, nothing fake. */
import fc from 'fast-check';
import { type AttemptTotals, NO_ATTEMPTS } from '../../src/domain/delivery/attempt-totals.js';
import { computeDelay } from '../../src/domain/delivery/compute-delay.js';
import {
  decideAfterFailure,
  type FailureDecision,
  isCrashLoop,
  maxAttemptsFor,
} from '../../src/domain/delivery/decide-after-failure.js';
import { catalogEntry, ERROR_CODES, type ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { DEFAULT_POLICY, type RetryPolicy } from '../../src/domain/delivery/policy.js';

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
  ])('R13: takes a Retry-After of %d ms as %d ms', (asked, expected) => {
    expect(delay('HTTP.RATE_LIMITED', 7, 0.5, asked)).toBe(expected);
    expect(delay('HTTP.SERVER_ERROR', 7, 0.5, asked)).toBe(expected);
  });

  it('R14: spreads the wait for a place from 1 s to 2 s', () => {
    expect([0, 0.5, 0.999999].map((random) => delay('DESTINATION.BUSY', 1, random))).toEqual([1_000, 1_500, 2_000]);
  });

  it('is a whole number of at least 1 ms and never above its bounds, whatever comes in', () => {
    const anyNumber = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY));
    fc.assert(
      fc.property(
        fc.constantFrom(...ERROR_CODES),
        fc.record({ initialMs: anyNumber, coefficient: anyNumber, maximumMs: anyNumber }),
        anyNumber,
        fc.option(anyNumber),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (code, odd, attempt, retryAfterMs, random) => {
          const strange = { ...policy, ...odd };
          const delayMs = computeDelay({ policy: strange, code, attempt, retryAfterMs, random: () => random });
          expect(Number.isSafeInteger(delayMs)).toBe(true);
          expect(delayMs).toBeGreaterThanOrEqual(1);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('stays within [1 ms, the ceiling of its attempt] under any sane policy', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60_000 }),
        fc.double({ min: 1, max: 10, noNaN: true }),
        fc.integer({ min: 1, max: 3_600_000 }),
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (initialMs, coefficient, maximumMs, attempt, random) => {
          const sane = { ...policy, initialMs, coefficient, maximumMs };
          const delayMs = computeDelay({
            policy: sane,
            code: 'HTTP.NETWORK',
            attempt,
            retryAfterMs: null,
            random: () => random,
          });
          expect(delayMs).toBeGreaterThanOrEqual(1);
          expect(delayMs).toBeLessThanOrEqual(maximumMs);
        },
      ),
    );
  });
});
