import { readFile } from 'node:fs/promises';
import { type NativeConnection, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import type { DeliveryActivities } from '../../../workflows/contract.js';

export interface DeliveryWorkerOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly identity: string;
  /** The packed bundle (dist/workflow-bundle.js), or a bundle's code. */
  readonly workflowBundle: WorkflowBundleOption;
  readonly activities: DeliveryActivities;
  /** Above the regular attempt's HTTP deadline, so that a shutdown lets running attempts end. Default 30 s. */
  readonly shutdownGraceMs?: number;
  readonly slots?: Partial<WorkerSlots>;
}

export interface WorkerSlots {
  /** A local attempt holds its workflow task's slot until it ends. */
  readonly workflowTasks: number;
  readonly localActivities: number;
  readonly regularActivities: number;
  readonly cachedWorkflows: number;
}

/** Well above the dispatcher's places: 32 local and 64 regular for each destination. */
const DEFAULT_SLOTS: WorkerSlots = {
  workflowTasks: 100,
  localActivities: 100,
  regularActivities: 200,
  cachedWorkflows: 500,
};

/** A worker for the delivery's workflows and activities. Call `run()`, and `shutdown()` to drain it. */
export async function createDeliveryWorker(options: DeliveryWorkerOptions): Promise<Worker> {
  const slots = { ...DEFAULT_SLOTS, ...options.slots };
  return Worker.create({
    connection: options.connection,
    namespace: options.namespace,
    taskQueue: options.taskQueue,
    identity: options.identity,
    workflowBundle: options.workflowBundle,
    activities: options.activities,
    shutdownGraceTime: options.shutdownGraceMs ?? 30_000,
    maxConcurrentWorkflowTaskExecutions: slots.workflowTasks,
    maxConcurrentLocalActivityExecutions: slots.localActivities,
    maxConcurrentActivityTaskExecutions: slots.regularActivities,
    maxCachedWorkflows: slots.cachedWorkflows,
    // Most runs live for one task, which comes by the non-sticky queue. There are as many pollers again for the sticky
    // one, and each holds a slot: an eager start needs a slot that none of them holds.
    workflowTaskPollerBehavior: { type: 'autoscaling', initial: 5, maximum: 25 },
    activityTaskPollerBehavior: { type: 'autoscaling', initial: 5, maximum: 50 },
  });
}

/**
 * Reads the bundle that the package ships.
 * @throws Error that names the path when it is missing
 */
export async function readWorkflowBundle(path: string): Promise<WorkflowBundleOption> {
  try {
    return { code: await readFile(path, 'utf8') };
  } catch (error) {
    throw new Error(`Workflow bundle: expected it at ${path} (npm run build makes it)`, { cause: error });
  }
}
