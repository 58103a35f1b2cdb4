/** Event types whose aggregates are delivered in order (R9): how a person sees and changes that. */

/** How an ordered event type goes on behind a dead event; types that are not in it are not ordered. */
export type Orderings = ReadonlyMap<string, 'block' | 'skip'>;

export type Ordering = 'none' | 'block' | 'skip';

export interface OrderingChange {
  readonly eventType: string;
  readonly from: Ordering;
  readonly to: Ordering;
}

/** Of one event type, among the latest events of all. */
export interface Unversioned {
  readonly eventType: string;
  /** Without an aggregate's version: once the type is ordered such events are refused, and their transactions with them. */
  readonly events: number;
  readonly latest: { readonly eventId: string; readonly eventName: string; readonly recordedAt: string };
}

/** An aggregate whose events wait behind a dead one. Times are RFC 3339, UTC. */
export interface BlockedAggregate {
  readonly destination: string;
  readonly eventType: string;
  /** null: no tenant. */
  readonly tenantId: string | null;
  /** null where the event is gone. */
  readonly aggregate: { readonly type: string; readonly id: string } | null;
  readonly head: {
    readonly eventId: string;
    readonly version: number;
    readonly epoch: number;
    /** Its open letter: what to redrive or discard. null for a moment at most. */
    readonly deadLetterId: string | null;
    readonly code: string | null;
    readonly deadSince: string | null;
  };
  /** Events behind it; counted up to 1,000. */
  readonly waiting: number;
}

export interface BlockedFilter {
  readonly eventType: string | null;
  readonly destination: string | null;
  /** The empty string: events without a tenant. */
  readonly tenantId: string | null;
}

export interface BlockedPage {
  /** By destination, event type and tenant. May be fewer than asked for although more follow. */
  readonly items: readonly BlockedAggregate[];
  /** `after` of the next page; null on the last one. */
  readonly next: string | null;
}

export interface OrderingStore {
  /** What appending and the claim go by. */
  read(): Promise<Orderings>;
  /** Of these types, among the latest 10,000 events. */
  findUnversioned(eventTypes: readonly string[]): Promise<readonly Unversioned[]>;
  /** All of them or none. */
  write(changes: readonly OrderingChange[], actor: string): Promise<void>;
  /** `after`: the `next` of the page before. */
  listBlocked(
    filter: BlockedFilter,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<BlockedPage>;
}
