/**
 * Retry-After as RFC 9110, section 10.2.3 has it: seconds, or an HTTP-date in any of the three forms of section 5.6.7.
 * Milliseconds from `nowMs`, NOT clamped (a date in the past is negative); null for everything else.
 */
export function parseRetryAfter(value: string | null | undefined, nowMs: number): number | null {
  const text = value?.trim() ?? '';
  if (/^[0-9]+$/.test(text)) return Number(text) * 1_000;
  const atMs = parseHttpDate(text, nowMs);
  return atMs === null ? null : atMs - nowMs;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TIME = '(?<h>\\d{2}):(?<m>\\d{2}):(?<s>\\d{2})';
const FORMS = [
  new RegExp(`^[A-Z][a-z]{2}, (?<day>\\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\\d{4}) ${TIME} GMT$`), // IMF-fixdate
  new RegExp(`^[A-Z][a-z]{5,8}, (?<day>\\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\\d{2}) ${TIME} GMT$`), // RFC 850
  new RegExp(`^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`), // asctime
];

function parseHttpDate(text: string, nowMs: number): number | null {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts === undefined) continue;
    const [day, h, m, s] = [parts.day, parts.h, parts.m, parts.s].map(Number) as [number, number, number, number];
    const month = MONTHS.indexOf(parts.month ?? '');
    // 60 is a leap second. Date.UTC would roll 31 February over into March, so the day is read back.
    if (month < 0 || h > 23 || m > 59 || s > 60) return null;
    const atMs = Date.UTC(fullYear(parts.year ?? '', nowMs), month, day, h, m, s);
    return new Date(atMs - s * 1_000).getUTCDate() === day ? atMs : null;
  }
  return null;
}

/** RFC 9110: a two-digit year more than 50 years ahead is the latest past year with those digits. */
function fullYear(digits: string, nowMs: number): number {
  if (digits.length === 4) return Number(digits);
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(digits);
  return year > thisYear + 50 ? year - 100 : year;
}
