/**
 * The `policies` section of a configuration: by event type, `*` for all that are not named. A type takes from `*` what it
 * leaves out, and `*` from the defaults of rules.md. The JSON Schema that the package publishes is made from this one.
 */
import { z } from 'zod';
import { COALESCING_BOUNDS, type Coalescing, DEFAULT_COALESCING } from '../../domain/delivery/coalescing.js';
import type { ErrorCode } from '../../domain/delivery/error-catalog.js';
import {
  type Backoff,
  type CodeRefinement,
  DEFAULT_POLICY,
  LONGEST_DELAY_MS,
  REFINABLE_CODES,
  type RetryPolicy,
} from '../../domain/delivery/policy.js';
import type { Orderings } from './ordering/ports.js';

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

const BACKOFF_KINDS = [
  'full-jitter',
  'equal-jitter',
  'exponential',
  'fixed',
  'schedule',
] as const satisfies readonly Backoff['kind'][];

const attempts = z.int().min(1).max(MOST_ATTEMPTS);
const refinement = z.union([
  z.literal('final'),
  z.strictObject({ attempts: attempts.optional(), backoff: backoff.optional() }),
]);

const ordering = z.union([
  z.literal('none'),
  z.strictObject({ by: z.literal('aggregate'), whenHeadDead: z.enum(['block', 'skip']) }),
]);

const coalescingMode = z.enum(['off', 'adaptive', 'always']);
const backlog = z.int().min(1).max(COALESCING_BOUNDS.maxBacklog);
const coalescing = z.union([
  coalescingMode,
  z.strictObject({
    mode: coalescingMode,
    size: z.int().min(COALESCING_BOUNDS.minSize).max(COALESCING_BOUNDS.maxSize).optional(),
    above: backlog.optional(),
    below: backlog.optional(),
  }),
]);

const policy = z.strictObject({
  /** Failed attempts that end a delivery, whatever their codes. */
  maxAttempts: attempts.optional(),
  /** From the first attempt on; judged only after an attempt that the destination answered or timed out. */
  deadlineMs: z.int().min(1_000).max(LONGEST_DEADLINE_MS).optional(),
  backoff: backoff.optional(),
  codes: z.strictObject(Object.fromEntries(REFINABLE_CODES.map((code) => [code, refinement.optional()]))).optional(),
  /** Whether the events of an aggregate wait for each other; takes effect by `outbox policies apply --ordering`. */
  ordering: ordering.optional(),
  /** Whether many events travel in one run: `off`, above a backlog (`adaptive`), or `always`. */
  coalescing: coalescing.optional(),
});

const EVENT_TYPE = /^(\*|[A-Za-z][A-Za-z0-9_.-]{0,63})$/;

export const policiesSchema = z
  .record(
    z.string().regex(EVENT_TYPE, 'expected an event type (1 to 64 letters, digits, "_", "." or "-") or "*"'),
    policy,
  )
  .refine((policies) => policies?.['*']?.ordering === undefined, {
    path: ['*', 'ordering'],
    message: 'expected under the name of an event type: each ordered type is named',
    when: beside,
  })
  .refine((policies) => policies?.OUTBOX?.ordering === undefined, {
    path: ['OUTBOX', 'ordering'],
    message: 'expected none: its events are our own, of what operators do, and have no version',
    when: beside,
  })
  .superRefine(
    (policies, { addIssue }) => {
      for (const [name, own] of Object.entries(policies ?? {})) {
        const said = own?.coalescing;
        if (typeof said !== 'object' || (said?.above === undefined && said?.below === undefined)) continue;
        const everyone = name === '*' ? DEFAULT_COALESCING : coalesce(DEFAULT_COALESCING, policies['*']?.coalescing);
        const { above, below } = coalesce(everyone, said);
        const message = `expected at most above, which is ${above}, got ${below}: what is left out comes from "*", then from the defaults`;
        if (below > above) addIssue({ code: 'custom', path: [name, 'coalescing', 'below'], message });
      }
    },
    { when: beside },
  );

/** Told beside whatever else does not fit, so that every problem is told at once. */
function beside(): boolean {
  return true;
}

type BackoffInput<B extends Backoff = Backoff> = B extends { coefficient: number }
  ? Omit<B, 'coefficient'> & { readonly coefficient?: number }
  : B;

/** What a configuration says of one event type; what it leaves out comes from `*`, then from the defaults. */
export interface PolicyInput {
  /** Failed attempts that end a delivery, whatever their codes. Default 10. */
  readonly maxAttempts?: number;
  /** From the first attempt on; judged only after an attempt that the destination answered or timed out. Default a day. */
  readonly deadlineMs?: number;
  /** Default: full jitter, 1 s × 2 up to 5 min. `coefficient` is 2 where it is left out. */
  readonly backoff?: BackoffInput;
  /** By code; see docs/errors.md for the defaults. */
  readonly codes?: Readonly<
    Partial<
      Record<
        (typeof REFINABLE_CODES)[number],
        'final' | { readonly attempts?: number; readonly backoff?: BackoffInput }
      >
    >
  >;
  /**
   * Of a named event type only. `none` (the default), or by `aggregate.version`, which its events must then carry: of one
   * aggregate only the lowest version that is not settled is delivered; behind a dead one the others wait (`block`) or go on
   * (`skip`). Takes effect by `outbox policies apply --ordering`.
   */
  readonly ordering?: 'none' | { readonly by: 'aggregate'; readonly whenHeadDead: 'block' | 'skip' };
  /**
   * Whether many events travel in one run, to a destination whose handler takes them together (`deliverBatch`; the audit
   * log's does). `off`, the default: never. `adaptive`: from `above` (1,000) due events of the type on that wait for a
   * destination, until fewer than `below` (250) have for half a minute. `always`: whatever waits together. `size`: at most so
   * many in one run, 2 to 500, default 200. What fails in it goes on in a run of its own. See docs/coalescing.md.
   */
  readonly coalescing?:
    | Coalescing['mode']
    | {
        readonly mode: Coalescing['mode'];
        readonly size?: number;
        readonly above?: number;
        readonly below?: number;
      };
}

