/** Gives a place back. Calling it twice gives back one. */
export type Release = () => void;

export interface Semaphore {
  /** A place at once, or null. */
  tryEnter(): Release | null;
  /**
   * A place in the order of asking, or null when none came free within `waitMs`, the signal was aborted first, or as many
   * are waiting as may.
   */
  enter(waitMs: number, signal: AbortSignal): Promise<Release | null>;
  /** Places in use. */
  taken(): number;
  /** There may be more places than before: lets in who waits. */
  wake(): void;
}

/** `places` is asked each time: what it answers may change, and may be less than what is taken. */
export function createSemaphore(places: () => number, mayWait = Number.POSITIVE_INFINITY): Semaphore {
  let taken = 0;
  const waiting = new Set<(release: Release) => void>();

  const take = (): Release => {
    let held = true;
    taken++;
    return () => {
      if (!held) return;
      held = false;
      taken--;
      wake();
    };
  };
  const wake = (): void => {
    for (const next of waiting) {
      if (taken >= places()) return;
      next(take());
    }
  };
  const tryEnter = (): Release | null => (taken >= places() ? null : take());
  return {
    tryEnter,
    taken: () => taken,
    wake,
    enter: async (waitMs, signal) => {
      const place = tryEnter();
      if (place !== null || waitMs <= 0 || signal.aborted || waiting.size >= mayWait) return place;
      return new Promise((resolve) => {
        const settle = (release: Release | null) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', giveUp);
          waiting.delete(settle);
          resolve(release);
        };
        const giveUp = () => settle(null);
        const timer = setTimeout(giveUp, waitMs);
        signal.addEventListener('abort', giveUp, { once: true });
        waiting.add(settle);
      });
    },
  };
}
