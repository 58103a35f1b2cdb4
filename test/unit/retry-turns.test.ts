/** Real: the bounds and waits of a call. Fake: time and chance, so that an hour passes at once. */
import fc from 'fast-check';
import type { RelayTime } from '../../src/application/delivery/relay-time.js';
import { AuditRequestError } from '../../src/audit-client/audit-request-error.js';
import { type RetryRules, retryTurns } from '../../src/audit-client/retry-turns.js';

const RULES: RetryRules = { attempts: 5, totalMs: 60_000, initialMs: 200, maximumMs: 10_000, timeoutMs: 15_000 };

function failure(retryable: boolean, retryAfterMs: number | null = null): AuditRequestError {
  return new AuditRequestError({ message: 'm', code: 'c', status: 503, retryable, attempts: 1, retryAfterMs });
}

/** Every attempt takes `takesMs` and fails; chance is always `random`. `progress`: as many of the first ones settle something. */
async function run(rules: RetryRules, of: AuditRequestError, { random = 0.5, takesMs = 0, progress = 0 } = {}) {
  let now = 0;
  const slept: number[] = [];
  const timeouts: number[] = [];
  const time: RelayTime = {
    now: () => now,
    random: () => random,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
  };
  const result = await retryTurns(
    async (given) => {
      const timeoutMs = given.forRequest();
      timeouts.push(timeoutMs);
      now += Math.min(takesMs, timeoutMs);
      if (timeouts.length > progress) return { failure: of, times: timeouts.length - progress };
      given.restart();
      return { failure: of, times: 1 };
    },
    rules,
    time,
    undefined,
  );
  return { result, slept, timeouts, tookMs: now };
}

describe('the attempts of a call', () => {
  it('are one for what is final', async () => {
    const { result, slept, timeouts } = await run(RULES, failure(false, 1_000));
    expect([result?.retryable, slept, timeouts.length]).toEqual([false, [], 1]);
  });

  it('are as many as allowed, after waits that are random below a ceiling that doubles', async () => {
    expect((await run(RULES, failure(true), { random: 0.5 })).slept).toEqual([100, 200, 400, 800]);
    expect((await run({ ...RULES, maximumMs: 300 }, failure(true), { random: 0.999 })).slept).toEqual([
      200, 300, 300, 300,
    ]);
  });

  it('wait as long as the api asks and the backoff on top, clamped to a second at least and an hour at most', async () => {
    expect((await run(RULES, failure(true, 3_000))).slept).toEqual([3_100, 3_200, 3_400, 3_800]);
    expect((await run({ ...RULES, attempts: 2 }, failure(true, -5))).slept).toEqual([1_100]);
    const patient = { ...RULES, attempts: 2, totalMs: 86_400_000 };
    expect((await run(patient, failure(true, 1e12))).slept).toEqual([3_600_100]);
  });

  it('do not begin a wait that the total time does not have', async () => {
    const { result, slept } = await run(RULES, failure(true, 120_000));
    expect([result?.retryable, slept]).toEqual([true, []]);
  });

  it('each get no more than what is left of the total time', async () => {
    const { timeouts, tookMs } = await run({ ...RULES, totalMs: 20_000 }, failure(true), { takesMs: 15_000 });
    expect(timeouts).toEqual([15_000, 4_900]);
    expect(tookMs).toBeLessThanOrEqual(20_000);
  });

  it('begin again with their total time where something was settled, and count what failed, not the turns', async () => {
    const rules = { ...RULES, attempts: 2, totalMs: 20_000 };
    const { timeouts, slept } = await run(rules, failure(true), { takesMs: 15_000, progress: 20 });
    expect(timeouts).toHaveLength(22);
    expect(timeouts.slice(0, 21)).toEqual(Array(21).fill(15_000));
    expect(slept.slice(0, 21)).toEqual(Array(21).fill(100));
  });

  it('never pass their bounds, whatever is asked and whatever chance says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          attempts: fc.integer({ min: 1, max: 8 }),
          totalMs: fc.integer({ min: 1, max: 100_000 }),
          initialMs: fc.integer({ min: 1, max: 10_000 }),
          maximumMs: fc.integer({ min: 1, max: 100_000 }),
          timeoutMs: fc.integer({ min: 1, max: 30_000 }),
        }),
        fc.option(fc.double()),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.integer({ min: 0, max: 40_000 }),
        async (rules, asked, random, takesMs) => {
          const { timeouts, slept, tookMs } = await run(rules, failure(true, asked), { random, takesMs });
          expect(timeouts.length).toBeLessThanOrEqual(rules.attempts);
          expect(slept.length).toBe(timeouts.length - 1);
          expect(tookMs).toBeLessThanOrEqual(rules.totalMs);
        },
      ),
    );
  });
});
