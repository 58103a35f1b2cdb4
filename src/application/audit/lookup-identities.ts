import { type ApiKey, tenantFor } from '../../domain/audit/api-key.js';
import { formatHash } from './leaf-hash.js';
import type { AuditStore } from './ports.js';

export interface LookupRequest {
  /** Who asks; that it may look up at all is the caller's to check. */
  readonly key: ApiKey;
  readonly identities: readonly {
    readonly source: string;
    readonly eventId: string;
    readonly tenantId?: string | undefined;
  }[];
}

export type LookupResult =
  | { readonly found: true; readonly recordId: string; readonly recordedAt: string; readonly hash: string }
  | { readonly found: false };

export type LookupOutcome =
  | { readonly kind: 'answered'; readonly results: readonly LookupResult[] }
  /** The positions of identities in a tenant that is not the key's. Nothing was looked up. */
  | { readonly kind: 'tenant_forbidden'; readonly positions: readonly number[] };

export type LookupIdentities = (request: LookupRequest) => Promise<LookupOutcome>;

/** Which identities stand (R23): one result for each, in the order asked. Throws StoreUnavailableError. */
export function lookupIdentities(deps: { readonly store: AuditStore }): LookupIdentities {
  return async ({ key, identities }) => {
    const tenants = identities.map(({ tenantId }) => tenantFor(key, tenantId));
    const positions = tenants.flatMap((tenant, position) => (tenant === null ? [position] : []));
    if (positions.length > 0) return { kind: 'tenant_forbidden', positions };
    const standing = await deps.store.readStanding(
      identities.map(({ source, eventId }, index) => ({ tenantId: tenants[index] as string, source, eventId })),
    );
    const results = standing.map(
      (row): LookupResult =>
        row === null
          ? { found: false }
          : { found: true, recordId: row.recordId, recordedAt: row.recordedAt, hash: formatHash(row.leafHash) },
    );
    return { kind: 'answered', results };
  };
}
