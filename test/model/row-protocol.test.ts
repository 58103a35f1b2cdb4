/**
 * The row protocol under any interleaving (R2, R4, R7, R11, R15 to R18, R20, R22): relays, workers, the reconciler and a person,
 * each stopped before every statement and every call, crash, hang, hear nothing of what they did, or find their run gone.
 *
 * Real: PostgreSQL, stores, use cases, activities, workflows. Modelled: Temporal's guarantees and the destination. The order is
 * made of fast-check's commands rather than of its scheduler, so that it shrinks with all else, and so that a statement that
 * waits for another one's lock lets others go on.
 *
 * OUTBOX_MODEL_RUNS: how many (150). OUTBOX_MODEL_SEED: of which (9). OUTBOX_UNDER_TEST_DIST: of another build.
 */
import { jest } from '@jest/globals';
import fc from 'fast-check';
import type { PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { commands, moods } from './commands.js';
import { takeTimers } from './jobs.js';
import { runOut } from './run-out.js';
import { COALESCED, SINGLE } from './scene.js';
import type { Workflows } from './temporal.js';
import { MOVES } from './who-may.js';
import { workflowSdk } from './workflow-sdk.js';
import { createWorld, openPool } from './world.js';

const numRuns = Number(process.env.OUTBOX_MODEL_RUNS ?? 150);
const seed = Number(process.env.OUTBOX_MODEL_SEED ?? 9);

const SHRINK_MS = 30_000;

let databases: TestDatabases;
let pool: PgPool;
let workflows: Workflows;
let giveTimersBack: () => void;

beforeAll(async () => {
  jest.unstable_mockModule('@temporalio/workflow', () => workflowSdk);
  workflows = {
    ...(await import('../../workflows/deliver-event.js')),
    ...(await import('../../workflows/deliver-batch.js')),
  };
  databases = await createTestDatabases();
  pool = await openPool(databases.outboxUrl);
  giveTimersBack = takeTimers();
});
afterAll(async () => {
  giveTimersBack?.();
  await pool?.end();
  await databases?.drop();
});

it(`keeps its promises in ${numRuns} interleavings of seed ${seed}`, async () => {
  let shrinkUntil = Number.POSITIVE_INFINITY;
  const moves = new Map<string, number>();
  const events = fc.nat({ max: 3 });
  const property = fc.asyncProperty(
    commands(),
    fc.boolean(),
    events,
    events,
    // In half of the runs the destination begins badly, so that letters are written and somebody acts on them.
    fc.option(moods(), { freq: 2 }),
    async (some, patient, alone, together, mood) => {
      // Out of time: what has been found so far is told.
      if (performance.now() > shrinkUntil) return;
      const world = await createWorld(pool, workflows, { patient, moves });
      try {
        for (let n = 0; n < alone; n += 1) await world.append(SINGLE, true);
        for (let n = 0; n < together; n += 1) await world.append(COALESCED, true);
        if (mood !== null) world.ledger.mood.push(...mood);
        await fc.asyncModelRun(() => ({ model: {}, real: world }), some);
        await runOut(world);
      } catch (error) {
        shrinkUntil = Math.min(shrinkUntil, performance.now() + SHRINK_MS);
        throw error;
      } finally {
        await world.close();
      }
    },
  );
  await fc.assert(property, { numRuns, seed });
  // Of a few runs, or of another seed, nobody knows what they come to.
  if (numRuns >= 150) expect(MOVES.filter((move) => !moves.has(move))).toEqual([]);
}, 3_600_000);
