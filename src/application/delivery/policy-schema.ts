/**
 * The `policies` section of a configuration: by event type, `*` for all that are not named. A type takes from `*` what it
 * leaves out, and `*` from the defaults of rules.md. The JSON Schema that the package publishes is made from this one.
 */
import { z } from 'zod';
import type { ErrorCode } from '../../domain/delivery/error-catalog.js';
import {
  type CodeRefinement,
  DEFAULT_POLICY,
  LONGEST_DELAY_MS,
  REFINABLE_CODES,
  type RetryPolicy,
} from '../../domain/delivery/policy.js';

const MOST_ATTEMPTS = 1_000;
const LONGEST_DEADLINE_MS = 90 * 86_400_000;

const delayMs = z.int().min(1).max(LONGEST_DELAY_MS);
const growing = <Kind extends string>(kind: Kind) =>
  z.strictObject({
    kind: z.literal(kind),
    initialMs: delayMs,
    coefficient: z.number().min(1).max(100).default(2),
    maximumMs: delayMs,
  });

const backoff = z
  .discriminatedUnion('kind', [
    growing('full-jitter'),
    growing('equal-jitter'),
    growing('exponential'),
    z.strictObject({ kind: z.literal('fixed'), intervalMs: delayMs }),
    z.strictObject({ kind: z.literal('schedule'), delaysMs: z.array(delayMs).min(1).max(100) }),
  ])
  .refine((value) => !('maximumMs' in value) || value.maximumMs >= value.initialMs, {
    path: ['maximumMs'],
    message: 'expected at least initialMs',
  });

const attempts = z.int().min(1).max(MOST_ATTEMPTS);
const refinement = z.union([
  z.literal('final'),
  z.strictObject({ attempts: attempts.optional(), backoff: backoff.optional() }),
]);

const policy = z.strictObject({
  /** Failed attempts that end a delivery, whatever their codes. */
  maxAttempts: attempts.optional(),
  /** From the first attempt on; judged only after an attempt that the destination answered or timed out. */
  deadlineMs: z.int().min(1_000).max(LONGEST_DEADLINE_MS).optional(),
  backoff: backoff.optional(),
  codes: z.strictObject(Object.fromEntries(REFINABLE_CODES.map((code) => [code, refinement.optional()]))).optional(),
});

const EVENT_TYPE = /^(\*|[A-Za-z][A-Za-z0-9_.-]{0,63})$/;

export const policiesSchema = z.record(
  z.string().regex(EVENT_TYPE, 'expected an event type (1 to 64 letters, digits, "_", "." or "-") or "*"'),
  policy,
);

/** What a configuration says of one event type; what it leaves out comes from `*`, then from the defaults. */
export type PolicyInput = Omit<Partial<RetryPolicy>, 'codes'> & {
  readonly codes?: Readonly<Partial<Record<(typeof REFINABLE_CODES)[number], CodeRefinement>>>;
};
export type PoliciesInput = Readonly<Record<string, PolicyInput>>;

/** Every problem with its path, or none. */
export function findPolicyProblems(input: unknown): string[] {
  const parsed = policiesSchema.safeParse(input);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => {
    const at = ['policies', ...issue.path.map(String)].join('.');
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${at}.${key}: ${unknownKey(issue.path)}`);
    return [`${at}: ${issue.message}`];
  });
}

function unknownKey(path: readonly PropertyKey[]): string {
  return path.at(-1) === 'codes'
    ? `not a code that a policy can refine; those are ${REFINABLE_CODES.join(', ')}`
    : 'not a field of a policy';
}

/** The policy in force for an event type. Throws nothing: the input has been checked. */
export function policyFor(eventType: string, input: PoliciesInput): RetryPolicy {
  const everyone = refine(DEFAULT_POLICY, input['*']);
  return Object.hasOwn(input, eventType) ? refine(everyone, input[eventType]) : everyone;
}

function refine(base: RetryPolicy, input: PolicyInput | undefined): RetryPolicy {
  if (input === undefined) return base;
  const codes: Partial<Record<ErrorCode, CodeRefinement>> = { ...base.codes, ...input.codes };
  return {
    maxAttempts: input.maxAttempts ?? base.maxAttempts,
    deadlineMs: input.deadlineMs ?? base.deadlineMs,
    backoff: input.backoff ?? base.backoff,
    codes,
  };
}
