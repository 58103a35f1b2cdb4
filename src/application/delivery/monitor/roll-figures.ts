import { MINUTE_MS } from '../../../domain/delivery/figure-window.js';
import { isIntegrationError } from '../../../domain/delivery/integration-error.js';
import type { LeaseHold, Logger } from '../ports.js';
import type { FigureWriter } from './ports.js';

/** In one turn; behind a standstill the next ones do the rest. */
const MOST_MINUTES = 30;
/** The shortest window, and what it may be behind. */
const NEWEST_MINUTES = 20;
const MOST_QUARTERS = 8;
const MOST_REMOVED = 5_000;
/** Tries of one minute: one that cannot be counted in time must not keep those behind it from being counted. */
const MOST_TRIES = 3;

export interface RollFiguresDeps {
  readonly store: FigureWriter;
  readonly log: Logger;
}

/**
 * One turn of the duty `figures`: counts the closed minutes that nobody has counted, a day back: those of the last twenty
 * minutes first, the newest before the others, for whoever looks after a standstill wants to know whether it is over; then
 * the oldest. Adds up quarters of an hour that are whole, and removes what no window reaches any more. Two that take
 * themselves for the holder count a minute once. A minute that the database does not count in time, three times, is left: it
 * stays unknown, which is logged. Throws what the store throws.
 */
export function rollFigures({ store, log }: RollFiguresDeps): (hold: LeaseHold, signal: AbortSignal) => Promise<void> {
  /** Whatever is before it was counted, or given up. */
  let since: string | null = null;
  /** How often minutes were tried in vain. */
  const tries = new Map<string, number>();

  /** False: the lease is gone. */
  async function count(hold: LeaseHold, minute: string): Promise<boolean> {
    try {
      const held = await store.countMinute(hold, minute);
      tries.delete(minute);
      return held;
    } catch (error) {
      const late = isIntegrationError(error) && error.code === 'STORE.UNAVAILABLE';
      // Whatever else it is, a right that is missing, say, is mended some day.
      if (!late) throw error;
      const times = (tries.get(minute) ?? 0) + 1;
      tries.set(minute, times);
      if (times < MOST_TRIES) throw error;
      log.warn({ minute, tries: times, err: error }, 'figures.minute_not_counted');
      return true;
    }
  }

  return async (hold, signal) => {
    const { minutes, closed } = await store.findUncounted(since);
    const open = minutes.filter((minute) => (tries.get(minute) ?? 0) < MOST_TRIES);
    const turn = inTurn(open, closed).slice(0, MOST_MINUTES);
    for (const minute of turn) if (signal.aborted || !(await count(hold, minute))) return;
    const done = new Set(turn);
    since = open.find((minute) => !done.has(minute)) ?? closed;
    for (const minute of tries.keys()) if (minute < since) tries.delete(minute);
    for (const quarter of await store.findWhole(MOST_QUARTERS)) {
      if (signal.aborted || !(await store.addQuarter(hold, quarter))) return;
    }
    if (!signal.aborted) await store.removeOld(hold, MOST_REMOVED);
  };
}

/** `minutes`: the oldest first. */
function inTurn(minutes: readonly string[], closed: string): string[] {
  const from = Date.parse(closed) - NEWEST_MINUTES * MINUTE_MS;
  const isNew = (minute: string) => Date.parse(minute) >= from;
  return [...minutes.filter(isNew).reverse(), ...minutes.filter((minute) => !isNew(minute))];
}
