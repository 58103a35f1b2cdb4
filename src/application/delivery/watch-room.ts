import type { Logger, RelayStore } from './ports.js';
import type { RelayTime } from './relay-time.js';

const LOOK_EVERY_MS = 60_000;
const SAY_EVERY_MS = 600_000;
const HINT =
  'its runs should have moved five minutes ago and keep the waiting events out: see that a worker polls the task queue, and that the Temporal Web UI still has the runs';

/**
 * Says which destinations are full of runs that do not move: no event is claimed for them, and nothing else would tell.
 * The function returned may be called at any rate: it asks at most once a minute and says the same at most every ten.
 * @throws what the store throws; the next call then waits for its minute, too
 */
export function watchRoom(
  deps: { readonly store: Pick<RelayStore, 'findFull'>; readonly time: RelayTime; readonly log: Logger },
  defaultMaxRuns: number,
): () => Promise<void> {
  const { store, time, log } = deps;
  let lookAt = time.now();
  // Those that were full at the last look, and when that was said.
  let said = new Map<string, number>();
  return async () => {
    const now = time.now();
    if (now < lookAt) return;
    lookAt = now + LOOK_EVERY_MS;
    const full = await store.findFull(defaultMaxRuns);
    const before = said;
    said = new Map();
    for (const { destination, started, pastDue } of full) {
      const last = before.get(destination);
      const due = last === undefined || now - last >= SAY_EVERY_MS;
      if (due) log.warn({ destination, started, past_due: pastDue, hint: HINT }, 'relay.destination_full');
      said.set(destination, due ? now : last);
    }
  };
}
