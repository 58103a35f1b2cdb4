import { z } from 'zod';
import { AUDIT_LOGS_PATH } from './audit-api.js';
import {
  ACTOR_TYPES,
  AUDIT_LIMITS,
  CATEGORIES,
  CONTENT_HASH_PATTERN,
  OPERATIONS,
  OUTCOMES,
  SEVERITIES,
  sourceSchema,
} from './audit-dto.js';
import { parseRfc3339, RFC3339_PATTERN } from './rfc3339.js';

/** Records over HTTP: a list by filter, one by its id, an export. */

export const AUDIT_EXPORT_PATH = `${AUDIT_LOGS_PATH}/export`;
export const NDJSON_MEDIA_TYPE = 'application/x-ndjson';
export const CSV_MEDIA_TYPE = 'text/csv';

const text = (max: number) => z.string().min(1).max(max);

/** Records stand in milliseconds: of a finer time the next millisecond is meant, for "from" and "before" alike. */
const instantSchema = z
  .string()
  .refine((value) => parseRfc3339(value) !== null, {
    error: 'Expected an RFC 3339 date-time with a zone, on a day that exists (in a URL + is %2B)',
  })
  .meta({ format: 'date-time', pattern: RFC3339_PATTERN.source })
  .transform((value) => (parseRfc3339(value) as number) + (/\.\d{3}\d*[1-9]/.test(value) ? 1 : 0));

export const RECORD_ACTION_PATTERN = /^[a-z][a-z0-9]*(\.[a-z0-9_]+){0,5}$/;

const filterFields = {
  tenantId: z.string().max(AUDIT_LIMITS.tenantId).optional().meta({
    description:
      "The empty text: records without a tenant. Absent: the key's own tenant; with the any-tenant scope, all.",
  }),
  actorType: z.enum(ACTOR_TYPES).optional(),
  actorId: text(AUDIT_LIMITS.actorId).optional(),
  targetType: text(AUDIT_LIMITS.targetType).optional(),
  targetId: text(AUDIT_LIMITS.targetId).optional(),
  action: text(AUDIT_LIMITS.action)
    .regex(RECORD_ACTION_PATTERN, { error: 'Expected an action or its first words, such as auth.user' })
    .optional()
    .meta({ description: 'An action, or its first words: `auth.user` finds `auth.user.signed_in`.' }),
  category: z.enum(CATEGORIES).optional(),
  operation: z.enum(OPERATIONS).optional(),
  outcome: z.enum(OUTCOMES).optional(),
  severity: z.enum(SEVERITIES).optional(),
  source: sourceSchema.optional(),
  recordedFrom: instantSchema.optional().meta({ description: 'From this time on.' }),
  recordedTo: instantSchema.optional().meta({ description: 'Before this time.' }),
  occurredFrom: instantSchema.optional(),
  occurredTo: instantSchema.optional(),
  text: text(200).optional().meta({
    description:
      "In the event's JSON, names of fields too, in whatever case. No character of it means anything but itself.",
  }),
};

export const recordsQuerySchema = z.strictObject({
  ...filterFields,
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, { error: 'Expected a whole number from 1 to 200' })
    .transform(Number)
    .default(50)
    .meta({ description: '1 to 200; 50 unless asked otherwise.' }),
  cursor: text(200).optional().meta({ description: 'The `next` of the page before, with the same filter.' }),
  format: z.enum(['json', 'ocsf']).default('json'),
});

export const exportQuerySchema = z.strictObject({
  ...filterFields,
  format: z.enum(['ndjson', 'ocsf', 'csv']).default('ndjson'),
});

/** The fields of a filter, as they were asked for. */
export type RecordFilterQuery = Omit<z.output<typeof exportQuerySchema>, 'format'>;

export const recordViewSchema = z.union([
  z.object({
    /** UUIDv7, of `recordedAt`. */
    recordId: z.uuid(),
    /** The server's clock: RFC 3339, UTC, milliseconds. */
    recordedAt: z.string(),
    /** null: no tenant. */
    tenantId: z.string().nullable(),
    /** Whether our own outbox brought it, be it an import, or another caller. */
    via: z.enum(['outbox', 'api']),
    /** Of the record's leaf, as in its receipt. */
    hash: z.string().regex(CONTENT_HASH_PATTERN).nullable(),
    /** As it was sent, without its content hash and what was redacted. Its texts are strangers': show them as text, never as markup. */
    event: z.record(z.string(), z.unknown()),
  }),
  /** What an erasure left. */
  z.strictObject({
    recordId: z.uuid(),
    recordedAt: z.string(),
    hash: z.string().regex(CONTENT_HASH_PATTERN).nullable(),
    erased: z.literal(true),
  }),
]);
export type RecordView = z.infer<typeof recordViewSchema>;

/** An event of the Open Cybersecurity Schema Framework; its fields are its class's. */
const ocsfEventSchema = z.record(z.string(), z.unknown()).meta({ required: ['class_uid', 'type_uid', 'time'] });

/** The newest first. A page may hold fewer than `limit`, even none, and yet have a `next`: see `searched`. */
export const recordListSchema = z.object({
  /** With `format=ocsf` each is an OCSF event. */
  items: z.array(z.union([recordViewSchema, ocsfEventSchema])),
  /** null on the last page. */
  next: z.string().nullable(),
  searched: z.object({
    /** How many records this page looked at. */
    records: z.int(),
    /** It looked at everything from this time on; null: at everything. */
    backTo: z.string().nullable(),
  }),
});
export type RecordList = z.infer<typeof recordListSchema>;

/** A page whose items are records. */
export const recordPageSchema = recordListSchema.extend({ items: z.array(recordViewSchema) });
export type RecordPage = z.infer<typeof recordPageSchema>;
/** What a page of records is asked for with. */
export type RecordQuery = Omit<z.input<typeof recordsQuerySchema>, 'limit' | 'format'> & {
  /** 1 to 200; 50 unless asked otherwise. */
  readonly limit?: number;
};
