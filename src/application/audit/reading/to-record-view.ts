import type { RecordView } from '../../../contract/audit-records-api.js';
import { formatHash } from '../leaf-hash.js';
import type { StoredRecord } from './ports.js';

/** A record as people outside see it: the one place that says what an erased one still shows. */
export function toRecordView({ recordId, recordedAt, tenantId, via, leafHash, event }: StoredRecord): RecordView {
  const hash = leafHash === null ? null : formatHash(leafHash);
  if (event === null) return { recordId, recordedAt, hash, erased: true };
  return { recordId, recordedAt, tenantId: tenantId === '' ? null : tenantId, via, hash, event };
}
