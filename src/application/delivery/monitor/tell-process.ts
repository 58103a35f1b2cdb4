import type { Logger } from '../ports.js';
import type { RelayTime } from '../relay-time.js';
import type { ProcessSays, ProcessSelf, ProcessStore } from './ports.js';

/** Three of these fit into the time after which a process counts as silent. */
const EVERY_MS = 5_000;

export interface TellProcessDeps {
  readonly processes: Pick<ProcessStore, 'write' | 'remove' | 'forgetOld'>;
  /** Looked up each time; bounded in time. */
  readonly say: () => Promise<ProcessSays>;
  readonly time: RelayTime;
  readonly log: Logger;
}

export interface ToldProcess {
  /** Something is otherwise now: it is told at once. */
  now(): void;
  /** Ends the telling, and takes its row away. Never throws: a row that stays ages, as that of a killed process does. */
  stop(): Promise<void>;
}

/**
 * Tells every five seconds, from now on, that this process runs and how what it needs looks from here. What cannot be told
 * ends nothing: it is logged when that begins, and when it is over. First of all it forgets processes that were not seen for a
 * day: a worker that is started again and again leaves a row each time, whether or not a relay runs that would clear them away.
 */
export function tellProcess({ processes, say, time, log }: TellProcessDeps, self: ProcessSelf): ToldProcess {
  const stopping = new AbortController();
  let failures = 0;
  let wake = new AbortController();

  const telling = tell();
  return {
    now: () => wake.abort(),
    async stop() {
      stopping.abort();
      // What is under way would bring the row back.
      await telling;
      // A database that does not take the one would keep the stop waiting for the other.
      if (failures > 0) return;
      await processes.remove(self.id).catch((error) => log.debug({ error }, 'process.not_removed'));
    },
  };

  async function tell(): Promise<void> {
    await processes.forgetOld().catch((error) => log.debug({ error }, 'process.old_not_forgotten'));
    while (!stopping.signal.aborted) {
      try {
        await processes.write(self, await say());
        if (failures > 0) log.info({ failures }, 'process.told_again');
        failures = 0;
      } catch (error) {
        if (failures === 0) log.warn({ err: error }, 'process.not_told');
        failures += 1;
      }
      await time.sleep(EVERY_MS, AbortSignal.any([stopping.signal, wake.signal]));
      // Heard, also where it came while something older was being told.
      if (wake.signal.aborted) wake = new AbortController();
    }
  }
}
