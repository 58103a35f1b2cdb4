import { z } from 'zod';
import { timeSchema } from './answers.js';

/** Retry policies, ordering and coalescing over HTTP: what is in force, why, and what it would do. */

export const POLICIES_PATH = '/ops/v1/policies';
export const POLICY_SIMULATION_PATH = `${POLICIES_PATH}/simulation`;

const name = z.string().min(1).max(128);
const integerText = (max: number, error: string) =>
  z
    .string()
    .regex(/^\d{1,9}$/, { error })
    .transform(Number)
    .refine((value) => value <= max, { error });

/** Where a value comes from: the event type's own policy, that of `*`, or the defaults. */
const fromSchema = z.enum(['type', 'everyone', 'default']);
const because = <Value extends z.ZodType>(value: Value) => z.object({ value, from: fromSchema });
const backoffSchema = z.record(z.string(), z.unknown());

const ruleSchema = z.object({
  code: z.string(),
  kind: z.enum(['retry', 'wait', 'final']),
  attempts: z.int().nullable().meta({ description: "null: the policy's own maximum." }),
  backoff: backoffSchema.nullable().meta({ description: "null: the policy's own." }),
  honoursRetryAfter: z.boolean(),
  from: z.enum(['type', 'everyone', 'catalogue']),
  when: z.string(),
  advice: z.string(),
});

const policySchema = z.object({
  eventType: z.string().meta({ description: '`*`: all that are not named.' }),
  hash: z.string(),
  text: z.string(),
  maxAttempts: because(z.int()),
  deadlineMs: because(z.int()),
  backoff: because(backoffSchema),
  rules: z.array(ruleSchema).meta({ description: 'One for each code of docs/errors.md.' }),
  ordering: z.object({
    configured: z.enum(['none', 'block', 'skip']),
    inForce: z.enum(['none', 'block', 'skip']).nullable().meta({ description: 'null: cannot be looked up now.' }),
  }),
  coalescing: z.object({ mode: z.enum(['off', 'adaptive', 'always']), size: z.int(), above: z.int(), below: z.int() }),
});

export const policyListSchema = z.object({
  policies: z.array(policySchema).meta({ description: "Of this api's configuration; `*` first." }),
  relays: z
    .array(
      z.object({
        host: z.string(),
        pid: z.int(),
        seenAt: timeSchema,
        same: z.boolean().meta({ description: 'It has the same policies as this api.' }),
        different: z.array(z.string()).meta({ description: 'Event types whose policies differ.' }),
        coalescing: z.array(z.object({ destination: z.string(), eventType: z.string(), on: z.boolean() })),
      }),
    )
    .nullable()
    .meta({ description: 'null: cannot be looked up now.' }),
  inRuns: z
    .array(z.object({ eventType: z.string(), hash: z.string().nullable(), runs: z.int() }))
    .nullable()
    .meta({ description: 'What runs under way have; of the 10,000 of each destination that are due next.' }),
});

export const simulationQuerySchema = z.strictObject({
  eventType: name.optional(),
  code: name,
  seed: integerText(999_999_999, 'Expected a whole number up to 999999999').default(1),
  attemptMs: integerText(600_000, 'Expected milliseconds, at most 600000').default(0),
  retryAfter: integerText(86_400, 'Expected seconds, at most 86400').optional(),
});

export const simulationSchema = z.object({
  eventType: z.string(),
  code: z.string(),
  hash: z.string(),
  attempts: z.array(z.object({ attempt: z.int(), atMs: z.number(), delayMs: z.number().nullable() })),
  finalCode: z.string().nullable().meta({ description: 'null: it goes on without end.' }),
  totalMs: z.number(),
});
