import type { ApiKeyBook, ApiKeyRef, ListedApiKey } from './key-ports.js';
import { sealSecret } from './secret-box.js';
import { newSigningSecret } from './verify-signature.js';

export type RotateOutcome =
  /** `signingSecret` is shown this once. */
  | { readonly kind: 'rotated'; readonly key: ListedApiKey; readonly signingSecret: string }
  | { readonly kind: 'missing' | 'revoked' | 'unsigned' };

/**
 * Gives a key whose requests are signed a new secret. Its old one holds until `oldUntil`, so that the sender may change
 * over in between; of three the oldest ends at once. Throws StoreUnavailableError.
 */
export async function rotateSigningSecret(
  deps: { readonly book: ApiKeyBook; readonly secretKey: Uint8Array },
  ref: ApiKeyRef,
  oldUntil: Date,
): Promise<RotateOutcome> {
  const found = await deps.book.find(ref);
  if (found === null) return { kind: 'missing' };
  if (found.revokedAt !== null) return { kind: 'revoked' };
  if (!found.signed) return { kind: 'unsigned' };
  const signingSecret = newSigningSecret();
  const key = await deps.book.replaceSecret(found.id, sealSecret(deps.secretKey, found.id, signingSecret), oldUntil);
  // Revoked since it was found.
  return key === null ? { kind: 'revoked' } : { kind: 'rotated', key, signingSecret };
}
