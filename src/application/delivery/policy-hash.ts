import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { RetryPolicy } from '../../domain/delivery/policy.js';
import type { Policies } from './policy-schema.js';
import type { PolicyHashes } from './ports.js';

/** The name of a policy: the SHA-256 of its canonical JSON (RFC 8785), 16 hex digits. The same content, the same name. */
export function policyHash(policy: RetryPolicy): string {
  return createHash('sha256')
    .update(canonicalize(policy) as string)
    .digest('hex')
    .slice(0, 16);
}

/** What a configuration's policies are called, and what stands under each name. */
export function hashPolicies(policies: Policies): {
  readonly hashes: PolicyHashes;
  readonly bodies: ReadonlyMap<string, RetryPolicy>;
} {
  const bodies = new Map<string, RetryPolicy>();
  const keep = (policy: RetryPolicy): string => {
    const hash = policyHash(policy);
    bodies.set(hash, policy);
    return hash;
  };
  const byType = Object.fromEntries(policies.named.map((eventType) => [eventType, keep(policies.of(eventType))]));
  return { hashes: { byType, otherwise: keep(policies.otherwise) }, bodies };
}
