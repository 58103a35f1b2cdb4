import { z } from 'zod';

/** The books over HTTP (R23): for people who operate the delivery. Answers are pages of `HourBooks` as JSON. */

export const BOOKS_PATH = '/ops/v1/books';

export const BOOKS_AGAIN_PATH = `${BOOKS_PATH}/again`;

const hourSchema = z
  .string()
  .regex(/^[12]\d{3}-\d\d-\d\dT\d\d:00:00Z$/, { error: 'Expected an hour like 2026-11-23T09:00:00Z' })
  .refine((text) => !Number.isNaN(Date.parse(text)), { error: 'Expected an hour like 2026-11-23T09:00:00Z' });

export const bookQuerySchema = z.strictObject({
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, { error: 'Expected a whole number from 1 to 200' })
    .transform(Number)
    .default(24),
  /** The `next` of the page before. */
  before: hourSchema.optional(),
  /** Only hours that do not balance. */
  gaps: z.enum(['true', 'false'], { error: 'Expected true or false' }).default('false'),
});

/** Hours from `since` on and before `until`: as after a restore of the audit log. Answered 202 `{hours}`. */
export const booksAgainSchema = z
  .strictObject({ since: hourSchema, until: hourSchema })
  .refine(({ since, until }) => since < until, { path: ['until'], error: 'Expected an hour after since' });
