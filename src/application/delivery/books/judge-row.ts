import type { BookGap, BookRow, GapSample, LookMode, Tally } from './ports.js';
import { MOST_SAMPLES } from './ports.js';

export const EMPTY_TALLY: Tally = { statuses: {}, audited: 0, asked: 0, unasked: 0, gapCounts: {}, gaps: [] };

/** What the outbox alone tells is wrong with an event; one thing at a time, the one that must be mended first. */
export function judgeRow(row: BookRow): BookGap | null {
  if (row.status === null) return 'no_delivery';
  const own = row.letterEpoch !== null && row.letterEpoch === row.epoch;
  if (row.status === 'DEAD' && !own) return 'dead_without_letter';
  if (row.status !== 'DEAD' && row.letterEpoch !== null) return 'letter_without_dead';
  return row.pastDeadline ? 'past_deadline' : null;
}

export function toSample({ eventId, tenantId, status, epoch }: BookRow, gap: BookGap): GapSample {
  return { gap, eventId, tenantId, status, epoch };
}

/** A page's rows into what was counted before it. `mode`: of the look, which says what it should have asked for. */
export function addPage(
  tally: Tally,
  mode: LookMode,
  rows: readonly BookRow[],
  asked: number,
  found: readonly { readonly row: BookRow; readonly gap: BookGap }[],
): Tally {
  const statuses: Record<string, number> = { ...tally.statuses };
  for (const { status } of rows) statuses[status ?? 'NONE'] = (statuses[status ?? 'NONE'] ?? 0) + 1;
  const gapCounts: Partial<Record<BookGap, number>> = { ...tally.gapCounts };
  for (const { gap } of found) gapCounts[gap] = (gapCounts[gap] ?? 0) + 1;
  const samples = found.map(({ row, gap }) => toSample(row, gap));
  return {
    statuses,
    audited: tally.audited + rows.filter(({ audited }) => audited).length,
    asked: tally.asked + asked,
    unasked: tally.unasked + rows.filter((row) => row.audited && (mode !== 'moved' || row.moved)).length - asked,
    gapCounts,
    gaps: [...tally.gaps, ...samples].slice(0, MOST_SAMPLES),
  };
}

export function countGaps({ gapCounts }: Pick<Tally, 'gapCounts'>): number {
  return Object.values(gapCounts).reduce((sum, n) => sum + n, 0);
}
