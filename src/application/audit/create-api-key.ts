import { v7 as uuidv7 } from 'uuid';
import { ANY_TENANT_SCOPES, type ApiKey, type ApiKeyScope } from '../../domain/audit/api-key.js';
import { apiKeyPrefix, hashApiKey, newApiKeyText } from './api-key-text.js';
import type { ApiKeyStore } from './ports.js';
import { sealSecret } from './secret-box.js';
import { newSigningSecret } from './verify-signature.js';

export interface CreateApiKeyRequest {
  /** For people: whose key it is. */
  readonly name: string;
  readonly scopes: readonly [ApiKeyScope, ...ApiKeyScope[]];
  /** Binds the key to one tenant. Default null: no tenant. */
  readonly tenantId?: string | null;
  /** Default null: never. */
  readonly expiresAt?: Date | null;
  /** Events a minute. Default null: as every key of its scopes. */
  readonly ratePerMinute?: number | null;
  /** Its requests must be signed: AUDIT_SECRET_KEY, which seals the secret. Default null: they need no signature. */
  readonly signedUnder?: Uint8Array | null;
}

export interface CreatedApiKey {
  readonly key: ApiKey;
  /** The key itself. This is the only time that anyone can read it. */
  readonly secret: string;
  /** `whsec_…`, where its requests must be signed; shown this once, too. */
  readonly signingSecret: string | null;
}

export type CreateApiKey = (request: CreateApiKeyRequest) => Promise<CreatedApiKey>;

/** Throws StoreUnavailableError, or an Error when a key bound to one tenant asks for an any-tenant scope. */
export function createApiKey(deps: { readonly keys: Pick<ApiKeyStore, 'insert'> }): CreateApiKey {
  return async ({ name, scopes, tenantId = null, expiresAt = null, ratePerMinute = null, signedUnder = null }) => {
    const unbound = ANY_TENANT_SCOPES.find((scope) => scopes.includes(scope));
    if (tenantId !== null && unbound !== undefined) {
      throw new Error(`expected either a tenant or the scope ${unbound}, got both`);
    }
    const secret = newApiKeyText();
    const prefix = apiKeyPrefix(secret) as string;
    const key: ApiKey = { id: uuidv7(), name, prefix, scopes, tenantId, ratePerMinute };
    const signingSecret = signedUnder === null ? null : newSigningSecret();
    const signing =
      signedUnder === null || signingSecret === null
        ? null
        : { current: sealSecret(signedUnder, key.id, signingSecret), old: null };
    await deps.keys.insert({ ...key, keyHash: hashApiKey(secret), expiresAt, revokedAt: null, signing });
    return { key, secret, signingSecret };
  };
}
