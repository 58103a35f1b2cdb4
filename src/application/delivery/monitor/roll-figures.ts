import { MINUTE_MS } from '../../../domain/delivery/figure-window.js';
import { isIntegrationError } from '../../../domain/delivery/integration-error.js';
import type { LeaseHold, Logger } from '../ports.js';
import type { FigureWriter } from './ports.js';

/** In one turn; behind a standstill the next ones do the rest. */
const MOST_MINUTES = 30;
const MOST_QUARTERS = 8;
const MOST_REMOVED = 5_000;
/** Tries of one minute: one that cannot be counted in time must not keep those behind it from being counted. */
const MOST_TRIES = 3;

export interface RollFiguresDeps {
  readonly store: FigureWriter;
  readonly log: Logger;
}

/**
 * One turn of the duty `figures`: counts the closed minutes that nobody has counted, a day back and the oldest first, adds up
 * quarters of an hour that are whole, and removes what no window reaches any more. Two that take themselves for the holder
 * count a minute once. A minute that the database does not count in time, three times, is left: it stays unknown, which is
 * logged. Throws what the store throws.
 */
export function rollFigures({ store, log }: RollFiguresDeps): (hold: LeaseHold, signal: AbortSignal) => Promise<void> {
  /** Whatever is before it was counted, or given up. */
  let since: string | null = null;
  let tried = { minute: '', times: 0 };

  /** False: the lease is gone. */
  async function count(hold: LeaseHold, minute: string): Promise<boolean> {
    try {
      return await store.countMinute(hold, minute);
    } catch (error) {
      tried = { minute, times: tried.minute === minute ? tried.times + 1 : 1 };
      const late = isIntegrationError(error) && error.code === 'STORE.UNAVAILABLE';
      if (!late || tried.times < MOST_TRIES) throw error;
      log.warn({ minute, tries: tried.times, err: error }, 'figures.minute_not_counted');
      return true;
    }
  }

  return async (hold, signal) => {
    const { minutes, closed } = await store.findUncounted(since, MOST_MINUTES);
    for (const minute of minutes) {
      if (signal.aborted || !(await count(hold, minute))) return;
      since = new Date(Date.parse(minute) + MINUTE_MS).toISOString();
    }
    if (minutes.length < MOST_MINUTES) since = closed;
    for (const quarter of await store.findWhole(MOST_QUARTERS)) {
      if (signal.aborted || !(await store.addQuarter(hold, quarter))) return;
    }
    if (!signal.aborted) await store.removeOld(hold, MOST_REMOVED);
  };
}
