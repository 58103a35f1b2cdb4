import { z } from 'zod';

/** Where events go, over HTTP: for people who operate it. Answers are `DestinationList` and `Pause` as JSON. */

export const DESTINATIONS_PATH = '/ops/v1/destinations';

const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** In the path: a routing key, or `*` for all destinations. */
export const destinationNameSchema = z.string().refine((text) => text === '*' || NAME.test(text));

const scope = {
  /** Only events of this type. */
  eventType: z.string().regex(NAME, { error: 'Expected 1 to 64 letters, digits, "_", "." or "-"' }).optional(),
  /** Only events of this tenant; the empty string: those without one. */
  tenantId: z.string().max(64).optional(),
};
const reason = z.string().min(1).max(1_000);

export const resumeRequestSchema = z.strictObject({ reason, ...scope });

export const pauseRequestSchema = z.strictObject({
  reason,
  ...scope,
  /** When it resumes by itself; left out: not before it is resumed. */
  until: z.iso.datetime({ offset: true, error: 'Expected a time like 2026-11-23T18:00:00Z' }).optional(),
});
