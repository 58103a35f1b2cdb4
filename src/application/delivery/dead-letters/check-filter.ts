import { ERROR_CODES, type ErrorCode } from '../../../domain/delivery/error-catalog.js';
import type { DeadLetterFilter } from './ports.js';

/** A filter that nobody can mean, told by its field. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
  readonly field: keyof DeadLetterFilter;

  constructor(field: keyof DeadLetterFilter, problem: string) {
    super(`${field}: ${problem}`);
    this.field = field;
  }
}

const LONGEST_TEXT_RANGE_DAYS = 31;
const DAY_MS = 86_400_000;

/**
 * A text is looked for in every letter of the range, so it needs one, of 31 days at most.
 * @throws FilterError
 */
export function checkFilter({ code, since, until, text }: DeadLetterFilter, now: Date): void {
  if (code !== null && !ERROR_CODES.includes(code as ErrorCode)) {
    throw new FilterError('code', `expected a code of docs/errors.md, got ${JSON.stringify(code.slice(0, 64))}`);
  }
  const [from, to] = [since, until ?? now.toISOString()].map((time) => (time === null ? null : Date.parse(time)));
  if (from != null && until !== null && from >= (to as number)) {
    throw new FilterError('until', 'expected a time after since');
  }
  if (text === null) return;
  if (from == null || (to as number) - from > LONGEST_TEXT_RANGE_DAYS * DAY_MS) {
    throw new FilterError(
      'text',
      `expected since, at most ${LONGEST_TEXT_RANGE_DAYS} days before until (default: now)`,
    );
  }
}
