/** The actors, each made of the product's own use cases and stores on a gated pool: what they do is theirs, when is not. */
import { randomUUID } from 'node:crypto';
import { askEffect } from '../../src/application/delivery/ask-effect.js';
import { askEffectsAgain } from '../../src/application/delivery/ask-effects-again.js';
import { discardLetters, redriveLetters } from '../../src/application/delivery/dead-letters/redrive-letters.js';
import { reconcileRuns } from '../../src/application/delivery/reconcile/reconcile-runs.js';
import { recordDeadLetter } from '../../src/application/delivery/record-dead-letter.js';
import { relayOutbox } from '../../src/application/delivery/relay-outbox.js';
import type { DeliveryTimeouts } from '../../src/domain/delivery/delivery-timeouts.js';
import { batchRunPrefix } from '../../src/domain/delivery/workflow-ids.js';
import { createDeadLetterActions } from '../../src/infrastructure/prisma/dead-letter-actions.js';
import { createDeadLetterStore } from '../../src/infrastructure/prisma/dead-letter-store.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { createReconcileStore } from '../../src/infrastructure/prisma/reconcile-store.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { gatedPool } from './gated-pool.js';
import { type Job, passGate, startJob } from './jobs.js';
import { COALESCED, DEPLOYMENT, LEASE_MS, ownRunId, POLICY_HASH } from './scene.js';
import { log, never, storesOf } from './stores.js';
import type { RunWork } from './temporal.js';
import type { World } from './world.js';

export function startRelay(world: World, name: string): Job {
  return startJob({ name, actor: 'relay', carried: null }, async (job) => {
    const pool = gatedPool(job, world.pool);
    const startAs = async (workflowId: string, work: RunWork) => {
      const { outcome } = await passGate(job, { kind: 'call', label: `start ${workflowId}` });
      if (outcome === 'refused') return { kind: 'refused', reason: 'UNAVAILABLE' } as const;
      const answer = world.temporal.start(workflowId, work);
      if (outcome === 'lost') return { kind: 'refused', reason: 'no answer' } as const;
      return answer === 'exists' ? ({ kind: answer } as const) : ({ kind: answer, eager: false } as const);
    };
    const timeouts = timeoutsOf(world);
    const errorCodeAttribute = null;
    relayOutbox(
      {
        store: createRelayStore(pool),
        deadLetters: createDeadLetterStore(pool),
        telemetry: { log, count() {} },
        time: {
          now: world.now,
          random: () => 0.5,
          sleep: async (ms, signal) => {
            const gate = { kind: 'sleep', label: `sleep ${Math.round(ms)}`, until: world.now() + ms } as const;
            await passGate(job, gate, signal);
          },
        },
        starter: {
          start: ({ eventId, epoch, carrier, firstAttempt, policyHash, policy }) =>
            startAs(ownRunId(eventId, epoch), {
              kind: 'event',
              input: { eventId, epoch, carrier, firstAttempt, policyHash, policy, timeouts, errorCodeAttribute },
            }),
          startBatch: ({ carrier, events }) =>
            startAs(carrier, {
              kind: 'batch',
              input: {
                ...{ carrier, timeouts, errorCodeAttribute, firstAttempt: 'local' },
                destination: events[0]?.destination ?? '',
                events: events.map(({ eventId, epoch }) => [eventId, epoch]),
              },
            }),
        },
      },
      {
        ...{ leaseMs: LEASE_MS, batch: 4, inFlight: 2 },
        policies: { byType: {}, otherwise: POLICY_HASH },
        coalescing: {
          backlog: { sizes: () => ({ [COALESCED]: { '*': 3 } }), look: async () => {} },
          carrierPrefix: batchRunPrefix(DEPLOYMENT),
        },
      },
    );
    // It goes on until it crashes.
    await new Promise(() => {});
  });
}

export function startTick(world: World): Job {
  return startJob({ name: 'reconciler', actor: 'reconciler', carried: null }, async (job) => {
    const pool = gatedPool(job, world.pool);
    const holder = randomUUID();
    const leases = createLeaseStore(pool);
    const { attempts, effects, letters } = storesOf(world, job);
    const asking = { effects, attempts, finder: world.ledger.finderOf(job), log };
    for (const name of ['reconcile', 'effects']) await leases.take({ name, holder }, 600_000);
    await reconcileRuns(
      {
        alerts: { raise: async () => {}, end: async () => {} },
        log,
        count() {},
        time: { now: world.now, random: () => 0.5, sleep: async () => {} },
        store: createReconcileStore(pool),
        namespace: { check: async () => true, isOurs: () => true },
        recordDeadLetter: (input, signal) => recordDeadLetter({ ...asking, deadLetters: letters }, input, signal),
        runs: {
          async look(workflowId) {
            const { outcome } = await passGate(job, { kind: 'call', label: `look at ${workflowId}` });
            return outcome === 'ok' || outcome === 'slow' ? world.temporal.look(workflowId) : { kind: 'unknown' };
          },
          terminate: async () => {},
          countPollers: async () => 1,
        },
      },
      { deployment: DEPLOYMENT, taskQueue: 'outbox' },
      { name: 'reconcile', holder },
      never,
    ).catch(storeIsAway);
    await askEffectsAgain(asking, { name: 'effects', holder }, never).catch(storeIsAway);
    for (const name of ['reconcile', 'effects']) await leases.release({ name, holder }).catch(storeIsAway);
  });
}

export function startAct(world: World, letterId: string, act: 'redrive' | 'discard'): Job {
  return startJob({ name: 'person', actor: 'person', carried: null }, async (job) => {
    const actions = createDeadLetterActions(gatedPool(job, world.pool));
    const { attempts, effects } = storesOf(world, job);
    const finder = world.ledger.finderOf(job);
    const which = { ids: [letterId], tenantId: null };
    const word = { actor: 'ada', reason: 'mended' };
    const ask: Parameters<typeof redriveLetters>[0]['ask'] = (run, how) =>
      askEffect({ effects, attempts, finder, log }, run, { signal: never, ...how });
    const acting =
      act === 'redrive'
        ? redriveLetters({ actions, ask, log }, which, word)
        : discardLetters({ actions, log }, which, word);
    await acting.then(() => undefined, storeIsAway);
  });
}

/** What the store may answer at any time: the duty is done again later. */
function storeIsAway(error: unknown): void {
  if ((error as { code?: unknown }).code !== 'STORE.UNAVAILABLE') throw error;
}

/** Patient ones try a write again for as long as it takes; the others have no time left after the first. */
function timeoutsOf({ patient }: World): DeliveryTimeouts {
  const deadlines = patient
    ? { storeMs: 100_000, sendMs: 100_000, totalMs: 3_000_000 }
    : { storeMs: 10, sendMs: 2, totalMs: 100 };
  const startToCloseMs = deadlines.totalMs + 1_000;
  return {
    local: { ...deadlines, startToCloseMs, scheduleToStartMs: 1_000 },
    regular: { ...deadlines, startToCloseMs },
  };
}
