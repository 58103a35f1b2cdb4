/** What a person sees of events, delivered or not, and the store that shows it. Times are RFC 3339, UTC. */
import type { EventState } from '../../../contract/events-api.js';
import type { JsonObject } from '../../../domain/delivery/json.js';
import type { OutboxEvent } from '../../../domain/delivery/outbox-event.js';
import type { DeadLetterState } from '../dead-letters/ports.js';

/** Which events are meant; null leaves a field out. */
export interface EventFilter {
  readonly state: EventState | null;
  readonly eventType: string | null;
  readonly eventName: string | null;
  /** The routing key. */
  readonly destination: string | null;
  /** The empty string: events without a tenant. */
  readonly tenantId: string | null;
  readonly aggregateType: string | null;
  readonly aggregateId: string | null;
  readonly source: string | null;
  /** When it was recorded, from `since` on and before `until`. */
  readonly since: string | null;
  readonly until: string | null;
}

/** A place in the order of all lists, by the time of recording and then by id. */
export interface EventPlace {
  /** To the microsecond, as the database keeps it: `2026-11-23T09:30:00.000000Z`. */
  readonly recordedAt: string;
  /** Lower-case UUID. */
  readonly id: string;
}

/** An event as lists show it. */
export interface EventSummary {
  readonly id: string;
  readonly eventName: string;
  readonly eventType: string;
  readonly destination: string;
  /** null: no tenant. */
  readonly tenantId: string | null;
  readonly aggregate: { readonly type: string; readonly id: string; readonly version: number | null };
  readonly recordedAt: string;
  /** `retrying`: it runs, and an attempt of this budget has failed. null: it has no delivery. */
  readonly state: EventState | null;
  readonly epoch: number | null;
  /** While it waits or runs. */
  readonly dueAt: string | null;
  readonly settledAt: string | null;
  /**
   * R9: it waits for another event of its aggregate, one before it or under way, or a dead one where its type blocks.
   */
  readonly blocked: boolean;
}

export interface FoundEvent {
  readonly place: EventPlace;
  readonly event: EventSummary;
}

export interface EventsLooked {
  /** The newest first. */
  readonly found: readonly FoundEvent[];
  /** How many were looked at. */
  readonly events: number;
  /** Everything down to this place is looked at, and the next turn begins behind it; null: there is nothing behind. */
  readonly place: EventPlace | null;
}

/** One event with all that is kept of its way. */
export interface StoredEvent extends EventSummary {
  readonly source: string;
  readonly occurredAt: string;
  readonly contentHash: string;
  readonly traceparent: string | null;
  readonly delivery: {
    readonly status: 'PENDING' | 'STARTED' | 'DELIVERED' | 'DEAD' | 'DISCARDED';
    readonly epoch: number;
    readonly claimed: boolean;
    /** Of this epoch; null also where its run was quicker than the mark. */
    readonly startedAt: string | null;
    readonly startTries: number;
    /** The batch that carries it, or carried it when it was settled (its workflow id); null: the event's own run. */
    readonly carrier: string | null;
    readonly policyHash: string | null;
    readonly receipt: Readonly<Record<string, unknown>> | null;
  } | null;
  /** In their order; the latest 200. An attempt that succeeded at once has no row. */
  readonly attempts: readonly {
    readonly epoch: number;
    readonly n: number;
    readonly local: boolean;
    readonly startedAt: string;
    readonly finishedAt: string | null;
    readonly code: string | null;
    readonly status: number | null;
    readonly message: string | null;
    readonly delayMs: number | null;
    readonly worker: string | null;
    readonly carrier: string | null;
    readonly runId: string | null;
  }[];
  /** In their order; the latest 200. */
  readonly letters: readonly {
    readonly id: string;
    readonly epoch: number;
    readonly code: string;
    readonly state: DeadLetterState;
    readonly createdAt: string;
    readonly stateAt: string | null;
    readonly actor: string | null;
    readonly reason: string | null;
    /** null: it died without a run (R8). */
    readonly workflowId: string | null;
    readonly runId: string | null;
  }[];
  /** Edited payloads, without the payloads; the latest 200. */
  readonly revisions: readonly {
    readonly epoch: number;
    readonly actor: string;
    readonly reason: string;
    readonly createdAt: string;
  }[];
}

/** Every method throws IntegrationError `STORE.UNAVAILABLE` when the database cannot answer now. */
export interface EventReader {
  /** One turn back in time, from `before` on (null: the newest). At most `events` are looked at, and `take` found. */
  look(look: {
    readonly filter: EventFilter;
    readonly before: EventPlace | null;
    readonly events: number;
    readonly take: number;
  }): Promise<EventsLooked>;
  /**
   * The same by what is kept of events in that state alone, wherever in time they are: all of it is looked at. null:
   * there is no such index, or it has more than are quickly sorted. `filter.state` must not be null.
   */
  pick(pick: {
    readonly filter: EventFilter;
    readonly before: EventPlace | null;
    readonly take: number;
  }): Promise<EventsLooked | null>;
  /** By the event's id, or by that of a letter of it; null where there is none, or it is another tenant's. */
  show(id: string, tenantId: string | null): Promise<StoredEvent | null>;
  /** As `show`, with the payload that its next attempt sends; of a settled one, that its last attempt sent. */
  loadPayload(
    id: string,
    tenantId: string | null,
  ): Promise<(Pick<OutboxEvent, 'eventType' | 'headers'> & { readonly payload: JsonObject }) | null>;
}
