import { z } from 'zod';
import { anyUuidSchema, statusSchema, timeSchema } from './answers.js';
import { operatorTimeSchema } from './operator-time.js';

/** Where events go, over HTTP: for people who operate it. */

export const DESTINATIONS_PATH = '/ops/v1/destinations';

const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** In the path: a routing key, or `*` for all destinations. */
export const destinationNameSchema = z.string().regex(/^(\*|[A-Za-z][A-Za-z0-9_.-]{0,63})$/);

const scope = {
  /** Only events of this type. */
  eventType: z.string().regex(NAME, { error: 'Expected 1 to 64 letters, digits, "_", "." or "-"' }).optional(),
  /** Only events of this tenant; the empty string: those without one. */
  tenantId: z.string().max(64).optional(),
};
const reason = z.string().min(1).max(1_000);

export const resumeRequestSchema = z.strictObject({
  reason,
  ...scope,
  id: anyUuidSchema.optional().meta({
    description:
      'The pause that was looked at: where another one of the scope is in force, that goes on (`paused_meanwhile`). Left out: whichever it is.',
  }),
});

export const pauseRequestSchema = z.strictObject({
  reason,
  ...scope,
  /** When it resumes by itself; left out: not before it is resumed. */
  until: operatorTimeSchema.optional(),
  replaces: anyUuidSchema
    .nullable()
    .optional()
    .meta({
      description:
        'The pause of the scope that was looked at, null where none was: where another one is in force, that stays (`paused_meanwhile`). Left ' +
        'out: whichever it is gives way.',
    }),
});

export const pauseSchema = z.object({
  id: anyUuidSchema,
  /** Each null: any. */
  destination: z.string().nullable(),
  eventType: z.string().nullable(),
  tenantId: z.string().nullable(),
  until: timeSchema.nullable().meta({ description: 'null: until it is resumed.' }),
  reason: z.string(),
  actor: z.string(),
  createdAt: timeSchema,
});

/** What a pause answers. */
export const pausedSchema = pauseSchema.extend({
  known: z.boolean().meta({ description: 'false: nothing has that name yet; the pause is in force nevertheless.' }),
});

const failure = { code: z.string().meta({ description: 'One of docs/errors.md.' }), status: statusSchema.nullable() };

export const destinationListSchema = z.object({
  destinations: z.array(
    z.object({
      name: z.string(),
      breaker: z.enum(['closed', 'open', 'half_open']),
      health: z.enum(['ok', 'slow', 'degraded']),
      p95Ms: z.number().nullable(),
      failures: z.int().meta({ description: 'In a row, over all workers.' }),
      lastSuccessAt: timeSchema.nullable(),
      reason: z.object(failure).nullable(),
      openedAt: timeSchema.nullable(),
      openUntil: timeSchema.nullable(),
      closedAt: timeSchema.nullable(),
      maxRuns: z.int().nullable(),
      waiting: z.int().meta({ description: 'Events that wait for the relay; counted up to 10,000.' }),
      running: z.int().meta({ description: 'Runs started; counted up to 10,000.' }),
      outage: z
        .object({
          id: anyUuidSchema,
          firstFailureAt: timeSchema,
          openedAt: timeSchema,
          closedAt: timeSchema.nullable(),
          ...failure,
          letters: z.int().meta({ description: 'Open dead letters that this outage made; counted up to 10,000.' }),
        })
        .nullable()
        .meta({ description: 'The latest; null where there never was one.' }),
    }),
  ),
  pauses: z.array(pauseSchema),
});
