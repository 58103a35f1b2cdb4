import type { AuditEvent, AuditOperation, AuditOutcome } from '../../../contract/audit-dto.js';
import type { RecordView } from '../../../contract/audit-records-api.js';
import { parseRfc3339 } from '../../../contract/rfc3339.js';
import { ocsfClassOf } from './ocsf-class.js';
import { actorUser, targetUser, toResources } from './ocsf-people.js';

/** The schema that the fields are named by (schema.ocsf.io). */
const OCSF_VERSION = '1.4.0';

const SEVERITIES = { info: 1, low: 2, medium: 3, high: 4, critical: 5 } as const;
const SEVERITY_NAMES = {
  info: 'Informational',
  low: 'Low',
  medium: 'Medium',
  high: 'High',
  critical: 'Critical',
} as const;
/** OCSF knows no refusal beside failure: `status_detail` says it. */
const STATUS = {
  success: [1, 'Success'],
  failure: [2, 'Failure'],
  denied: [2, 'Failure'],
  unknown: [0, 'Unknown'],
} as const satisfies Record<AuditOutcome, readonly [number, string]>;

export type OcsfEvent = Readonly<Record<string, unknown>>;

/**
 * A record as an event of the Open Cybersecurity Schema Framework: sign-ins and sign-outs as Authentication (3002), what was
 * done to data, configuration, rights and the like as API Activity (6003), anything else as the base event. What OCSF has no
 * field for stands whole under `unmapped`. An erased record is a base event that says nothing but which one it was.
 */
export function toOcsf(record: RecordView): OcsfEvent {
  if ('erased' in record) {
    return {
      ...classFields(null),
      severity_id: 0,
      time: Date.parse(record.recordedAt),
      metadata: { version: OCSF_VERSION, product: PRODUCT },
      unmapped: { recordId: record.recordId, hash: record.hash, erased: true },
    };
  }
  const event = record.event as AuditEvent;
  const severity = event.severity ?? 'info';
  const [statusId, status] = STATUS[event.outcome];
  const detail = event.outcomeReason ?? (event.outcome === 'denied' ? 'denied' : undefined);
  const ocsfClass = ocsfClassOf(event.category);
  return {
    ...classFields(event),
    severity_id: SEVERITIES[severity],
    severity: SEVERITY_NAMES[severity],
    status_id: statusId,
    status,
    ...given('status_detail', detail),
    time: parseRfc3339(event.occurredAt) as number,
    metadata: metadataOf(record, event),
    actor: { user: actorUser(event.actor), ...given('session', given('uid', event.actor.sessionId)) },
    src_endpoint: event.context?.ip === undefined ? { svc_name: event.source } : { ip: event.context.ip },
    ...given('http_request', given('user_agent', event.context?.userAgent)),
    ...(ocsfClass === 'authentication' ? { user: targetUser(event) ?? actorUser(event.actor) } : {}),
    ...(ocsfClass === 'api' ? { resources: toResources(event.targets) } : {}),
    ...(ocsfClass === 'base' ? {} : { api: apiOf(event) }),
    unmapped: unmappedOf(record, event),
  };
}

const PRODUCT = { name: 'temporal-outbox', vendor_name: 'temporal-outbox' };

function metadataOf(record: Extract<RecordView, { event: unknown }>, event: AuditEvent): OcsfEvent {
  return {
    version: OCSF_VERSION,
    /** Who says so: an event's source is a product's name to whoever reads many. */
    product: { name: event.source, vendor_name: PRODUCT.vendor_name },
    uid: event.eventId,
    event_code: event.action,
    original_time: event.occurredAt,
    logged_time: Date.parse(record.recordedAt),
    ...given('tenant_uid', record.tenantId ?? undefined),
    ...given('correlation_uid', event.context?.correlationId),
  };
}

function apiOf(event: AuditEvent): OcsfEvent {
  const service = event.targets.find(({ type }) => type === 'service')?.id ?? event.source;
  const request = given('uid', event.context?.requestId);
  return { operation: event.action, service: { name: service }, ...given('request', request) };
}

function classFields(event: AuditEvent | null): OcsfEvent {
  const ocsfClass = event === null ? 'base' : ocsfClassOf(event.category);
  const { classUid, className, categoryUid, categoryName, activities } = CLASSES[ocsfClass];
  const [activityId, activityName] = activities[event?.operation ?? 'other'] ?? [99, event?.operation ?? 'Other'];
  return {
    class_uid: classUid,
    class_name: className,
    category_uid: categoryUid,
    category_name: categoryName,
    activity_id: activityId,
    activity_name: activityName,
    type_uid: classUid * 100 + activityId,
    type_name: `${className}: ${activityName}`,
  };
}

type Activities = Partial<Record<AuditOperation, readonly [number, string]>>;

const CLASSES = {
  authentication: {
    classUid: 3002,
    className: 'Authentication',
    categoryUid: 3,
    categoryName: 'Identity & Access Management',
    activities: { login: [1, 'Logon'], logout: [2, 'Logoff'] } as Activities,
  },
  api: {
    classUid: 6003,
    className: 'API Activity',
    categoryUid: 6,
    categoryName: 'Application Activity',
    activities: {
      create: [1, 'Create'],
      read: [2, 'Read'],
      update: [3, 'Update'],
      delete: [4, 'Delete'],
    } as Activities,
  },
  base: {
    classUid: 0,
    className: 'Base Event',
    categoryUid: 0,
    categoryName: 'Uncategorized',
    activities: {} as Activities,
  },
} as const;

function unmappedOf(record: Extract<RecordView, { event: unknown }>, event: AuditEvent): OcsfEvent {
  const { category, outcome, actionVersion, targets, changes, metadata, data, dataSchema, schemaVersion, routing } =
    event;
  const { onBehalfOf, metadata: actorMetadata } = event.actor;
  const { location, traceparent } = event.context ?? {};
  const rest = {
    category,
    outcome,
    actionVersion,
    targets,
    changes,
    metadata,
    data,
    dataSchema,
    schemaVersion,
    routing,
  };
  const more = { onBehalfOf, actorMetadata, location, traceparent };
  return { recordId: record.recordId, hash: record.hash, via: record.via, ...rest, ...more };
}

/** Left out where there is nothing: OCSF has no null. */
function given(name: string, value: unknown): OcsfEvent {
  const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return value === undefined || empty ? {} : { [name]: value };
}
