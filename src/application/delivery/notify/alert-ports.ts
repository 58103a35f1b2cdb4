/**
 * What is wrong with the environment, kept in a table so that it is told once, whoever notices it, and told over once. It
 * is sent without Temporal: Temporal may be what is wrong.
 */
import type { ErrorCode } from '../../../domain/delivery/error-catalog.js';
import type { LeaseHold } from '../ports.js';
import type { AlertNotice, NoticeBase, RecoverableAlert } from './ports.js';

export type AlertKind = RecoverableAlert | 'breaker_opened';

/** `subject`: what it is about (a destination, a task queue, an hour); the empty string where there is one only. */
export type Alert = {
  readonly [Kind in AlertKind]: {
    readonly kind: Kind;
    readonly subject: string;
    /** The fields of its notice: ids, codes, counts. */
    readonly fields: Omit<Extract<AlertNotice, { kind: Kind }>, keyof NoticeBase | 'kind'>;
  };
}[AlertKind];

export type AlertName = Pick<Alert, 'kind' | 'subject'>;

/** How far one channel has come with one word. */
export interface Telling {
  /** `waiting`: to be tried again; a process that died after this was written may have sent it. */
  readonly state: 'waiting' | 'sent' | 'given_up';
  readonly tries: number;
  /** Milliseconds since 1970, by the database's clock, as the one below. */
  readonly firstAt: number;
  readonly nextAt: number;
  /** Why the last try did not go through. */
  readonly code: ErrorCode | null;
}

/** By name of the channel. `over` only where `raised` was sent. */
export type Tellings = Readonly<Record<string, { readonly raised?: Telling; readonly over?: Telling }>>;

/** One that has a word to say now. */
export interface DueAlert {
  readonly alert: Alert;
  /** RFC 3339, UTC. With kind and subject the name of this occurrence. */
  readonly since: string;
  /** null: it goes on. */
  readonly overAt: string | null;
  readonly tellings: Tellings;
  /** The database's clock, milliseconds since 1970. */
  readonly now: number;
}

export interface AlertStore {
  /** Notes that it is so. What was over and told so begins anew. */
  raise(alert: Alert): Promise<void>;
  /** Notes that it is over; nothing where it was not raised. */
  end(name: AlertName): Promise<void>;
  /** Ends those of a kind that nobody has raised for so long. */
  endStale(kind: AlertKind, afterMs: number): Promise<void>;
  /** Those to tell now; one that came back is not told again before `quietMs` after it was told last. */
  due(limit: number, quietMs: number): Promise<readonly DueAlert[]>;
  /** Whether it was written: not where the lease is gone or the alert has moved on. `settled`: every channel is done. */
  note(
    hold: LeaseHold,
    due: Pick<DueAlert, 'alert' | 'since' | 'overAt'>,
    progress: { readonly tellings: Tellings; readonly settled: boolean; readonly againInMs: number },
  ): Promise<boolean>;
  /** Forgets what was over and told long ago. */
  forget(hold: LeaseHold): Promise<void>;
}
