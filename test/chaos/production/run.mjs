/** A production-like run: the world, producer, ledger and oracle of a chaos run, another flow, and criteria of its own. */
import { createTraffic } from '../../../dist/src/main/chaos/chaos-traffic.js';
import { conductRun } from '../../../dist/src/main/chaos/conduct-run.js';
import { describeProgress } from '../../../dist/src/main/chaos/describe-progress.js';
import { layOutOwnWorld } from '../own-world.mjs';
import { judgeCriteria, worseOf } from '../production-criteria.mjs';
import { figuresOfRun, measureProduction } from './figures.mjs';
import { productionFlow } from './flow.mjs';
import { createProductionTraffic } from './traffic.mjs';
import { steadyAnswer } from './weather.mjs';

/** The product's own default: a destination that takes ten seconds is slow, and not away. */
const LEDGER_TIMEOUT_MS = 15_000;
/** A burst is appended by many at once; what it could not append comes right after it, as fast as it can. */
const PRODUCER = { connections: 26, catchUp: 60 };

/**
 * @param {{ seed: number, events: number, minutes?: number, rate?: number, load: number, coalesced: boolean,
 *   fairness: boolean, maxRuns?: number }} asked
 * @param {{ log: (line: string) => void, signal: AbortSignal }} deps
 */
export async function runProduction(asked, { log, signal }) {
  const { seed, coalesced, fairness, maxRuns } = asked;
  let traffic;
  const laid = await layOutOwnWorld({
    seed,
    log,
    signal,
    producer: PRODUCER,
    ...(maxRuns !== undefined && { environment: { OUTBOX_MAX_RUNS: `${maxRuns}` } }),
    ...(fairness && { dynamicConfig: { 'matching.enableFairness': true } }),
    config: { ledgerTimeoutMs: LEDGER_TIMEOUT_MS, ...(coalesced && { coalescing: 'always' }) },
    traffic: (options) => {
      traffic = createProductionTraffic({ seed, next: createTraffic(options) });
      return traffic.next;
    },
  });
  const { flow, taken } = productionFlow(asked, traffic);
  let found = null;
  let carriedShare = null;
  let conducted;
  try {
    const { world } = laid;
    world.ledger.mode(steadyAnswer);
    const measure = ({ books, journal }) => {
      const { plan, sampling, flowBeganAt } = taken;
      if (plan === null) return; // it broke off before
      const { samples } = sampling;
      const { requests } = world.ledger;
      found = (capacityPerSecond) =>
        measureProduction({ seed, plan, capacityPerSecond, flowBeganAt, samples, journal, books, requests });
    };
    // `rate` is the flow's own affair: the capacity is measured in any case, for the arithmetic of a drain needs it.
    const { events, minutes } = asked;
    const options = { minutes: minutes ?? 1, ...(minutes !== undefined && { events }), load: asked.load };
    conducted = await conductRun(
      laid,
      {
        ...options,
        short: false,
        overlap: false,
        faults: [],
        signal,
        flow,
        onProgress: (progress) => log(describeProgress(progress)),
      },
      measure,
    );
    if (coalesced && found !== null) carriedShare = await readCarriedShare(world.outbox);
  } finally {
    await taken.sampling?.stop();
    for (const left of await laid.close()) log(`not taken down: ${left}`);
  }
  const measured = found === null ? null : found(conducted.record.capacityPerSecond);
  const figures = { ...measured?.figures, ...figuresOfRun(conducted), carriedShare };
  const { verdict, judged } = judgeCriteria(figures);
  return {
    asked,
    ...conducted,
    verdict: worseOf(verdict, conducted.verdict),
    criteria: judged,
    plan: taken.plan,
    measured,
    carriedShare,
    peakBytes: taken.sampling?.peakBytes ?? {},
    samples: taken.sampling?.samples ?? [],
    temporalVersion: laid.temporalVersion,
  };
}

async function readCarriedShare(outbox) {
  const { rows } = await outbox.query(
    `SELECT avg((carrier IS NOT NULL)::integer)::float8 AS share
     FROM outbox.delivery WHERE destination = 'audit.log' AND status = 'DELIVERED'`,
  );
  return rows[0]?.share ?? null;
}
