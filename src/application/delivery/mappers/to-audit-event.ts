/**
 * IntegrationEvent to audit DTO v1. The default mapping makes a valid audit event of ANY event, whatever its name, text,
 * depth or size; a mapper by event name says only what it gets wrong.
 */
import {
  AUDIT_LIMITS,
  type AuditContext,
  type AuditEvent,
  type AuditMetadata,
  auditEventSchema,
  type JsonValue,
} from '../../../contract/audit-dto.js';
import { cutText } from '../../../contract/fit-text.js';
import { listInMetadata } from '../../../contract/list-in-metadata.js';
import { parseRfc3339 } from '../../../contract/rfc3339.js';
import { toAction, toOperation, toOutcome } from '../../../contract/to-action.js';
import { IntegrationError } from '../../../domain/delivery/integration-error.js';
import type { IntegrationEvent } from '../../../domain/delivery/integration-event.js';
import { IMPORT_EVENT_TYPE } from '../../../domain/delivery/outbox-event.js';
import { createRedactor, type Redactor } from '../../../domain/redaction/redactor.js';
import { withoutSecrets } from '../../redaction/without-secrets.js';
import { classifyThrown } from '../classify-thrown.js';
import { checkAuditEvent } from './check-audit-event.js';
import { cutIdentifier } from './cut-identifier.js';
import { createFitting, type Fitting, fitObject } from './fit-json.js';
import { mapKnownEvent } from './known-events.js';
import { toActor } from './to-actor.js';
import { toCategory } from './to-category.js';
import { type Changes, toChanges } from './to-changes.js';

/** What a mapper may say about an event. Identity, time, tenant, provenance and content hash are not its to say. */
export type AuditStatement = Partial<
  Pick<
    AuditEvent,
    | 'action'
    | 'actionVersion'
    | 'category'
    | 'operation'
    | 'outcome'
    | 'outcomeReason'
    | 'severity'
    | 'actor'
    | 'targets'
    | 'context'
    | 'changes'
    | 'metadata'
    | 'dataSchema'
    | 'schemaVersion'
    | 'data'
  >
>;

/** Pure: the same event gives the same statement. Its fields replace those of the default mapping. */
export type AuditMapper = (event: IntegrationEvent) => AuditStatement;

/** What a producer may say itself, in `headers.audit` (see AuditHints): everything that a mapper may, but the data. */
const STATED = [
  'action',
  'actionVersion',
  'category',
  'operation',
  'outcome',
  'outcomeReason',
  'severity',
  'actor',
  'targets',
  'context',
  'changes',
  'metadata',
  'dataSchema',
  'schemaVersion',
] as const satisfies readonly (keyof AuditStatement)[];

/**
 * Strongest first: the user's mapper for the name, what the producer stated in `headers.audit` (fields that do not fit the
 * DTO are passed over and listed in `metadata.statedIgnored`), the built-in mapper for the name, the default mapping.
 * Context and metadata are merged, all else is replaced whole.
 * @param mappers by event name, with its version or without
 * @param redactor takes secrets out of the data, the changes and all metadata, whoever stated them (`withoutSecrets`)
 * @throws IntegrationError `DISPATCH.INVALID_EVENT` when a mapper throws, and when what it says does not fit the DTO
 */
