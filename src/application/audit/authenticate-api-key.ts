import { timingSafeEqual } from 'node:crypto';
import type { ApiKey } from '../../domain/audit/api-key.js';
import { apiKeyPrefix, hashApiKey } from './api-key-text.js';
import type { ApiKeyStore } from './ports.js';

export interface Authenticated {
  readonly key: ApiKey;
  /**
   * The server's time for the whole request, from the database's clock. Every request reads its key first, so the time
   * costs no statement of its own, and all apis share one clock: a host whose own is off refuses no event and expires no
   * key at the wrong time, and its records fall into the partition that `audit.ensure_partitions` made by that same clock.
   */
  readonly now: Date;
}

export type AuthenticateApiKey = (presented: string) => Promise<Authenticated | null>;

/**
 * The key behind a presented text; null when it is malformed, unknown, expired or revoked, without saying which.
 * Reads the store each time: a revocation holds from the next request on. Throws StoreUnavailableError.
 */
export function authenticateApiKey(deps: { readonly keys: ApiKeyStore }): AuthenticateApiKey {
  return async (presented) => {
    const prefix = apiKeyPrefix(presented);
    if (prefix === null) return null;
    const stored = await deps.keys.findByPrefix(prefix);
    if (stored === null || !timingSafeEqual(hashApiKey(presented), stored.keyHash)) return null;
    const now = stored.readAt;
    if (stored.revokedAt !== null || (stored.expiresAt !== null && stored.expiresAt <= now)) return null;
    const { id, name, scopes, tenantId } = stored;
    return { key: { id, name, prefix, scopes, tenantId }, now };
  };
}
