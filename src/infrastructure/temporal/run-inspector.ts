import type { NativeConnection } from '@temporalio/worker';
import type { RunInspector, RunLook } from '../../application/delivery/reconcile/ports.js';
import type { ErrorCode } from '../../domain/delivery/error-catalog.js';
import { isNotFound } from './connect-temporal.js';

/** Says who ended it, to people and to the reconciler's next look. Never changed: it is read back from histories. */
const REASON = 'temporal-outbox: its workflow task failed again and again, the event is dispatched again';

const TIMEOUT_MS = 3_000;

/** A first task that timed out hides how the later ones ended: so many of them are no workers' deaths any more. */
const HIDDEN_TIMES = 3;

/**
 * Asks for one run at a time, by its id. `stuckAfter`: a workflow task that failed more often than this, and failed rather
 * than timed out first (which is a worker's death, or none at all), will not go on by itself. Default 10. However its first
 * try ended, one that was begun three times as often will not, either: what waits for a worker is not begun.
 */
export function createRunInspector(options: {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly identity: string;
  readonly stuckAfter?: number;
}): RunInspector {
  const { connection, namespace, taskQueue, identity, stuckAfter = 10 } = options;
  const service = connection.workflowService;
  const call = <T>(work: () => Promise<T>) => connection.withDeadline(Date.now() + TIMEOUT_MS, work);

  async function look(workflowId: string): Promise<RunLook> {
    const { workflowExecutionInfo: info, pendingWorkflowTask: task } = await call(() =>
      service.describeWorkflowExecution({ namespace, execution: { workflowId } }),
    );
    const runId = info?.execution?.runId ?? '';
    const execution = { workflowId, runId };
    const closedAt = new Date(Number(info?.closeTime?.seconds ?? 0) * 1_000);
    switch (Number(info?.status)) {
      case STATUS.running:
      case STATUS.paused:
        return { kind: 'running', runId, stuck: await isStuck(execution, task?.attempt ?? 0) };
      case STATUS.terminated:
        return { kind: 'terminated', runId, byUs: (await terminatedFor(execution)) === REASON };
      case STATUS.failed:
        return { kind: 'closed', runId, closedAt, eventNotFound: (await failedWith(execution)) === NOT_IN_DATABASE };
      case STATUS.completed:
      case STATUS.canceled:
      case STATUS.timedOut:
        return { kind: 'closed', runId, closedAt, eventNotFound: false };
      default:
        return { kind: 'unknown' };
    }
  }

  async function isStuck(execution: Execution, attempt: number): Promise<boolean> {
    if (attempt > stuckAfter * HIDDEN_TIMES) return true;
    return attempt > stuckAfter && (await failedFirst(execution));
  }

  /** Later failures of the same task are not written to the history, so its last event is the first one's. */
  async function failedFirst(execution: Execution): Promise<boolean> {
    const { history } = await call(() =>
      service.getWorkflowExecutionHistoryReverse({ namespace, execution, maximumPageSize: 1 }),
    );
    return history?.events?.[0]?.workflowTaskFailedEventAttributes != null;
  }

  async function closeEvent(execution: Execution) {
    const { history } = await call(() =>
      service.getWorkflowExecutionHistory({ namespace, execution, historyEventFilterType: CLOSE_EVENT }),
    );
    return history?.events?.at(-1);
  }
  const terminatedFor = async (execution: Execution) =>
    (await closeEvent(execution))?.workflowExecutionTerminatedEventAttributes?.reason;
  const failedWith = async (execution: Execution) =>
    (await closeEvent(execution))?.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo?.type;

  return {
    async look(workflowId) {
      try {
        return await look(workflowId);
      } catch (error) {
        return isNotFound(error) ? { kind: 'not-found' } : { kind: 'unknown' };
      }
    },
    async terminate(workflowId, runId) {
      await call(() =>
        service.terminateWorkflowExecution({
          namespace,
          workflowExecution: { workflowId, runId },
          reason: REASON,
          identity,
        }),
      ).catch(() => undefined); // closed meanwhile, or not answered: the next look tells
    },
    async countPollers() {
      try {
        const asked = { namespace, taskQueue: { name: taskQueue }, taskQueueType: WORKFLOW_QUEUE };
        return (await call(() => service.describeTaskQueue(asked))).pollers?.length ?? 0;
      } catch {
        return null; // told by the namespace's guard, which asks the same server
      }
    },
  };
}

interface Execution {
  readonly workflowId: string;
  readonly runId: string;
}

const NOT_IN_DATABASE: ErrorCode = 'DISPATCH.EVENT_NOT_FOUND';

/** temporal.api.enums.v1: WorkflowExecutionStatus, HistoryEventFilterType, TaskQueueType. */
const STATUS = { running: 1, completed: 2, failed: 3, canceled: 4, terminated: 5, timedOut: 7, paused: 8 };
const CLOSE_EVENT = 2;
const WORKFLOW_QUEUE = 1;
