import type { Figures } from '../../contract/overview-api.js';
import type { Span } from './chart.js';

type Counted = Figures['series'][number];

/** A span of a chart, with its begin. */
export interface FigureSpan extends Span {
  readonly at: string;
}

/**
 * How many a minute. A window holds minutes beside quarters of an hour: drawn as they were summed up, a minute would look fifteen
 * times too small beside a quarter.
 */
export function perMinute(series: Figures['series'], name: 'delivered' | 'died'): readonly FigureSpan[] {
  return spansOf(series, (at) => {
    const count = at[name];
    return count === null ? null : count / at.minutes;
  });
}

/** A percentile of each span, as it was counted. */
export function percentiles(series: Figures['series']): readonly FigureSpan[] {
  return spansOf(series, ({ p95Ms }) => p95Ms);
}

function spansOf(series: Figures['series'], pick: (at: Counted) => number | null): readonly FigureSpan[] {
  return series.map((span) => ({
    at: span.at,
    minutes: span.minutes,
    counted: span.delivered !== null,
    value: pick(span),
  }));
}
