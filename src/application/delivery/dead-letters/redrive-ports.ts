/** What a person does with dead letters, and the store that does it: delivery rows are locked first, by event id, letters last. */
import type { OutboxEvent } from '../../../domain/delivery/outbox-event.js';
import type { LeaseHold } from '../ports.js';
import type { DeadLetterFilter, DeadLetterState } from './ports.js';

/** Who asks, and why. Both stand in the letter and in the audit log. */
export interface PersonsWord {
  /** 1 to 200 characters. */
  readonly actor: string;
  /** 1 to 1,000 characters. */
  readonly reason: string;
}

/** A letter that was asked for by its id or by its event's (then the event's latest). */
export type FoundLetter =
  | { readonly kind: 'missing' }
  /** The event has no letter; the state of its delivery. */
  | { readonly kind: 'no-letter'; readonly status: string }
  | {
      readonly kind: 'letter';
      readonly id: string;
      readonly eventId: string;
      readonly epoch: number;
      readonly state: DeadLetterState;
      readonly actor: string | null;
      /** RFC 3339, UTC: since when the state is. */
      readonly at: string | null;
      /** How often the event's payload was edited. */
      readonly revisions: number;
      /** Who did so last; null: nobody. */
      readonly editedBy: string | null;
    };

/** A letter that was acted on. `epoch`: that of the delivery now. */
export interface ActedLetter {
  readonly id: string;
  readonly eventId: string;
  readonly epoch: number;
}

export interface DeadLetterActions {
  /** In the order of the ids. Of another tenant's as of none at all; `tenantId` null: of every tenant. */
  find(ids: readonly string[], tenantId: string | null): Promise<readonly FoundLetter[]>;
  /**
   * R2: those that are open still: PENDING at epoch + 1, with a budget of its own and the policy that is in force then. One
   * transaction with the event that tells the audit log. `revisions`: how many edits the caller knew of; a letter whose
   * payload was edited since is left alone.
   */
  redrive(
    letters: readonly { readonly id: string; readonly eventId: string; readonly revisions: number }[],
    word: PersonsWord,
  ): Promise<readonly ActedLetter[]>;
  /** As `redrive`; DISCARDED, and everything stays where it is. */
  discard(
    letters: readonly { readonly id: string; readonly eventId: string }[],
    word: PersonsWord,
  ): Promise<readonly ActedLetter[]>;
  /** The event with the payload that its next redrive would send, which `payload` is as JSON text; null where it is gone. */
  loadEvent(letter: {
    readonly eventId: string;
    readonly epoch: number;
  }): Promise<{ readonly event: OutboxEvent; readonly payload: string } | null>;
  /**
   * A payload that is sent from the letter's redrive on, with the event that tells the audit log where it differs (never
   * with what). `moved`: the letter is not open any more, or somebody else edited it meanwhile.
   */
  revise(
    edit: {
      readonly id: string;
      readonly eventId: string;
      readonly revisions: number;
      /** JSON text. */
      readonly payload: string;
      /** JSON Pointers. */
      readonly pointers: readonly string[];
      readonly dryRun: boolean;
    },
    word: PersonsWord,
  ): Promise<
    | { readonly kind: 'revised'; readonly revision: number }
    | { readonly kind: 'fits' | 'moved' }
    | { readonly kind: 'invalid'; readonly message: string }
  >;
}

export const JOB_STATES = ['running', 'done', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Times are RFC 3339, UTC. */
export interface RedriveJob {
  readonly id: string;
  readonly filter: DeadLetterFilter;
  /** Letters a second, at most. */
  readonly rate: number;
  /** Letters in all, at most; null: every one. */
  readonly cap: number | null;
  /** How many there were when it was made; those that were being written then come on top. */
  readonly expected: number;
  readonly state: JobState;
  readonly redriven: number;
  /** Settled, discarded or redriven by somebody else meanwhile. */
  readonly skipped: number;
  /** Why its last step failed; null once one succeeds. It is tried again until it is cancelled. */
  readonly error: string | null;
  readonly actor: string;
  readonly reason: string;
  readonly createdAt: string;
  readonly endedAt: string | null;
  /** Who cancelled it. */
  readonly endedBy: string | null;
  /**
   * Set while it still runs: every letter that stood when it was made is done, and then it looks once more for those that
   * were being written at that moment.
   */
  readonly looksAgainAt: string | null;
}

export interface RedriveCount {
  readonly count: number;
  /** Of the open letters that the filter names, those with an edited payload: a job leaves them out. */
  readonly edited: number;
  /** The largest groups first, 20 at most. */
  readonly groups: readonly {
    readonly destination: string;
    readonly eventType: string;
    readonly code: string;
    readonly count: number;
  }[];
}

export type JobStep =
  /** Nothing runs. */
  | { readonly kind: 'idle' }
  /** The next step of any job is not due before. */
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'stepped'; readonly job: RedriveJob };

export interface RedriveJobStore {
  /** `signal`: aborted when nobody waits for it any more, which ends it. */
  count(filter: DeadLetterFilter, signal?: AbortSignal): Promise<RedriveCount>;
  create(
    job: Pick<RedriveJob, 'id' | 'filter' | 'rate' | 'cap' | 'expected' | 'actor' | 'reason'>,
    /** Of the key that asks: it sees and cancels the job. null: an operator. */
    tenantId: string | null,
  ): Promise<RedriveJob>;
  /** The newest first. `before`: the id that the page before ended with. */
  list(page: {
    readonly tenantId: string | null;
    readonly before: string | null;
    readonly limit: number;
  }): Promise<readonly RedriveJob[]>;
  show(id: string, tenantId: string | null): Promise<RedriveJob | null>;
  /** What is redriven already stays so. Null: no such job; one that has ended is answered as it ended. */
  cancel(id: string, tenantId: string | null, actor: string): Promise<RedriveJob | null>;
  /** One step of the job that is due first, one transaction, fenced by the lease. */
  step(hold: LeaseHold): Promise<JobStep>;
}
