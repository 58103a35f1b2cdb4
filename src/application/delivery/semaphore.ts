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
}

export function createSemaphore(places: number, mayWait = Number.POSITIVE_INFINITY): Semaphore {
  let free = places;
  const waiting = new Set<(release: Release) => void>();

  const take = (): Release => {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [next] = waiting;
      if (next === undefined) free++;
      else next(take());
    };
  };
  const tryEnter = (): Release | null => {
    if (free === 0) return null;
    free--;
    return take();
  };
  return {
    tryEnter,
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
