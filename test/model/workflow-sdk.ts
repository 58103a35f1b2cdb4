/**
 * What '@temporalio/workflow' gives to the product's own workflows, which so run as they are, outside of the sandbox: their
 * activities become tasks of the modelled server, and timers pass at once. Nobody cancels a run here.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';

/** As the server sees it. `local`: by the worker that has the workflow task. */
export type Schedule = (task: {
  readonly name: string;
  readonly arg: unknown;
  readonly local: boolean;
}) => Promise<unknown>;

interface InRun {
  readonly schedule: Schedule;
  readonly historyLength: number;
}

const runs = new AsyncLocalStorage<InRun>();
export const inRun = <T>(run: InRun, work: () => T): T => runs.run(run, work);

function current(): InRun {
  const run = runs.getStore();
  if (run === undefined) throw new TypeError('expected to be called by a workflow');
  return run;
}

const proxy = (local: boolean) => () =>
  new Proxy({}, { get: (_, name) => (arg: unknown) => current().schedule({ name: String(name), arg, local }) });

const noop = () => undefined;

export const workflowSdk = {
  ActivityFailure,
  ApplicationFailure,
  TimeoutFailure,
  ActivityCancellationType: { WAIT_CANCELLATION_COMPLETED: 'WAIT_CANCELLATION_COMPLETED' },
  ParentClosePolicy: { ABANDON: 'ABANDON' },
  CancellationScope: { nonCancellable: <T>(work: () => T): T => work() },
  isCancellation: () => false,
  log: { debug: noop, info: noop, warn: noop, error: noop },
  proxyActivities: proxy(false),
  proxyLocalActivities: proxy(true),
  setCurrentDetails: noop,
  sleep: async () => undefined,
  startChild: async () => undefined,
  upsertSearchAttributes: noop,
  workflowInfo: () => ({ historyLength: current().historyLength, startTime: new Date() }),
};
