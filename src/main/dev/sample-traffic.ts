import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { DevWorld } from './dev-world.js';
import { importSampleEvents } from './import-sample.js';
import { openJournal } from './journal.js';
import { runSampleTransaction, SAMPLE_KINDS } from './sample-application.js';

const EVERY_MS = 600;

/** Sample transactions, one after another, until stopped. A database that is away is waited out. */
export function runSampleTraffic(world: DevWorld): { stop(): Promise<void> } {
  const journal = openJournal(join(world.dataDir, 'journal.ndjson'), randomUUID());
  const stopping = new AbortController();
  const running = (async () => {
    await importSampleEvents(world, stopping.signal).catch((err: unknown) =>
      world.log.warn({ err }, 'sample.import_failed'),
    );
    for (let i = 0; !stopping.signal.aborted; i += 1) {
      try {
        // One refused export among many: enough dead letters to look at, not a page full of them.
        const kind = i % 20 === 19 ? 'refusedExport' : (SAMPLE_KINDS[i % (SAMPLE_KINDS.length - 1)] ?? 'signIn');
        await runSampleTransaction({ pool: world.outbox, journal, random: Math.random }, kind);
        world.roles.hint();
      } catch (err) {
        world.log.warn({ err }, 'sample.transaction_failed');
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, EVERY_MS);
        stopping.signal.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
