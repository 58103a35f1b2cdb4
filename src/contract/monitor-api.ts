import { z } from 'zod';
import { timeSchema } from './answers.js';
import { overviewPartSchema } from './overview-api.js';

/** The monitor: its files, who is signed in, and the stream of what the overview shows. */

export const MONITOR_PATH = '/monitor';
export const SESSION_PATH = `${MONITOR_PATH}/session`;
export const STREAM_PATH = `${MONITOR_PATH}/stream`;

/** Carries the session's own token with every request that changes something. */
export const CSRF_HEADER = 'X-Outbox-CSRF';
/** `no`: the session could not be looked up now; what was known of it a moment ago holds for reading. */
export const SESSION_CHECKED_HEADER = 'X-Session-Checked';

export const PASSWORD_BOUNDS = { min: 12, max: 200 } as const;
const secret = z.string().min(1).max(400);

/** One of three: an API key, an operator's name and password, or a link that works once. */
export const signInSchema = z.union([
  z.strictObject({ key: secret }),
  z.strictObject({ name: z.string().min(1).max(64), password: secret }),
  z.strictObject({ link: secret }),
]);
export type SignIn = z.infer<typeof signInSchema>;

export const SESSION_ROLES = ['watcher', 'viewer', 'operator'] as const;

export const sessionSchema = z.object({
  /** As it stands in what is recorded of a change: `api-key:…` or `user:…`. */
  actor: z.string(),
  name: z.string(),
  role: z.enum(SESSION_ROLES).meta({ description: 'A viewer changes nothing, and a watcher reads no records either.' }),
  may: z.object({
    readDelivery: z.boolean(),
    changeDelivery: z.boolean(),
    readRecords: z.boolean(),
    readAnyTenant: z.boolean().meta({
      description:
        'Records of every tenant. false: those of `tenantId` alone; where that is null, those without a tenant.',
    }),
  }),
  tenantId: z.string().nullable().meta({ description: 'null: bound to none, sees what is of all.' }),
  endsAt: timeSchema,
  checked: z.boolean().meta({ description: 'false: as it was known a moment ago; it cannot be looked up now.' }),
  csrf: z.string().meta({ description: `For the header ${CSRF_HEADER}.` }),
  links: z.object({
    temporalUi: z.string().nullable(),
    namespace: z.string().nullable(),
  }),
  version: z.string(),
});
export type Session = z.infer<typeof sessionSchema>;

/** Of a sign-out that not all apis know of, since the audit database does not answer: others take the session until it ends. */
export const signedOutSchema = z.object({ ended: z.literal(false) });

/** `snapshot` comes first, `part` when one has changed, `tick` every other second. */
export const streamMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('snapshot'), at: timeSchema, version: z.string(), parts: z.array(overviewPartSchema) }),
  z.object({ type: z.literal('part'), part: overviewPartSchema }),
  z.object({ type: z.literal('tick'), at: timeSchema }),
]);
export type StreamMessage = z.infer<typeof streamMessageSchema>;
