/**
 * What a person is told of, and by which channels. A notice holds ids, names, codes and counts; never a payload, an answer
 * of a destination or personal data (a tenant's id is allowed), so every channel may show all of it.
 */
import type { ErrorCode } from '../../../domain/delivery/error-catalog.js';
import type { Logger } from '../ports.js';

export interface NoticeBase {
  readonly deployment: string;
  /** When it was noticed, RFC 3339 with a zone. */
  readonly at: string;
  /** http or https; where to look. null: nowhere. */
  readonly monitorUrl: string | null;
}

export interface DeadLetterSample {
  readonly deadLetterId: string;
  readonly eventId: string;
  readonly epoch: number;
  readonly eventName: string;
  /** The empty string: none. */
  readonly tenantId: string;
}

/** One group of dead letters (R24): event type × code × window. What the code means stands in the catalogue. */
export interface DeadLettersNotice extends NoticeBase {
  readonly kind: 'dead_letters';
  readonly eventType: string;
  readonly code: ErrorCode;
  readonly destination: string;
  readonly count: number;
  readonly firstAt: string;
  readonly lastAt: string;
  /** Channels show the first five. */
  readonly samples: readonly DeadLetterSample[];
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
