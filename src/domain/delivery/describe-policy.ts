import type { Backoff, RetryPolicy } from './policy.js';

/** A policy in one line, for people: the Web UI, the command line. */
export function describePolicy(policy: RetryPolicy): string {
  const refined = Object.keys(policy.codes);
  return [
    `up to ${policy.maxAttempts} attempts within ${describeMs(policy.deadlineMs)}`,
    describeBackoff(policy.backoff),
    ...(refined.length === 0 ? [] : [`refined for ${refined.join(', ')}`]),
  ].join('; ');
}

function describeBackoff(backoff: Backoff): string {
  switch (backoff.kind) {
    case 'fixed':
      return `every ${describeMs(backoff.intervalMs)}`;
    case 'schedule':
      return `after ${backoff.delaysMs.map(describeMs).join(', ')}`;
    default: {
      const { initialMs, coefficient, maximumMs } = backoff;
      return `${backoff.kind}, ${describeMs(initialMs)} × ${coefficient} up to ${describeMs(maximumMs)}`;
    }
  }
}

const UNITS = [
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const;

/** In the largest unit that says it in a whole number. */
function describeMs(ms: number): string {
  const [unitMs, unit] = UNITS.find(([size]) => ms >= size && ms % size === 0) ?? [1, 'ms'];
  return `${ms / unitMs} ${unit}`;
}
