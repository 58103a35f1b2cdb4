import { z } from 'zod';
import { anyUuidSchema, statusSchema, timeSchema } from './answers.js';
import { operatorTimeSchema } from './operator-time.js';

/** Events of the outbox over HTTP: for people who operate the delivery. A key that is bound to a tenant sees its own only. */

export const EVENTS_PATH = '/ops/v1/events';

/** What a person calls the state of an event. */
export const EVENT_STATES = ['waiting', 'running', 'retrying', 'delivered', 'dead', 'discarded'] as const;
export type EventState = (typeof EVENT_STATES)[number];

/** Of an event's attempts, letters and edits the latest so many are shown. */
export const MOST_OF_EVENT = 200;

const name = z.string().min(1).max(128);

export const eventQuerySchema = z.strictObject({
  state: z.enum(EVENT_STATES).optional(),
  eventType: name.optional(),
  eventName: name.optional(),
  destination: name.optional(),
  tenantId: z.string().max(64).optional().meta({ description: 'The empty string: events without a tenant.' }),
  aggregateType: name.optional(),
  aggregateId: z.string().min(1).max(512).optional(),
  source: z.string().min(1).max(256).optional(),
  since: operatorTimeSchema.optional().meta({ description: 'Recorded from this time on.' }),
  until: operatorTimeSchema.optional().meta({ description: 'Recorded before this time.' }),
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, { error: 'Expected a whole number from 1 to 200' })
    .transform(Number)
    .default(50)
    .meta({ description: '1 to 200; 50 unless asked otherwise.' }),
  cursor: z.string().min(1).max(200).optional().meta({ description: 'The `next` of the page before, same filter.' }),
});
export type EventQuery = z.output<typeof eventQuerySchema>;

const aggregateSchema = z.object({ type: z.string(), id: z.string(), version: z.int().nullable() });

const summary = {
  id: anyUuidSchema,
  eventName: z.string(),
  eventType: z.string(),
  destination: z.string(),
  /** null: no tenant. */
  tenantId: z.string().nullable(),
  aggregate: aggregateSchema,
  recordedAt: timeSchema,
  state: z.enum(EVENT_STATES).nullable().meta({ description: 'null: it has no delivery (R23 finds such).' }),
  epoch: z.int().nullable(),
  dueAt: timeSchema.nullable().meta({
    description: 'While it waits, or has failed and is tried again: from when on. null: claimed, or under way.',
  }),
  settledAt: timeSchema.nullable(),
  blocked: z.boolean().meta({ description: 'It waits for an earlier event of its aggregate.' }),
};
export const eventSummarySchema = z.object(summary);

/** The newest first. A page may hold fewer than `limit`, even none, and yet have a `next`: see `searched`. */
export const eventPageSchema = z.object({
  items: z.array(eventSummarySchema),
  next: z.string().nullable().meta({ description: '`cursor` of the next page; null on the last one.' }),
  searched: z.object({
    events: z.int().meta({ description: 'How many this page looked at.' }),
    backTo: timeSchema.nullable().meta({ description: 'It looked at all from this time on; null: at all.' }),
  }),
});

const runSchema = z.object({
  workflowId: z.string(),
  runId: z.string().nullable(),
  url: z.string().nullable().meta({ description: 'In the Temporal Web UI, where its address is configured.' }),
});

export const eventSchema = z.object({
  ...summary,
  source: z.string(),
  occurredAt: timeSchema,
  contentHash: z.string(),
  traceparent: z.string().nullable(),
  delivery: z
    .object({
      status: z.enum(['PENDING', 'STARTED', 'DELIVERED', 'DEAD', 'DISCARDED']),
      epoch: z.int(),
      claimed: z.boolean().meta({ description: 'A relay holds it.' }),
      startedAt: timeSchema
        .nullable()
        .meta({ description: 'Of this epoch; null: not marked yet, or its run was quicker.' }),
      startTries: z.int(),
      run: runSchema.nullable(),
      carrier: z.string().nullable().meta({ description: 'The batch that carries it; null: its own run.' }),
      policyHash: z.string().nullable(),
      receipt: z.record(z.string(), z.unknown()).nullable(),
    })
    .nullable(),
  attempts: z
    .array(
      z.object({
        epoch: z.int(),
        n: z.int(),
        local: z.boolean(),
        startedAt: timeSchema,
        finishedAt: timeSchema.nullable(),
        code: z.string().nullable().meta({ description: 'null: it has not failed.' }),
        status: statusSchema.nullable(),
        message: z.string().nullable(),
        delayMs: z
          .int()
          .nullable()
          .meta({ description: 'Until the next one; null: there was none, or it is not known.' }),
        worker: z.string().nullable(),
        run: runSchema.nullable(),
      }),
    )
    .meta({ description: 'Failed ones and those under way; the latest 200, in their order.' }),
  letters: z
    .array(
      z.object({
        id: anyUuidSchema,
        epoch: z.int(),
        code: z.string(),
        state: z.enum(['open', 'redriven', 'resolved', 'discarded']),
        createdAt: timeSchema,
        stateAt: timeSchema.nullable(),
        actor: z.string().nullable(),
        reason: z.string().nullable(),
      }),
    )
    .meta({ description: 'The latest 200, in their order.' }),
  revisions: z
    .array(z.object({ epoch: z.int(), actor: z.string(), reason: z.string(), createdAt: timeSchema }))
    .meta({ description: 'The latest 200, in their order.' }),
});
export type EventDetail = z.infer<typeof eventSchema>;

/** The payload that its next attempt sends, without what the configuration calls personal or secret. */
export const redactedPayloadSchema = z.object({
  payload: z.record(z.string(), z.unknown()),
  redacted: z.array(z.string()).meta({ description: 'JSON Pointers of what was taken out.' }),
});
