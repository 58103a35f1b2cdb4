export const RFC3339_PATTERN = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/**
 * The instant of an RFC 3339 date-time in milliseconds since 1970 (finer digits dropped), or null where it is none:
 * impossible days (30 February), a missing zone, leap seconds and instants before year 1 (UTC) are refused.
 */
export function parseRfc3339(text: string): number | null {
  // As Date writes it, which is how nearly all of them come: what it reads and writes back alike is what it says.
  if (text.length === 24 && !text.startsWith('0000')) {
    const instant = Date.parse(text);
    if (!Number.isNaN(instant) && new Date(instant).toISOString() === text) return instant;
  }
  const match = RFC3339_PATTERN.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const offset = offsetMinutes(match[8] as string);
  if (year < 1 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 || offset === null) return null;
  const local = new Date(0);
  // Date.UTC would take the years 1 to 99 for 1901 to 1999.
  local.setUTCFullYear(year, month - 1, day);
  if (local.getUTCMonth() !== month - 1 || local.getUTCDate() !== day) return null;
  const milliseconds = Math.floor(Number(match[7] ?? 0) * 1000);
  const instant = local.getTime() + ((hour * 60 + minute - offset) * 60 + second) * 1000 + milliseconds;
  return new Date(instant).getUTCFullYear() < 1 ? null : instant;
}

function offsetMinutes(zone: string): number | null {
  if (zone === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}
