/** The flow of a production-like run: the plan's rates and weather by the clock, a sample a second, until all is appended. */
import { pause } from '../../../dist/src/main/chaos/within.js';
import { planOf, rateAt } from './plan.mjs';
import { startSampling } from './sample.mjs';
import { answerOf } from './weather.mjs';

/** For what the producer could not append in time. */
const OWED_MS = 120_000;

/**
 * In place of the steady flow of a chaos run (`RunOptions.flow`). What it was is in `taken` once it has begun.
 * @param {{ seed: number, events: number, minutes?: number, rate?: number }} asked
 * @param {{ follow(plan: import('./plan.mjs').Plan): void }} traffic
 */
export function productionFlow(asked, traffic) {
  const taken = { plan: null, sampling: null, flowBeganAt: 0 };
  const flow = async ({ world, options: { signal }, watch, record }) => {
    const { producer, ledger } = world;
    const plan = planOf(asked, record.offeredPerSecond);
    world.log(
      `${plan.events} events in ${Math.round(plan.seconds)} s: ${plan.calmPerSecond.toFixed(1)} a second, in bursts ${plan.burstPerSecond.toFixed(1)}`,
    );
    traffic.follow(plan);
    const before = producer.committed;
    const began = performance.now();
    const elapsedMs = () => performance.now() - began;
    Object.assign(taken, { plan, sampling: startSampling(world), flowBeganAt: Date.now() });
    ledger.mode(({ eventId, n }) => answerOf({ seed: asked.seed, plan, atMs: elapsedMs(), eventId, n }));
    record.offeredPerSecond = plan.meanPerSecond;
    watch.phase = 'flow';

    const endMs = plan.seconds * 1_000;
    for (const edge of edgesOf(plan)) {
      producer.rate(rateAt(plan, edge.fromMs));
      await pause(edge.toMs - elapsedMs(), signal);
      signal.throwIfAborted();
    }
    // The last ones, at the rate between bursts: what was owed, and what the clock has rounded off.
    producer.rate(plan.calmPerSecond);
    while (producer.committed - before < plan.events && elapsedMs() < endMs + OWED_MS) {
      await pause(50, signal);
      signal.throwIfAborted();
    }
    record.neverAppended = Math.max(0, plan.events - (producer.committed - before) - producer.inDoubt);
    producer.rate(0);
    record.flowSeconds = Math.round(elapsedMs() / 100) / 10;
    if (plan.events < asked.events) {
      record.missing.push(
        `of ${asked.events} events ${plan.events} were planned: ${Math.round(plan.seconds / 60)} minutes at this line's rate hold no more`,
      );
    }
  };
  return { flow, taken };
}

/** Between two of them the rate is one. */
function edgesOf({ spans, seconds }) {
  const bursts = spans.filter(({ kind }) => kind === 'burst').flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
  const times = [0, ...bursts, seconds * 1_000];
  return times.slice(1).map((toMs, at) => ({ fromMs: times[at], toMs }));
}
