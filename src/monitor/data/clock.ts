import { useSyncExternalStore } from 'react';

/** One clock for all ages of the page; it stands still while nobody looks at it. */
const listeners = new Set<() => void>();
let now = Date.now();
let timer: number | null = null;

function subscribe(changed: () => void): () => void {
  listeners.add(changed);
  if (timer === null) {
    now = Date.now();
    timer = window.setInterval(() => {
      now = Date.now();
      for (const listener of listeners) listener();
    }, 1_000);
  }
  return () => {
    listeners.delete(changed);
    if (listeners.size > 0 || timer === null) return;
    window.clearInterval(timer);
    timer = null;
  };
}

/** The browser's clock, by the second. */
export function useClock(): number {
  return useSyncExternalStore(subscribe, () => now);
}
