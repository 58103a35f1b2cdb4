/** I6: attempts and delays are the policy's. */
import { maxAttemptsFor } from '../../domain/delivery/decide-after-failure.js';
import { catalogEntry, isErrorCode } from '../../domain/delivery/error-catalog.js';
import {
  type Backoff,
  LONGEST_DELAY_MS,
  RETRY_AFTER_BOUNDS,
  type RetryPolicy,
  ruleFor,
} from '../../domain/delivery/policy.js';
import type { BookLetter, BookRow, Books } from './books.js';
import type { Finder } from './findings.js';

export function compareAttempts(
  books: Books,
  lettersOf: ReadonlyMap<string, readonly BookLetter[]>,
  finder: Finder,
): void {
  for (const row of books.rows.values()) {
    const policy = books.policies.get(row.delivery?.policyHash ?? '');
    const letters = lettersOf.get(row.id) ?? [];
    const letter = letters.find(({ state, epoch }) => state === 'open' && epoch === row.delivery?.epoch);
    if (policy !== undefined) compareSpent(row, policy, finder);
    if (letter === undefined) continue;
    compareCount(row, letter, finder);
    if (policy !== undefined) compareEnd(row, letter, policy, finder);
  }
  for (const { eventId, epoch, n, code, delayMs, cameMs, how } of books.hurried) {
    const what = `${code}: expected attempt ${n + 1} of epoch ${epoch} no sooner than ${delayMs} ms after attempt ${n}`;
    finder.say('I6', eventId, `${what}, came after ${Math.round(cameMs)} ms (${how})`);
  }
  for (const { policyHash, code, longestMs } of books.delays) {
    const policy = books.policies.get(policyHash);
    const most = policy === undefined ? null : longestDelay(code, policy);
    if (most === null || longestMs <= most) continue;
    finder.say(
      'I6',
      `policy ${policyHash}`,
      `${code}: expected at most ${most} ms to the next attempt, came ${longestMs}`,
    );
  }
}

function compareSpent({ id, delivery }: BookRow, policy: RetryPolicy, { say }: Finder): void {
  const spent = spending(delivery?.failures ?? {});
  const total = sum(spent);
  if (total > policy.maxAttempts) {
    say('I6', id, `expected at most ${policy.maxAttempts} attempts that spend, came ${total}`);
  }
  for (const [code, count] of spent) {
    const most = isErrorCode(code) ? maxAttemptsFor(code, policy) : 0;
    if (count > most) say('I6', id, `${code}: expected at most ${most} attempts, came ${count}`);
  }
}

/** retryCount: failed attempts that spend (R12). Of an older letter the budget is not known any more. */
function compareCount({ id, delivery }: BookRow, letter: BookLetter, { say }: Finder): void {
  const total = sum(spending(delivery?.failures ?? {}));
  if (total !== letter.retryCount) {
    say(
      'I6',
      id,
      `letter ${letter.id}: expected retryCount ${total}, as many attempts have spent; came ${letter.retryCount}`,
    );
  }
}

/** A letter for what may be tried again comes once the budget is spent, and no sooner. */
function compareEnd({ id, delivery }: BookRow, letter: BookLetter, policy: RetryPolicy, { say }: Finder): void {
  const { code, retryCount } = letter;
  if (!isErrorCode(code) || !catalogEntry(code).spends || ruleFor(code, policy).kind === 'final') return;
  const most = maxAttemptsFor(code, policy);
  const ofCode = delivery?.failures[code] ?? 0;
  if (ofCode >= most || retryCount >= policy.maxAttempts) return;
  say('I6', id, `letter ${letter.id}: expected ${most} attempts with ${code} before it, came ${ofCode}`);
}

function spending(failures: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(failures).filter(([code]) => !isErrorCode(code) || catalogEntry(code).spends);
}

function sum(counts: readonly [string, number][]): number {
  return counts.reduce((total, [, count]) => total + count, 0);
}

/** null: not bounded by the policy. */
function longestDelay(code: string, policy: RetryPolicy): number | null {
  // As long as the breaker or a pause says.
  if (!isErrorCode(code) || code === 'DESTINATION.OPEN') return null;
  const rule = ruleFor(code, policy);
  if (rule.kind === 'final') return 0;
  if (rule.kind === 'wait') return rule.minMs + rule.spreadMs;
  const asked = rule.honoursRetryAfter ? RETRY_AFTER_BOUNDS.maxMs : 0;
  return Math.min(LONGEST_DELAY_MS, Math.ceil(asked + longestBackoff(rule.backoff ?? policy.backoff)));
}

function longestBackoff(backoff: Backoff): number {
  if (backoff.kind === 'fixed') return Math.max(1, backoff.intervalMs);
  if (backoff.kind === 'schedule') return Math.max(1, ...backoff.delaysMs);
  return Math.max(1, backoff.maximumMs);
}
