import { formatDuration } from './format.js';

/** When the next attempt comes, in words. A kind that this version does not know is shown as it is. */
export function describeBackoff(backoff: Readonly<Record<string, unknown>>): string {
  const ms = (name: string) => formatDuration(Number(backoff[name]));
  switch (backoff.kind) {
    case 'fixed':
      return `every ${ms('intervalMs')}`;
    case 'schedule':
      return Array.isArray(backoff.delaysMs)
        ? `after ${backoff.delaysMs.map((delay) => formatDuration(Number(delay))).join(', ')}`
        : JSON.stringify(backoff);
    case 'full-jitter':
    case 'equal-jitter':
    case 'exponential':
      return `${backoff.kind}, ${ms('initialMs')} × ${String(backoff.coefficient)} up to ${ms('maximumMs')}`;
    case 'wait':
      return `after ${ms('minMs')} and up to ${ms('spreadMs')} more, without end`;
    default:
      return JSON.stringify(backoff);
  }
}
