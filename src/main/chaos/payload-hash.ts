import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** The field that holds the canary. The audit log hides it by its name, every other destination gets it. */
export const SECRET_FIELD = 'secret';

/**
 * SHA-256 of the value as canonical JSON (RFC 8785): whoever stored it may have put its keys into another order. What has no
 * such form, an infinite number for instance, has a word instead: it must not end the comparison.
 */
export function hashPayload(payload: unknown): string {
  let text: string;
  try {
    text = canonicalize(payload) ?? 'undefined';
  } catch {
    return 'no canonical form';
  }
  return createHash('sha256').update(text).digest('hex');
}

/** As `hashPayload`, of what may be shown of the payload. */
export function hashShown(payload: unknown): string {
  if (typeof payload !== 'object' || payload === null) return hashPayload(payload);
  const { [SECRET_FIELD]: _secret, ...shown } = payload as Record<string, unknown>;
  return hashPayload(shown);
}
