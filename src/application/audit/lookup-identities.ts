import { type ApiKey, mayUseAnyTenant, tenantToLookUp } from '../../domain/audit/api-key.js';
import { type FingerprintKeys, matchesFingerprint } from './fingerprint.js';
import { formatHash } from './leaf-hash.js';
import type { AuditStore } from './ports.js';

export interface LookupRequest {
  /** Who asks; that it may look up at all is the caller's to check. */
  readonly key: ApiKey;
  readonly identities: readonly {
    readonly source: string;
    readonly eventId: string;
    readonly tenantId?: string | undefined;
    readonly contentHash?: string | undefined;
  }[];
}

export type LookupResult =
  | {
      readonly found: true;
      readonly recordId: string;
      readonly recordedAt: string;
      readonly hash: string;
      /** Where a content hash was asked for. */
      readonly sameContent?: boolean;
    }
  | { readonly found: false };

export type LookupOutcome =
  | { readonly kind: 'answered'; readonly results: readonly LookupResult[] }
  /** The positions of identities in a tenant that is not the key's. Nothing was looked up. */
  | { readonly kind: 'tenant_forbidden'; readonly positions: readonly number[] }
  /** A guess at a content could be tested by its hash: only our own outbox may ask (R26). */
  | { readonly kind: 'content_hash_forbidden'; readonly positions: readonly number[] };

export type LookupIdentities = (request: LookupRequest) => Promise<LookupOutcome>;

/**
 * Which identities stand (R23), and with which content where that is asked (R18): one result for each, in the order asked.
 * Throws StoreUnavailableError, or FingerprintKeyError where the keys configured cannot tell whether a content is the same.
 */
export function lookupIdentities(deps: {
  readonly store: Pick<AuditStore, 'readStanding'>;
  readonly fingerprintKeys: FingerprintKeys;
}): LookupIdentities {
  return async ({ key, identities }) => {
    const tenants = identities.map(({ tenantId }) => tenantToLookUp(key, tenantId));
    const positions = tenants.flatMap((tenant, position) => (tenant === null ? [position] : []));
    if (positions.length > 0) return { kind: 'tenant_forbidden', positions };
    const hashed = identities.flatMap(({ contentHash }, position) => (contentHash === undefined ? [] : [position]));
    if (hashed.length > 0 && !mayUseAnyTenant(key)) return { kind: 'content_hash_forbidden', positions: hashed };
    const standing = await deps.store.readStanding(
      identities.map(({ source, eventId }, index) => ({ tenantId: tenants[index] as string, source, eventId })),
    );
    const results = standing.map((row, index): LookupResult => {
      if (row === null) return { found: false };
      const hash = identities[index]?.contentHash;
      return {
        found: true,
        recordId: row.recordId,
        recordedAt: row.recordedAt,
        hash: formatHash(row.leafHash),
        ...(hash === undefined ? {} : { sameContent: matchesFingerprint(deps.fingerprintKeys, row, hash) }),
      };
    });
    return { kind: 'answered', results };
  };
}
