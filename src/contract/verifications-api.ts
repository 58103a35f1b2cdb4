import { z } from 'zod';
import { timeSchema } from './answers.js';

/** How the audit log's own tree stands, over HTTP: sealing, proofs of a page of records, and verification. */

export const AUDIT_STATUS_PATH = '/integration/v1/audit/log/status';
export const PROOF_STATES_PATH = '/integration/v1/audit/log/proof-states';
export const VERIFICATIONS_PATH = '/integration/v1/audit/verifications';

export const logStatusSchema = z.object({
  size: z.int(),
  unsealed: z.object({ count: z.int(), countedUpTo: z.int(), oldestSeconds: z.int().nullable() }),
  checkpoint: z
    .object({ branch: z.int(), size: z.int(), ageSeconds: z.int(), anchor: z.string().nullable() })
    .nullable(),
  trouble: z.array(z.string()).meta({ description: 'What is not as it should be; empty when all is well.' }),
  notes: z.array(z.string()).meta({ description: 'What is as it was set up, and protects less than it could.' }),
});

/** Asked for by POST for their number; changes nothing. */
export const proofStatesRequestSchema = z.strictObject({ recordIds: z.array(z.uuid()).min(1).max(200) });
export const proofStatesSchema = z.object({
  items: z.array(
    z.object({
      recordId: z.uuid(),
      /** `signed`: a signed checkpoint covers it. `sealed`: it has its place, and no checkpoint covers it yet. */
      state: z.enum(['signed', 'sealed', 'unsealed', 'unknown']),
      index: z.int().nullable(),
    }),
  ),
});

export const verificationRequestSchema = z.strictObject({
  recordId: z.uuid().optional().meta({ description: 'Only the part of the log that it stands in.' }),
});

const breakSchema = z.object({
  kind: z.string(),
  index: z.int().nullable(),
  recordId: z.string().nullable(),
  what: z.string(),
});

export const verificationSchema = z.object({
  id: z.uuid(),
  recordId: z.uuid().nullable().meta({ description: 'null: of the whole log.' }),
  askedBy: z.string(),
  askedAt: timeSchema,
  state: z.enum(['asked', 'running', 'done', 'failed']),
  progress: z.object({ done: z.int(), of: z.int() }).nullable(),
  endedAt: timeSchema.nullable(),
  outcome: z.enum(['whole', 'broken']).nullable(),
  report: z
    .object({
      from: z.int(),
      to: z.int(),
      records: z.int(),
      erased: z.int(),
      dropped: z.int(),
      pending: z.int(),
      signedSize: z.int(),
      anchoredSize: z.int().nullable(),
      counts: z.record(z.string(), z.int()),
      breaks: z.array(breakSchema),
    })
    .nullable(),
  error: z.string().nullable().meta({ description: 'Why it could not be done.' }),
});
export type Verification = z.infer<typeof verificationSchema>;
/** Of each report the first three breaks; by its id a verification tells all that it kept. */
export const verificationListSchema = z.object({ items: z.array(verificationSchema) });
