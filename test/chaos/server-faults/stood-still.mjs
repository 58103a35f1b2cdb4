import { readBreaker } from '../../../dist/src/main/chaos/faults/define-fault.js';
import { until } from '../../../dist/src/main/chaos/faults/wait.js';
import { allFlowSince, FLOWS_WITHIN_SECONDS, readLine } from '../../../dist/src/main/chaos/watch-line.js';

/**
 * Of a part that is back for a while only: call it at once.
 * @param {import('../../../dist/src/main/chaos/ports.js').ChaosWorld} world
 * @param {Pick<import('../../../dist/src/main/chaos/ports.js').FaultContext, 'signal' | 'patience'>} context
 * @returns {Promise<string[]>} a sentence where no new event of each lane came to its end in time
 */
export async function stoodStill(world, { signal, patience }) {
  const since = performance.now();
  const breakerSeconds = Math.ceil((await readBreaker(world, signal)) / 1_000);
  const flows = () => allFlowSince(world.outbox, performance.now() - since);
  const bound = patience * FLOWS_WITHIN_SECONDS + breakerSeconds;
  if (await until(flows, { withinMs: bound * 1_000, signal, everyMs: 200 })) return [];
  return [`between two of its outages new work was to flow within ${bound} s, it did not`];
}

/** Events on their way while a line at its rate stands well, at least. */
const FEW_OPEN = 20;
const CATCHES_UP_WITHIN_MS = 30_000;

/**
 * How soon a part is back is told by a line that has caught up: what an outage left over goes before what is new, and how long
 * that takes is the line's capacity. Answers a question: whether there are as few events on their way as now, about.
 * @param {import('../../../dist/src/main/chaos/ports.js').ChaosWorld} world
 * @param {Pick<import('../../../dist/src/main/chaos/ports.js').FaultContext, 'signal' | 'patience'>} context
 * @returns {Promise<() => Promise<boolean>>}
 */
export async function asCaughtUpAsNow({ outbox }, { signal, patience }) {
  const openNow = async () => (await readLine(outbox))?.open;
  const most = Math.max(FEW_OPEN, 2 * ((await openNow()) ?? 0));
  const few = async () => ((await openNow()) ?? Number.POSITIVE_INFINITY) <= most;
  return () => until(few, { withinMs: patience * CATCHES_UP_WITHIN_MS, signal, everyMs: 500 });
}
