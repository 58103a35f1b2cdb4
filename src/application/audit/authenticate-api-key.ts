import { timingSafeEqual } from 'node:crypto';
import type { ApiKey } from '../../domain/audit/api-key.js';
import { apiKeyPrefix, hashApiKey } from './api-key-text.js';
import type { NoteLastUse } from './note-last-use.js';
import type { ApiKeyStore, FoundApiKey } from './ports.js';
import { openSecret } from './secret-box.js';
import { type SignedRequest, verifySignature } from './verify-signature.js';

export interface AuthenticateApiKeyDeps {
  readonly keys: Pick<ApiKeyStore, 'findByPrefix'>;
  /** Opens the signing secrets; null: there is none, and keys that need signatures cannot be checked. */
  readonly secretKey: Uint8Array | null;
  readonly noteUse: NoteLastUse;
}

export interface Authenticated {
  readonly key: ApiKey;
  /**
   * The server's time for the whole request, from the database's clock. Every request reads its key first, so the time
   * costs no statement of its own, and all apis share one clock: a host whose own is off refuses no event and expires no
   * key at the wrong time, and its records fall into the partition that `audit.ensure_partitions` made by that same clock.
   */
  readonly now: Date;
}

/** `no_key`: this text opens nothing now. `not_signed`: it is a key that holds, and the request lacks its signature. */
export type RefusedKey = 'no_key' | 'not_signed';

/** `readSigned` is called for keys that hold and whose requests must be signed, and for no others. */
export type AuthenticateApiKey = (
  presented: string,
  readSigned: (keyId: string) => Promise<SignedRequest>,
) => Promise<Authenticated | RefusedKey>;

/**
 * The key behind a presented text; `no_key` when it is malformed, unknown, expired or revoked, `not_signed` when its
 * signature is missing, wrong or stale. Which of them is for us: a caller is told one and the same. Reads the store each time: a revocation holds from the next request on.
 * Throws StoreUnavailableError, SecretKeyError, and what `readSigned` throws.
 */
export function authenticateApiKey({ keys, secretKey, noteUse }: AuthenticateApiKeyDeps): AuthenticateApiKey {
  return async (presented, readSigned) => {
    const prefix = apiKeyPrefix(presented);
    if (prefix === null) return 'no_key';
    const stored = await keys.findByPrefix(prefix);
    if (stored === null || !timingSafeEqual(hashApiKey(presented), stored.keyHash)) return 'no_key';
    const now = stored.readAt;
    if (stored.revokedAt !== null || (stored.expiresAt !== null && stored.expiresAt <= now)) return 'no_key';
    if (stored.signing !== null) {
      const secrets = secretsOf(stored, secretKey);
      if (!verifySignature(secrets, await readSigned(stored.id), now)) return 'not_signed';
    }
    const { id, name, scopes, tenantId, ratePerMinute } = stored;
    noteUse({ id }, now);
    return { key: { id, name, prefix, scopes, tenantId, ratePerMinute }, now };
  };
}

/** Those that hold now, the newest first. */
function secretsOf(stored: FoundApiKey, secretKey: Uint8Array | null): string[] {
  if (stored.signing === null) return [];
  const { current, old } = stored.signing;
  const sealed = old !== null && old.until > stored.readAt ? [current, old.secret] : [current];
  return sealed.map((secret) => openSecret(secretKey, stored, secret));
}

/** Whether every signing secret can be opened, so that a start says so and not the first request. Throws SecretKeyError. */
export async function checkSigningSecrets(
  keys: Pick<ApiKeyStore, 'listSigned'>,
  secretKey: Uint8Array | null,
): Promise<void> {
  for (const stored of await keys.listSigned()) secretsOf(stored, secretKey);
}
