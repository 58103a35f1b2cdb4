/** Which spans make a window, whatever stands of them. Pure. */
import fc from 'fast-check';
import {
  COUNTED_AFTER_MS,
  figureSpans,
  figureWindow,
  MINUTE_MS,
  missingMinutes,
  ratesOf,
  sumTallies,
} from '../../src/domain/delivery/figure-window.js';
import { NO_LATENCIES } from '../../src/domain/delivery/latency-histogram.js';

const NOON = Date.UTC(2026, 10, 29, 12);
const minute = (n: number) => NOON + n * MINUTE_MS;
const at = (...minutes: number[]) => new Set(minutes.map(minute));

describe('where a window ends', () => {
  const end = (now: number, newest: number | null) => figureWindow(15, now, newest).until;

  it('is behind the newest minute that stands, as soon as it does', () => {
    expect(end(minute(5) + COUNTED_AFTER_MS + 1_000, minute(4))).toBe(minute(5));
  });

  it('is where it was while the next minute is just being counted: that one is not missing yet', () => {
    expect(end(minute(5) + COUNTED_AFTER_MS + 1_000, minute(3))).toBe(minute(4));
  });

  it('goes on where nobody counts any more, so that the gap is seen', () => {
    expect(end(minute(30) + 30_000, minute(3))).toBe(minute(29));
    expect(end(minute(30), null)).toBe(minute(29));
  });

  it('is never ahead of now, whatever a clock that was set back has left', () => {
    expect(end(minute(30) + 30_000, minute(90))).toBe(minute(30));
  });
});

describe('the spans of a window', () => {
  const within = (from: number, to: number, standing: Parameters<typeof figureSpans>[1]) =>
    figureSpans({ since: minute(from), until: minute(to) }, standing);

  it('are minutes, and gaps of as many minutes as nobody counted', () => {
    expect(within(0, 6, { minutes: at(0, 1, 4), quarters: at() })).toEqual([
      { begins: minute(0), minutes: 1, counted: 1 },
      { begins: minute(1), minutes: 1, counted: 1 },
      { begins: minute(2), minutes: 2, counted: null },
      { begins: minute(4), minutes: 1, counted: 1 },
      { begins: minute(5), minutes: 1, counted: null },
    ]);
  });

  it('are quarters where they stand and lie within it, and the minutes beside them', () => {
    const spans = within(-1, 31, { minutes: at(-1, 30), quarters: at(-15, 0, 15, 30) });
    expect(spans).toEqual([
      { begins: minute(-1), minutes: 1, counted: 1 },
      { begins: minute(0), minutes: 15, counted: 15 },
      { begins: minute(15), minutes: 15, counted: 15 },
      { begins: minute(30), minutes: 1, counted: 1 },
    ]);
    expect(missingMinutes(spans)).toBe(0);
  });

  it('cover it without overlap or omission, and miss exactly what nothing stands for', () => {
    const some = fc.uniqueArray(fc.integer({ min: -20, max: 120 }), { maxLength: 140 });
    const quarters = fc.uniqueArray(fc.integer({ min: -2, max: 8 }), { maxLength: 8 });
    fc.assert(
      fc.property(some, quarters, fc.nat({ max: 60 }), fc.integer({ min: 1, max: 60 }), (stand, q, from, n) => {
        const standing = { minutes: at(...stand), quarters: at(...q.map((one) => one * 15)) };
        const spans = within(from, from + n, standing);
        let next = minute(from);
        for (const { begins, minutes, counted } of spans) {
          expect(begins).toBe(next);
          if (counted !== null) expect(minutes).toBe(counted);
          next += minutes * MINUTE_MS;
        }
        expect(next).toBe(minute(from + n));
        expect(spans.some(({ counted }, i) => counted === null && spans[i + 1]?.counted === null)).toBe(false);
        const covered = (one: number) =>
          standing.minutes.has(minute(one)) ||
          (standing.quarters.has(minute(one - (((one % 15) + 15) % 15))) &&
            one - (one % 15) >= from &&
            one - (one % 15) + 15 <= from + n);
        const missing = Array.from({ length: n }, (_, i) => from + i).filter((one) => !covered(one));
        expect(missingMinutes(spans)).toBe(missing.length);
      }),
    );
  });
});

describe('the figures of a window', () => {
  const tally = (delivered: number, died: number, timed = delivered) => ({
    delivered,
    died,
    timed,
    latency: NO_LATENCIES.map((_, bucket) => (bucket === 10 ? timed : 0)),
  });

  it('add up, and say that latencies are of a sample where one of them is', () => {
    expect(ratesOf(sumTallies([tally(30, 0), tally(9, 1)]))).toEqual({
      delivered: 39,
      died: 1,
      successRate: 0.975,
      p50Ms: 32,
      p95Ms: 32,
      p99Ms: 32,
      sampled: false,
    });
    expect(ratesOf(sumTallies([tally(30, 0), tally(9, 1, 3)])).sampled).toBe(true);
  });

  it('say nothing of what there is nothing to say of: no success rate of nothing, no percentile', () => {
    expect(ratesOf(sumTallies([]))).toEqual({
      delivered: 0,
      died: 0,
      successRate: null,
      p50Ms: null,
      p95Ms: null,
      p99Ms: null,
      sampled: false,
    });
    expect(ratesOf(tally(0, 3)).successRate).toBe(0);
  });
});
