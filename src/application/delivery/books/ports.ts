/** R23: the books of each hour of append. Hours are their begin, RFC 3339 in UTC. */
import type { LeaseHold } from '../ports.js';

export const BOOK_GAPS = [
  /** An event that nobody will ever deliver. */
  'no_delivery',
  /** DEAD, and nothing that a person could redrive. */
  'dead_without_letter',
  /** An open letter of an event that is not dead, or dead in another epoch. */
  'letter_without_dead',
  /** DELIVERED to the audit log, where its identity does not stand. */
  'not_in_audit_log',
  /** Open past its policy's deadline, and not because its destination is held or its aggregate waits. */
  'past_deadline',
] as const;
export type BookGap = (typeof BOOK_GAPS)[number];

export interface GapSample {
  readonly gap: BookGap;
  readonly eventId: string;
  readonly tenantId: string;
  /** Of its delivery; null where it has none. */
  readonly status: string | null;
  readonly epoch: number | null;
}

/** Samples that are kept of one hour. */
export const MOST_SAMPLES = 100;

/** An event of the hour as one statement saw it, with its delivery and its open letter. */
export interface BookRow {
  readonly eventId: string;
  readonly tenantId: string;
  readonly source: string;
  readonly status: string | null;
  readonly epoch: number | null;
  /** Of its open letter. */
  readonly letterEpoch: number | null;
  readonly pastDeadline: boolean;
  /** Delivered to the audit log. */
  readonly audited: boolean;
  /** Settled, or appended, since the look before. */
  readonly moved: boolean;
}

/** Where a walk over the events of an hour stands: after this one. */
export interface BookCursor {
  readonly at: string;
  readonly id: string;
}

export interface BookPage {
  readonly rows: readonly BookRow[];
  /** null: that was the last page. */
  readonly cursor: BookCursor | null;
}

export interface Tally {
  /** By status of the delivery; `NONE` for events without one. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Delivered to the audit log, and how many of these it was asked for. */
  readonly audited: number;
  readonly asked: number;
  /** Of those that this look is about, all or what has moved: how many it was not asked for. Retention keeps them (R23). */
  readonly unasked: number;
  readonly gapCounts: Readonly<Partial<Record<BookGap, number>>>;
  readonly gaps: readonly GapSample[];
}

/** `whole`: the audit log is asked for every event; `share`: for a random part of them; `moved`: for what has moved. */
export type LookMode = 'whole' | 'share' | 'moved';

export interface Look {
  readonly hour: string;
  /** Of this look: a look that somebody else has begun anew is not written to. */
  readonly id: string;
  readonly mode: LookMode;
  /** 1, but for `share`. */
  readonly share: number;
  readonly cursor: BookCursor | null;
  readonly tally: Tally;
}

/** `null`: the audit log cannot be asked here, so nothing is said of it. */
export type StandingLookup =
  | ((
      identities: readonly Pick<BookRow, 'eventId' | 'source' | 'tenantId'>[],
      signal: AbortSignal,
    ) => Promise<readonly boolean[]>)
  | null;

/** One hour, for people. */
export interface HourBooks {
  readonly hour: string;
  /** When the last look began; null: none has ended. */
  readonly checkedAt: string | null;
  /** No append can touch it any more. */
  readonly closed: boolean;
  readonly statuses: Readonly<Record<string, number>>;
  /** By status, what retention has removed. Not part of `statuses`. */
  readonly removed: Readonly<Record<string, number>>;
  readonly audited: number;
  readonly asked: number;
  /** Of the last look; null: none has ended. */
  readonly mode: LookMode | null;
  /** The last one that asked for more than what had moved; null: none, or one of an older version. */
  readonly lastFull: {
    readonly mode: Exclude<LookMode, 'moved'>;
    readonly checkedAt: string;
    readonly audited: number;
    readonly asked: number;
  } | null;
  readonly gapCount: number;
  readonly gapCounts: Readonly<Partial<Record<BookGap, number>>>;
  readonly gaps: readonly GapSample[];
  readonly againAt: string | null;
  /** Why the look under way does not go on, a code of docs/errors.md; null: it does, or there is none. */
  readonly waitsFor: string | null;
}

/** The hour after it. */
export function hourAfter(hour: string): string {
  return `${new Date(Date.parse(hour) + 3_600_000).toISOString().slice(0, 13)}:00:00Z`;
}

export interface BookReader {
  /** The newest first. `before`: the hour that the page before ended with. */
  list(page: {
    readonly before: string | null;
    readonly limit: number;
    readonly gapsOnly: boolean;
  }): Promise<readonly HourBooks[]>;
  show(hour: string): Promise<HourBooks | null>;
  /** From `since` on, before `until` (null: all since): the next look is a whole one, and due now. How many hours. */
  lookAgain(since: string, until: string | null): Promise<number>;
}

export interface BookStore {
  /** Opens books for hours that ended ten minutes ago; how many. */
  openHours(hold: LeaseHold): Promise<number>;
  /**
   * Letters that moved since the cursor, oldest first: their hours are looked at again. The cursor to go on from; unchanged
   * when there is nothing more.
   */
  noteMoved(hold: LeaseHold, cursor: BookCursor | null): Promise<BookCursor | null>;
  /** The look under way that is due, or a new one; null: nothing is due. */
  takeLook(hold: LeaseHold, mostAsked: number): Promise<Look | null>;
  readPage(hour: string, cursor: BookCursor | null): Promise<BookPage>;
  /** Which of these still are DELIVERED in that epoch. */
  stillDelivered(rows: readonly Pick<BookRow, 'eventId' | 'epoch'>[]): Promise<ReadonlySet<string>>;
  /** False: the lease is gone, or the look was begun anew. */
  saveLook(hold: LeaseHold, look: Look): Promise<boolean>;
  /** Why it does not go on. */
  noteWaiting(hold: LeaseHold, look: Look, code: string): Promise<void>;
  /** Its tally becomes the hour's books. False as `saveLook`. */
  endLook(hold: LeaseHold, look: Look): Promise<boolean>;
}
