import { timingSafeEqual } from 'node:crypto';
import type { ApiKey } from '../../domain/audit/api-key.js';
import { apiKeyPrefix, hashApiKey } from './api-key-text.js';
import type { ApiKeyStore } from './ports.js';

export type AuthenticateApiKey = (presented: string) => Promise<ApiKey | null>;

/**
 * The key behind a presented text; null when it is malformed, unknown, expired or revoked, without saying which.
 * Reads the store each time: a revocation holds from the next request on. Throws StoreUnavailableError.
 */
export function authenticateApiKey(deps: { readonly keys: ApiKeyStore; readonly now: () => Date }): AuthenticateApiKey {
  return async (presented) => {
    const prefix = apiKeyPrefix(presented);
    if (prefix === null) return null;
    const stored = await deps.keys.findByPrefix(prefix);
    if (stored === null || !timingSafeEqual(hashApiKey(presented), stored.keyHash)) return null;
    if (stored.revokedAt !== null || (stored.expiresAt !== null && stored.expiresAt <= deps.now())) return null;
    const { id, name, scopes, tenantId } = stored;
    return { id, name, prefix, scopes, tenantId };
  };
}
