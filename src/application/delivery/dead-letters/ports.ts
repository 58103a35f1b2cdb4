/** What a person sees of dead letters, and the store that shows it. Texts in letters were redacted when they were written. */
import type { JsonValue } from '../../../domain/delivery/json.js';

export const DEAD_LETTER_STATES = ['open', 'redriven', 'resolved', 'discarded'] as const;
export type DeadLetterState = (typeof DEAD_LETTER_STATES)[number];

/** Which letters are meant; null leaves a field out. */
export interface DeadLetterFilter {
  readonly eventType: string | null;
  readonly code: string | null;
  /** The empty string: letters of events without a tenant. */
  readonly tenantId: string | null;
  readonly destination: string | null;
  /** When the letter was written, from `since` on and before `until`; RFC 3339. */
  readonly since: string | null;
  readonly until: string | null;
  /** In the message, the field, the causes or the body of the last response, whatever its case. Needs `since`. */
  readonly text: string | null;
  /** Those that one outage of a destination made; its id, which `outbox destinations list` tells. */
  readonly outageId: string | null;
}

/** A letter as lists show it. Times are RFC 3339, UTC. */
export interface DeadLetterSummary {
  readonly id: string;
  readonly eventId: string;
  readonly epoch: number;
  readonly destination: string;
  readonly eventType: string;
  /** null: no tenant. */
  readonly tenantId: string | null;
  /** One of docs/errors.md. */
  readonly code: string;
  readonly message: string;
  /** What the last attempt was answered with; null where it was not, also where `response` is an earlier attempt's. */
  readonly status: number | null;
  readonly retryCount: number;
  readonly maxRetries: number;
  /** Whether the outside effect stands although the delivery failed. */
  readonly effect: 'none' | 'unknown' | 'stands';
  readonly createdAt: string;
  readonly lastFailedAt: string;
  readonly state: DeadLetterState;
  readonly stateAt: string | null;
  readonly actor: string | null;
  readonly reason: string | null;
}

/** One with all that tells of it. */
export interface DeadLetter extends DeadLetterSummary {
  readonly stack: string | null;
  readonly causes: JsonValue;
  readonly response: JsonValue;
  readonly field: string | null;
  readonly workflowId: string | null;
  readonly runId: string | null;
  readonly traceparent: string | null;
  readonly policyHash: string | null;
  readonly firstFailedAt: string | null;
  /** null where the event is gone. */
  readonly event: {
    readonly eventName: string;
    readonly source: string;
    readonly aggregate: { readonly type: string; readonly id: string; readonly version: number | null };
    readonly occurredAt: string;
    readonly recordedAt: string;
  } | null;
  /** How the event stands now. */
  readonly delivery: { readonly status: string; readonly epoch: number } | null;
  /** Of all epochs up to the letter's, in their order; the latest 200. */
  readonly attempts: readonly {
    readonly epoch: number;
    readonly n: number;
    readonly local: boolean;
    readonly startedAt: string;
    readonly finishedAt: string | null;
    readonly code: string | null;
    readonly status: number | null;
    readonly message: string | null;
    readonly worker: string | null;
    /** The batch that carried the event in it (its workflow id); null: the event's own run. */
    readonly carrier: string | null;
  }[];
  /** Edited payloads, without the payloads. */
  readonly revisions: readonly {
    readonly epoch: number;
    readonly actor: string;
    readonly reason: string;
    readonly createdAt: string;
  }[];
  /** The letters of the same event before this one, the latest first. */
  readonly previous: readonly {
    readonly id: string;
    readonly epoch: number;
    readonly code: string;
    readonly state: DeadLetterState;
    readonly createdAt: string;
  }[];
}

export interface DeadLetterReader {
  /** Of the destination's latest outage; null where there never was one. */
  findLatestOutage(destination: string): Promise<string | null>;
  /** The newest first. `before`: the id that the page before ended with. */
  list(
    filter: DeadLetterFilter & { readonly state: DeadLetterState },
    page: { readonly before: string | null; readonly limit: number },
  ): Promise<readonly DeadLetterSummary[]>;
  /** `id` of the letter or of its event (then the latest letter); null where there is none, or it is another tenant's. */
  show(id: string, tenantId: string | null): Promise<DeadLetter | null>;
}

/** Of the open letters, those of one event type and code. Times are RFC 3339, UTC. */
export interface LetterKind {
  readonly eventType: string;
  readonly code: string;
  readonly count: number;
  /** When the oldest and the newest of them were written. */
  readonly first: string;
  readonly last: string;
  /** At most 10, by name. */
  readonly destinations: readonly string[];
  /** By when they were written: 24 hours, the oldest first; the last one ends with `at`. Older ones are in none. */
  readonly perHour: readonly number[];
}

export interface LetterKinds {
  readonly at: string;
  /** The largest first, at most 200. */
  readonly items: readonly LetterKind[];
  /** There are more kinds than these. */
  readonly more: boolean;
}

export interface LetterKindReader {
  /** `tenantId`: the empty string for letters of events without a tenant; null, as with the destination: of all. */
  listKinds(filter: { readonly tenantId: string | null; readonly destination: string | null }): Promise<LetterKinds>;
}
