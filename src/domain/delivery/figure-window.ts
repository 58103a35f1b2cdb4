/**
 * Which counted spans make a window, and what they add up to. Deliveries are counted by the minute, behind its end, and
 * quarters of an hour are added up from their minutes. A span that nobody counted is a gap: it is in no sum, and is told.
 * Times are milliseconds since 1970.
 */
import { type LatencyCounts, latencyPercentile, mergeLatencies, NO_LATENCIES } from './latency-histogram.js';

export const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;

/** A minute is counted when it is over for so long: whatever settles within it has committed by then. */
export const COUNTED_AFTER_MS = 40_000;
/** How long behind that it may take until it stands. What is not there then is missing. */
const STANDS_WITHIN_MS = 20_000;

export interface FigureTally {
  readonly delivered: number;
  readonly died: number;
  /** How many of the deliveries are in `latency`: all, or a sample. */
  readonly timed: number;
  readonly latency: LatencyCounts;
}

export interface FigureWindowTimes {
  readonly since: number;
  /** Exclusive. */
  readonly until: number;
}

/** One piece of a window, in its order. */
export interface FigureSpan {
  readonly begins: number;
  readonly minutes: number;
  /** Whose row stands for it; null: nobody counted it. */
  readonly counted: 1 | 15 | null;
}

/**
 * The window of so many minutes that ends with the newest minute that stands, or with the one that should: a minute that is
 * just being counted is not missing yet. `newest`: begin of the newest minute that stands; null: none.
 */
export function figureWindow(minutes: number, now: number, newest: number | null): FigureWindowTimes {
  const due = toMinute(now - COUNTED_AFTER_MS - STANDS_WITHIN_MS);
  const until = newest === null ? due : Math.max(due, Math.min(newest + MINUTE_MS, toMinute(now)));
  return { since: until - minutes * MINUTE_MS, until };
}

/**
 * The pieces of a window, without overlap or omission: quarters where they stand and lie in it, minutes else; minutes beside
 * each other that nobody counted are one piece.
 */
export function figureSpans(
  { since, until }: FigureWindowTimes,
  standing: { readonly minutes: ReadonlySet<number>; readonly quarters: ReadonlySet<number> },
): readonly FigureSpan[] {
  const spans: FigureSpan[] = [];
  for (let at = since; at < until; ) {
    if (standing.quarters.has(at) && at + QUARTER_MS <= until) {
      spans.push({ begins: at, minutes: 15, counted: 15 });
      at += QUARTER_MS;
      continue;
    }
    const last = spans.at(-1);
    if (standing.minutes.has(at)) spans.push({ begins: at, minutes: 1, counted: 1 });
    else if (last?.counted === null) spans[spans.length - 1] = { ...last, minutes: last.minutes + 1 };
    else spans.push({ begins: at, minutes: 1, counted: null });
    at += MINUTE_MS;
  }
  return spans;
}

export function missingMinutes(spans: readonly FigureSpan[]): number {
  return spans.reduce((sum, { counted, minutes }) => sum + (counted === null ? minutes : 0), 0);
}

export function sumTallies(tallies: readonly FigureTally[]): FigureTally {
  return tallies.reduce(
    (sum, { delivered, died, timed, latency }) => ({
      delivered: sum.delivered + delivered,
      died: sum.died + died,
      timed: sum.timed + timed,
      latency: mergeLatencies(sum.latency, latency),
    }),
    { delivered: 0, died: 0, timed: 0, latency: NO_LATENCIES },
  );
}

export interface FigureRates {
  readonly delivered: number;
  readonly died: number;
  /** Of what was delivered or died; null: nothing was. */
  readonly successRate: number | null;
  /** As `latencyPercentile`. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** The percentiles are of a part of the deliveries. */
  readonly sampled: boolean;
}

export function ratesOf({ delivered, died, timed, latency }: FigureTally): FigureRates {
  return {
    delivered,
    died,
    successRate: delivered + died === 0 ? null : delivered / (delivered + died),
    p50Ms: latencyPercentile(latency, 0.5),
    p95Ms: latencyPercentile(latency, 0.95),
    p99Ms: latencyPercentile(latency, 0.99),
    sampled: timed < delivered,
  };
}

function toMinute(at: number): number {
  return Math.floor(at / MINUTE_MS) * MINUTE_MS;
}
