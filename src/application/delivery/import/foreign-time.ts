import { AUDIT_LIMITS } from '../../../contract/audit-dto.js';
import { parseRfc3339 } from '../../../contract/rfc3339.js';

export type ForeignTime =
  | { readonly ok: true; readonly occurredAt: string }
  | { readonly ok: false; readonly reason: string };

const LOCAL_DATE_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?$/;

/**
 * The instant that a foreign event names, as RFC 3339 in UTC with milliseconds. Text: RFC 3339, also with a blank for the T
 * or an offset without its colon. Numbers: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size.
 *
 * A time without a zone is refused, unless the mapping knows the zone that the vendor means (`assumedZone`): guessing one
 * would move the event by hours without a trace. `now` bounds how far ahead a time may lie (the ingest refuses more).
 */
export function readForeignTime(raw: string, assumedZone: string | undefined, now: Date): ForeignTime {
  const instant = /^\d+(\.\d+)?$/.test(raw) ? readEpoch(raw) : readDateTime(raw, assumedZone);
  if (typeof instant !== 'number') return { ok: false, reason: instant.reason };
  if (instant > now.getTime() + AUDIT_LIMITS.futureMs) {
    return { ok: false, reason: 'its time lies more than five minutes ahead of this clock' };
  }
  return { ok: true, occurredAt: new Date(instant).toISOString() };
}

function readDateTime(raw: string, assumedZone: string | undefined): number | { reason: string } {
  const zoned = LOCAL_DATE_TIME.test(raw) && assumedZone !== undefined ? `${raw}${assumedZone}` : raw;
  if (LOCAL_DATE_TIME.test(zoned)) return { reason: 'its time has no zone' };
  const normal = zoned
    .replace(' ', 'T')
    .replace(/([.,]\d{9})\d+/, '$1')
    .replace(',', '.')
    .replace(/([+-]\d{2})(\d{2})$/, '$1:$2')
    .replace(/z$/, 'Z');
  const instant = parseRfc3339(normal);
  return instant ?? { reason: 'its time is not an RFC 3339 date-time on a day that exists' };
}

/** A number of seconds stays below 10^11 until the year 5138; each finer unit is a thousand times as large. */
function readEpoch(raw: string): number | { reason: string } {
  const value = Number(raw);
  const perMillisecond = value < 1e11 ? 1e-3 : value < 1e14 ? 1 : value < 1e17 ? 1e3 : 1e6;
  // The microsecond that a double of seconds still resolves must not fall below its millisecond.
  const instant = Math.floor(value / perMillisecond + 1e-6);
  return instant < 8.64e15 ? instant : { reason: 'its time is not a time since 1970' };
}
