/**
 * What a person is told of, and by which channels. A notice holds ids, names, codes and counts; never a payload, an answer
 * of a destination or personal data (a tenant's id is allowed), so every channel may show all of it.
 */
import type { DeadLetterGroup } from '../../../domain/delivery/dead-letter-group.js';
import type { ErrorCode } from '../../../domain/delivery/error-catalog.js';
import type { Logger } from '../ports.js';

/** What every notice says of where it comes from. */
export interface NoticeLinks {
  readonly deployment: string;
  /** Of the monitor; null: none. */
  readonly monitorUrl: string | null;
}

export interface NoticeBase {
  readonly deployment: string;
  /** When it was noticed, RFC 3339 with a zone. */
  readonly at: string;
  /** http or https; where to look. null: nowhere. */
  readonly monitorUrl: string | null;
}

/** What the code means stands in the catalogue. */
export interface DeadLettersNotice extends NoticeBase, DeadLetterGroup {
  readonly kind: 'dead_letters';
  /** The first letter's run in Temporal's Web UI; null: its address is not set. */
  readonly temporalUrl: string | null;
}

/** What is wrong with the environment, or right again. */
export type AlertNotice = NoticeBase &
  (
    | {
        readonly kind: 'breaker_opened';
        readonly destination: string;
        readonly code: ErrorCode;
        readonly failures: number;
      }
    | { readonly kind: 'breaker_closed'; readonly destination: string; readonly openedAt: string }
    /** `reason`: a machine's code, such as gRPC's `UNAVAILABLE`; no message. */
    | { readonly kind: 'relay_batch_failed'; readonly reason: string; readonly count: number }
    | { readonly kind: 'lag_over_limit'; readonly lagSeconds: number; readonly limitSeconds: number }
    | { readonly kind: 'backlog_over_limit'; readonly backlog: number; readonly limit: number }
    /** `hour`: its begin. `check`: which comparison of the books differs (R23). */
    | {
        readonly kind: 'books_unbalanced';
        readonly hour: string;
        readonly differences: readonly { readonly check: string; readonly count: number }[];
      }
    | { readonly kind: 'workflows_stuck'; readonly count: number; readonly workflowIds: readonly string[] }
    | { readonly kind: 'worker_missing'; readonly taskQueue: string; readonly since: string }
    /** R19: a worker asked its database for events that are not there. */
    | { readonly kind: 'event_not_found'; readonly taskQueue: string }
    /** It found more wrong than it may mend by itself, and writes nothing until a person has looked (R21). */
    | { readonly kind: 'reconciler_stopped'; readonly reason: string }
    /** The end of an earlier alert. `subject`: its destination, task queue or hour; null where it had none. */
    | {
        readonly kind: 'recovered';
        readonly alert: RecoverableAlert;
        readonly subject: string | null;
        readonly since: string;
      }
  );

/** A breaker has its own end. */
export type RecoverableAlert =
  | 'relay_batch_failed'
  | 'lag_over_limit'
  | 'backlog_over_limit'
  | 'books_unbalanced'
  | 'workflows_stuck'
  | 'worker_missing'
  | 'event_not_found'
  | 'reconciler_stopped';

export type Notice = DeadLettersNotice | AlertNotice;
export type NoticeKind = Notice['kind'];

/** How much of a list a channel shows. */
export const SHOWN_SAMPLES = 5;

export interface NotifyContext {
  /** Aborted at the deadline of the notice or by a shutdown. */
  readonly signal: AbortSignal;
  /** The same for every try of one notice through one channel: send it along, so that the other side can collapse them. */
  readonly idempotencyKey: string;
  readonly log: Logger;
}

export interface NotifierProblem {
  /** Which option: `url`, `secrets[1]`. */
  readonly option: string;
  /** What was expected, never the value: it may be a secret. */
  readonly message: string;
}

/** One channel. May be asked to send one notice more than once. */
export interface Notifier {
  /** Unique in a configuration; routes name it. */
  readonly name: string;
  /** Resolves when the other side has taken it. Throws a NotifyError; anything else thrown counts as one to retry. */
  send(notice: Notice, context: NotifyContext): Promise<void>;
  /** What is wrong with its options; `defineConfig` tells each by its path. */
  readonly problems?: readonly NotifierProblem[];
  /** What only the outside can tell, asked once when a role starts. Nothing to say while the outside is away. */
  verify?(signal: AbortSignal): Promise<readonly NotifierProblem[]>;
}

/** R24: how a run that tells of a group is started. */
export interface NoticeTimes {
  /** How long letters of one group are gathered. */
  readonly windowMs: number;
  /** For how long a channel that does not take a notice is tried. */
  readonly giveUpMs: number;
}

/** A channel that is down is tried for so long. */
export const NOTICE_GIVE_UP_MS = 3_600_000;

// ---- Store: what waits to be told (R24) ----------------------------------------------------------------------------

/** A group that one run tells of. */
export interface ClaimedGroup {
  readonly group: DeadLetterGroup;
  /** When it was claimed, RFC 3339: the same whoever asks again. */
  readonly at: string;
}

/** By name of the channel: `sent`, or the code of why it was given up. */
export type GroupOutcome = Readonly<Record<string, 'sent' | ErrorCode>>;

/** The oldest row of a group that waits, or the run that took a group and did not come to an end. */
export type LeftBehind =
  | { readonly rowId: string; readonly claimant: null }
  | { readonly rowId: null; readonly claimant: string };

/** The last one looked at of either kind; null: from the first one on. */
export interface LeftBehindPlace {
  readonly rowId: string | null;
  readonly claimant: string | null;
}

/** Starts the run that tells of a group. Never throws. */
export interface NoticeStarter {
  /** `exists`: it runs. */
  start(rowId: string, timeoutMs: number): Promise<NoticeStart>;
}

export type NoticeStart =
  | { readonly kind: 'started' | 'exists' }
  /** Refused or unanswered: the next look tries again. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface NotificationStore {
  /**
   * The rows that this claimant holds already; else the unclaimed ones of the row's group, if the row is one of them. null:
   * nothing to tell, another one tells of it.
   */
  claimGroup(claim: { readonly rowId: string; readonly claimant: string }): Promise<ClaimedGroup | null>;
  /** Groups that no run has told of, by their ids, so nearly the oldest first: at most `limit` of either kind. */
  findLeftBehind(options: {
    /** Unclaimed for longer than this. */
    readonly waitedMs: number;
    /** Claimed for longer than this and not done. */
    readonly heldMs: number;
    readonly limit: number;
    readonly after: LeftBehindPlace;
  }): Promise<readonly LeftBehind[]>;
  /** Ends what the claimant holds; safe to call again. */
  finishGroup(end: { readonly claimant: string; readonly outcome: GroupOutcome }): Promise<void>;
}
