import type { JsonObject } from './json.js';

/**
 * What a producer appends, as it is stored; never changed afterwards.
 * - `eventName`: what happened, a fact in the past tense, versioned (`auth.user.signed_in.v1`).
 * - `eventType`: the family that chooses policy (`AUTH`, `ORDER`).
 * - `routingKey`: where it goes; selects the handler (`audit.log`). Says nothing about the fact.
 */
export interface OutboxEvent {
  readonly id: string;
  readonly eventName: string;
  readonly eventType: string;
  readonly routingKey: string;
  /** Who says so; `outbox:<deployment>` unless the producer gave one. */
  readonly source: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly aggregateVersion: number | null;
  /** The empty string where there is no tenant. */
  readonly tenantId: string;
  readonly payload: JsonObject;
  readonly headers: OutboxHeaders;
  /** `sha-256:` and 64 hex digits, computed by the database at append. */
  readonly contentHash: string;
  /** RFC 3339, UTC. */
  readonly occurredAt: string;
  /** RFC 3339, UTC. */
  readonly recordedAt: string;
  /** JSON Pointers (into `payload`) of numbers that JavaScript cannot hold and that are therefore strings here. */
  readonly numbersAsStrings: readonly string[];
}

export interface OutboxHeaders {
  /** W3C Trace Context, captured at append. */
  readonly traceparent?: string;
  readonly correlationId?: string;
  /** Who did it: see the audit DTO's `actor`. */
  readonly actor?: JsonObject;
  readonly [name: string]: JsonObject[string] | undefined;
}

/**
 * The type of imported events, apart from AUTH, ORDER and the like: an import has lanes of its own and holds nobody up, and
 * its originals stand in the audit log as they came.
 */
export const IMPORT_EVENT_TYPE = 'IMPORT';

/** Lengths in characters, sizes in UTF-8 bytes. The SQL function `outbox.record_events` holds the same numbers. */
export const EVENT_LIMITS = {
  eventName: 128,
  eventType: 64,
  routingKey: 64,
  source: 256,
  aggregateType: 64,
  aggregateId: 128,
  tenantId: 64,
  payloadBytes: 48 * 1024,
  headersBytes: 8 * 1024,
  depth: 32,
} as const;
