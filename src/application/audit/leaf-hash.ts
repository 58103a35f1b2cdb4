import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AuditRecord } from '../../domain/audit/audit-record.js';
import { leafFields } from '../../domain/audit/leaf.js';

/** SHA-256(0x00 || leaf), the leaf in its RFC 8785 form: RFC 9162 §2.1.1. The same for a new record and its stored row. */
export function leafHash(record: AuditRecord): Buffer {
  return createHash('sha256')
    .update(Uint8Array.of(0))
    .update(canonicalize(leafFields(record)) as string)
    .digest();
}

export function formatHash(hash: Uint8Array): string {
  return `sha-256:${Buffer.from(hash).toString('hex')}`;
}
