import { v7 as uuidv7 } from 'uuid';
import type { ApiKey, ApiKeyScope } from '../../domain/audit/api-key.js';
import { apiKeyPrefix, hashApiKey, newApiKeyText } from './api-key-text.js';
import type { ApiKeyStore } from './ports.js';

export interface CreateApiKeyRequest {
  /** For people: whose key it is. */
  readonly name: string;
  readonly scopes: readonly [ApiKeyScope, ...ApiKeyScope[]];
  /** Binds the key to one tenant. Default null: no tenant. */
  readonly tenantId?: string | null;
  /** Default null: never. */
  readonly expiresAt?: Date | null;
}

export interface CreatedApiKey {
  readonly key: ApiKey;
  /** The key itself. This is the only time that anyone can read it. */
  readonly secret: string;
}

export type CreateApiKey = (request: CreateApiKeyRequest) => Promise<CreatedApiKey>;

/** Throws StoreUnavailableError, or an Error when a key bound to one tenant asks for the any-tenant scope. */
export function createApiKey(deps: { readonly keys: ApiKeyStore }): CreateApiKey {
  return async ({ name, scopes, tenantId = null, expiresAt = null }) => {
    if (tenantId !== null && scopes.includes('audit:write:any-tenant')) {
      throw new Error('expected either a tenant or the scope audit:write:any-tenant, got both');
    }
    const secret = newApiKeyText();
    const key: ApiKey = { id: uuidv7(), name, prefix: apiKeyPrefix(secret) as string, scopes, tenantId };
    await deps.keys.insert({ ...key, keyHash: hashApiKey(secret), expiresAt, revokedAt: null });
    return { key, secret };
  };
}
