import { createHmac, timingSafeEqual } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AuditEvent, JsonObject } from '../../contract/audit-dto.js';

export interface FingerprintKey {
  /** Kept beside every fingerprint made with it. */
  readonly id: string;
  readonly secret: string;
}

/** The first key makes new fingerprints; the others verify rows written with them and stay as long as those rows. */
export type FingerprintKeys = readonly [FingerprintKey, ...FingerprintKey[]];

/** The configured keys cannot tell whether content is the same: the operator's to mend, and no answer to the caller. */
export class FingerprintKeyError extends Error {
  override readonly name = 'FingerprintKeyError';
}

/** What is kept of a key from its first use on: it tells another secret under the same id, and nothing of the secret. */
export interface KeyCheck {
  readonly id: string;
  /** 32 bytes. */
  readonly hmac: Uint8Array;
}

export function keyCheck({ id, secret }: FingerprintKey): KeyCheck {
  return { id, hmac: createHmac('sha256', secret).update('temporal-outbox fingerprint key check 1').digest() };
}

/**
 * Keeps the checks of keys that are new and compares those of keys that are not.
 * @throws FingerprintKeyError for another secret than the id was first used with; StoreUnavailableError
 */
export async function checkFingerprintKeys(
  store: { keepKeyChecks(checks: readonly KeyCheck[]): Promise<readonly KeyCheck[]> },
  keys: FingerprintKeys,
): Promise<void> {
  const standing = new Map((await store.keepKeyChecks(keys.map(keyCheck))).map(({ id, hmac }) => [id, hmac]));
  for (const { id, hmac } of keys.map(keyCheck)) {
    const kept = standing.get(id);
    if (kept !== undefined && timingSafeEqual(kept, hmac)) continue;
    throw new FingerprintKeyError(
      `fingerprint key "${id}": expected the secret that it was first used with, got another one; give it back, or give the new secret a new id`,
    );
  }
}

/** What tells whether two events have the same content (R26). */
export interface SentContent {
  /** The event itself, or what it was mapped from (`cloudEventContent`). */
  readonly content: AuditEvent | string;
  /** What an earlier release fingerprinted of the same event, where that is another text: its rows stand. */
  readonly formerContent?: string;
}

/**
 * What is fingerprinted of a CloudEvent: the event as it was sent and never what it was mapped to, where the server's time
 * may stand for one left out; where its data are an audit event, that one alone, as if it had come without an envelope. A
 * content hash of our outbox is stronger, as ever (R26).
 */
export function cloudEventContent(
  event: AuditEvent,
  { content, formerContent }: { readonly content: JsonObject | null; readonly formerContent: JsonObject },
): SentContent {
  if (event.contentHash !== undefined) return { content: event };
  const now = content === null ? event : (canonicalize(content) as string);
  const former = canonicalize(formerContent) as string;
  return now === former ? { content: now } : { content: now, formerContent: former };
}

/**
 * Tells the same content from other content (R26): an HMAC over the content hash where the request has one, else over
 * the request as sent without `routing` and `context.traceparent`, which a resend may change.
 * @param content an event, or its content hash, or the text of `cloudEventContent`
 */
export function fingerprint(key: FingerprintKey, content: AuditEvent | string): Buffer {
  const text = typeof content === 'string' ? content : (content.contentHash ?? contentText(content));
  return createHmac('sha256', key.secret).update(text).digest();
}

/** By what is fingerprinted today, or what was by an earlier release. @throws FingerprintKeyError as `matchesFingerprint` */
export function matchesSent(
  keys: FingerprintKeys,
  standing: { readonly hmacKeyId: string; readonly fingerprint: Uint8Array },
  { content, formerContent }: SentContent,
): boolean {
  if (matchesFingerprint(keys, standing, content)) return true;
  return formerContent !== undefined && matchesFingerprint(keys, standing, formerContent);
}

/** @throws FingerprintKeyError when the row was fingerprinted with a key that is not configured: nobody can tell */
export function matchesFingerprint(
  keys: FingerprintKeys,
  standing: { readonly hmacKeyId: string; readonly fingerprint: Uint8Array },
  content: AuditEvent | string,
): boolean {
  const key = keys.find(({ id }) => id === standing.hmacKeyId);
  if (key === undefined) {
    throw new FingerprintKeyError(
      `expected the fingerprint key "${standing.hmacKeyId}" among the configured ones, found ${keys.map(({ id }) => id).join(', ')}; configure it again for as long as its rows stand`,
    );
  }
  return timingSafeEqual(fingerprint(key, content), standing.fingerprint);
}

function contentText(event: AuditEvent): string {
  const { routing: _routing, context, ...content } = event;
  const { traceparent: _traceparent, ...kept } = context ?? {};
  return canonicalize(Object.keys(kept).length === 0 ? content : { ...content, context: kept }) as string;
}
