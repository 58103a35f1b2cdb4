import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { RetryPolicy } from '../../domain/delivery/policy.js';

/** The name of a policy: the SHA-256 of its canonical JSON (RFC 8785), 16 hex digits. The same content, the same name. */
export function policyHash(policy: RetryPolicy): string {
  return createHash('sha256')
    .update(canonicalize(policy) as string)
    .digest('hex')
    .slice(0, 16);
}
