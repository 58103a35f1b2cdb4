import { z } from 'zod';

/** Aggregates whose order holds events back, over HTTP. Answers a `BlockedPage` as JSON, of the key's own tenant only. */
export const BLOCKED_AGGREGATES_PATH = '/ops/v1/blocked-aggregates';

const name = z.string().min(1).max(128);

export const blockedQuerySchema = z.strictObject({
  eventType: name.optional(),
  destination: name.optional(),
  /** The empty string: events without a tenant. */
  tenantId: z.string().max(64).optional(),
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, { error: 'Expected a whole number from 1 to 200' })
    .transform(Number)
    .default(50),
  /** The `next` of the page before. */
  after: z.guid().optional(),
});