export function toAuditEvent(
  event: IntegrationEvent,
  mappers: Readonly<Record<string, AuditMapper>>,
  redactor: Redactor = BUILT_IN,
): AuditEvent {
  const fitting = createFitting();
  const changes = toChanges(event.payload);
  const base = mapByDefault(event, changes, fitting);
  const known = mapKnownEvent(event);
  const stated = readStatement(event);
  const mapped = runMapper(event, mappers);
  // A producer's own metadata are the first to make room: the notes say where the record differs from the event.
  const said = Object.entries(stated.fields.metadata ?? {}).slice(0, AUDIT_LIMITS.metadataKeys - MAX_NOTES);
  const noted = notes(event, base, changes, fitting, stated.ignored);
  const metadata: AuditMetadata = { ...Object.fromEntries(said), ...noted, ...mapped.metadata };
  const context: AuditContext = { ...base.context, ...known.context, ...stated.fields.context, ...mapped.context };
  const outcomeReason = mapped.outcomeReason ?? stated.fields.outcomeReason ?? known.outcomeReason;
  const whole: AuditEvent = {
    ...base,
    ...known,
    ...stated.fields,
    ...mapped,
    ...(outcomeReason === undefined ? {} : { outcomeReason: cutText(outcomeReason, AUDIT_LIMITS.outcomeReason) }),
    ...(Object.keys(context).length === 0 ? {} : { context }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
  const safe = event.type === IMPORT_EVENT_TYPE ? whole : withoutSecrets(whole, redactor);
  const fitted = fitSize(safe, safe.metadata ?? {});
  return mapped === NOT_MAPPED ? fitted : checkAuditEvent(fitted);
}

/** Everything else makes a valid event of any, each stated field checked for itself: only a mapper's are checked here. */
const NOT_MAPPED: AuditStatement = {};

const BUILT_IN = createRedactor();

const MAX_NOTES = 8;

/** The source as the DTO has it, a URI reference: what cannot stand in one is percent-encoded. */
export function toAuditSource(source: string): string {
  const encoded = source
    .toWellFormed()
    .replace(/%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]/gu, (character) =>
      character === '%' ? '%25' : encodeURIComponent(character),
    );
  // '~' and hex digits, which cutIdentifier appends, may stand in a URI; half of an escape may not.
  const cut = cutIdentifier(encoded, AUDIT_LIMITS.source);
  return cut === encoded ? cut : cut.replace(/%[0-9A-Fa-f]?~/, '~');
}

/** R25: under what the audit log knows the event, whatever the mappers say of it now or said of it then. */
export function toAuditIdentity(event: IntegrationEvent): Pick<AuditEvent, 'source' | 'eventId' | 'tenantId'> {
  return {
    source: toAuditSource(event.source),
    eventId: event.id,
    ...(event.tenantId === null ? {} : { tenantId: cutIdentifier(event.tenantId, AUDIT_LIMITS.tenantId) }),
  };
}

function mapByDefault(event: IntegrationEvent, { changes }: Changes, fitting: Fitting): AuditEvent {
  const { action, actionVersion } = toAction(event.name);
  const context = toContext(event);
  return {
    specVersion: '1.0',
    ...toAuditIdentity(event),
    action,
    actionVersion,
    category: toCategory(event.type),
    operation: toOperation(action),
    outcome: toOutcome(action),
    occurredAt: occurredAt(event),
    actor: toActor(event),
    targets: [
      {
        type: cutText(event.aggregate.type, AUDIT_LIMITS.targetType),
        id: cutIdentifier(event.aggregate.id, AUDIT_LIMITS.targetId),
      },
    ],
    ...(Object.keys(context).length === 0 ? {} : { context }),
    ...(changes.length === 0 ? {} : { changes: [...changes] }),
    // The audit event itself is the first of its levels.
    data: fitObject(event.payload, AUDIT_LIMITS.depth - 1, fitting),
    contentHash: event.contentHash,
    routing: {
      eventName: cutText(event.name, AUDIT_LIMITS.eventName),
      routingKey: cutText(event.routingKey, AUDIT_LIMITS.routingKey),
      aggregateType: cutText(event.aggregate.type, AUDIT_LIMITS.aggregateType),
      aggregateId: cutIdentifier(event.aggregate.id, AUDIT_LIMITS.aggregateId),
      outboxId: event.id,
    },
  };
}

/** A time that a producer set ahead of its own append would be refused by the ingest; the append's own stands in. */
function occurredAt({ occurredAt: claimed, recordedAt }: IntegrationEvent): string {
  return isTimeAhead(claimed, recordedAt) ? recordedAt : claimed;
}

function isTimeAhead(claimed: string, recordedAt: string): boolean {
  const [claimedMs, recordedMs] = [parseRfc3339(claimed), parseRfc3339(recordedAt)];
  return claimedMs === null || (recordedMs !== null && claimedMs > recordedMs + AUDIT_LIMITS.futureMs);
}

const CONTEXT_TEXTS = {
  userAgent: AUDIT_LIMITS.userAgent,
  location: AUDIT_LIMITS.location,
  requestId: AUDIT_LIMITS.requestId,
  correlationId: AUDIT_LIMITS.correlationId,
} as const;

/** From the headers, else from the payload's fields of the same names. */
function toContext(event: IntegrationEvent): AuditContext {
  const context: Record<string, string> = {};
  for (const [name, max] of Object.entries(CONTEXT_TEXTS)) {
    const value = event.headers[name] ?? event.payload[name];
    if (typeof value === 'string' && value !== '') context[name] = cutText(value, max);
  }
  for (const name of ['ip', 'traceparent']) {
    const value = event.headers[name] ?? event.payload[name];
    if (typeof value === 'string' && auditEventSchema.shape.context.safeParse({ [name]: value }).success) {
      context[name] = value;
    }
  }
  return context;
}

function readStatement({ headers }: IntegrationEvent): { fields: AuditStatement; ignored: string[] } {
  const stated = headers.audit;
  if (typeof stated !== 'object' || stated === null || Array.isArray(stated)) return { fields: {}, ignored: [] };
  const fields: Record<string, JsonValue> = {};
  const ignored: string[] = [];
  for (const name of STATED) {
    const value = stated[name];
    if (value === undefined) continue;
    const parsed = auditEventSchema.shape[name].safeParse(value);
    if (parsed.success) fields[name] = value;
    else ignored.push(name);
  }
  return { fields: fitObject(fields, AUDIT_LIMITS.depth - 1, createFitting()) as AuditStatement, ignored };
}

function runMapper(event: IntegrationEvent, mappers: Readonly<Record<string, AuditMapper>>): AuditStatement {
  const unversioned = event.name.replace(/\.v[0-9]+$/, '');
  const name = [event.name, unversioned].find((candidate) => Object.hasOwn(mappers, candidate));
  if (name === undefined) return NOT_MAPPED;
  try {
    return mappers[name]?.(event) ?? {};
  } catch (cause) {
    const own = classifyThrown(cause);
    if (own.code === 'DISPATCH.INVALID_EVENT') throw own; // it names the field itself
    const message = `The mapper for "${event.name}" threw`;
    throw new IntegrationError('DISPATCH.INVALID_EVENT', { field: '/payload', message, cause });
  }
}

/** What the mapping had to change, so that nobody takes the record for the original where it is not. */
function notes(
  event: IntegrationEvent,
  { occurredAt }: AuditEvent,
  { omitted }: Changes,
  fitting: Fitting,
  statedIgnored: readonly string[],
): AuditMetadata {
  const numbers = [...new Set([...event.numbersAsStrings, ...fitting.numbers])];
  return {
    ...(numbers.length === 0 ? {} : { numbersAsStrings: listInMetadata(numbers) }),
    ...(fitting.flattened.length === 0 ? {} : { flattened: listInMetadata(fitting.flattened) }),
    ...(fitting.renamed.length === 0 ? {} : { renamedKeys: listInMetadata(fitting.renamed) }),
    ...(omitted === 0 ? {} : { changesOmitted: omitted }),
    ...(statedIgnored.length === 0 ? {} : { statedIgnored: listInMetadata(statedIgnored) }),
    ...(occurredAt === event.occurredAt ? {} : { occurredAtClaimed: cutText(event.occurredAt, 40) }),
  };
}

/**
 * At most 64 KiB on the wire. Changes repeat what the data say, so they go first; then the data, whose content hash stays.
 */
function fitSize(event: AuditEvent, metadata: AuditMetadata): AuditEvent {
  const json = JSON.stringify(event);
  // No UTF-16 unit is more than three bytes.
  if (json.length * 3 <= AUDIT_LIMITS.eventBytes || utf8Bytes(json) <= AUDIT_LIMITS.eventBytes) return event;
  const { changes, ...unchanged } = event;
  const cut: AuditEvent = { ...unchanged, metadata: { ...metadata, changesOmitted: changes?.length ?? 0 } };
  if (bytes(cut) <= AUDIT_LIMITS.eventBytes) return cut;
  return {
    ...cut,
    data: { omitted: true, bytes: bytes(event.data ?? {}) },
    metadata: { ...cut.metadata, dataOmitted: true },
  };
}

function bytes(value: object): number {
  return utf8Bytes(JSON.stringify(value));
}

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
