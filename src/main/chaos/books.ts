/** What the databases say, as the comparison takes it: read-books.ts reads it, a test writes it by hand. */
import type { RetryPolicy } from '../../domain/delivery/policy.js';

export type DeliveryStatus = 'PENDING' | 'STARTED' | 'DELIVERED' | 'DEAD' | 'DISCARDED';

/** An event and its delivery. */
export interface BookRow {
  readonly id: string;
  readonly eventName: string;
  readonly routingKey: string;
  readonly eventType: string;
  readonly tenantId: string;
  /** As the audit log spells it. */
  readonly source: string;
  /** Type and id, as the journal has them. */
  readonly aggregate: string;
  readonly version: number | null;
  /** `hashPayload` of the event's own payload. */
  readonly payloadHash: string;
  /** A person has edited the payload since: the effect is not the producer's word for word. */
  readonly edited: boolean;
  readonly delivery: BookDelivery | null;
}

export interface BookDelivery {
  readonly status: DeliveryStatus;
  readonly destination: string;
  readonly tenant: string;
  readonly epoch: number;
  readonly policyHash: string | null;
  /** Whether the order of its aggregate binds it (R9). */
  readonly ordered: boolean;
  /** Of the run that settled it or has it now. By the database's clock, in milliseconds since the epoch, as the next. */
  readonly startedAt: number | null;
  readonly settledAt: number | null;
  readonly receiptId: string | null;
  /** The destination had it already. */
  readonly replayed: boolean;
  /** R20: by a batch, whose attempts leave no row of an event that it delivers. */
  readonly carried: boolean;
  /** Attempts of its budget, by code; those that succeeded have none. */
  readonly failures: Readonly<Record<string, number>>;
  /** Where it is open: its lease, its run and its last attempt, in words. */
  readonly hangs: string | null;
}

export interface BookLetter {
  readonly id: string;
  readonly eventId: string;
  readonly epoch: number;
  readonly state: 'open' | 'redriven' | 'resolved' | 'discarded';
  readonly code: string;
  readonly retryCount: number;
  readonly effect: 'none' | 'unknown' | 'stands';
  /** The destination is to be asked again whether the effect stands. */
  readonly asks: boolean;
  readonly notifications: readonly BookNotification[];
}

export interface BookNotification {
  /** The run that told of its group. */
  readonly claimedBy: string | null;
  readonly done: boolean;
  /** By channel: `sent`, or why not. Empty: routed to nobody. */
  readonly outcome: Readonly<Record<string, string>>;
}

export interface BookRecord {
  readonly recordId: string;
  readonly eventId: string;
  readonly tenantId: string;
  readonly source: string;
  /** In the order in which they were written. */
  readonly seq: number;
  /** `hashShown` of its data. */
  readonly shown: string;
}

/** The longest delay between attempts that was set after this code, under this policy. */
export interface BookDelay {
  readonly policyHash: string;
  readonly code: string;
  readonly longestMs: number;
}

/** The next attempt came sooner than the delay that was set, by the times of their rows. */
export interface BookHurry {
  readonly eventId: string;
  readonly epoch: number;
  /** Of the one that failed. */
  readonly n: number;
  readonly code: string;
  readonly delayMs: number;
  /** From its start to the start of the next. */
  readonly cameMs: number;
  /** When it began and ended and the next one began, by the database's clock, and which workers made them: for a person. */
  readonly how: string;
}

/** Of the audit log: an identity and a record that do not belong together, or a request that was kept and never stored. */
export interface BookMisfit {
  readonly eventId: string;
  readonly kind: 'key without record' | 'record without key' | 'not stored';
  /** Why it was not stored. */
  readonly code: string | null;
}

export interface Books {
  /** How far the outbox database's clock is ahead of ours. */
  readonly aheadMs: number;
  readonly rows: ReadonlyMap<string, BookRow>;
  readonly letters: readonly BookLetter[];
  readonly records: readonly BookRecord[];
  readonly policies: ReadonlyMap<string, RetryPolicy>;
  readonly delays: readonly BookDelay[];
  readonly hurried: readonly BookHurry[];
  readonly misfits: readonly BookMisfit[];
}
