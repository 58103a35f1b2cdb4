export const API_KEY_SCOPES = [
  'audit:write',
  'audit:write:any-tenant',
  'audit:read',
  'audit:read:any-tenant',
  'dlq:read',
  'dlq:write',
  'admin',
] as const;
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];

/** Scopes that no key bound to one tenant can have. */
export const ANY_TENANT_SCOPES: readonly ApiKeyScope[] = ['audit:write:any-tenant', 'audit:read:any-tenant'];

/** Who is asking, as far as the audit log knows. Holds nothing secret. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** The public part of the key, for people who look for it. */
  readonly prefix: string;
  readonly scopes: readonly ApiKeyScope[];
  /** The one tenant it may write and read; null: no tenant (or any, with an any-tenant scope). */
  readonly tenantId: string | null;
  /** Events a minute; null: what everybody has (`rateOf`). */
  readonly ratePerMinute: number | null;
}

/** `admin` is every scope but the any-tenant ones, which are asked for by name. */
function has(key: ApiKey, scope: ApiKeyScope): boolean {
  return key.scopes.includes(scope) || (key.scopes.includes('admin') && !ANY_TENANT_SCOPES.includes(scope));
}

/** `audit:write:any-tenant` is the scope of our own outbox; it includes writing. */
export function mayWrite(key: ApiKey): boolean {
  return has(key, 'audit:write') || mayUseAnyTenant(key);
}

/** Records and their proofs. Our own outbox reads none: it may only look up which identities stand. */
export function mayRead(key: ApiKey): boolean {
  return has(key, 'audit:read') || mayReadAnyTenant(key);
}

export function mayReadAnyTenant(key: ApiKey): boolean {
  return has(key, 'audit:read:any-tenant');
}

/** Our own outbox asks which identities stand (R18, R23), so its scope includes that. */
export function mayLookUp(key: ApiKey): boolean {
  return mayRead(key) || mayUseAnyTenant(key);
}

/** R28: what tells our outbox from everybody else. */
export function mayUseAnyTenant(key: ApiKey): boolean {
  return has(key, 'audit:write:any-tenant');
}

/** Who may write what failed may read it too: nobody retries or discards what he cannot see. */
export function mayReadFailed(key: ApiKey): boolean {
  return has(key, 'dlq:read') || mayWriteFailed(key);
}

export function mayWriteFailed(key: ApiKey): boolean {
  return has(key, 'dlq:write');
}

/** Whose failed events a key sees: a bound key its own tenant's, an operator's key, bound to none, everybody's (null). */
export function tenantOfFailed(key: ApiKey): string | null {
  return key.tenantId;
}

/**
 * The tenant that a request to write is about, the empty string for none; null when it is not the key's to ask for.
 * `requested` absent means the key's own.
 */
export function tenantFor(key: ApiKey, requested: string | undefined): string | null {
  return mayUseAnyTenant(key) ? (requested ?? '') : ownTenant(key, requested);
}

/** As `tenantFor`, of a request to look identities up. */
export function tenantToLookUp(key: ApiKey, requested: string | undefined): string | null {
  return mayUseAnyTenant(key) || mayReadAnyTenant(key) ? (requested ?? '') : ownTenant(key, requested);
}

/**
 * Events a minute that the key may send to one api; null: no limit. `usual` is for keys without a rate of their own: null
 * for none. Our own outbox has none unless it was given one, for it waits by itself where the audit log is slow.
 */
export function rateOf(key: ApiKey, usual: number | null): number | null {
  return key.ratePerMinute ?? (mayUseAnyTenant(key) ? null : usual);
}

function ownTenant(key: ApiKey, requested: string | undefined): string | null {
  const own = key.tenantId ?? '';
  return requested === undefined || requested === own ? own : null;
}

/**
 * Whose records a key reads: one tenant's, the empty string for those without a tenant, null for everybody's; `forbidden`
 * where another tenant is asked for. A key that is bound to a tenant never reads past it, whatever its scopes.
 */
export function tenantToRead(key: ApiKey, requested: string | undefined): string | null | 'forbidden' {
  if (key.tenantId === null && mayReadAnyTenant(key)) return requested ?? null;
  return ownTenant(key, requested) ?? 'forbidden';
}
