import { z } from 'zod';
import { anyUuidSchema, timeSchema } from './answers.js';

/** Aggregates whose order holds events back, over HTTP. Answers what is of the key's own tenant only. */
export const BLOCKED_AGGREGATES_PATH = '/ops/v1/blocked-aggregates';

const name = z.string().min(1).max(128);

export const blockedQuerySchema = z.strictObject({
  eventType: name.optional(),
  destination: name.optional(),
  tenantId: z.string().max(64).optional().meta({ description: 'The empty string: events without a tenant.' }),
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, { error: 'Expected a whole number from 1 to 200' })
    .transform(Number)
    .default(50)
    .meta({ description: '1 to 200; 50 unless asked otherwise.' }),
  after: z.guid().optional().meta({ description: 'The `next` of the page before.' }),
});

export const blockedPageSchema = z.object({
  items: z.array(
    z.object({
      destination: z.string(),
      eventType: z.string(),
      tenantId: z.string().nullable(),
      /** null where the event is gone. */
      aggregate: z.object({ type: z.string(), id: z.string() }).nullable(),
      head: z.object({
        eventId: anyUuidSchema,
        version: z.int(),
        epoch: z.int(),
        deadLetterId: anyUuidSchema.nullable().meta({ description: 'What to redrive or discard.' }),
        code: z.string().nullable(),
        deadSince: timeSchema.nullable(),
      }),
      waiting: z.int().meta({ description: 'Events behind it; counted up to 1,000.' }),
    }),
  ),
  next: z.string().nullable().meta({ description: '`after` of the next page; null on the last one.' }),
});
