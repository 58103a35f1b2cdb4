import type { Logger } from '../application/delivery/ports.js';

const SAY_AGAIN_MS = 30_000;

export interface WaitOptions {
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** For a person at a terminal: one sentence on what is waited for. */
  readonly onWaiting?: ((sentence: string) => void) | undefined;
}

/**
 * Tries until it succeeds, for what may be away for a while at start: 250 ms to 5 s apart, said at once and every half
 * minute and when the reason is another, in the log and to `onWaiting`. What is wrong rather than away is thrown; an aborted signal throws its reason,
 * also in the middle of a try, whose answer nobody hears then.
 */
export async function untilItAnswers<T>(what: string, attempt: () => Promise<T>, options: WaitOptions): Promise<T> {
  const { log, signal, onWaiting } = options;
  let saidAt = Number.NEGATIVE_INFINITY;
  let said = '';
  for (let pauseMs = 250; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
    signal.throwIfAborted();
    try {
      return await unlessAborted(attempt(), signal);
    } catch (error) {
      if (!isAway(error)) throw error;
      const reason = reasonOf(error);
      if (reason !== said || performance.now() - saidAt >= SAY_AGAIN_MS) {
        log.warn({ waitingFor: what, reason }, 'start.waiting');
        log.debug({ waitingFor: what, err: error }, 'start.waiting_because');
        onWaiting?.(`waiting for ${what}: ${reason}`);
        said = reason;
        saidAt = performance.now();
      }
    }
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, pauseMs);
      signal.addEventListener('abort', end);
    });
  }
}

/** What connecting and `explainDatabase` call what may come back. */
const AWAY: ReadonlySet<string> = new Set(['UnavailableError', 'TemporalAwayError']);

function isAway(error: unknown): error is Error {
  return error instanceof Error && AWAY.has(error.name);
}

/** With its cause's words: ours alone say only that it is away. */
function reasonOf({ message, cause }: Error): string {
  const because = cause instanceof Error && cause.message !== '' ? cause.message : '';
  return because === '' || message.includes(because) ? message : `${message} (${because})`;
}

async function unlessAborted<T>(working: Promise<T>, signal: AbortSignal): Promise<T> {
  let end = () => {};
  const aborted = new Promise<never>((_, reject) => {
    end = () => reject(signal.reason);
    signal.addEventListener('abort', end, { once: true });
  });
  working.catch(() => {}); // raced: what it says after that is heard by nobody
  try {
    return await Promise.race([working, aborted]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
