import type { AuditRecord } from './audit-record.js';

export const LEAF_VERSION = 1;

/**
 * The leaf of a record, version 1: these named fields, each taken from the stored row, so that anyone who reads the row
 * can make the leaf again. Its bytes are the RFC 8785 form of this object, its hash is SHA-256(0x00 || bytes) (RFC 9162
 * §2.1.1). The place in the log is no part of it: the tree says that.
 */
export function leafFields(record: AuditRecord): Record<string, unknown> {
  return {
    leafVersion: record.leafVersion,
    recordId: record.recordId,
    recordedAt: record.recordedAt,
    tenantId: record.tenantId,
    via: record.via,
    keyId: record.keyId,
    salt: record.salt,
    event: record.event,
  };
}
