import { readFile } from 'node:fs/promises';
import { type NativeConnection, Worker, type WorkerOptions, type WorkflowBundleOption } from '@temporalio/worker';
import type { BatchActivities, DeliveryActivities, NotifyActivities } from '../../../workflows/contract.js';
import type { WorkerVersion } from '../../application/delivery/worker-version.js';
import type { TaskSlots } from './task-slots.js';
import { FEWEST_POLLERS, WORKFLOW_POLLERS, type WorkerSlots } from './worker-slots.js';

export interface DeliveryWorkerOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly identity: string;
  /** The packed bundle (dist/workflow-bundle.js), or a bundle's code. */
  readonly workflowBundle: WorkflowBundleOption;
  readonly activities: DeliveryActivities & BatchActivities & NotifyActivities;
  /** Above the regular attempt's HTTP deadline, so that a shutdown lets running attempts end. Default 30 s. */
  readonly shutdownGraceMs?: number;
  /** Worker Versioning: the build whose runs this worker takes. Left out: it takes those of any. */
  readonly version?: WorkerVersion;
  /** See `slotsFor`. */
  readonly slots: WorkerSlots;
  /** Of `slots.workflowTasks`. Left out: so many at once, whatever the worker gets through. Not beside a relay. */
  readonly taskSlots?: TaskSlots | undefined;
  /** Goes with the traced bundle; left out: tracing is off. */
  readonly traced?: Required<Pick<WorkerOptions, 'interceptors' | 'sinks'>> | undefined;
}

const POLLERS = { minimum: FEWEST_POLLERS, initial: FEWEST_POLLERS };

/** A worker for the delivery's workflows and activities. Call `run()`, and `shutdown()` to drain it. */
export async function createDeliveryWorker(options: DeliveryWorkerOptions): Promise<Worker> {
  const { slots, taskSlots, version } = options;
  return Worker.create({
    connection: options.connection,
    namespace: options.namespace,
    taskQueue: options.taskQueue,
    identity: options.identity,
    workflowBundle: options.workflowBundle,
    activities: options.activities,
    ...options.traced,
    shutdownGraceTime: options.shutdownGraceMs ?? 30_000,
    tuner: {
      workflowTaskSlotSupplier: taskSlots?.supplier ?? { type: 'fixed-size', numSlots: slots.workflowTasks },
      localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: slots.localActivities },
      activityTaskSlotSupplier: { type: 'fixed-size', numSlots: slots.regularActivities },
      nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 }, // asked for; there are no such tasks
    },
    maxCachedWorkflows: slots.cachedWorkflows,
    // Most runs live for one task, which comes by the non-sticky queue.
    workflowTaskPollerBehavior: { type: 'autoscaling', ...POLLERS, maximum: WORKFLOW_POLLERS },
    activityTaskPollerBehavior: { type: 'autoscaling', ...POLLERS, maximum: 50 },
    // By itself the SDK would send one in 80 % of the timeout: one that is lost on its way would be a lost attempt.
    maxHeartbeatThrottleInterval: 10_000,
    ...(version === undefined
      ? {}
      : // Our workflows replay what earlier releases have begun (test/workflows/replay): runs move on with the current build.
        {
          workerDeploymentOptions: {
            version,
            useWorkerVersioning: true,
            defaultVersioningBehavior: 'AUTO_UPGRADE' as const,
          },
        }),
  });
}

/**
 * Reads the bundle that the package ships.
 * @throws Error that names the path when it is missing
 */
export async function readWorkflowBundle(path: string): Promise<{ readonly code: string }> {
  try {
    return { code: await readFile(path, 'utf8') };
  } catch (error) {
    throw new Error(`Workflow bundle: expected it at ${path} (npm run build makes it)`, { cause: error });
  }
}
