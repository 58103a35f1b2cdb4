import type { Backoff, RetryPolicy } from '../src/domain/delivery/policy.js';

/** For the Web UI (Markdown): the policy in force for a run. */
export function describePolicy(hash: string, policy: RetryPolicy): string {
  const refined = Object.keys(policy.codes);
  return [
    `Policy \`${hash}\`: up to ${policy.maxAttempts} attempts within ${seconds(policy.deadlineMs)}`,
    describeBackoff(policy.backoff),
    ...(refined.length === 0 ? [] : [`refined for ${refined.join(', ')}`]),
  ].join('; ');
}

function describeBackoff(backoff: Backoff): string {
  switch (backoff.kind) {
    case 'fixed':
      return `every ${seconds(backoff.intervalMs)}`;
    case 'schedule':
      return `after ${backoff.delaysMs.map(seconds).join(', ')}`;
    default:
      return `${backoff.kind}, ${seconds(backoff.initialMs)} × ${backoff.coefficient} up to ${seconds(backoff.maximumMs)}`;
  }
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}
