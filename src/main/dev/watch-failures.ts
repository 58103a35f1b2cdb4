/** What ends a dev run before its time, but for a signal: something that was started has ended, or a start takes too long. */

/** The sentence says what was being done. */
export class StartTimeoutError extends Error {
  override readonly name = 'StartTimeoutError';
}

export interface Failures {
  /** Aborts with the first failure, an Error with a sentence for people. */
  readonly signal: AbortSignal;
  /** Rejects with it; never resolves. */
  readonly failed: Promise<never>;
  watch(failed: Promise<never>): void;
  /** From now on until `met`. `doing` says what the time goes to. */
  startDeadline(seconds: number | null): { doing(what: string): void; met(): void };
  /** The failure, if there is one or one comes within this time. */
  reasonWithin(ms: number): Promise<unknown>;
}

export function watchFailures(): Failures {
  const controller = new AbortController();
  const { signal } = controller;
  const failed = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  failed.catch(() => {}); // whoever asks hears it
  return {
    signal,
    failed,
    watch: (promise) => void promise.catch((error: unknown) => controller.abort(error)),
    startDeadline(seconds) {
      let last = 'starting';
      const timer =
        seconds === null
          ? undefined
          : setTimeout(() => {
              const message = `not started within ${seconds} s (--start-timeout); the last that was done: ${last}`;
              controller.abort(new StartTimeoutError(message));
            }, seconds * 1_000);
      return {
        doing: (what) => {
          last = what;
        },
        met: () => clearTimeout(timer),
      };
    },
    async reasonWithin(ms) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<null>((resolve) => {
        timer = setTimeout(() => resolve(null), ms);
      });
      const reason = await Promise.race([failed.catch((error: unknown) => error), late]);
      clearTimeout(timer);
      return reason;
    },
  };
}
