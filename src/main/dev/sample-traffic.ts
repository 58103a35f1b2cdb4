import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { DevWorld } from './dev-world.js';
import { importSampleEvents } from './import-sample.js';
import { openJournal } from './journal.js';
import { EVERYDAY_KINDS, runSampleTransaction } from './sample-application.js';
import { seededRandom } from './seeded-random.js';
import { showFailures } from './show-failures.js';

const EVERY_MS = 600;

/**
 * Sample transactions, one after another, until stopped, and beside them the failures that are shown once. A database that
 * is away is waited out.
 */
export function runSampleTraffic(world: DevWorld, seed: number): { stop(): Promise<void> } {
  const journal = openJournal(world.files.journal, randomUUID());
  const random = seededRandom(seed);
  const stopping = new AbortController();
  const { signal } = stopping;
  const deps = { pool: world.outbox, journal, random };
  const traffic = async () => {
    await importSampleEvents(world, signal).catch((err: unknown) => world.log.warn({ err }, 'sample.import_failed'));
    for (let i = 0; !signal.aborted; i += 1) {
      try {
        // One in twenty is put off by the partner, and delivered by a retry.
        const kind = i % 20 === 19 ? 'unsteadyExport' : (EVERYDAY_KINDS[i % EVERYDAY_KINDS.length] ?? 'signIn');
        await runSampleTransaction(deps, kind);
        world.roles.hint();
      } catch (err) {
        world.log.warn({ err }, 'sample.transaction_failed');
      }
      await delay(EVERY_MS, undefined, { signal }).catch(() => {}); // stopped: the loop sees it
    }
  };
  const show = showFailures(world, { deps, signal }).catch((err: unknown) => {
    if (signal.aborted) return;
    world.log.warn({ err }, 'sample.show_failed');
    process.stdout.write(
      'The failures that were to be shown stopped half-way: see sample.show_failed in outbox.log.\n',
    );
  });
  const running = Promise.all([traffic(), show]);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
