import { createHash } from 'node:crypto';
import {
  Client,
  isGrpcServiceError,
  type WorkflowClientInterceptor,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowStartOptions,
} from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import {
  DELIVER_BATCH,
  DELIVER_EVENT,
  type DeliverBatchInput,
  type DeliverEventInput,
} from '../../../workflows/contract.js';
import type { ClaimedBatch, ClaimedEvent, StartAnswer, WorkflowStarter } from '../../application/delivery/ports.js';
import { traceStarts } from '../../application/delivery/trace-starts.js';
import type { Tracing } from '../../application/tracing.js';
import { type DeliveryTimeouts, startsRegular } from '../../domain/delivery/delivery-timeouts.js';
import { monitorEventUrl } from '../../domain/delivery/monitor-links.js';
import { eventRunId } from '../../domain/delivery/workflow-ids.js';
import { batchAttributesOf, type SearchAttributeNames, searchAttributesOf } from './search-attributes.js';

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
  /** Left out: off. */
  readonly traced?: { readonly tracing: Tracing; readonly interceptor: WorkflowClientInterceptor } | undefined;
}

/** R13: after so long another worker takes over from one that died. A local attempt must fit in (`deliveryTimeouts`). */
export const WORKFLOW_TASK_TIMEOUT_MS = 5_000;

/**
 * Starts the run of a claimed event, once for its id for as long as Temporal keeps runs (REJECT_DUPLICATE and FAIL, R2).
 * Never throws: whatever else Temporal answers, or does not, is `refused` (R8).
 */
export function createWorkflowStarter(options: WorkflowStarterOptions): WorkflowStarter {
  const { connection, namespace, taskQueue } = options;
  const { traced } = options;
  const interceptors = traced === undefined ? {} : { interceptors: { workflow: [traced.interceptor] } };
  const client = new Client({ connection, namespace, ...interceptors });
  const start = async (type: string, own: () => OwnOptions, timeoutMs: number): Promise<StartAnswer> => {
    try {
      const described = own();
      const starting = connection.withDeadline(Date.now() + timeoutMs, () =>
        client.workflow.start(type, {
          taskQueue,
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          workflowIdConflictPolicy: 'FAIL',
          // R13. No execution or run timeout: those run no code of the workflow's and would strand the event.
          workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT_MS,
          requestEagerStart: options.eager,
          ...described,
        }),
      );
      const { eagerlyStarted } = await before(starting, timeoutMs);
      return { kind: 'started', eager: eagerlyStarted };
    } catch (error) {
      return readRefusal(error);
    }
  };
  const ownOf = (event: ClaimedEvent): OwnOptions => {
    const { eventId, epoch } = event;
    const workflowId = eventRunId({ deployment: options.deployment, eventId, epoch });
    return { workflowId, args: [inputOf(event, options)], ...inTurnOf([event]), ...describe(event, options) };
  };
  const ownOfBatch = (batch: ClaimedBatch): OwnOptions => ({
    workflowId: batch.carrier,
    args: [batchInputOf(batch, options)],
    ...inTurnOf(batch.events),
    ...describeBatch(batch, options),
  });
  const starter: WorkflowStarter = {
    start: (event, timeoutMs) => start(DELIVER_EVENT, () => ownOf(event), timeoutMs),
    startBatch: (batch, timeoutMs) => start(DELIVER_BATCH, () => ownOfBatch(batch), timeoutMs),
  };
  return traced === undefined ? starter : traceStarts(traced.tracing, starter);
}

/** What one start differs in from the others. */
type OwnOptions = Pick<
  WorkflowStartOptions,
  'workflowId' | 'args' | 'priority' | 'memo' | 'staticSummary' | 'staticDetails' | 'typedSearchAttributes'
>;

/** In bytes. Server 1.29.1 refuses a start with a longer one, each time (common/priorities/priority_util.go). */
const LONGEST_FAIRNESS_KEY = 64;

/**
 * R5, beyond the claim: where the server has fairness on, what waits in its queue goes by tenants in turn, too. Elsewhere it
 * means nothing. A batch of several is nobody's turn.
 */
function inTurnOf(events: readonly ClaimedEvent[]): Pick<OwnOptions, 'priority'> {
  const [tenantId = '', ...others] = new Set(events.map((event) => event.tenantId));
  if (tenantId === '' || others.length > 0) return {};
  const fits = Buffer.byteLength(tenantId) <= LONGEST_FAIRNESS_KEY;
  return { priority: { fairnessKey: fits ? tenantId : createHash('sha256').update(tenantId).digest('hex') } };
}

function batchInputOf({ carrier, events }: ClaimedBatch, options: WorkflowStarterOptions): DeliverBatchInput {
  const { destination = '', destinationWell = true } = events[0] ?? {};
  const timeouts = options.timeoutsOf(destination);
  const firstAttempt = destinationWell && !startsRegular(timeouts) ? 'local' : 'regular';
  const refs = events.map(({ eventId, epoch }) => [eventId, epoch] as const);
  const errorCodeAttribute = options.searchAttributes?.errorCode ?? null;
  return { carrier, destination, events: refs, firstAttempt, timeouts, errorCodeAttribute };
}

/** Named in a summary, and listed in its details; the run's input has all of them. */
const MOST_TYPES = 3;
const MOST_LISTED = 50;

function describeBatch({ events }: ClaimedBatch, { searchAttributes, monitorUrl }: WorkflowStarterOptions) {
  const { destination = '' } = events[0] ?? {};
  const types = [...new Set(events.map(({ eventType }) => eventType))];
  const named = types.length > MOST_TYPES ? [...types.slice(0, MOST_TYPES), 'others'] : types;
  const listed = events.slice(0, MOST_LISTED).map(({ eventId, eventName }) => {
    const id = monitorUrl === undefined ? `\`${eventId}\`` : `[${eventId}](${monitorEventUrl(monitorUrl, eventId)})`;
    return `- ${id} ${eventName}`;
  });
  const more =
    events.length > MOST_LISTED ? [`- and ${events.length - MOST_LISTED} more: they stand in the input`] : [];
  return {
    memo: { destination, events: events.length, eventTypes: named },
    staticSummary: `${events.length} events (${named.join(', ')}) → ${destination}`,
    staticDetails: [`Delivers outbox events to \`${destination}\` together:`, '', ...listed, ...more].join('\n'),
    ...(searchAttributes === null ? {} : { typedSearchAttributes: batchAttributesOf(searchAttributes, events) }),
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
  const link = monitorUrl === undefined ? '' : `\n\n[Open in the monitor](${monitorEventUrl(monitorUrl, eventId)})`;
  return {
    memo: { eventId, epoch, eventName, eventType, destination, aggregateType },
    staticSummary: `${eventName} → ${destination}${again}`,
    staticDetails: `Delivers outbox event \`${eventId}\` to \`${destination}\`, epoch ${epoch}.${link}`,
    ...(searchAttributes === null ? {} : { typedSearchAttributes: searchAttributesOf(searchAttributes, event) }),
  };
}

/** gRPC's code for what would be refused at any other time, too. */
const INVALID_ARGUMENT = 3;

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
  if (status !== null) {
    const reason = `${status.code}: ${status.details}`.slice(0, 500);
    return { kind: 'refused', reason, ...(status.code === INVALID_ARGUMENT ? { unfit: true } : {}) };
  }
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
