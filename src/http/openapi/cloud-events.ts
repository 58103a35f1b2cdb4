import { z } from 'zod';
import {
  ACTOR_TYPES,
  AUDIT_LIMITS,
  CATEGORIES,
  eventIdSchema,
  OPERATIONS,
  OUTCOMES,
  SEVERITIES,
  sourceSchema,
} from '../../contract/audit-dto.js';
import { RFC3339_PATTERN } from '../../contract/rfc3339.js';
import { type HeaderParameter, named } from './operation.js';

/**
 * A CloudEvent as JSON. The server reads it by rules of its own (`contract/cloud-event.ts`), which refuse whatever does not
 * fit here, and more.
 */
const attribute = z.union([z.string(), z.boolean(), z.int32()]).nullable();
const text = (max: number) => z.string().min(1).max(max).nullable().optional();

/** Of the body in binary mode: an event whose data are null has none. */
const dataSchema = z.record(z.string(), z.unknown()).nullable();

const cloudEventSchema = z
  .object({
    specversion: z.literal('1.0'),
    id: eventIdSchema,
    source: sourceSchema,
    type: z.string().min(1).max(AUDIT_LIMITS.eventName).meta({ description: 'The action, by docs/mapping.md.' }),
    subject: text(AUDIT_LIMITS.targetId).meta({ description: 'The target.' }),
    time: z.string().meta({ format: 'date-time', pattern: RFC3339_PATTERN.source }).nullable().optional(),
    dataschema: text(AUDIT_LIMITS.dataSchema).meta({
      description:
        '`urn:temporal-outbox:audit:v1`: the data are an audit event themselves, under the same id and source.',
    }),
    datacontenttype: z.string().nullable().optional().meta({ description: '`application/json`, or any `+json`.' }),
    data: dataSchema.optional(),
    data_base64: z.null().optional(),
    tenantid: attribute.optional(),
    actorid: attribute.optional(),
    actortype: z.enum(ACTOR_TYPES).nullable().optional(),
    category: z.enum(CATEGORIES).nullable().optional(),
    operation: z.enum(OPERATIONS).nullable().optional(),
    outcome: z.enum(OUTCOMES).nullable().optional(),
    severity: z.enum(SEVERITIES).nullable().optional(),
  })
  .catchall(attribute)
  .meta({ propertyNames: { pattern: '^([a-z0-9]{1,40}|data_base64)$' } });

export const cloudEvent = named('CloudEvent', cloudEventSchema);
export const cloudEventData = named('CloudEventData', dataSchema);
export const cloudEventBatch = named('CloudEventBatch', z.array(cloudEventSchema).min(1).max(AUDIT_LIMITS.batchItems));

/** What the body holds, or the header Content-Type says. */
const NO_HEADERS = new Set(['data', 'data_base64', 'datacontenttype']);

/**
 * The attributes of binary mode, by the schema of the event. A header says no more than text: what fits an attribute is
 * judged of an event in any mode, and in the other two modes these headers are not read.
 */
export const cloudEventHeaders: readonly HeaderParameter[] = Object.entries(cloudEventSchema.shape)
  .filter(([name]) => !NO_HEADERS.has(name))
  .map(([name, schema]) => ({
    name: `ce-${name}`,
    description:
      `Binary mode: \`${name}\` of the schema CloudEvent, percent-encoded.` +
      (schema.safeParse(undefined).success ? '' : ' Required there.'),
  }));

export const CLOUD_EVENT_EXAMPLE = {
  specversion: '1.0',
  id: '0197d3a0-5a5e-7000-8000-000000000002',
  source: '/services/shop',
  type: 'com.example.order.placed.v1',
  subject: 'o-1',
  time: '2026-01-02T03:04:05.678Z',
  actorid: 'u-1',
  data: { total: 2 },
};
