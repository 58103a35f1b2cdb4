import type { SettledEvent } from '../delivery/ports.js';
import type { Metrics } from './metrics.js';

/** What a store has settled, by whomever it was asked to: the run itself, or who heard later that the effect stands. */
export function countSettled(metrics: Metrics): (settled: readonly SettledEvent[]) => void {
  return (settled) => {
    for (const { eventType, sinceCommitMs } of settled) {
      metrics.count('outbox_delivered_events_total', { event_type: eventType });
      metrics.observe('outbox_commit_to_record_seconds', { event_type: eventType }, sinceCommitMs / 1_000);
    }
  };
}
