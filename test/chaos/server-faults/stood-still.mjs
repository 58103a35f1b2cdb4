import { readBreaker } from '../../../dist/src/main/chaos/faults/define-fault.js';
import { until } from '../../../dist/src/main/chaos/faults/wait.js';
import { allFlowSince, FLOWS_WITHIN_SECONDS } from '../../../dist/src/main/chaos/watch-line.js';

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
