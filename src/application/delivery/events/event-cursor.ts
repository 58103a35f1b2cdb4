import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { EventFilter, EventPlace } from './ports.js';

/**
 * Where the next page of a list begins, opaque to whoever gets it, with a hash over the filter, tenant included. Not
 * signed, for it gives nothing: whose events are seen the filter says, whatever the place. The hash refuses what was
 * cut, turned or given with another filter, instead of answering a page that nobody asked for.
 */
export function writeEventCursor(place: EventPlace, filter: EventFilter): string {
  const text = `${place.recordedAt}${place.id}`;
  return Buffer.concat([Buffer.from(text, 'latin1'), hash(text, filter)]).toString('base64url');
}

/** null where the text is none of ours, or belongs to another filter or tenant. */
export function readEventCursor(cursor: string, filter: EventFilter): EventPlace | null {
  if (!CURSOR.test(cursor)) return null;
  const bytes = Buffer.from(cursor, 'base64url');
  const text = bytes.toString('latin1', 0, PLACE_BYTES);
  const [, recordedAt, id] = PLACE.exec(text) ?? [];
  if (recordedAt === undefined || id === undefined || !isTime(recordedAt)) return null;
  return hash(text, filter).equals(bytes.subarray(PLACE_BYTES)) ? { recordedAt, id } : null;
}

const PURPOSE = 'temporal-outbox event cursor 1';
const PLACE_BYTES = 63;
const HASH_BYTES = 18;
/** Of 81 bytes: none of its characters has bits to spare, so that a place has one text. */
const CURSOR = /^[A-Za-z0-9_-]{108}$/;
const PLACE =
  /^([12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

function hash(text: string, filter: EventFilter): Buffer {
  return createHash('sha256')
    .update(`${PURPOSE}\n${text}\n${canonicalize(filter)}`)
    .digest()
    .subarray(0, HASH_BYTES);
}

/** A day that its month has, and so on: the database refuses any other with an error of its own. */
function isTime(recordedAt: string): boolean {
  const text = `${recordedAt.slice(0, 23)}Z`;
  const time = Date.parse(text);
  return !Number.isNaN(time) && new Date(time).toISOString() === text;
}
