import type { Logger } from '../application/delivery/ports.js';
import { isIntegrationError } from '../domain/delivery/integration-error.js';
import { databaseRefusal } from './database-refusal.js';
import { StartRefusedError } from './start-refused-error.js';

const SAY_AGAIN_MS = 30_000;

export interface WaitOptions {
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** For a person at a terminal: one sentence on what is waited for. */
  readonly onWaiting?: ((sentence: string) => void) | undefined;
}

/**
 * Tries until it succeeds, for what may be away for a while at start: 250 ms to 5 s apart, said at once and every half
 * minute and when the reason is another, in the log and to `onWaiting`. What is wrong rather than away is thrown; an aborted signal throws its reason.
 */
export async function untilItAnswers<T>(what: string, attempt: () => Promise<T>, options: WaitOptions): Promise<T> {
  const { log, signal, onWaiting } = options;
  let saidAt = Number.NEGATIVE_INFINITY;
  let said = '';
  for (let pauseMs = 250; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const refusal = databaseRefusal(error);
      if (refusal !== null) throw new StartRefusedError(`${what} ${refusal}`, { cause: error });
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

function isAway(error: unknown): error is Error {
  if (isIntegrationError(error)) return error.code === 'STORE.UNAVAILABLE';
  return error instanceof Error && error.name === 'TemporalAwayError';
}

/** With its cause's words: ours alone say only that it is away. */
function reasonOf({ message, cause }: Error): string {
  const because = cause instanceof Error && cause.message !== '' ? cause.message : '';
  return because === '' || message.includes(because) ? message : `${message} (${because})`;
}
