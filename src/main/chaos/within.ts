/** Nothing of a run may hang: whatever it waits for has a deadline, and the sentence says what was waited for. */
export class OverdueError extends Error {
  override readonly name = 'OverdueError';
}

/** What `work` answers, or an OverdueError. The work itself is not stopped: what it does later is nobody's answer any more. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new OverdueError(`${what}: expected within ${Math.round(ms / 1_000)} s`)), ms);
  });
  work.catch(() => {}); // it may fail when nobody waits for it any more
  try {
    return await Promise.race([work, overdue]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
