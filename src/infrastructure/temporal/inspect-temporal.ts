import type { NativeConnection } from '@temporalio/worker';
import type { PollerFacts } from '../../application/delivery/doctor/judge-temporal.js';
import { isAway, type TemporalTarget } from './connect-temporal.js';

const TIMEOUT_MS = 5_000;

/** Each rejects by itself where the server does not answer it, or refuses to. */
export interface TemporalLook {
  /** How long closed runs are kept, in seconds; null: the server does not say. */
  readRetention(): Promise<number | null>;
  /** Whoever polled in the last minutes, as the server counts them. */
  countPollers(): Promise<Omit<PollerFacts, 'taskQueue'>>;
  /** Builds of a worker deployment whose workers poll for workflows, each once. */
  readPollingBuilds(deploymentName: string): Promise<readonly string[]>;
}

/** Asks about one namespace and one task queue of it, each call within five seconds. Changes nothing. */
export function inspectTemporal(connection: NativeConnection, target: TemporalTarget, taskQueue: string): TemporalLook {
  const { namespace } = target;
  const service = connection.workflowService;
  const call = <T>(work: () => Promise<T>) => connection.withDeadline(Date.now() + TIMEOUT_MS, work);
  const pollersOf = async (taskQueueType: number) => {
    const asked = { namespace, taskQueue: { name: taskQueue }, taskQueueType };
    return (await call(() => service.describeTaskQueue(asked))).pollers ?? [];
  };
  return {
    async readRetention() {
      const { config } = await call(() => service.describeNamespace({ namespace }));
      const seconds = config?.workflowExecutionRetentionTtl?.seconds;
      return seconds === undefined || seconds === null ? null : Number(seconds);
    },
    async countPollers() {
      const [workflowPollers, activityPollers] = await Promise.all([pollersOf(WORKFLOW), pollersOf(ACTIVITY)]);
      return { workflowPollers: workflowPollers.length, activityPollers: activityPollers.length };
    },
    async readPollingBuilds(deploymentName) {
      const since = Date.now() / 1_000 - STILL_POLLING_S;
      const builds = (await pollersOf(WORKFLOW))
        .filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) >= since)
        .flatMap(({ deploymentOptions: of }) =>
          of?.deploymentName === deploymentName && of.buildId ? [of.buildId] : [],
        );
      return [...new Set(builds)];
    },
  };
}

/** What the server keeps runs in, as it says itself: `sqlite`, `postgres12_pgx`; null: it does not say, or not to us. */
export async function readTemporalStore(connection: NativeConnection): Promise<string | null> {
  const asked = connection.withDeadline(Date.now() + TIMEOUT_MS, () => connection.workflowService.getClusterInfo({}));
  return asked.then(
    ({ persistenceStore }) => persistenceStore || null,
    () => null, // Temporal Cloud, or a key without the right
  );
}

/** temporal.api.enums.v1: TaskQueueType. */
const WORKFLOW = 1;
const ACTIVITY = 2;
/** A poll lasts for a minute at most; the server names whoever polled within five. The rest is for clocks that differ. */
const STILL_POLLING_S = 120;

/** In words: whether it is away or refuses, and why. */
export function describeTemporalFailure(error: unknown, { address }: TemporalTarget): string {
  const { message } = error as Partial<Error>;
  return isAway(error)
    ? `Temporal at ${address} does not answer`
    : `Temporal at ${address} refuses to answer: ${String(message).split('\n')[0]}`;
}
