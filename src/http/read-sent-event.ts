import { cloudEventContent } from '../application/audit/fingerprint.js';
import type { SentEvent } from '../application/audit/record-audit-log.js';
import { AUDIT_LIMITS, parseAuditEvent } from '../contract/audit-dto.js';
import { readCloudEvent } from '../contract/cloud-event.js';
import { HttpProblem } from './problem.js';
import type { AuditItem } from './read-audit-request.js';

export interface ReadEvent {
  readonly sent: SentEvent;
  /** A pointer into the audit event, as one into what was sent. */
  readonly pointer: (pointer: string) => string;
}

/** One event of a request, whichever its format. Throws HttpProblem (400, 413, 422). */
export function readSentEvent({ format, value, bytes }: AuditItem, now: Date): ReadEvent {
  if (typeof value !== 'object' || value === null || (format === 'cloudevent' && Array.isArray(value))) {
    throw new HttpProblem('not_an_event', 'Expected a JSON object');
  }
  if (bytes > AUDIT_LIMITS.eventBytes) {
    throw new HttpProblem('body_too_large', `Expected at most ${AUDIT_LIMITS.eventBytes} bytes an event`);
  }
  if (format === 'cloudevent' && !Array.isArray(value)) {
    const read = readCloudEvent(value, now);
    if (!read.ok) {
      throw new HttpProblem('invalid_event', 'The CloudEvent does not fit', { errors: read.problems });
    }
    return { sent: { event: read.event, ...cloudEventContent(read.event, read) }, pointer: read.pointer };
  }
  const parsed = parseAuditEvent(value, now);
  if (!parsed.ok) {
    throw new HttpProblem('invalid_event', 'The event does not fit DTO v1', { errors: parsed.problems });
  }
  return { sent: { event: parsed.event, content: parsed.event }, pointer: (pointer) => pointer };
}
