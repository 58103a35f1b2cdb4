/** What the actors share of the product's stores. */
import type { AttemptStore, BatchStore, Logger } from '../../src/application/delivery/ports.js';
import { createAttemptStore } from '../../src/infrastructure/prisma/attempt-store.js';
import { createBatchStore } from '../../src/infrastructure/prisma/batch-store.js';
import { createDeadLetterStore } from '../../src/infrastructure/prisma/dead-letter-store.js';
import { createEffectStore } from '../../src/infrastructure/prisma/effect-store.js';
import { gatedPool } from './gated-pool.js';
import type { Job } from './jobs.js';
import type { World } from './world.js';

export const log: Logger = { debug() {}, info() {}, warn() {}, error() {} };
/** Nobody shuts down here. */
export const never = new AbortController().signal;

/** The product's, on a pool whose statements are gates; what settling answers is noted. */
export function storesOf(world: World, job: Job) {
  const pool = gatedPool(job, world.pool);
  const real = createAttemptStore(pool);
  const attempts: AttemptStore = {
    ...real,
    async settle(run, ...rest) {
      const answer = await real.settle(run, ...rest);
      job.notes.push({ kind: 'settled', eventId: run.eventId, epoch: run.epoch, superseded: answer === 'superseded' });
      return answer;
    },
  };
  const realBatches = createBatchStore(pool, attempts);
  const batches: BatchStore = {
    ...realBatches,
    async settleBatch(receipts, timeoutMs) {
      const answers = await realBatches.settleBatch(receipts, timeoutMs);
      for (const { ref } of receipts)
        job.notes.push({ kind: 'settled', ...ref, superseded: answers.superseded > 0 && 'some' });
      return answers;
    },
  };
  return { attempts, batches, effects: createEffectStore(pool), letters: createDeadLetterStore(pool) };
}
