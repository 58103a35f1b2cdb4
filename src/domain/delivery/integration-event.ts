import type { JsonObject } from './json.js';
import type { OutboxHeaders } from './outbox-event.js';

/** The envelope a handler gets, mapped from an OutboxEvent by one pure function (`toIntegrationEvent`). */
export interface IntegrationEvent {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly routingKey: string;
  readonly source: string;
  readonly aggregate: { readonly type: string; readonly id: string; readonly version: number | null };
  /** null where the event has no tenant. */
  readonly tenantId: string | null;
  readonly occurredAt: string;
  readonly recordedAt: string;
  readonly payload: JsonObject;
  readonly headers: OutboxHeaders;
  readonly contentHash: string;
  readonly numbersAsStrings: readonly string[];
}
