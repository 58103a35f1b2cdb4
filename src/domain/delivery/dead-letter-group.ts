import type { ErrorCode } from './error-catalog.js';

export interface DeadLetterSample {
  readonly deadLetterId: string;
  readonly eventId: string;
  readonly epoch: number;
  /** The empty string: the event is gone. */
  readonly eventName: string;
  /** The empty string: none. */
  readonly tenantId: string;
}

/** One group of dead letters (R24): event type × code × window. Ids, names and counts only: it goes to Temporal, too. */
export interface DeadLetterGroup {
  readonly eventType: string;
  readonly code: ErrorCode;
  /** Those of the samples; several by comma. */
  readonly destination: string;
  readonly count: number;
  /** RFC 3339, UTC, as the one below. */
  readonly firstAt: string;
  readonly lastAt: string;
  /** The first ten. */
  readonly samples: readonly DeadLetterSample[];
}
