import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { FingerprintKeys } from '../fingerprint.js';
import type { RecordFilter } from './ports.js';

export interface RecordCursors {
  /** Base64url, opaque to whoever gets it. */
  write(after: string, filter: RecordFilter): string;
  /** The id that the page begins behind; null where the text is none of ours, or belongs to another filter or tenant. */
  read(text: string, filter: RecordFilter): string | null;
}

const PURPOSE = 'temporal-outbox audit cursor 1';
const ID_BYTES = 16;
const TEXT = /^[A-Za-z0-9_-]{64}$/;

/**
 * Cursors that nobody can make up or turn to another filter: an id with its HMAC over the filter, tenant included. Keys are
 * derived from the fingerprints' (RFC 5869), so that there is no secret more to keep; the first one signs, all verify.
 */
export function recordCursors(fingerprintKeys: FingerprintKeys): RecordCursors {
  const keys = fingerprintKeys.map(({ secret }) => Buffer.from(hkdfSync('sha256', secret, '', PURPOSE, 32)));
  const sign = (key: Buffer, id: Buffer, filter: RecordFilter) =>
    createHmac('sha256', key)
      .update(id)
      .update(canonicalize(filter) as string)
      .digest();
  return {
    write: (after, filter) => {
      const id = Buffer.from(after.replaceAll('-', ''), 'hex');
      return Buffer.concat([id, sign(keys[0] as Buffer, id, filter)]).toString('base64url');
    },
    read: (text, filter) => {
      if (!TEXT.test(text)) return null;
      const bytes = Buffer.from(text, 'base64url');
      const id = bytes.subarray(0, ID_BYTES);
      const genuine = keys.some((key) => timingSafeEqual(sign(key, id, filter), bytes.subarray(ID_BYTES)));
      const uuid = id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
      return genuine ? uuid : null;
    },
  };
}
