import type { AuditHints } from '../../../domain/delivery/audit-hints.js';
import type { JsonObject } from '../../../domain/delivery/json.js';

/** One foreign event as it is appended: the input of the SQL function `outbox.record_events`. */
export interface ImportedEvent {
  readonly id: string;
  readonly eventName: string;
  readonly eventType: string;
  readonly source: string;
  readonly aggregate: { readonly type: string; readonly id: string };
  readonly tenantId: string;
  readonly payload: JsonObject;
  readonly headers: { readonly audit: AuditHints; readonly import: ImportHeader };
  /** RFC 3339, UTC. */
  readonly occurredAt: string;
}

/** Where an imported event came from and what had to be changed to store it; `headers.import`. Pointers lead into the original. */
export interface ImportHeader {
  readonly mapping: string;
  /** SHA-256 (hex) of the line's bytes. */
  readonly lineSha256: string;
  /** SHA-256 (hex) of what the line says, whatever its white space and key order: tells a replay from another content. */
  readonly contentSha256: string;
  readonly sourceEventId?: string;
  readonly timeMissing?: true;
  readonly truncated?: true;
  readonly numbersAsStrings?: ChangedPaths;
  readonly escaped?: ChangedPaths;
  readonly deepAsText?: ChangedPaths;
  readonly repeatedKeys?: ChangedPaths;
}

/** The first pointers, and how many there are in all. */
export interface ChangedPaths {
  readonly count: number;
  readonly paths: readonly string[];
}

export type AppendAnswer =
  | { readonly kind: 'appended' }
  /** At least one id stands already; nothing was written. */
  | { readonly kind: 'exists' }
  /** The database refuses at least one event for what it holds; nothing was written. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Throws an IntegrationError `STORE.UNAVAILABLE` when the database does not answer; an append may then stand all the same. */
export interface ImportStore {
  /** Of these ids those that stand, with their content's hash; null where the event is no import. */
  findImported(ids: readonly string[]): Promise<ReadonlyMap<string, string | null>>;
  /** All or nothing, in one statement. */
  append(events: readonly ImportedEvent[]): Promise<AppendAnswer>;
}
