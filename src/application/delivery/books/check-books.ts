/** R23: one turn of the duty `books`. What it has counted of an hour is kept page by page, so whoever comes next goes on. */
import { isIntegrationError } from '../../../domain/delivery/integration-error.js';
import { type AlertDeps, endAlert, raiseAlert } from '../notify/raise-alert.js';
import type { LeaseHold } from '../ports.js';
import { findGaps } from './find-gaps.js';
import { addPage, countGaps } from './judge-row.js';
import type { BookCursor, BookRow, BookStore, Look, StandingLookup } from './ports.js';

/** Events of an hour that the audit log is asked for by its hourly look; of more, a random sample of about as many. */
export const MOST_ASKED = 100_000;

export interface CheckBooksDeps extends AlertDeps {
  readonly store: BookStore;
  readonly standing: StandingLookup;
  readonly random: () => number;
  readonly count: (name: string, by?: number) => void;
  readonly mostAsked?: number;
  /** For tests of crashes. */
  readonly failpoint?: (point: string) => void;
}

/** Remembers how far the letters that moved were followed: a new holder follows them anew, which only looks again. */
export function createBooksChecker(deps: CheckBooksDeps): (hold: LeaseHold, signal: AbortSignal) => Promise<void> {
  const { store, mostAsked = MOST_ASKED } = deps;
  let moved: BookCursor | null = null;
  return async (hold, signal) => {
    while (!signal.aborted && (await store.openHours(hold)) > 0) deps.count('books_hours_opened');
    for (let before: BookCursor | null | undefined; !signal.aborted && before !== moved; ) {
      before = moved;
      moved = await store.noteMoved(hold, moved);
    }
    while (!signal.aborted) {
      const look = await store.takeLook(hold, mostAsked);
      if (look === null || !(await finish(deps, look, hold, signal))) return;
    }
  };
}

/** False: it is somebody else's now, or this process stops. */
async function finish(deps: CheckBooksDeps, taken: Look, hold: LeaseHold, signal: AbortSignal): Promise<boolean> {
  const { store, count, failpoint = () => undefined } = deps;
  let look = taken;
  while (!signal.aborted) {
    const page = await store.readPage(look.hour, look.cursor);
    const toAsk = page.rows.filter((row) => row.audited && isAsked(look, row, deps.random));
    const { asked, found } = await findGaps(deps, page.rows, toAsk, signal).catch(async (error: unknown) => {
      // The hour stays open; nobody knows yet whether it balances.
      const code = isIntegrationError(error) ? error.code : 'HANDLER.FAILED';
      if (!signal.aborted) await store.noteWaiting(hold, look, code).catch(() => undefined); // the error itself is thrown
      count('books_waits');
      throw error;
    });
    look = { ...look, cursor: page.cursor, tally: addPage(look.tally, look.mode, page.rows, asked, found) };
    failpoint('books-before-save');
    if (page.cursor === null) return end(deps, look, hold);
    if (!(await store.saveLook(hold, look))) return false;
    failpoint('books-after-save');
  }
  return false;
}

function isAsked({ mode, share }: Look, row: BookRow, random: () => number): boolean {
  if (mode === 'moved') return row.moved;
  return mode === 'whole' || random() < share;
}

/** The alert first: where this dies in between the look is ended again, and says the same. */
async function end(deps: CheckBooksDeps, look: Look, hold: LeaseHold): Promise<boolean> {
  const { hour, tally } = look;
  const gaps = countGaps(tally);
  const alert = { kind: 'books_unbalanced', subject: hour } as const;
  if (gaps === 0) await endAlert(deps, alert);
  else {
    const differences = Object.entries(tally.gapCounts).map(([check, n]) => ({ check, count: n }));
    await raiseAlert(deps, { ...alert, fields: { hour, differences } });
  }
  deps.failpoint?.('books-before-end');
  if (!(await deps.store.endLook(hold, look))) return false;
  deps.count('books_looks');
  if (gaps > 0) {
    deps.count('books_gaps', gaps);
    const ids = tally.gaps.slice(0, 5).map(({ eventId }) => eventId);
    deps.log.warn({ hour, gaps, ...tally.gapCounts, ids }, 'books.unbalanced');
  }
  return true;
}
