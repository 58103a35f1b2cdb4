import { createHash } from 'node:crypto';
import type { ImportedEvent } from '../../src/application/delivery/import/ports.js';
import { toAuditEvent } from '../../src/application/delivery/mappers/to-audit-event.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';
import type { OutboxHeaders } from '../../src/domain/delivery/outbox-event.js';

/** The audit event that the delivery will make of an imported event; the hash, which only the database can compute, is made up. */
export function toRecord(event: ImportedEvent, recordedAt: Date): AuditEvent {
  const integrationEvent = {
    id: event.id,
    name: event.eventName,
    type: event.eventType,
    routingKey: 'audit.log',
    source: event.source,
    aggregate: { ...event.aggregate, version: null },
    tenantId: event.tenantId === '' ? null : event.tenantId,
    occurredAt: event.occurredAt,
    recordedAt: recordedAt.toISOString(),
    payload: event.payload,
    headers: event.headers as unknown as OutboxHeaders,
    contentHash: `sha-256:${createHash('sha256').update(event.id).digest('hex')}`,
    numbersAsStrings: [],
  };
  return toAuditEvent(integrationEvent, {});
}
