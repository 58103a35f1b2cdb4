import { Client, isGrpcServiceError, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { DELIVER_EVENT, type DeliverEventInput } from '../../../workflows/contract.js';
import type { ClaimedEvent, StartAnswer, WorkflowStarter } from '../../application/delivery/ports.js';
import { type DeliveryTimeouts, startsRegular } from '../../domain/delivery/delivery-timeouts.js';
import { eventRunId } from '../../domain/delivery/workflow-ids.js';
import { type SearchAttributeNames, searchAttributesOf } from './search-attributes.js';

export interface WorkflowStarterOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly deployment: string;
  readonly taskQueue: string;
  /** By destination. */
  readonly timeoutsOf: (destination: string) => DeliveryTimeouts;
  /** null: search attributes are off. */
  readonly searchAttributes: SearchAttributeNames | null;
  /** True where a worker of this process shares the connection: the first task then comes with the start's answer. */
  readonly eager: boolean;
  /** Of the monitor, for the link to the event. */
  readonly monitorUrl?: string | undefined;
}

/** R13: after so long another worker takes over from one that died. A local attempt must fit in (`deliveryTimeouts`). */
export const WORKFLOW_TASK_TIMEOUT_MS = 5_000;

/**
 * Starts the run of a claimed event, once for its id for as long as Temporal keeps runs (REJECT_DUPLICATE and FAIL, R2).
 * Never throws: whatever else Temporal answers, or does not, is `refused` (R8).
 */
export function createWorkflowStarter(options: WorkflowStarterOptions): WorkflowStarter {
  const { connection, namespace, taskQueue } = options;
  const client = new Client({ connection, namespace });
  return {
    async start(event, timeoutMs) {
      try {
        const workflowId = eventRunId({ deployment: options.deployment, eventId: event.eventId, epoch: event.epoch });
        const starting = connection.withDeadline(Date.now() + timeoutMs, () =>
          client.workflow.start(DELIVER_EVENT, {
            workflowId,
            taskQueue,
            args: [inputOf(event, options)],
            workflowIdReusePolicy: 'REJECT_DUPLICATE',
            workflowIdConflictPolicy: 'FAIL',
            // R13. No execution or run timeout: those run no code of the workflow's and would strand the event.
            workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT_MS,
            requestEagerStart: options.eager,
            ...describe(event, options),
          }),
        );
        const { eagerlyStarted } = await before(starting, timeoutMs);
        return { kind: 'started', eager: eagerlyStarted };
      } catch (error) {
        return readRefusal(error);
      }
    },
  };
}

function inputOf(event: ClaimedEvent, options: WorkflowStarterOptions): DeliverEventInput {
  const { eventId, epoch, carrier, policyHash, policy } = event;
  const { searchAttributes } = options;
  const timeouts = options.timeoutsOf(event.destination);
  const firstAttempt = startsRegular(timeouts) ? 'regular' : event.firstAttempt;
  const errorCodeAttribute = searchAttributes?.errorCode ?? null;
  return { eventId, epoch, carrier, firstAttempt, policyHash, policy, timeouts, errorCodeAttribute };
}

/** What the Web UI shows. Names and ids of our own only: an aggregate's id may be personal. */
function describe(event: ClaimedEvent, { searchAttributes, monitorUrl }: WorkflowStarterOptions) {
  const { eventId, epoch, eventName, eventType, destination, aggregateType } = event;
  const again = epoch === 0 ? '' : ` (epoch ${epoch})`;
  const link =
    monitorUrl === undefined ? '' : `\n\n[Open in the monitor](${new URL(`events/${eventId}`, monitorUrl).href})`;
  return {
    memo: { eventId, epoch, eventName, eventType, destination, aggregateType },
    staticSummary: `${eventName} → ${destination}${again}`,
    staticDetails: `Delivers outbox event \`${eventId}\` to \`${destination}\`, epoch ${epoch}.${link}`,
    ...(searchAttributes === null ? {} : { typedSearchAttributes: searchAttributesOf(searchAttributes, event) }),
  };
}

class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
}

/** The connection retries by itself for longer than its deadline; the relay must not wait for that. */
export async function before<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new UnansweredError(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => undefined); // answered after all, too late: the next start of this id finds it
  }
}

export function readRefusal(error: unknown): Exclude<StartAnswer, { kind: 'started' }> {
  // The server compares ids only, so this is the very id that was asked for.
  if (error instanceof WorkflowExecutionAlreadyStartedError) return { kind: 'exists' };
  const status = findGrpcError(error);
  if (status !== null) return { kind: 'refused', reason: `${status.code}: ${status.details}`.slice(0, 500) };
  return { kind: 'refused', reason: (error instanceof Error ? error.message : String(error)).slice(0, 500) };
}

/** The client wraps what the server said. */
function findGrpcError(error: unknown): { code: number; details: string } | null {
  for (let e = error; e instanceof Error; e = e.cause) {
    // A native connection leaves `details` empty and puts the server's words into the message.
    if (isGrpcServiceError(e)) return { code: Number(e.code), details: e.details || e.message };
  }
  return null;
}
