import { FIGURE_WINDOWS, type Figures, type FigureWindow, OVERVIEW_BOUNDS } from '../../../contract/overview-api.js';
import {
  COUNTED_AFTER_MS,
  type FigureSpan,
  type FigureTally,
  figureSpans,
  figureWindow,
  MINUTE_MS,
  missingMinutes,
  ratesOf,
  sumTallies,
} from '../../../domain/delivery/figure-window.js';
import type { RelayTime } from '../relay-time.js';
import type { FigureReader, NamedTally, SpanTally } from './ports.js';

/** Windows of this length and more are made of quarters of an hour, where they stand. */
const WITH_QUARTERS_MINUTES = FIGURE_WINDOWS['24h'];
/** How soon a minute stands that is due to be counted: the duty's pace, and a second. */
const STANDS_AFTER_MS = 6_000;
const FRESH_MS = { least: 5_000, most: MINUTE_MS } as const;

export interface ReadFiguresDeps {
  readonly store: FigureReader;
  readonly time: Pick<RelayTime, 'now'>;
}

export type ReadFigures = (query: { readonly window: FigureWindow }) => Promise<Figures>;

/**
 * Figures of a window of closed minutes: what was settled in it, as it was counted then. Names are the first ones of their
 * minutes; null stands for what was not among them, whatever its name. Kept until the next minute is due, so that many who
 * look cost what one does; those who ask at once wait for one read. Throws IntegrationError `STORE.UNAVAILABLE`.
 */
export function readFigures({ store, time }: ReadFiguresDeps): ReadFigures {
  const kept = new Map<FigureWindow, { readonly figures: Promise<Figures>; freshUntil: number }>();
  return ({ window }) => {
    const known = kept.get(window);
    if (known !== undefined && time.now() < known.freshUntil) return known.figures;
    const reading = read(store, window);
    const entry = { figures: reading.then(({ figures }) => figures), freshUntil: Number.POSITIVE_INFINITY };
    kept.set(window, entry);
    reading.then(
      ({ freshMs }) => {
        entry.freshUntil = time.now() + freshMs;
      },
      () => kept.delete(window), // told to those who wait for it
    );
    return entry.figures;
  };
}

async function read(
  store: FigureReader,
  window: FigureWindow,
): Promise<{ readonly figures: Figures; readonly freshMs: number }> {
  const minutes = FIGURE_WINDOWS[window];
  const { now, spans: standing } = await store.readSpans(minutes, minutes >= WITH_QUARTERS_MINUTES);
  const byBegin = { 1: new Map<number, SpanTally>(), 15: new Map<number, SpanTally>() };
  for (const tally of standing) byBegin[tally.span].set(tally.begins, tally);
  const newest = byBegin[1].size === 0 ? null : Math.max(...byBegin[1].keys());
  const times = figureWindow(minutes, now, newest);
  const spans = figureSpans(times, {
    minutes: new Set(byBegin[1].keys()),
    quarters: new Set(byBegin[15].keys()),
  });
  const tallyOf = ({ counted: span, begins }: FigureSpan) =>
    span === null ? null : (byBegin[span].get(begins) ?? null);
  const counted = spans.flatMap((span) => tallyOf(span) ?? []);
  const named = counted.length === 0 ? [] : await store.readNamed(counted, OVERVIEW_BOUNDS.names);
  const of = (dimension: NamedTally['dimension']) =>
    named.filter((one) => one.dimension === dimension).map((one) => ({ name: one.name, ...ratesOf(one) }));
  return {
    figures: {
      window,
      since: toTime(times.since),
      until: toTime(times.until),
      missingMinutes: missingMinutes(spans),
      total: ratesOf(sumTallies(counted)),
      byDestination: of('destination'),
      byEventType: of('event_type'),
      byTenant: of('tenant'),
      series: spans.map((span) => ({ at: toTime(span.begins), minutes: span.minutes, ...pointOf(tallyOf(span)) })),
    },
    freshMs: clamp(times.until + MINUTE_MS + COUNTED_AFTER_MS + STANDS_AFTER_MS - now),
  };
}

function pointOf(tally: FigureTally | null): Pick<Figures['series'][number], 'delivered' | 'died' | 'p95Ms'> {
  if (tally === null) return { delivered: null, died: null, p95Ms: null };
  const { delivered, died, p95Ms } = ratesOf(tally);
  return { delivered, died, p95Ms };
}

function clamp(ms: number): number {
  return Math.min(FRESH_MS.most, Math.max(FRESH_MS.least, ms));
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
