/** Latencies as counts of buckets, beside the plain list that they stand for. Pure. */
import fc from 'fast-check';
import {
  bucketOf,
  LATENCY_BOUNDS_MS,
  LATENCY_BUCKETS,
  type LatencyCounts,
  LONGEST_LATENCY_MS,
  latencyPercentile,
  mergeLatencies,
  NO_LATENCIES,
} from '../../src/domain/delivery/latency-histogram.js';

/** From nothing to four days, small ones as often as large ones. */
const latency = fc.oneof(
  fc.double({ min: 0, max: 30, noNaN: true }),
  fc.integer({ min: 0, max: 60_000 }),
  fc.integer({ min: 0, max: 4 * LONGEST_LATENCY_MS }),
  fc.constantFrom(...LATENCY_BOUNDS_MS),
);
const share = fc.constantFrom(0.01, 0.5, 0.95, 0.99, 1);

function countsOf(latencies: readonly number[]): LatencyCounts {
  const counts = [...NO_LATENCIES];
  for (const ms of latencies) counts[bucketOf(ms)] = (counts[bucketOf(ms)] ?? 0) + 1;
  return counts;
}

describe('the bounds', () => {
  it('grow by √2 from a millisecond on, to a tenth of one; the last stands for a day and more', () => {
    expect(LATENCY_BOUNDS_MS).toHaveLength(LATENCY_BUCKETS);
    for (const [i, bound] of LATENCY_BOUNDS_MS.slice(0, -1).entries()) {
      expect(Math.abs(bound - 2 ** (i / 2))).toBeLessThanOrEqual(0.05 + 1e-6);
    }
    expect(LATENCY_BOUNDS_MS.every((bound, i) => i === 0 || bound > (LATENCY_BOUNDS_MS[i - 1] as number))).toBe(true);
    expect(LATENCY_BOUNDS_MS.at(-1)).toBe(LONGEST_LATENCY_MS);
  });

  it('have each latency in one bucket: below its bound, and not below the one before', () => {
    fc.assert(
      fc.property(latency, (ms) => {
        const bucket = bucketOf(ms);
        const last = bucket === LATENCY_BUCKETS - 1;
        expect(last || ms < (LATENCY_BOUNDS_MS[bucket] as number)).toBe(true);
        expect(bucket === 0 || ms >= (LATENCY_BOUNDS_MS[bucket - 1] as number)).toBe(true);
      }),
    );
  });

  it('take what a clock that was set back makes negative for nothing, and what has no bound for the last', () => {
    expect([bucketOf(-5), bucketOf(0), bucketOf(1), bucketOf(1e12)]).toEqual([0, 0, 1, LATENCY_BUCKETS - 1]);
  });
});

describe('a percentile', () => {
  it('is the bound of the bucket that the nearest rank is in', () => {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 300 }), share, (latencies, part) => {
        const sorted = latencies.toSorted((one, other) => one - other);
        const exact = sorted[Math.max(1, Math.ceil(part * sorted.length)) - 1] as number;
        expect(latencyPercentile(countsOf(latencies), part)).toBe(LATENCY_BOUNDS_MS[bucketOf(exact)]);
      }),
    );
  });

  it('is null where nothing was measured, and a day for what has no bound', () => {
    expect(latencyPercentile(NO_LATENCIES, 0.5)).toBeNull();
    expect(latencyPercentile(countsOf([10 * LONGEST_LATENCY_MS]), 0.5)).toBe(LONGEST_LATENCY_MS);
  });
});

it('counts of parts add up to those of the whole, in whatever order', () => {
  const list = fc.array(latency, { maxLength: 100 });
  fc.assert(
    fc.property(list, list, (one, other) => {
      const merged = mergeLatencies(countsOf(one), countsOf(other));
      expect(merged).toEqual(countsOf([...one, ...other]));
      expect(merged).toEqual(mergeLatencies(countsOf(other), countsOf(one)));
    }),
  );
});
