import type { Policies } from '../application/delivery/policy-schema.js';

/** Of all policies, in milliseconds: for so long at most is an event tried. */
export function longestDeadline(policies: Policies): number {
  return Math.max(policies.otherwise.deadlineMs, ...policies.named.map((name) => policies.of(name).deadlineMs));
}
