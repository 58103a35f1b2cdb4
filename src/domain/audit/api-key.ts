export const API_KEY_SCOPES = ['audit:write', 'audit:write:any-tenant', 'audit:read', 'dlq:read', 'dlq:write'] as const;
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];

/** Who is asking, as far as the audit log knows. Holds nothing secret. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** The public part of the key, for people who look for it. */
  readonly prefix: string;
  readonly scopes: readonly ApiKeyScope[];
  /** The one tenant it may write and read; null: no tenant (or any, with the any-tenant scope). */
  readonly tenantId: string | null;
}

/** `audit:write:any-tenant` is the scope of our own outbox; it includes writing. */
export function mayWrite(key: ApiKey): boolean {
  return key.scopes.includes('audit:write') || mayUseAnyTenant(key);
}

/** Records and their proofs, of the key's own tenant. */
export function mayRead(key: ApiKey): boolean {
  return key.scopes.includes('audit:read');
}

/** Our own outbox asks which identities stand (R18, R23), so its scope includes that. */
export function mayLookUp(key: ApiKey): boolean {
  return key.scopes.includes('audit:read') || mayUseAnyTenant(key);
}

export function mayUseAnyTenant(key: ApiKey): boolean {
  return key.scopes.includes('audit:write:any-tenant');
}

/** Who may write what failed may read it too: nobody retries or discards what he cannot see. */
export function mayReadFailed(key: ApiKey): boolean {
  return key.scopes.includes('dlq:read') || mayWriteFailed(key);
}

export function mayWriteFailed(key: ApiKey): boolean {
  return key.scopes.includes('dlq:write');
}

/** Whose failed events a key sees: a bound key its own tenant's, an operator's key, bound to none, everybody's (null). */
export function tenantOfFailed(key: ApiKey): string | null {
  return key.tenantId;
}

/**
 * The tenant that a request of this key is about, the empty string for none; null when it is not the key's to ask for.
 * `requested` absent means the key's own.
 */
export function tenantFor(key: ApiKey, requested: string | undefined): string | null {
  if (mayUseAnyTenant(key)) return requested ?? '';
  const own = key.tenantId ?? '';
  return requested === undefined || requested === own ? own : null;
}
