import { z } from 'zod';
import { operatorTimeSchema } from './operator-time.js';

/**
 * Dead letters over HTTP: for people who operate the delivery. Answers stand in
 * dead-letter-answers.ts and redrive-job-answers.ts; a key that is bound to a tenant sees and moves its own tenant's only.
 */

export const DEAD_LETTERS_PATH = '/ops/v1/dead-letters';
export const LETTER_KINDS_PATH = `${DEAD_LETTERS_PATH}/kinds`;
export const REDRIVE_JOBS_PATH = '/ops/v1/redrive-jobs';

const name = z.string().min(1).max(128);
const filter = {
  eventType: name.optional(),
  code: name.optional().meta({ description: 'One of docs/errors.md.' }),
  tenantId: z.string().max(64).optional().meta({ description: 'The empty string: of events without a tenant.' }),
  destination: name.optional(),
  since: operatorTimeSchema.optional(),
  until: operatorTimeSchema.optional(),
  text: z.string().min(1).max(200).optional().meta({ description: 'Needs `since`, at most 31 days ago.' }),
  outageId: z.uuid().optional().meta({ description: '`outage.id` of a destination: the letters that it made.' }),
};
const page = {
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, { error: 'Expected a whole number from 1 to 200' })
    .transform(Number)
    .default(50)
    .meta({ description: '1 to 200; 50 unless asked otherwise.' }),
  before: z.uuid().optional().meta({ description: 'The `next` of the page before.' }),
};
const reason = z.string().min(1).max(1_000);

export const deadLetterQuerySchema = z.strictObject({
  ...filter,
  ...page,
  state: z.enum(['open', 'redriven', 'resolved', 'discarded']).default('open'),
});
export const letterKindsQuerySchema = z.strictObject({ tenantId: filter.tenantId, destination: filter.destination });
export const payloadQuerySchema = z.strictObject({
  redacted: z.enum(['true', 'false']).default('false').meta({
    description: '`true`: without what the configuration calls personal or secret, for whoever may read letters.',
  }),
});
export const redriveJobQuerySchema = z.strictObject(page);

/** Of one letter: its discard. */
export const reasonSchema = z.strictObject({ reason });
const revisions = z
  .int()
  .min(0)
  .optional()
  .meta({
    description:
      'How many `revisions` the letter had that was looked at: refused (`edited_meanwhile`) where its payload was edited ' +
      'since. Left out: whatever stands now.',
  });
/** Of one letter: its redrive. */
export const redriveSchema = z.strictObject({ reason, revisions });
export const cancelSchema = z.strictObject({});
/** Of several. */
export const idsSchema = z.strictObject({ ids: z.array(z.guid()).min(1).max(100), reason });
/** Of several: their redrive. */
export const severalRedriveSchema = idsSchema.extend({
  edited: z.boolean().default(false).meta({
    description:
      'Also those whose payload was edited. Else they stay, with the outcome `edited`: redrive each by itself.',
  }),
});
/** The whole new payload. Numbers beyond 2^53 are refused: those go by the command line, as text. */
export const editSchema = z.strictObject({
  payload: z.record(z.string(), z.unknown()),
  reason,
  revisions,
  dryRun: z.boolean().default(false),
});
export const createJobSchema = z.strictObject({
  /** Empty: every open letter. */
  filter: z.strictObject(filter),
  reason,
  /** Letters a second. */
  rate: z.int().min(1).max(1_000).default(50),
  /** Letters in all. */
  cap: z.int().min(1).max(100_000_000).optional(),
  /** Only counts. */
  dryRun: z.boolean().default(false),
});
export type FilterBody = z.infer<typeof createJobSchema>['filter'];
