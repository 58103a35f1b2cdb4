/**
 * A record's id is a UUIDv7 made from its `recordedAt` (RFC 9562 §5.7): its first 48 bits are those milliseconds. So ids alone
 * put records in the order of time, and say in which month's partition each stands.
 */

/** The last instant that RFC 3339 can write. */
export const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Whether an id can be a record's: lower case, of version 7, of a time that can be written. */
export function isRecordId(id: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id) && timeOfPlace(id) <= LAST_MS;
}

/** The milliseconds since 1970 of a record's id, or of a place between two. */
export function timeOfPlace(id: string): number {
  return Number.parseInt(`${id.slice(0, 8)}${id.slice(9, 13)}`, 16);
}

/** A place that is no record's id: behind all records before this millisecond, before all others. */
export function placeBefore(ms: number): string {
  const hex = Math.min(Math.max(0, ms), LAST_MS + 1)
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
