/** An audit log that takes every event, in front of a test's own HttpClient: the audit handler checks what it sends. */
import { createHash, randomUUID } from 'node:crypto';
import type { HttpClient, HttpRequest, HttpResponse } from '../../application/delivery/ports.js';
import { AUDIT_LOGS_PATH, type AuditReceipt } from '../../contract/audit-api.js';
import type { AuditEvent } from '../../contract/audit-dto.js';

export const MEMORY_AUDIT_URL = 'http://audit-log.in-memory';

/** Keeps every audit event in `records`; all other requests go to `http`. */
export function withAuditLog(http: HttpClient, records: AuditEvent[]): HttpClient {
  const accept = ({ body = '' }: HttpRequest): HttpResponse => {
    const event = JSON.parse(body) as AuditEvent;
    records.push(event);
    const receipt: AuditReceipt = {
      recordId: randomUUID(),
      eventId: event.eventId,
      recordedAt: new Date().toISOString(),
      hash: `sha-256:${createHash('sha256').update(body).digest('hex')}`,
      replayed: false,
    };
    return { status: 201, headers: { 'content-type': 'application/json' }, body: JSON.stringify(receipt) };
  };
  return {
    send: async (request) =>
      request.url === MEMORY_AUDIT_URL + AUDIT_LOGS_PATH ? accept(request) : http.send(request),
    close: () => http.close(),
  };
}
