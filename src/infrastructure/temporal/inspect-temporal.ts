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
}

/** Asks about one namespace and one task queue of it, each call within five seconds. Changes nothing. */
export function inspectTemporal(connection: NativeConnection, target: TemporalTarget, taskQueue: string): TemporalLook {
  const { namespace } = target;
  const service = connection.workflowService;
  const call = <T>(work: () => Promise<T>) => connection.withDeadline(Date.now() + TIMEOUT_MS, work);
  const pollersOf = async (taskQueueType: number) => {
    const asked = { namespace, taskQueue: { name: taskQueue }, taskQueueType };
    return (await call(() => service.describeTaskQueue(asked))).pollers?.length ?? 0;
  };
  return {
    async readRetention() {
      const { config } = await call(() => service.describeNamespace({ namespace }));
      const seconds = config?.workflowExecutionRetentionTtl?.seconds;
      return seconds === undefined || seconds === null ? null : Number(seconds);
    },
    async countPollers() {
      const [workflowPollers, activityPollers] = await Promise.all([pollersOf(WORKFLOW), pollersOf(ACTIVITY)]);
      return { workflowPollers, activityPollers };
    },
  };
}

/** temporal.api.enums.v1: TaskQueueType. */
const WORKFLOW = 1;
const ACTIVITY = 2;

/** In words: whether it is away or refuses, and why. */
export function describeTemporalFailure(error: unknown, { address }: TemporalTarget): string {
  const { message } = error as Partial<Error>;
  return isAway(error)
    ? `Temporal at ${address} does not answer`
    : `Temporal at ${address} refuses to answer: ${String(message).split('\n')[0]}`;
}
