/**
 * One turn of the duty `retention`: what was settled long enough ago leaves the outbox, in small batches, the oldest first.
 * Between two of them it sleeps as long as the one before took, so that it never takes more than half of one connection, and
 * less of a database that is busy.
 */
import type { LeaseHold, Logger } from '../ports.js';
import type { RelayTime } from '../relay-time.js';
import type { SettledCursor, SettledStore } from './ports.js';

export interface RemoveSettledDeps {
  readonly store: SettledStore;
  readonly time: RelayTime;
  readonly log: Logger;
  readonly count: (name: string, by?: number) => void;
}

const LEAST_PAUSE_MS = 20;

/** `olderThanMs`: since it was settled. A turn ends where nothing more may leave, and begins at the oldest each time. */
export function removeSettled(
  { store, time, log, count }: RemoveSettledDeps,
  olderThanMs: number,
): (hold: LeaseHold, signal: AbortSignal) => Promise<void> {
  return async (hold, signal) => {
    const removed = { events: 0, notices: 0, jobs: 0 };
    let unproven = 0;
    try {
      await inBatches(async (after: SettledCursor | null) => {
        const step = await store.removeEvents(hold, olderThanMs, after);
        removed.events += step.removed;
        unproven += step.unproven;
        return step.cursor;
      }, signal);
      await inBatches(async (after: string | null) => {
        const step = await store.removeNotices(hold, olderThanMs, after);
        removed.notices += step.removed;
        return step.cursor;
      }, signal);
      await inBatches(async () => {
        const step = await store.removeJobs(hold, olderThanMs);
        removed.jobs += step.removed;
        return step.left ? true : null;
      }, signal);
    } finally {
      if (removed.events > 0) count('retention_events', removed.events);
      if (removed.events + removed.notices + removed.jobs > 0) log.info(removed, 'retention.removed');
      if (unproven > 0) log.warn({ events: unproven }, 'retention.cannot_prove');
    }
  };

  async function inBatches<Cursor>(step: (after: Cursor | null) => Promise<Cursor | null>, signal: AbortSignal) {
    let cursor: Cursor | null = null;
    while (!signal.aborted) {
      const began = time.now();
      cursor = await step(cursor);
      if (cursor === null) return;
      await time.sleep(Math.max(LEAST_PAUSE_MS, time.now() - began), signal);
    }
  }
}
