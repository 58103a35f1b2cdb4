// Events that a fault appends itself, and what has become of them.
import { untilStatus } from '../../../dist/src/main/chaos/faults/look.js';
import { idsOf, ownEvents } from '../../../dist/src/main/chaos/faults/own-events.js';
import { tellOpen } from '../../../dist/src/main/chaos/faults/tell-open.js';

/** A machine that is busy with other things needs most of it. */
const DELIVERED_WITHIN_MS = 120_000;

/**
 * To the ledger and to the audit log alike.
 * @param {import('../../../dist/src/main/chaos/ports.js').ChaosWorld} world
 * @param {number} howMany
 * @param {{ once?: boolean }} [options] once: of a fault that wants to see the error
 * @returns {Promise<string[]>} their ids
 */
export async function appendOwn(world, howMany, options) {
  const half = Math.ceil(howMany / 2);
  const events = [...ownEvents(world, half), ...ownEvents(world, howMany - half, { routingKey: 'audit.log' })];
  await world.producer.append(events, options);
  return [...idsOf(events)];
}

/** Nothing, once all are delivered; after a while a sentence that says how those stand that are not. */
export async function undelivered(world, ids, signal, withinMs = DELIVERED_WITHIN_MS) {
  const open = await untilStatus(world, ids, ['DELIVERED'], { withinMs, signal });
  if (open.length === 0) return [];
  const how = await tellOpen(world, open);
  return [
    `${open.length} of ${ids.length} events were not delivered within ${withinMs / 1_000} s of the outage: ${how}`,
  ];
}
