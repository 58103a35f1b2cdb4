import { catalogEntry, type ErrorCode } from './error-catalog.js';

/**
 * What earlier attempts have used up, of this epoch and of those before it that share its budget. Counted by us in
 * `outbox.delivery_attempt`, never by Temporal.
 */
export interface AttemptTotals {
  /** Failed attempts whose code spends (R12). */
  readonly spent: number;
  readonly spentByCode: Readonly<Partial<Record<ErrorCode, number>>>;
  /** The code of the last that spent; left out: none did. */
  readonly lastSpent?: ErrorCode;
  /** ATTEMPT_LOST in a row, up to now. */
  readonly lostInRow: number;
  /** Milliseconds since the first of them began, by the database's clock. */
  readonly sinceFirstMs: number;
}

/** The totals of a budget whose first attempt is the one under way. */
export const NO_ATTEMPTS: AttemptTotals = { spent: 0, spentByCode: {}, lostInRow: 0, sinceFirstMs: 0 };

/** `codes`: how the earlier attempts of the budget ended, in their order. */
export function countAttempts(codes: readonly ErrorCode[], sinceFirstMs: number): AttemptTotals {
  const spentByCode: Partial<Record<ErrorCode, number>> = {};
  for (const code of codes) if (catalogEntry(code).spends) spentByCode[code] = (spentByCode[code] ?? 0) + 1;
  const lastSpent = codes.findLast((code) => catalogEntry(code).spends);
  const lastOther = codes.findLastIndex((code) => code !== 'DELIVERY.ATTEMPT_LOST');
  return {
    spent: Object.values(spentByCode).reduce((sum, count) => sum + count, 0),
    spentByCode,
    ...(lastSpent === undefined ? {} : { lastSpent }),
    lostInRow: codes.length - 1 - lastOther,
    sinceFirstMs: Math.max(0, sinceFirstMs),
  };
}
