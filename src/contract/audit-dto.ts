import { z } from 'zod';
import { type FieldProblem, findUnstorable, type JsonObject, type JsonValue, joinPointer } from './json-value.js';
import { parseRfc3339, RFC3339_PATTERN } from './rfc3339.js';

/**
 * Audit DTO v1: what one audit event is on the wire. Strict and about no one domain: an unknown field is refused, and a
 * new kind of event needs no change here.
 */

/** Every limit of the DTO. Lengths in UTF-16 code units, sizes in UTF-8 bytes. */
export const AUDIT_LIMITS = {
  eventBytes: 64 * 1024,
  batchBytes: 4 * 1024 * 1024,
  batchItems: 500,
  /** Containers inside one another, the event itself counted: a value of `data` has at most 31 left. */
  depth: 32,
  eventId: 200,
  source: 256,
  action: 128,
  /** actionVersion and schemaVersion: a PostgreSQL integer. */
  version: 2_147_483_647,
  outcomeReason: 256,
  /** How far occurredAt may lie ahead of the server's clock. */
  futureMs: 5 * 60_000,
  tenantId: 64,
  actorId: 128,
  sessionId: 128,
  name: 256,
  targets: 20,
  targetType: 64,
  targetId: 128,
  userAgent: 512,
  location: 256,
  requestId: 128,
  correlationId: 128,
  changes: 100,
  changeField: 128,
  metadataKeys: 50,
  metadataValue: 500,
  dataSchema: 256,
  eventName: 128,
  routingKey: 64,
  aggregateType: 64,
  aggregateId: 128,
  outboxId: 64,
  lookupPairs: 1_000,
  /** How many problems one answer names. */
  problems: 100,
} as const;

export const CATEGORIES = [
  'authentication',
  'authorization',
  'iam',
  'data',
  'configuration',
  'billing',
  'integration',
  'system',
  'other',
] as const;
export const OPERATIONS = ['create', 'read', 'update', 'delete', 'execute', 'login', 'logout', 'other'] as const;
export const OUTCOMES = ['success', 'failure', 'denied', 'unknown'] as const;
export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
export const ACTOR_TYPES = ['user', 'service', 'system', 'apiKey', 'anonymous'] as const;

export const ACTION_PATTERN = /^[a-z][a-z0-9]*(\.[a-z0-9_]+){1,5}$/;
export const METADATA_KEY_PATTERN = /^[A-Za-z0-9_-]{1,40}$/;
export const CONTENT_HASH_PATTERN = /^sha-256:[0-9a-f]{64}$/;
/** W3C Trace Context, level 1. */
export const TRACEPARENT_PATTERN = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** The characters of RFC 3986, percent-encoding whole; the structure is not looked at. */
const URI_REFERENCE_PATTERN = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;
const URI_PATTERN = /^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;
const JSON_POINTER_PATTERN = /^(?:\/(?:[^~/]|~[01])*)+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses (C0, DEL, C1)
const NO_CONTROLS_PATTERN = /^[^\u0000-\u001f\u007f-\u009f]*$/;

const text = (max: number) => z.string().min(1).max(max);
const version = z.int().min(1).max(AUDIT_LIMITS.version);

export const eventIdSchema = text(AUDIT_LIMITS.eventId).regex(NO_CONTROLS_PATTERN, {
  error: 'Expected text without control characters',
});
export const sourceSchema = text(AUDIT_LIMITS.source).regex(URI_REFERENCE_PATTERN, {
  error: 'Expected a URI reference (RFC 3986)',
});
export const tenantIdSchema = text(AUDIT_LIMITS.tenantId);
export const contentHashSchema = z
  .string()
  .regex(CONTENT_HASH_PATTERN, { error: 'Expected sha-256: and 64 lower-case hex digits' });

const metadataSchema = z
  .record(
    z.string().regex(METADATA_KEY_PATTERN),
    z.union([z.string().max(AUDIT_LIMITS.metadataValue), z.number(), z.boolean()], {
      error: `Expected a string of at most ${AUDIT_LIMITS.metadataValue} characters, a number or a boolean`,
    }),
  )
  .refine((metadata) => Object.keys(metadata).length <= AUDIT_LIMITS.metadataKeys, {
    error: `Expected at most ${AUDIT_LIMITS.metadataKeys} keys`,
  })
  // What a refinement asks for is said again for those who read the JSON Schema.
  .meta({ maxProperties: AUDIT_LIMITS.metadataKeys });

const actorSchema = z
  .strictObject({
    type: z.enum(ACTOR_TYPES),
    id: text(AUDIT_LIMITS.actorId).optional(),
    name: text(AUDIT_LIMITS.name).optional(),
    sessionId: text(AUDIT_LIMITS.sessionId).optional(),
    onBehalfOf: z.strictObject({ type: z.enum(ACTOR_TYPES), id: text(AUDIT_LIMITS.actorId) }).optional(),
    metadata: metadataSchema.optional(),
  })
  .refine((actor) => actor.type === 'anonymous' || actor.id !== undefined, {
    path: ['id'],
    error: 'Expected an id; only an anonymous actor goes without',
  })
  .meta({ anyOf: [{ required: ['id'] }, { properties: { type: { const: 'anonymous' } } }] });

const targetSchema = z.strictObject({
  type: text(AUDIT_LIMITS.targetType),
  id: text(AUDIT_LIMITS.targetId),
  name: text(AUDIT_LIMITS.name).optional(),
  metadata: metadataSchema.optional(),
});

