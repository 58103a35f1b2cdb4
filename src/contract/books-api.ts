import { z } from 'zod';
import { anyUuidSchema, timeSchema } from './answers.js';

/** The books over HTTP (R23): for people who operate the delivery. */

export const BOOKS_PATH = '/ops/v1/books';

export const BOOKS_AGAIN_PATH = `${BOOKS_PATH}/again`;

const hourSchema = z.iso
  // A day that exists: the database refuses others, which JavaScript would take for the month after.
  .datetime({ error: 'Expected an hour like 2026-11-23T09:00:00Z' })
  .regex(/^[12]\d{3}-\d\d-\d\dT\d\d:00:00Z$/, { error: 'Expected an hour like 2026-11-23T09:00:00Z' });

export const bookQuerySchema = z.strictObject({
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, { error: 'Expected a whole number from 1 to 200' })
    .transform(Number)
    .default(24)
    .meta({ description: '1 to 200; 24 unless asked otherwise.' }),
  before: hourSchema.optional().meta({ description: 'The `next` of the page before.' }),
  gaps: z
    .enum(['true', 'false'], { error: 'Expected true or false' })
    .default('false')
    .meta({ description: 'Only hours that do not balance.' }),
});

const counts = z.record(z.string(), z.int());

export const bookPageSchema = z.object({
  items: z.array(
    z.object({
      hour: timeSchema.meta({ description: 'Its begin.' }),
      checkedAt: timeSchema.nullable().meta({ description: 'When the last look began; null: none has ended.' }),
      closed: z.boolean().meta({ description: 'No append can touch it any more.' }),
      statuses: counts.meta({ description: 'Events by the status of their delivery; `NONE` without one.' }),
      removed: counts.meta({ description: 'By status, what retention has removed. Not part of `statuses`.' }),
      audited: z.int().meta({ description: 'Delivered to the audit log.' }),
      asked: z.int().meta({ description: 'How many of these the audit log was asked for.' }),
      mode: z
        .enum(['whole', 'share', 'moved'])
        .nullable()
        .meta({ description: 'What the last look asked the audit log of: all, a random part, what had moved.' }),
      lastFull: z
        .object({ mode: z.enum(['whole', 'share']), checkedAt: timeSchema, audited: z.int(), asked: z.int() })
        .nullable()
        .meta({ description: 'The last look that asked of more than what had moved.' }),
      gapCount: z.int(),
      gapCounts: counts,
      gaps: z.array(
        z.object({
          gap: z.enum([
            'no_delivery',
            'dead_without_letter',
            'letter_without_dead',
            'not_in_audit_log',
            'past_deadline',
          ]),
          eventId: anyUuidSchema,
          tenantId: z.string(),
          status: z.string().nullable(),
          epoch: z.int().nullable(),
        }),
      ),
      againAt: timeSchema.nullable(),
      waitsFor: z.string().nullable().meta({ description: 'Why the look under way does not go on.' }),
    }),
  ),
  next: timeSchema.nullable().meta({ description: '`before` of the next page; null on the last one.' }),
});

/** Hours from `since` on and before `until`: as after a restore of the audit log. */
export const booksAgainSchema = z
  .strictObject({ since: hourSchema, until: hourSchema })
  .refine(({ since, until }) => since < until, { path: ['until'], error: 'Expected an hour after since' });
export const booksAskedAgainSchema = z.object({ hours: z.int().meta({ description: 'How many.' }) });
