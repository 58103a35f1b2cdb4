import type { z } from 'zod';
import type { blockedPageSchema } from '../../contract/blocked-aggregates-api.js';
import type { bookPageSchema } from '../../contract/books-api.js';
import type {
  deadLetterPageSchema,
  deadLetterSchema,
  deadLetterSummarySchema,
  editedSchema,
  letterKindsSchema,
  severalDiscardedSchema,
  severalRedrivenSchema,
} from '../../contract/dead-letter-answers.js';
import type { pausedSchema } from '../../contract/destinations-api.js';
import type { eventPageSchema, eventSummarySchema, redactedPayloadSchema } from '../../contract/events-api.js';
import type { policyListSchema, simulationSchema } from '../../contract/policies-api.js';
import type { redriveCountSchema, redriveJobPageSchema, redriveJobSchema } from '../../contract/redrive-job-answers.js';
import type { logStatusSchema, proofStatesSchema, verificationListSchema } from '../../contract/verifications-api.js';

/** What the api answers, as its contract says. */

export type EventSummary = z.infer<typeof eventSummarySchema>;
export type EventPage = z.infer<typeof eventPageSchema>;
export type RedactedPayload = z.infer<typeof redactedPayloadSchema>;
export type LetterSummary = z.infer<typeof deadLetterSummarySchema>;
export type LetterPage = z.infer<typeof deadLetterPageSchema>;
export type Letter = z.infer<typeof deadLetterSchema>;
export type LetterKinds = z.infer<typeof letterKindsSchema>;
export type SeveralRedriven = z.infer<typeof severalRedrivenSchema>;
export type SeveralDiscarded = z.infer<typeof severalDiscardedSchema>;
export type Edited = z.infer<typeof editedSchema>;
export type Paused = z.infer<typeof pausedSchema>;
export type RedriveJob = z.infer<typeof redriveJobSchema>;
export type RedriveJobPage = z.infer<typeof redriveJobPageSchema>;
export type RedriveCount = z.infer<typeof redriveCountSchema>;
export type BookPage = z.infer<typeof bookPageSchema>;
export type BlockedPage = z.infer<typeof blockedPageSchema>;
export type PolicyList = z.infer<typeof policyListSchema>;
export type Policy = PolicyList['policies'][number];
export type Simulation = z.infer<typeof simulationSchema>;
export type LogStatus = z.infer<typeof logStatusSchema>;
export type ProofStates = z.infer<typeof proofStatesSchema>;
export type VerificationList = z.infer<typeof verificationListSchema>;
