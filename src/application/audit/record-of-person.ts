import { v7 as uuidv7 } from 'uuid';
import { AUDIT_LIMITS, type AuditEvent } from '../../contract/audit-dto.js';
import { type FingerprintKeys, fingerprint } from './fingerprint.js';
import type { PersonsWord, RecordOf } from './ports.js';
import { newRecord } from './settle-records.js';

const SOURCE = '/audit/failed-ingest';
const API_KEY = /^api-key:([0-9a-f-]{36})$/;
/** Of a record that no API key has sent: the command line writes it. */
const NO_KEY = '00000000-0000-0000-0000-000000000000';

/**
 * The audit record of what a person did to a failed ingest: as any other record, with the tenant of the row, whose own
 * history it is. The event itself is not told, only which one it was.
 */
export function recordOfPerson(
  keys: FingerprintKeys,
  verb: 'retried' | 'discarded',
  { actor, reason }: PersonsWord,
): RecordOf {
  return (row, now) => {
    const keyId = API_KEY.exec(actor)?.[1];
    const event: AuditEvent = {
      specVersion: '1.0',
      eventId: uuidv7(),
      source: SOURCE,
      action: `audit.failed_ingest.${verb}`,
      actionVersion: 1,
      category: 'system',
      operation: verb === 'retried' ? 'execute' : 'update',
      // Of what the person asked for; whether the event is stored by it is told by its own record.
      outcome: 'success',
      outcomeReason: cut(reason, AUDIT_LIMITS.outcomeReason),
      occurredAt: now.toISOString(),
      ...(row.tenantId === '' ? {} : { tenantId: row.tenantId }),
      actor: { type: keyId === undefined ? 'user' : 'apiKey', id: cut(actor, AUDIT_LIMITS.actorId) },
      targets: [{ type: 'failed_ingest', id: row.id }],
      data: { source: row.source, eventId: row.eventId, code: row.failure.code, tries: row.tries },
    };
    const identity = { tenantId: row.tenantId, source: SOURCE, eventId: event.eventId };
    const [current] = keys;
    const fingerprinted = { hmacKeyId: current.id, fingerprint: fingerprint(current, event) };
    return newRecord({ keyId: keyId ?? NO_KEY, via: 'api', now }, { identity, event, ...fingerprinted });
  };
}

/** Between two characters. */
function cut(text: string, length: number): string {
  return text.slice(0, length).toWellFormed();
}