/** By event type; `*` is for all that are not named. */
export type PoliciesInput = Readonly<Record<string, PolicyInput>>;

/**
 * JSON Schema (draft 2020-12) of the `policies` section, for editors and for files that are made by other programs. Three
 * rules it cannot say: `maximumMs` is at least `initialMs`; `below` is at most `above`; `*` and `OUTBOX` have no `ordering`.
 */
export function policiesJsonSchema(): object {
  return { title: 'temporal-outbox policies', ...z.toJSONSchema(policiesSchema, { io: 'input' }) };
}

/** Every problem with its path, or none. */
export function findPolicyProblems(input: unknown): string[] {
  const parsed = policiesSchema.safeParse(input);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => describe(issue, []));
}

/** `path`: of the union that the issue was found in. */
function describe(issue: z.core.$ZodIssue, parent: readonly PropertyKey[]): string[] {
  const path = [...parent, ...issue.path];
  const at = ['policies', ...path.map(String)].join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${at}.${key}: ${unknownKey(path)}`);
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => `${at}: ${message}`);
  if (issue.code !== 'invalid_union') return [`${at}: ${issue.message}`];
  if (path.at(-1) === 'kind') return [`${at}: expected one of ${BACKOFF_KINDS.join(', ')}`];
  // A word or an object: of an object its own problems are told, of anything else what was expected.
  const branch = issue.errors.at(-1) ?? [];
  const isObject = !branch.some(({ code, path: { length } }) => code === 'invalid_type' && length === 0);
  if (isObject) return branch.flatMap((inner) => describe(inner, path));
  return [`${at}: expected ${EXPECTED[String(path.at(-1))] ?? '"final" or attempts and backoff'}`];
}

/** What a union takes, by its name. */
const EXPECTED: Readonly<Record<string, string>> = {
  ordering: '"none" or by and whenHeadDead',
  coalescing: '"off", "adaptive", "always" or mode, size, above and below',
};

function unknownKey(path: readonly PropertyKey[]): string {
  return path.at(-1) === 'codes'
    ? `not a code that a policy can refine; those are ${REFINABLE_CODES.join(', ')}`
    : 'not a field of a policy';
}

/** Which event types travel many to a run. */
export interface Coalescings {
  /** The types that have a policy of their own, whatever it says. */
  readonly named: ReadonlyMap<string, Coalescing>;
  readonly otherwise: Coalescing;
}

export interface Policies {
  /** The event types with a policy of their own. */
  readonly named: readonly string[];
  /** The ordered event types. */
  readonly orderings: Orderings;
  readonly coalescings: Coalescings;
  /** For all that are not named. */
  readonly otherwise: RetryPolicy;
  /** The policy in force for an event type. */
  of(eventType: string): RetryPolicy;
}

/** Throws a ZodError for what `findPolicyProblems` would have named. */
export function resolvePolicies(input: PoliciesInput = {}): Policies {
  const checked = policiesSchema.parse(input) as Record<string, CheckedPolicy>;
  const everyone = refine(DEFAULT_POLICY, checked['*']);
  const byType = new Map(
    Object.entries(checked)
      .filter(([name]) => name !== '*')
      .map(([name, own]) => [name, refine(everyone, own)]),
  );
  const orderings = new Map(
    Object.entries(checked).flatMap(([name, { ordering = 'none' }]) =>
      ordering === 'none' ? [] : [[name, ordering.whenHeadDead] as const],
    ),
  );
  const coalescedByAll = coalesce(DEFAULT_COALESCING, checked['*']?.coalescing);
  const coalescings = {
    named: new Map([...byType.keys()].map((name) => [name, coalesce(coalescedByAll, checked[name]?.coalescing)])),
    otherwise: coalescedByAll,
  };
  return {
    named: [...byType.keys()],
    orderings,
    coalescings,
    otherwise: everyone,
    of: (eventType) => byType.get(eventType) ?? everyone,
  };
}

type CheckedPolicy = Partial<Omit<RetryPolicy, 'codes'>> & {
  readonly codes?: Readonly<Partial<Record<ErrorCode, CodeRefinement>>>;
  readonly ordering?: PolicyInput['ordering'];
  readonly coalescing?: PolicyInput['coalescing'];
};

type CoalescingInput = z.output<typeof coalescing> | undefined;

function coalesce(base: Coalescing, input: CoalescingInput): Coalescing {
  const own: Exclude<CoalescingInput, string> = typeof input === 'string' ? { mode: input } : input;
  return {
    mode: own?.mode ?? base.mode,
    size: own?.size ?? base.size,
    above: own?.above ?? base.above,
    below: own?.below ?? base.below,
  };
}

function refine(base: RetryPolicy, input: CheckedPolicy | undefined): RetryPolicy {
  return {
    maxAttempts: input?.maxAttempts ?? base.maxAttempts,
    deadlineMs: input?.deadlineMs ?? base.deadlineMs,
    backoff: input?.backoff ?? base.backoff,
    codes: { ...base.codes, ...input?.codes },
  };
}
