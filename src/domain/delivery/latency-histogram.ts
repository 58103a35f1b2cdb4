/**
 * How long deliveries took, as counts of 53 fixed buckets: minutes and processes add up, which percentiles do not. Each bound
 * is √2 times the one before, to a tenth of a millisecond, so that a percentile is told at most 41 % too high.
 */

/** How many took as long as each bucket says; one number for each bucket. */
export type LatencyCounts = readonly number[];

export const LATENCY_BUCKETS = 53;

/** What the last bucket is told as, which is open: a day, or more. */
export const LONGEST_LATENCY_MS = 86_400_000;

/**
 * Bucket i holds what is below bound i and not below bound i - 1, as PostgreSQL's `width_bucket(ms, thresholds)` counts with all
 * bounds but the last as its thresholds. What is in the last one took 13 hours or more.
 */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  ...Array.from({ length: LATENCY_BUCKETS - 1 }, (_, i) => Math.round(10 * 2 ** (i / 2)) / 10),
  LONGEST_LATENCY_MS,
];

export const NO_LATENCIES: LatencyCounts = Array.from({ length: LATENCY_BUCKETS }, () => 0);

/** 0 to 52. A clock that was set back may make a latency negative: that is in the first one. */
export function bucketOf(ms: number): number {
  const above = LATENCY_BOUNDS_MS.findIndex((bound) => ms < bound);
  return above === -1 ? LATENCY_BUCKETS - 1 : above;
}

/** Bucket by bucket. */
export function mergeLatencies(one: LatencyCounts, other: LatencyCounts): LatencyCounts {
  return NO_LATENCIES.map((_, i) => (one[i] ?? 0) + (other[i] ?? 0));
}

/**
 * So much of what was counted took less than this, by nearest rank: the upper bound of the bucket that the rank falls into,
 * `LONGEST_LATENCY_MS` where it is the open one; null where nothing was counted. `share` in (0, 1].
 */
export function latencyPercentile(counts: LatencyCounts, share: number): number | null {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (total === 0) return null;
  const rank = Math.max(1, Math.ceil(share * total));
  let below = 0;
  for (const [bucket, n] of counts.entries()) {
    below += n;
    if (below >= rank) return LATENCY_BOUNDS_MS[bucket] ?? LONGEST_LATENCY_MS;
  }
  return LONGEST_LATENCY_MS;
}
