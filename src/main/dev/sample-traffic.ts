import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { DevWorld } from './dev-world.js';
import { importSampleEvents } from './import-sample.js';
import { openJournal } from './journal.js';
import { runSampleTransaction, SAMPLE_KINDS } from './sample-application.js';
import { seededRandom } from './seeded-random.js';

const EVERY_MS = 600;

/** Sample transactions, one after another, until stopped. A database that is away is waited out. */
export function runSampleTraffic(world: DevWorld, seed: number): { stop(): Promise<void> } {
  const journal = openJournal(world.files.journal, randomUUID());
  const random = seededRandom(seed);
  const stopping = new AbortController();
  const running = (async () => {
    await importSampleEvents(world, stopping.signal).catch((err: unknown) =>
      world.log.warn({ err }, 'sample.import_failed'),
    );
    for (let i = 0; !stopping.signal.aborted; i += 1) {
      try {
        // One refused export among many: enough dead letters to look at, not a page full of them.
        const kind = i % 20 === 19 ? 'refusedExport' : (SAMPLE_KINDS[i % (SAMPLE_KINDS.length - 1)] ?? 'signIn');
        await runSampleTransaction({ pool: world.outbox, journal, random }, kind);
        world.roles.hint();
      } catch (err) {
        world.log.warn({ err }, 'sample.transaction_failed');
      }
      await delay(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {}); // stopped: the loop sees it
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
