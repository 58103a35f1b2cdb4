import type { RelayStore } from './ports.js';
import type { RelayTime } from './relay-time.js';

const EVERY_MS = 1_000;
const LEASE_MS = 15_000;

/**
 * Makes a relay the one that claims for destinations whose breaker may be tried (R6). The function returned may be called
 * at any rate: it asks at most once a second.
 * @throws what the store throws
 */
export function probeKeeper(
  { store, time }: { readonly store: Pick<RelayStore, 'holdProbes'>; readonly time: RelayTime },
  holder: string,
): () => Promise<void> {
  let next = time.now();
  return async () => {
    if (time.now() < next) return;
    next = time.now() + EVERY_MS;
    await store.holdProbes(holder, LEASE_MS);
  };
}
