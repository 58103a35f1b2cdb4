/**
 * What the workflows, their starter and their activities agree on: names, inputs, answers, failure details. It is
 * stored in histories: change a shape only so that every open run can still be read.
 */
import type { BatchState, BatchTally } from '../src/domain/delivery/batch-state.js';
import type { CarriedState, PreviousAttempt } from '../src/domain/delivery/carried-state.js';
import type { DeadLetterGroup } from '../src/domain/delivery/dead-letter-group.js';
import type { AttemptDeadlines, DeliveryTimeouts } from '../src/domain/delivery/delivery-timeouts.js';
import type { ErrorCode } from '../src/domain/delivery/error-catalog.js';
import type { RetryPolicy } from '../src/domain/delivery/policy.js';

/** Workflow type. Its id is `eventRunId(…)`. */
export const DELIVER_EVENT = 'deliverEvent';

/** Never the payload: the activity loads the row. */
export interface DeliverEventInput {
  readonly eventId: string;
  readonly epoch: number;
  /** null: the event's own run; else the id of the batch that carries it. */
  readonly carrier: string | null;
  readonly firstAttempt: 'local' | 'regular';
  readonly policyHash: string;
  /** The policy of that hash: the workflow computes the delay after a local timeout, and shows it. */
  readonly policy: RetryPolicy;
  readonly timeouts: DeliveryTimeouts;
  /** The search attribute for the error code of a failed run; null where search attributes are off. */
  readonly errorCodeAttribute: string | null;
}

export interface DeliverEventResult {
  readonly kind: 'delivered' | 'superseded';
  /** The destination's id of the effect. */
  readonly receiptId?: string;
}

export interface RunFields {
  readonly eventId: string;
  readonly epoch: number;
  readonly carrier: string | null;
}

export interface DispatchEventTask extends RunFields {
  /** R10, local only: an attempt may have been under way before. Nothing is sent; the answer is `lost`. */
  readonly lost?: true;
  readonly previous: PreviousAttempt | null;
  readonly carried: CarriedState;
  readonly deadlines: AttemptDeadlines;
  /** When the run began, in milliseconds since 1970. Left out by workflows of before. */
  readonly runStartedAt?: number;
}

export type DispatchEventAnswer =
  | { readonly kind: 'delivered'; readonly receiptId: string }
  | { readonly kind: 'superseded' }
  /** R14, local only: no place free. */
  | { readonly kind: 'busy' }
  /** R10, local only: to the question `lost`. */
  | { readonly kind: 'lost' };

export interface RecordDeadLetterTask extends RunFields {
  readonly code: ErrorCode;
  /** The attempt that ended the delivery; null where none did. */
  readonly attempt: { readonly n: number; readonly local: boolean; readonly status: number | null } | null;
}

export interface RecordDeadLetterAnswer {
  readonly kind: 'recorded' | 'already' | 'superseded';
  /** R18, with `superseded`: the effect stands, its destination said so in the last moment. */
  readonly receiptId?: string;
  /** R24: the run to start, where this letter opened its group. */
  readonly notify?: { readonly workflowId: string; readonly input: NotifyGroupInput };
}

/** Workflow type. Its id is `batchRunId(…)`, the carrier of its events (R20). */
export const DELIVER_BATCH = 'deliverBatch';

export interface DeliverBatchInput {
  readonly carrier: string;
  readonly destination: string;
  /** [event id, epoch] */
  readonly events: readonly (readonly [string, number])[];
  readonly firstAttempt: 'local' | 'regular';
  readonly timeouts: DeliveryTimeouts;
  readonly errorCodeAttribute: string | null;
}

export type DeliverBatchResult = BatchTally;

export interface DispatchBatchTask extends Pick<DeliverBatchInput, 'carrier' | 'destination' | 'events'> {
  /** R10, local only: an attempt may have been under way before. Nothing is sent; the answer is `lost`. */
  readonly lost?: true;
  readonly state: BatchState;
  readonly deadlines: AttemptDeadlines;
  /** As of a single event's. */
  readonly runStartedAt?: number;
}

export type DispatchBatchAnswer =
  | { readonly kind: 'done'; readonly tally: BatchTally }
  /** R14, local only: no place free, or no time for a slow post. `tally`: of what it did all the same. */
  | { readonly kind: 'busy'; readonly tally?: BatchTally }
  /** R10, local only: to the question `lost`. */
  | { readonly kind: 'lost' };

/** As delivery's own: `dispatchBatch` is called as a local and as a regular activity. */
export interface BatchActivities {
  dispatchBatch(task: DispatchBatchTask): Promise<DispatchBatchAnswer>;
}

/** The activities' names are the keys. `dispatchEvent` is called as a local and as a regular activity. */
export interface DeliveryActivities {
  dispatchEvent(task: DispatchEventTask): Promise<DispatchEventAnswer>;
  recordDeadLetter(task: RecordDeadLetterTask): Promise<RecordDeadLetterAnswer>;
}

/**
 * The server's own retries of regular attempts, of one event and of a batch: only for what has no `nextRetryDelay` of ours, an
 * attempt whose answer did not come. Ours may be longer: the server does not clamp it (1.29, tried). Every try counts for the
 * server, also one that only saw its destination away, so without a low bound one that is lost after ten of those would be
 * waited out for a quarter of an hour.
 */
export const AFTER_NO_ANSWER = { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '5 s' } as const;

/** Workflow type. Its id is `notifyRunId(…)`, the name of its claim and the notices' idempotency key. */
export const NOTIFY_GROUP = 'notifyGroup';

export interface NotifyGroupInput {
  /** The group's oldest unsent notification row. */
  readonly rowId: string;
  /** How long others are waited for. */
  readonly windowMs: number;
  /** For how long a channel that does not take it is tried. */
  readonly giveUpMs: number;
}

export interface NotifyGroupResult {
  /** Letters told of; 0: somebody else tells of them. */
  readonly count: number;
  readonly outcome: NotifyOutcome;
}

/** By channel. */
export type NotifyOutcome = Readonly<Record<string, 'sent' | ErrorCode>>;

export type ClaimGroupAnswer =
  | { readonly kind: 'claimed'; readonly told: ToldGroup; readonly channels: readonly string[] }
  | { readonly kind: 'nothing' };

export interface ToldGroup {
  readonly group: DeadLetterGroup;
  readonly at: string;
}

/** The claimant is the run. */
export interface NotifyActivities {
  claimGroup(task: { readonly rowId: string }): Promise<ClaimGroupAnswer>;
  sendNotice(task: ToldGroup & { readonly channel: string }): Promise<void>;
  finishGroup(task: { readonly outcome: NotifyOutcome }): Promise<void>;
}

/** `details[0]` of every ApplicationFailure of ours; its `type` is the code, its message the catalogue's. */
export interface FailureDetails {
  readonly code: ErrorCode;
  readonly status: number | null;
  /** Our own number of the attempt; null where it got none. */
  readonly attempt: number | null;
  /** Local attempts only: what `nextRetryDelay` is for regular ones (Temporal drops it in a workflow). Null: final. */
  readonly delayMs?: number | null;
  /** Local attempts only; regular ones hand it on as heartbeat details. */
  readonly carried?: CarriedState;
  /** The same, of a batch. */
  readonly batch?: BatchState;
}
