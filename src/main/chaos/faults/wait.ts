/** Waiting within a fault: bounded, and over at once where the run is given up. */
import { pause } from '../within.js';

/** For what must come to be some time: no bound of ours, those of the report are `recoversWithinSeconds`. A machine may be busy. */
export const PATIENCE_MS = 80_000;

export interface Patience {
  readonly withinMs: number;
  readonly signal: AbortSignal;
  readonly everyMs?: number;
}

/** Whether it came true in time. What `test` throws counts as not yet: the fault may have taken away what it asks. */
export async function until(
  test: () => boolean | Promise<boolean>,
  { withinMs, signal, everyMs = 100 }: Patience,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!signal.aborted) {
    const came = await Promise.resolve()
      .then(test)
      .catch(() => false);
    if (came) return true;
    if (performance.now() >= deadline) return false;
    await pause(everyMs, signal);
  }
  return false;
}

/** Of `work`, or null where the time or the run is over first; it goes on then, and nobody hears of it. */
export async function within<T>(ms: number, signal: AbortSignal, work: Promise<T>): Promise<T | null> {
  work.catch(() => undefined); // it may fail when nobody waits any more
  const over = new AbortController();
  const passed = pause(ms, AbortSignal.any([signal, over.signal])).then(() => null);
  try {
    return await Promise.race([work, passed]);
  } finally {
    over.abort();
  }
}

export function pick<T>(values: readonly T[], random: () => number): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error('expected something to pick from, got an empty list');
  return value;
}
