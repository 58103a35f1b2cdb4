import type { AuditCategory } from '../../../contract/audit-dto.js';
import { categoryOf } from '../../../contract/to-action.js';
import { IMPORT_EVENT_TYPE } from '../../../domain/delivery/outbox-event.js';

/** The category of an event type; `other` for a type that nobody has named. */
export function toCategory(eventType: string): AuditCategory {
  return categoryOf(eventType) ?? 'other';
}

/** Whether the default mapping knows a category for an event type. Ours for imports has none of its own, on purpose. */
export function isKnownType(eventType: string): boolean {
  return eventType === IMPORT_EVENT_TYPE || categoryOf(eventType) !== undefined;
}
