import { z } from 'zod';
import { operatorTimeSchema } from './operator-time.js';

/** What the audit log could not store, over HTTP: for people who operate it (R28). */

export const FAILED_INGEST_PATH = '/ops/v1/failed-ingest';

const stateSchema = z.enum(['open', 'stored', 'other_content', 'discarded']);

const filter = {
  code: z.string().min(1).max(100).optional().meta({ description: 'A SQLSTATE, or the name of an error.' }),
  source: z.string().min(1).max(256).optional(),
  since: operatorTimeSchema.optional().meta({ description: 'Kept first from this time on.' }),
  until: operatorTimeSchema.optional().meta({ description: 'Kept first before this time.' }),
};

export const failedIngestQuerySchema = z.strictObject({
  ...filter,
  state: stateSchema.default('open'),
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, { error: 'Expected a whole number from 1 to 200' })
    .transform(Number)
    .default(50)
    .meta({ description: '1 to 200; 50 unless asked otherwise.' }),
  before: z.uuid().optional().meta({ description: 'The `next` of the page before.' }),
});

/** The body of a retry and of a discard. */
export const failedIngestReasonSchema = z.strictObject({ reason: z.string().min(1).max(1_000) });

/** The body of a retry and of a discard of all that match; the open ones only. */
export const failedIngestMatchingSchema = z.strictObject({
  filter: z
    .strictObject(filter)
    .refine((fields) => Object.keys(fields).length > 0, { error: 'Expected code, source, since or until' })
    .meta({ minProperties: 1 }),
  reason: z.string().min(1).max(1_000),
  cap: z.int().min(1).max(1_000).default(1_000).meta({ description: 'At most so many in this call.' }),
  after: z.uuid().optional().meta({ description: 'The `next` of the call before.' }),
  dryRun: z.boolean().default(false).meta({ description: 'Only counts.' }),
});

export const failedIngestCountsSchema = z.object({
  matched: z.int(),
  next: z.uuid().nullable().meta({ description: 'Where there are more than this call took: `after` of the next one.' }),
  stored: z.int(),
  otherContent: z.int(),
  discarded: z.int(),
  failed: z.int().meta({ description: 'They stay open, as `invalid` ones do.' }),
  invalid: z.int(),
  notOpen: z.int(),
});
export type FailedIngestCounts = z.infer<typeof failedIngestCountsSchema>;

export const failedIngestSchema = z.object({
  id: z.uuid(),
  /** null: no tenant. */
  tenantId: z.string().nullable(),
  source: z.string(),
  eventId: z.string(),
  /** Why it could not be stored, at the last try: a SQLSTATE or an error's name, and words without any of its content. */
  code: z.string(),
  message: z.string(),
  /** The API key that sent it. */
  keyId: z.uuid(),
  tries: z.int(),
  firstAt: z.string(),
  lastAt: z.string(),
  state: stateSchema,
  stateAt: z.string().nullable(),
  /** Who asked last for a retry or a discard. */
  actor: z.string().nullable(),
  reason: z.string().nullable(),
});
export type FailedIngestView = z.infer<typeof failedIngestSchema>;

/** The newest first. `next` is null on the last page. */
export const failedIngestListSchema = z.object({ items: z.array(failedIngestSchema), next: z.uuid().nullable() });
export type FailedIngestList = z.infer<typeof failedIngestListSchema>;

/** `body` is JSON text as its sender wrote it: show it as text, never as markup. */
export const failedIngestFoundSchema = failedIngestSchema.extend({
  body: z.string().nullable().meta({
    description:
      'What was sent, as JSON text. null unless it is `open`, for what is closed keeps none, and for a watcher of the monitor.',
  }),
});
export type FailedIngestFound = z.infer<typeof failedIngestFoundSchema>;

export const failedIngestRetriedSchema = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('stored'),
    receipt: z.object({ recordId: z.uuid(), eventId: z.string(), recordedAt: z.string(), hash: z.string() }),
  }),
  /** A record with other content has the identity: this one is closed and will not be stored. */
  z.object({ outcome: z.literal('other_content') }),
]);
export type FailedIngestRetried = z.infer<typeof failedIngestRetriedSchema>;
