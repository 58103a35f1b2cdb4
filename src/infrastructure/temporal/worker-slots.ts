import { mayWait, type Places } from '../../application/delivery/dispatcher.js';

export interface WorkerSlots {
  readonly workflowTasks: number;
  readonly localActivities: number;
  readonly regularActivities: number;
  readonly cachedWorkflows: number;
}

/** Workflow task pollers, of which the sticky queue has as many again. */
export const WORKFLOW_POLLERS = 25;

/**
 * Pollers that a quiet worker keeps, of each kind. While Temporal is away each asks again after up to 10 s and a fifth (SDK
 * 1.23, no option). With the one that the SDK would keep, a worker may stand still for so long after Temporal is back; of
 * several one mostly comes sooner.
 */
export const FEWEST_POLLERS = 5;

const LEAST: WorkerSlots = { workflowTasks: 100, localActivities: 100, regularActivities: 200, cachedWorkflows: 500 };

/** Loading, settling, dead letters: what holds a slot beside a handler's call. */
const ROOM = 1.25;

/**
 * R14: the slots of a worker with so many destinations, so that all of them with every place taken leave some free for
 * the next event of any other.
 *
 * - A regular attempt that waits for a place holds a slot, too.
 * - A local attempt holds a slot of its own and its workflow task's until it ends. Each poller of workflow tasks holds one
 *   as well, and an eager start needs one that none of them holds.
 * - A run with a local attempt under way stays in the cache; the rest of the cache saves replays.
 */
export function slotsFor(destinations: number, places: Places): WorkerSlots {
  const local = Math.ceil(destinations * places.local * ROOM);
  const workflowTasks = Math.max(LEAST.workflowTasks, local + 2 * WORKFLOW_POLLERS);
  return {
    workflowTasks,
    localActivities: Math.max(LEAST.localActivities, local),
    regularActivities: Math.max(
      LEAST.regularActivities,
      Math.ceil(destinations * (places.regular + mayWait(places)) * ROOM),
    ),
    cachedWorkflows: Math.max(LEAST.cachedWorkflows, 2 * workflowTasks),
  };
}
