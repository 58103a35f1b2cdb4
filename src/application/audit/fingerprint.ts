import { createHmac, timingSafeEqual } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AuditEvent } from '../../contract/audit-dto.js';

export interface FingerprintKey {
  /** Kept beside every fingerprint made with it. */
  readonly id: string;
  readonly secret: string;
}

/** The first key makes new fingerprints; the others verify rows written with them and stay as long as those rows. */
export type FingerprintKeys = readonly [FingerprintKey, ...FingerprintKey[]];

/**
 * Tells the same content from other content (R26): an HMAC over the content hash where the request has one, else over
 * the request as sent without `routing` and `context.traceparent`, which a resend may change.
 */
export function fingerprint(key: FingerprintKey, event: AuditEvent): Buffer {
  return createHmac('sha256', key.secret)
    .update(event.contentHash ?? contentText(event))
    .digest();
}

/** Throws when the row was fingerprinted with a key that is not configured: without it nobody can tell. */
export function matchesFingerprint(
  keys: FingerprintKeys,
  standing: { readonly hmacKeyId: string; readonly fingerprint: Uint8Array },
  event: AuditEvent,
): boolean {
  const key = keys.find(({ id }) => id === standing.hmacKeyId);
  if (key === undefined) {
    throw new Error(
      `expected the fingerprint key "${standing.hmacKeyId}" among the configured ones, found ${keys.map(({ id }) => id).join(', ')}; configure it again for as long as its rows stand`,
    );
  }
  return timingSafeEqual(fingerprint(key, event), standing.fingerprint);
}

function contentText(event: AuditEvent): string {
  const { routing: _routing, context, ...content } = event;
  const { traceparent: _traceparent, ...kept } = context ?? {};
  return canonicalize(Object.keys(kept).length === 0 ? content : { ...content, context: kept }) as string;
}
