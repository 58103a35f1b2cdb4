import { durationOf, isOpenEnded, OPEN_ENDED, percentOf } from '../../domain/delivery/figure-words.js';

/** Numbers, times and durations as people read them. */

/** Whose way of writing; left out: the browser's. */
export interface Place {
  readonly locale?: string;
  readonly timeZone?: string;
}

/** Stands where a value is not known. It is never written as 0. */
export const NOT_KNOWN = '—';

/** `bound`: how far it was counted; at it there may be more. */
export function formatCount(count: number, bound = Number.POSITIVE_INFINITY, place: Place = {}): string {
  const text = formatNumber(count, 0, place);
  return count >= bound ? `${text} or more` : text;
}

/** What need not be whole. Of little more than nothing it is not said that it is nothing. */
export function formatAmount(amount: number, place: Place = {}): string {
  if (amount > 0 && amount < 0.01) return `< ${formatNumber(0.01, 2, place)}`;
  return formatNumber(amount, amount >= 100 ? 0 : amount >= 1 ? 1 : 2, place);
}

export function formatRate(perSecond: number, place: Place = {}): string {
  return `${formatAmount(perSecond, place)} /s`;
}

/** Rounded towards nothing: 100 % are all, and 0 % is none. null: not known. */
export function formatShare(share: number | null, place: Place = {}): string {
  if (share === null) return NOT_KNOWN;
  const percent = percentOf(share);
  return percent === null ? `< ${formatNumber(0.01, 2, place)} %` : `${formatNumber(percent, 2, place)} %`;
}

/** The two largest units of it. */
export const formatDuration = durationOf;

/** A percentile of the figures, which is the upper bound of a bucket. null: nothing was measured. */
export function formatLatency(ms: number | null): string {
  if (ms === null) return NOT_KNOWN;
  return isOpenEnded(ms) ? OPEN_ENDED : `≤ ${formatDuration(ms)}`;
}

/** One that was measured, and not counted in buckets. null: nothing was measured. */
export function formatMeasured(ms: number | null): string {
  return ms === null ? NOT_KNOWN : formatDuration(ms);
}

/** How long ago, or in how long. Within two seconds two clocks may just differ. */
export function formatAge(iso: string, nowMs: number): string {
  const ms = nowMs - Date.parse(iso);
  if (Number.isNaN(ms)) return NOT_KNOWN;
  if (Math.abs(ms) < 2_000) return 'now';
  return ms > 0 ? `${formatDuration(wholeSeconds(ms))} ago` : `in ${formatDuration(wholeSeconds(-ms))}`;
}

/** Local, with the zone. What is no time is shown as it is. */
export function formatTime(iso: string, place: Place = {}): string {
  const at = Date.parse(iso);
  return Number.isNaN(at) ? iso : formatterOf(place).format(at);
}

/** A sentence of the server's with its times (UTC) as they are here. */
export function withLocalTimes(sentence: string, place: Place = {}): string {
  return sentence.replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (iso) => formatTime(iso, place));
}

/** As UTC, to the millisecond. */
export function formatUtc(iso: string): string {
  const at = Date.parse(iso);
  return Number.isNaN(at) ? iso : new Date(at).toISOString();
}

/** For an input of the type datetime-local. */
export function toLocalInput(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '';
  const two = (part: number) => String(part).padStart(2, '0');
  const day = `${String(at.getFullYear()).padStart(4, '0')}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** What somebody chose there, as UTC; null: nothing that is a time. */
export function fromLocalInput(text: string): string | null {
  const at = new Date(text);
  return text === '' || Number.isNaN(at.getTime()) ? null : at.toISOString();
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}

function formatNumber(value: number, digits: number, { locale }: Place): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
}

/** Making one takes longer than all else of a row. There is one place to a page, a few in tests. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf({ locale, timeZone }: Place): Intl.DateTimeFormat {
  const key = `${locale} ${timeZone}`;
  const known = formatters.get(key);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat(locale, {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  formatters.set(key, made);
  return made;
}
