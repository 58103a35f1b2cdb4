/**
 * R30 of every outage: it ends no process. Call before, and the answer after.
 * @param {import('../../../dist/src/main/chaos/ports.js').ChaosWorld} world
 * @returns {() => readonly string[]} a sentence for each that is another one by then
 */
export function noteProcesses({ fleet }) {
  const before = new Map(fleet.members.map(({ name, pid }) => [name, pid]));
  return () =>
    fleet.members
      .filter(({ name, pid }) => before.has(name) && before.get(name) !== pid)
      .map(({ name }) => `${name}: expected the same process after the outage, it is another one`);
}

/** No bound of the product: a machine may be busy. */
const READY_WITHIN_MS = 180_000;

/** A sentence for each role that does not become ready. */
export async function notReady({ fleet }, withinMs = READY_WITHIN_MS) {
  const waited = await Promise.allSettled(fleet.members.map((member) => member.untilReady(withinMs)));
  return waited.flatMap(({ reason }) => (reason === undefined ? [] : [reason.message]));
}
