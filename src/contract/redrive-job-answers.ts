import { z } from 'zod';
import { anyUuidSchema, timeSchema } from './answers.js';

/** What the operations API answers about redrive jobs. */

export const redriveJobSchema = z.object({
  id: anyUuidSchema,
  filter: z.object({
    eventType: z.string().nullable(),
    code: z.string().nullable(),
    tenantId: z.string().nullable(),
    destination: z.string().nullable(),
    since: z.string().nullable(),
    until: z.string().nullable(),
    text: z.string().nullable(),
    outageId: z.string().nullable(),
  }),
  rate: z.int().meta({ description: 'Letters a second, at most.' }),
  cap: z.int().nullable().meta({ description: 'Letters in all, at most; null: every one.' }),
  expected: z.int().meta({ description: 'How many there were when it was made.' }),
  state: z.enum(['running', 'done', 'cancelled']),
  redriven: z.int(),
  skipped: z.int().meta({ description: 'Settled, discarded or redriven by somebody else meanwhile.' }),
  error: z.string().nullable().meta({ description: 'Why its last step failed; null once one succeeds.' }),
  actor: z.string(),
  reason: z.string(),
  createdAt: timeSchema,
  looksAgainAt: timeSchema.nullable().meta({
    description:
      'All that stood is done; then it looks once more, for letters that were being written when it was made.',
  }),
  endedAt: timeSchema.nullable(),
  endedBy: z.string().nullable().meta({ description: 'Who cancelled it.' }),
});

export const redriveJobPageSchema = z.object({ items: z.array(redriveJobSchema), next: anyUuidSchema.nullable() });

export const redriveCountSchema = z.object({
  count: z.int(),
  edited: z.int().meta({ description: 'Letters with an edited payload: a job leaves them out.' }),
  groups: z
    .array(z.object({ destination: z.string(), eventType: z.string(), code: z.string(), count: z.int() }))
    .meta({ description: 'The largest first, 20 at most.' }),
});
