import type { RecordView } from '../../../contract/audit-records-api.js';
import { formatHash } from '../leaf-hash.js';
import type { StoredRecord } from './ports.js';

/**
 * A record as people outside see it: the one place that says what an erased one still shows. Its content hash, which records
 * of before were stored with and whose leaf it is in, is nobody's to read: guesses at the content could be tested by it.
 */
export function toRecordView({ recordId, recordedAt, tenantId, via, leafHash, event }: StoredRecord): RecordView {
  const hash = leafHash === null ? null : formatHash(leafHash);
  if (event === null) return { recordId, recordedAt, hash, erased: true };
  const { contentHash: _contentHash, ...shown } = event;
  return { recordId, recordedAt, tenantId: tenantId === '' ? null : tenantId, via, hash, event: shown };
}
