import type { Coalescing } from '../../domain/delivery/coalescing.js';
import { LOST_IN_ROW_LIMIT } from '../../domain/delivery/decide-after-failure.js';
import { describePolicy } from '../../domain/delivery/describe-policy.js';
import { catalogEntry, type DefaultRule, ERROR_CODES, type ErrorCode } from '../../domain/delivery/error-catalog.js';
import { MOST_REDISPATCHES } from '../../domain/delivery/judge-run.js';
import { type Backoff, type RetryPolicy, ruleFor } from '../../domain/delivery/policy.js';
import type { Ordering, Orderings } from './ordering/ports.js';
import { policyHash } from './policy-hash.js';
import { type PoliciesInput, type PolicyInput, resolvePolicies } from './policy-schema.js';
import type { PolicyHashes } from './ports.js';

/** Where a value comes from: the event type's own policy, that of `*`, or the defaults. */
export type Origin = 'type' | 'everyone' | 'default';
export interface Because<Value> {
  readonly value: Value;
  readonly from: Origin;
}

/** What follows a failure with one code. */
export interface ExplainedRule {
  readonly code: ErrorCode;
  readonly kind: DefaultRule['kind'];
  /**
   * As many end the delivery, never more than the policy's maximum. null: that maximum; and where it is not retried.
   */
  readonly attempts: number | null;
  /** null: the policy's own, where it is retried; a wait has one of its own kind, without end. */
  readonly backoff: Backoff | { readonly kind: 'wait'; readonly minMs: number; readonly spreadMs: number } | null;
  readonly honoursRetryAfter: boolean;
  readonly from: 'type' | 'everyone' | 'catalogue';
  readonly when: string;
  readonly advice: string;
}

export interface ExplainedPolicy {
  /** `*`: all that are not named. */
  readonly eventType: string;
  readonly hash: string;
  readonly text: string;
  readonly maxAttempts: Because<number>;
  readonly deadlineMs: Because<number>;
  readonly backoff: Because<Backoff>;
  /** One for each code of the catalogue, in its order. */
  readonly rules: readonly ExplainedRule[];
  /** `inForce`: what appending and the claim go by; null: it cannot be looked up now. */
  readonly ordering: { readonly configured: Ordering; readonly inForce: Ordering | null };
  readonly coalescing: Coalescing;
}

/**
 * What a configuration says of `*`, of each event type that it names and of those that are ordered without being named:
 * each value with where it comes from. `inForce`: the orderings that are stored; null: they cannot be looked up now.
 */
export function explainPolicies(input: PoliciesInput, inForce: Orderings | null): ExplainedPolicy[] {
  const policies = resolvePolicies(input);
  const unnamed = [...(inForce?.keys() ?? [])].filter((eventType) => !policies.named.includes(eventType)).sort();
  return ['*', ...policies.named, ...unnamed].map((eventType) => {
    const policy = policies.of(eventType);
    const own = eventType !== '*' && Object.hasOwn(input, eventType) ? input[eventType] : undefined;
    const origins = { own, everyone: input['*'] };
    return {
      eventType,
      hash: policyHash(policy),
      text: describePolicy(policy),
      maxAttempts: because(policy, 'maxAttempts', origins),
      deadlineMs: because(policy, 'deadlineMs', origins),
      backoff: because(policy, 'backoff', origins),
      rules: ERROR_CODES.map((code) => explainRule(code, policy, origins)),
      ordering: {
        configured: policies.orderings.get(eventType) ?? 'none',
        inForce: inForce === null ? null : (inForce.get(eventType) ?? 'none'),
      },
      coalescing: policies.coalescings.named.get(eventType) ?? policies.coalescings.otherwise,
    };
  });
}

interface Origins {
  readonly own: PolicyInput | undefined;
  readonly everyone: PolicyInput | undefined;
}

function because<Field extends 'maxAttempts' | 'deadlineMs' | 'backoff'>(
  policy: RetryPolicy,
  field: Field,
  { own, everyone }: Origins,
): Because<RetryPolicy[Field]> {
  const from = own?.[field] !== undefined ? 'type' : everyone?.[field] !== undefined ? 'everyone' : 'default';
  return { value: policy[field], from };
}

function explainRule(code: ErrorCode, policy: RetryPolicy, origins: Origins): ExplainedRule {
  const { when, advice } = catalogEntry(code);
  const rule = ruleFor(code, policy);
  const told = { code, kind: rule.kind, from: originOf(code, policy, origins), when, advice };
  switch (rule.kind) {
    case 'retry': {
      // What both of them end, the smaller one ends.
      const spent = rule.attempts === null ? null : Math.min(rule.attempts, policy.maxAttempts);
      const { backoff, honoursRetryAfter } = rule;
      return { ...told, attempts: SPEND_NOTHING[code] ?? spent, backoff, honoursRetryAfter };
    }
    case 'wait':
      return { ...told, attempts: null, backoff: rule, honoursRetryAfter: false };
    case 'final':
      return { ...told, attempts: null, backoff: null, honoursRetryAfter: false };
  }
}

/** What counts towards no policy's maximum, and is yet not tried without end. */
const SPEND_NOTHING: Readonly<Partial<Record<ErrorCode, number>>> = {
  'DELIVERY.ATTEMPT_LOST': LOST_IN_ROW_LIMIT,
  'WORKFLOW.LOST': MOST_REDISPATCHES + 1,
  'WORKFLOW.STUCK': MOST_REDISPATCHES + 1,
};

/** A type's word on a code replaces that of `*` whole. */
function originOf(code: ErrorCode, policy: RetryPolicy, { own }: Origins): ExplainedRule['from'] {
  if (policy.codes[code] === undefined) return 'catalogue';
  const codes: Readonly<Partial<Record<ErrorCode, unknown>>> = own?.codes ?? {};
  return codes[code] === undefined ? 'everyone' : 'type';
}

/** Event types whose policies are others with `theirs` than with `ours`, by name; `*`: those that neither names. */
export function differentPolicies(ours: PolicyHashes, theirs: PolicyHashes): string[] {
  const hashOf = ({ byType, otherwise }: PolicyHashes, eventType: string) =>
    Object.hasOwn(byType, eventType) ? byType[eventType] : otherwise;
  const named = new Set([...Object.keys(ours.byType), ...Object.keys(theirs.byType)]);
  return ['*', ...[...named].sort()].filter((eventType) => hashOf(ours, eventType) !== hashOf(theirs, eventType));
}
