import type { RetryPolicy } from '../src/domain/delivery/policy.js';

/** For the Web UI (Markdown): the policy in force for a run. */
export function describePolicy(hash: string, policy: RetryPolicy): string {
  return [
    `Policy \`${hash}\`: up to ${policy.maxAttempts} attempts within ${seconds(policy.deadlineMs)}`,
    `${policy.backoff}, ${seconds(policy.initialMs)} × ${policy.coefficient} up to ${seconds(policy.maximumMs)}`,
  ].join('; ');
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}
