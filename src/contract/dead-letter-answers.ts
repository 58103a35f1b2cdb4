import { z } from 'zod';
import { anyUuidSchema, statusSchema, timeSchema } from './answers.js';

/** What the operations API answers about dead letters. Texts were redacted when they were written. */

const stateSchema = z.enum(['open', 'redriven', 'resolved', 'discarded']);

export const deadLetterSummarySchema = z.object({
  id: anyUuidSchema,
  eventId: anyUuidSchema,
  epoch: z.int(),
  destination: z.string(),
  eventType: z.string(),
  /** null: no tenant. */
  tenantId: z.string().nullable(),
  code: z.string().meta({ description: 'One of docs/errors.md.' }),
  message: z.string(),
  status: statusSchema.nullable().meta({ description: 'What the last attempt was answered with; null: it was not.' }),
  retryCount: z.int(),
  maxRetries: z.int(),
  effect: z.enum(['none', 'unknown', 'stands']).meta({
    description: 'Whether the outside effect stands although the delivery failed.',
  }),
  createdAt: timeSchema,
  lastFailedAt: timeSchema,
  state: stateSchema,
  stateAt: timeSchema.nullable(),
  actor: z.string().nullable(),
  reason: z.string().nullable(),
});

export const deadLetterPageSchema = z.object({
  items: z.array(deadLetterSummarySchema),
  next: anyUuidSchema.nullable().meta({ description: '`before` of the next page; null on the last one.' }),
});

/** Of the open letters: how many of which kind, the largest first. */
export const letterKindsSchema = z.object({
  at: timeSchema,
  items: z.array(
    z.object({
      eventType: z.string(),
      code: z.string(),
      count: z.int(),
      first: timeSchema.meta({ description: 'When the oldest of them was written.' }),
      last: timeSchema,
      destinations: z.array(z.string()).meta({ description: 'At most 10.' }),
      perHour: z.array(z.int()).meta({
        description:
          'Those of the last 24 hours by when they were written, 24 numbers: the last one is of the hour before `at`.',
      }),
    }),
  ),
  more: z.boolean().meta({ description: 'There are more than these 200.' }),
});

export const deadLetterSchema = deadLetterSummarySchema.extend({
  stack: z.string().nullable(),
  causes: z.unknown(),
  response: z.unknown().meta({
    description: "The destination's last answer, be it an earlier attempt's: status, chosen headers, the body cut.",
  }),
  field: z.string().nullable(),
  workflowId: z.string().nullable(),
  runId: z.string().nullable(),
  traceparent: z.string().nullable(),
  policyHash: z.string().nullable(),
  firstFailedAt: timeSchema.nullable(),
  /** null where the event is gone. */
  event: z
    .object({
      eventName: z.string(),
      source: z.string(),
      aggregate: z.object({ type: z.string(), id: z.string(), version: z.int().nullable() }),
      occurredAt: timeSchema,
      recordedAt: timeSchema,
    })
    .nullable(),
  delivery: z.object({ status: z.string(), epoch: z.int() }).nullable(),
  attempts: z
    .array(
      z.object({
        epoch: z.int(),
        n: z.int(),
        local: z.boolean(),
        startedAt: timeSchema,
        finishedAt: timeSchema.nullable(),
        code: z.string().nullable(),
        status: statusSchema.nullable(),
        message: z.string().nullable(),
        worker: z.string().nullable(),
        carrier: z.string().nullable().meta({ description: "The batch's workflow id; null: the event's own run." }),
      }),
    )
    .meta({ description: "Of all epochs up to the letter's, in their order; the latest 200." }),
  revisions: z
    .array(
      z.object({
        epoch: z.int(),
        actor: z.string(),
        reason: z.string(),
        createdAt: timeSchema,
      }),
    )
    .meta({ description: 'Edited payloads, without the payloads.' }),
  previous: z
    .array(z.object({ id: anyUuidSchema, epoch: z.int(), code: z.string(), state: stateSchema, createdAt: timeSchema }))
    .meta({ description: 'The letters of the same event before this one, the latest first.' }),
});

const acted = { id: anyUuidSchema, eventId: anyUuidSchema, epoch: z.int() };
export const redrivenSchema = z.object({ outcome: z.literal('redriven'), ...acted });
export const discardedSchema = z.object({ outcome: z.literal('discarded'), ...acted });

const asked = { asked: anyUuidSchema.meta({ description: 'The id that was sent.' }) };
const notActed = [
  z.object({ ...asked, outcome: z.literal('missing') }),
  z.object({
    ...asked,
    outcome: z.literal('not-open'),
    state: z.enum(['redriven', 'resolved', 'discarded', 'pending', 'started', 'delivered', 'dead']),
    actor: z.string().nullable(),
    at: timeSchema.nullable(),
  }),
] as const;
/** One outcome for each id, in the order sent. */
export const severalRedrivenSchema = z.object({
  results: z.array(
    z.discriminatedUnion('outcome', [
      redrivenSchema.extend(asked),
      z.object({ ...asked, outcome: z.enum(['effect-stands', 'not-told', 'edited']) }),
      ...notActed,
    ]),
  ),
});
export const severalDiscardedSchema = z.object({
  results: z.array(z.discriminatedUnion('outcome', [discardedSchema.extend(asked), ...notActed])),
});

const edit = {
  difference: z
    .array(z.object({ pointer: z.string(), before: z.unknown().optional(), after: z.unknown().optional() }))
    .meta({ description: 'Where the two payloads differ; at most 200 places.' }),
  checkedBy: z.enum(['handler', 'limits']),
};
export const editedSchema = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('edited'), id: anyUuidSchema, eventId: anyUuidSchema, revision: z.int(), ...edit }),
  z.object({ outcome: z.literal('fits'), ...edit }),
]);

/** The payload itself, as the database keeps it. */
export const payloadSchema = z.record(z.string(), z.unknown());
