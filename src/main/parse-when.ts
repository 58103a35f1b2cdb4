import { parseRfc3339 } from '../contract/rfc3339.js';
import { UsageError } from './usage-error.js';

const DAY_MS = 86_400_000;
const MOST_DAYS = 36_500;

/**
 * A time ahead: days from now (`90`, `90d`), a date (from its first moment in UTC) or an RFC 3339 time. `fromNow`: now
 * itself will do. Throws UsageError naming the option.
 */
export function parseWhen(
  text: string,
  { option, command, now, fromNow = false }: { option: string; command: string; now: Date; fromNow?: boolean },
): Date {
  const refuse = (problem: string) => new UsageError(`${option}: ${problem}`, { command });
  const days = /^(\d{1,5})d?$/.exec(text)?.[1];
  if (days !== undefined) {
    if (Number(days) > MOST_DAYS) throw refuse(`expected at most ${MOST_DAYS} days`);
    if (Number(days) === 0 && !fromNow) throw refuse('expected at least one day');
    return new Date(now.getTime() + Number(days) * DAY_MS);
  }
  const time = parseRfc3339(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
  if (time === null) throw refuse(`expected days, a date or a time in RFC 3339, got ${JSON.stringify(text)}`);
  if (time < now.getTime()) throw refuse(`expected a time to come, got ${JSON.stringify(text)}`);
  return new Date(time);
}
