import { judgeRow } from './judge-row.js';
import type { BookGap, BookRow, BookStore, StandingLookup } from './ports.js';

export interface FoundGap {
  readonly row: BookRow;
  readonly gap: BookGap;
}

/**
 * The gaps of one page. `toAsk`: those of its audited rows that the audit log is asked for.
 *
 * The page is one statement, so an event that settles meanwhile is in it before or after, with its letter. The audit log is
 * asked afterwards: what was delivered then stands there by now. What does not is looked at once more, since it may have
 * been dispatched again while the audit log answered.
 * @throws IntegrationError, of the audit log or `STORE.UNAVAILABLE`: then nothing is known, and nothing is a gap
 */
export async function findGaps(
  deps: { readonly store: Pick<BookStore, 'stillDelivered'>; readonly standing: StandingLookup },
  rows: readonly BookRow[],
  toAsk: readonly BookRow[],
  signal: AbortSignal,
): Promise<{ readonly asked: number; readonly found: readonly FoundGap[] }> {
  const found: FoundGap[] = rows.flatMap((row) => {
    const gap = judgeRow(row);
    return gap === null ? [] : [{ row, gap }];
  });
  if (deps.standing === null || toAsk.length === 0) return { asked: 0, found };
  const standing = await deps.standing(toAsk, signal);
  const missing = toAsk.filter((_, at) => standing[at] !== true);
  if (missing.length === 0) return { asked: toAsk.length, found };
  const still = await deps.store.stillDelivered(missing);
  const gone = missing.filter(({ eventId }) => still.has(eventId));
  // One event, one gap: a stray letter of a delivered event is mended first, and the next look tells the rest.
  const named = new Set(found.map(({ row }) => row.eventId));
  const more = gone.filter(({ eventId }) => !named.has(eventId));
  return { asked: toAsk.length, found: [...found, ...more.map((row) => ({ row, gap: 'not_in_audit_log' as const }))] };
}
