import { AUDIT_LIMITS, type AuditCategory, type JsonObject } from './audit-dto.js';
import type { Attributes } from './cloud-event.js';
import { findKnownEvent } from './known-events.js';
import { categoryOf, toAction, toOperation, toOutcome } from './to-action.js';

/** The schema by which data say that they are an audit event of DTO v1 themselves. */
export const AUDIT_DATA_SCHEMA = 'urn:temporal-outbox:audit:v1';

export function isAuditData(attributes: Attributes): boolean {
  return attributes.dataschema === AUDIT_DATA_SCHEMA;
}

/** Attributes that have a field of their own in the record; all others are kept in its metadata. */
const MAPPED = new Set([
  ...['specversion', 'id', 'source', 'type', 'subject', 'time', 'dataschema', 'datacontenttype'],
  ...['tenantid', 'actorid', 'actortype', 'category', 'operation', 'outcome', 'severity', 'traceparent', 'tracestate'],
]);

/**
 * The audit event that a CloudEvent asks for: type by the rules of the outbox's event names (docs/mapping.md), extension
 * attributes where they are given. Not checked yet: what does not fit is refused by the DTO's own rules.
 */
export function toMappedEvent(attributes: Attributes, data: JsonObject | null, now: Date): JsonObject {
  const { id, source, type, subject, time, dataschema, tenantid, traceparent, severity } = attributes as Record<
    string,
    string
  >;
  // A longer one is refused by the DTO's rule for `routing.eventName`, so no more of it is looked at.
  const { action, actionVersion } = toAction((type as string).slice(0, AUDIT_LIMITS.eventName));
  const known = findKnownEvent(action);
  const metadata = Object.entries(attributes).filter(([name]) => !MAPPED.has(name));
  return without({
    specVersion: '1.0',
    eventId: id,
    source,
    action,
    actionVersion,
    category: attributes.category ?? known?.category ?? categoryByWords(action),
    operation: attributes.operation ?? known?.operation ?? toOperation(action),
    outcome: attributes.outcome ?? known?.outcome ?? toOutcome(action),
    severity: severity ?? known?.severity,
    occurredAt: time ?? now.toISOString(),
    tenantId: tenantid,
    actor: toActor(attributes),
    targets: subject === undefined ? [] : [{ type: 'subject', id: subject }],
    context: traceparent === undefined ? undefined : { traceparent },
    metadata: metadata.length === 0 ? undefined : Object.fromEntries(metadata),
    dataSchema: dataschema,
    data: data ?? undefined,
    routing: { eventName: type as string },
  });
}

/** As of an outbox event without an actor: the system that it comes from. */
function toActor({ actorid, actortype, source }: Attributes): JsonObject {
  if (actorid !== undefined) return { type: actortype ?? 'user', id: actorid };
  if (actortype !== undefined) return { type: actortype };
  return { type: 'system', id: (source as string).slice(0, AUDIT_LIMITS.actorId) };
}

/** The first word that stands for one; the last says what happened, and `com.example` in front says nothing. */
function categoryByWords(action: string): AuditCategory {
  const words = action.split('.').slice(0, -1);
  return words.map(categoryOf).find((category) => category !== undefined) ?? 'other';
}

function without(fields: Record<string, unknown>): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as JsonObject;
}

const ATTRIBUTE_OF: readonly (readonly [field: string, attribute: string])[] = [
  ['/eventId', '/id'],
  ['/actionVersion', '/type'],
  ['/action', '/type'],
  ['/routing/eventName', '/type'],
  ['/occurredAt', '/time'],
  ['/tenantId', '/tenantid'],
  ['/actor/id', '/actorid'],
  ['/actor/type', '/actortype'],
  ['/targets/0/id', '/subject'],
  ['/context/traceparent', '/traceparent'],
  ['/dataSchema', '/dataschema'],
  ['/metadata', ''],
];

/** Where a field of the audit event stands in the CloudEvent. @param wrapped the data are the audit event */
export function toAuditPointer(pointer: string, wrapped: boolean): string {
  if (wrapped) return `/data${pointer}`;
  const found = ATTRIBUTE_OF.find(([field]) => pointer === field || pointer.startsWith(`${field}/`));
  return found === undefined ? pointer : found[1] + pointer.slice(found[0].length);
}