const contextSchema = z.strictObject({
  ip: z.union([z.ipv4(), z.ipv6()], { error: 'Expected an IPv4 or IPv6 address' }).optional(),
  userAgent: text(AUDIT_LIMITS.userAgent).optional(),
  location: text(AUDIT_LIMITS.location).optional(),
  requestId: text(AUDIT_LIMITS.requestId).optional(),
  correlationId: text(AUDIT_LIMITS.correlationId).optional(),
  traceparent: z.string().regex(TRACEPARENT_PATTERN, { error: 'Expected a W3C traceparent' }).optional(),
});

const changeSchema = z.strictObject({
  field: text(AUDIT_LIMITS.changeField).regex(JSON_POINTER_PATTERN, { error: 'Expected a JSON Pointer (RFC 6901)' }),
  old: z.custom<JsonValue>().optional(),
  new: z.custom<JsonValue>().optional(),
  redacted: z.boolean().optional(),
});

const routingSchema = z.strictObject({
  eventName: text(AUDIT_LIMITS.eventName).optional(),
  routingKey: text(AUDIT_LIMITS.routingKey).optional(),
  aggregateType: text(AUDIT_LIMITS.aggregateType).optional(),
  aggregateId: text(AUDIT_LIMITS.aggregateId).optional(),
  outboxId: text(AUDIT_LIMITS.outboxId).optional(),
});

export const auditEventSchema = z.strictObject({
  specVersion: z.literal('1.0'),
  eventId: eventIdSchema,
  source: sourceSchema,
  action: text(AUDIT_LIMITS.action).regex(ACTION_PATTERN, {
    error: 'Expected 2 to 6 lower-case words joined by dots, such as auth.user.signed_in',
  }),
  actionVersion: version,
  category: z.enum(CATEGORIES),
  operation: z.enum(OPERATIONS),
  outcome: z.enum(OUTCOMES),
  outcomeReason: text(AUDIT_LIMITS.outcomeReason).optional(),
  /** `info` where absent. */
  severity: z.enum(SEVERITIES).optional(),
  occurredAt: z
    .string()
    .refine((value) => parseRfc3339(value) !== null, {
      error: 'Expected an RFC 3339 date-time with a zone, on a day that exists',
    })
    .meta({ format: 'date-time', pattern: RFC3339_PATTERN.source }),
  /** Absent: the tenant of the API key, or no tenant. */
  tenantId: tenantIdSchema.optional(),
  actor: actorSchema,
  targets: z.array(targetSchema).max(AUDIT_LIMITS.targets),
  context: contextSchema.optional(),
  changes: z.array(changeSchema).max(AUDIT_LIMITS.changes).optional(),
  metadata: metadataSchema.optional(),
  dataSchema: text(AUDIT_LIMITS.dataSchema).regex(URI_PATTERN, { error: 'Expected a URI (RFC 3986)' }).optional(),
  schemaVersion: version.optional(),
  data: z.record(z.string(), z.custom<JsonValue>()).optional(),
  /** Accepted only from keys with the any-tenant scope (R26). Fingerprinted, not stored. */
  contentHash: contentHashSchema.optional(),
  /** Where the event came from in the outbox. No part of the content: never fingerprinted. */
  routing: routingSchema.optional(),
});

/** Of a request's body: its items are looked at one by one, so it only says how they are sent. */
export const auditBatchSchema = z.array(auditEventSchema).min(1).max(AUDIT_LIMITS.batchItems);

export type AuditEvent = z.infer<typeof auditEventSchema>;
export type AuditActor = z.infer<typeof actorSchema>;
export type AuditContext = z.infer<typeof contextSchema>;
export type AuditChange = z.infer<typeof changeSchema>;
export type AuditMetadata = z.infer<typeof metadataSchema>;
export type AuditCategory = (typeof CATEGORIES)[number];
export type AuditOperation = (typeof OPERATIONS)[number];
export type AuditOutcome = (typeof OUTCOMES)[number];
export type AuditActorType = (typeof ACTOR_TYPES)[number];
export type { FieldProblem, JsonObject, JsonValue };

export type ParsedAuditEvent =
  | { readonly ok: true; readonly event: AuditEvent }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

/**
 * Checks everything about one event that does not depend on who sends it. The event is the very value given, never a
 * copy with defaults: it is fingerprinted and stored as sent. `now` is the server's clock.
 */
export function parseAuditEvent(value: unknown, now: Date): ParsedAuditEvent {
  const unstorable = findUnstorable(value, AUDIT_LIMITS.problems);
  if (unstorable.length > 0) return { ok: false, problems: unstorable };
  const parsed = auditEventSchema.safeParse(value);
  if (!parsed.success) return { ok: false, problems: toFieldProblems(parsed.error) };
  if ((parseRfc3339(parsed.data.occurredAt) as number) > now.getTime() + AUDIT_LIMITS.futureMs) {
    const detail = 'Expected a time not more than five minutes ahead of the server';
    return { ok: false, problems: [{ pointer: '/occurredAt', detail }] };
  }
  return { ok: true, event: value as AuditEvent };
}

/** Zod's issues as JSON Pointers with reasons, at most `AUDIT_LIMITS.problems`. Never holds a value that was sent. */
export function toFieldProblems(error: z.ZodError): FieldProblem[] {
  return error.issues
    .flatMap((issue) => {
      const pointer = issue.path.reduce<string>((at, segment) => joinPointer(at, String(segment)), '');
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map((key) => ({ pointer: joinPointer(pointer, key), detail: 'Unknown field' }));
      }
      return [{ pointer, detail: issue.message }];
    })
    .slice(0, AUDIT_LIMITS.problems);
}
