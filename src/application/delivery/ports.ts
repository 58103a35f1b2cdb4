/**
 * What the delivery side asks of the outside: its store, its destinations, its log. Implemented in infrastructure.
 * Every call has a deadline of its own; a store that does not answer throws an IntegrationError `STORE.UNAVAILABLE`.
 */
import type { AttemptTotals } from '../../domain/delivery/attempt-totals.js';
import type { DestinationView } from '../../domain/delivery/breaker.js';
import type { PreviousAttempt, UnwrittenEnd } from '../../domain/delivery/carried-state.js';
import type { CoalescedSizes } from '../../domain/delivery/coalescing.js';
import type { ErrorCode } from '../../domain/delivery/error-catalog.js';
import type { IntegrationError, LastResponse } from '../../domain/delivery/integration-error.js';
import type { IntegrationEvent } from '../../domain/delivery/integration-event.js';
import type { OutboxEvent } from '../../domain/delivery/outbox-event.js';
import type { RetryPolicy } from '../../domain/delivery/policy.js';
import type { Receipt } from '../../domain/delivery/receipt.js';
import type { TraceContext } from '../../domain/trace-context.js';

export type { AttemptTotals };

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

// ---- HTTP ----------------------------------------------------------------------------------------------------------

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Total deadline from the call to the last byte of the answer, connecting included. */
  readonly timeoutMs: number;
  /** Aborted by our own shutdown: the call then fails with `DELIVERY.CANCELLED`. */
  readonly signal?: AbortSignal;
  /** Default 64 KiB. A longer 2xx fails with `HTTP.BAD_RESPONSE`; of any other status the body is cut there. */
  readonly maxResponseBytes?: number;
}

export const DEFAULT_MAX_RESPONSE_BYTES = 64 * 1024;

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; repeated ones joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Sends one request and returns whatever status came back; follows no redirect, retries nothing.
 * Throws an IntegrationError: `HTTP.TIMEOUT`, `HTTP.NETWORK`, `HTTP.TLS`, `HTTP.BAD_RESPONSE` (too large),
 * `DELIVERY.CANCELLED` (the caller's signal, or the client was closed), `HANDLER.FAILED` (a malformed request).
 */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

// ---- Handlers ------------------------------------------------------------------------------------------------------

export interface HandlerContext {
  /** Deadline and signal of the attempt are applied to every call; a handler may only ask for less. */
  readonly http: {
    send(request: Omit<HttpRequest, 'timeoutMs' | 'signal'> & { timeoutMs?: number }): Promise<HttpResponse>;
  };
  /** Aborted at the attempt's deadline or by a shutdown. */
  readonly signal: AbortSignal;
  /** Always the event's id: send it as `Idempotency-Key`. */
  readonly idempotencyKey: string;
  readonly log: Logger;
}

/** As `HandlerContext`, for events that are delivered together: each carries its own id. */
export type BatchContext = Omit<HandlerContext, 'idempotencyKey'>;

/**
 * `error`: as `deliver` would have thrown it. `ofRequest`: it is that of a whole request, which carried others, too, and says
 * nothing of this event.
 */
export type BatchAnswer = Receipt | { readonly error: unknown; readonly ofRequest?: boolean };

/** Turns an IntegrationEvent into one outside effect. May be called more than once for one event. */
export interface Handler {
  readonly routingKey: string;
  /** How long one attempt may take here, 100 ms to 10 min. Default 15 s. */
  readonly timeoutMs?: number;
  /** false: with tracing on, requests from here carry no `traceparent`. Default true. */
  readonly traceContext?: boolean;
  deliver(event: IntegrationEvent, context: HandlerContext): Promise<Receipt>;
  /**
   * Makes the effects of many events at once, for types that travel many to a run (docs/coalescing.md): one answer for each,
   * in their order. An event's effect must not be made twice by its id, for the same ones may be handed over again. Throws
   * where nothing is known of any of them. Without it each event is delivered by itself, whatever its type's policy says.
   */
  deliverBatch?(events: readonly IntegrationEvent[], context: BatchContext): Promise<readonly BatchAnswer[]>;
  /** What `deliver` would refuse before it sends anything: throws an IntegrationError `DISPATCH.INVALID_EVENT`. */
  check?(event: IntegrationEvent): void;
  /** Whether the effect stands already: its receipt, or null. Handlers without it leave that unknown. */
  find?(event: IntegrationEvent, context: HandlerContext): Promise<Receipt | null>;
}

/** Where an attempt stands in time: the whole dispatch (waiting for a place, mapping, sending) ends within `timeoutMs`. */
export interface DispatchOptions {
  readonly mode: 'local' | 'regular';
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** How the destination stood when the event was loaded; left out: nothing is known of it. */
  readonly destination?: DestinationView;
}

/** The single entrance to handlers. Throws an IntegrationError and nothing else. `busy`: no place free (R14). */
export interface Dispatcher {
  dispatch(event: OutboxEvent, options: DispatchOptions): Promise<Receipt | 'busy'>;
}

export interface BatchDispatcher {
  /**
   * R20: events of one destination (`options.destination` names it) by one call of its handler, one answer for each, in their
   * order. Throws where the whole call failed; `unsupported`: the handler takes events one by one.
   */
  dispatchBatch(
    events: readonly OutboxEvent[],
    options: DispatchOptions & { readonly destination: DestinationView },
  ): Promise<readonly (Receipt | IntegrationError)[] | 'busy' | 'unsupported'>;
}

export type FoundEffect =
  | { readonly kind: 'stands'; readonly receipt: Receipt }
  | { readonly kind: 'none' }
  /** The handler has no `find`: it stays unknown. */
  | { readonly kind: 'unsupported' };

/** R18: asks handlers whether an effect stands. Throws an IntegrationError and nothing else, within `timeoutMs`. */
export interface EffectFinder {
  find(event: OutboxEvent, options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<FoundEffect>;
}

// ---- Store: attempts and settling (R10-R17) ------------------------------------------------------------------------

/** Which run acts: relay and workflow writes are fenced by these. `carrier` null: the event's own run. */
export interface RunRef {
  readonly eventId: string;
  readonly epoch: number;
  readonly carrier: string | null;
}

/** Whose row: the number alone does not tell, for that of a removed row is given out again. */
export interface AttemptRef {
  readonly n: number;
  readonly runId: string;
  /** One try of one worker. */
  readonly worker: string;
}

/** One failed attempt as it is stored: every text redacted (`describeFailure`). */
export interface AttemptFailure {
  readonly code: ErrorCode;
  readonly status: number | null;
  readonly message: string;
  readonly stack: string | null;
  readonly causes: readonly { readonly name: string; readonly message: string }[];
  readonly response: LastResponse | null;
  readonly field: string | null;
}

interface Loaded {
  readonly event: OutboxEvent;
  readonly policy: RetryPolicy;
  readonly destination: DestinationView;
}

/** Its destination is paused, or its breaker is not closed. */
type BlockedEvent = Loaded & { readonly kind: 'blocked' };

export type LoadedEvent =
  | (Loaded & { readonly kind: 'found' })
  | BlockedEvent
  | { readonly kind: 'superseded' }
  | { readonly kind: 'delivered'; readonly receipt: Receipt }
  | { readonly kind: 'not-found' };

export type BegunAttempt =
  | (Loaded & {
      readonly kind: 'begun';
      readonly n: number;
      /** Attempts before it that this one found without an end. */
      readonly lost: number;
      readonly totals: AttemptTotals;
    })
  | Exclude<LoadedEvent, { kind: 'found' }>;

/** An event that a write has settled as delivered. */
export interface SettledEvent {
  readonly eventType: string;
  /** From its append, by the database's clock. */
  readonly sinceCommitMs: number;
}

export type SettleAnswer = 'settled' | 'already' | 'superseded';

export interface AttemptStore {
  /** R15: event and delivery with the payload of the latest revision not above the epoch. Writes nothing. */
  loadEvent(run: RunRef, timeoutMs: number): Promise<LoadedEvent>;
  /**
   * R11: as `loadEvent`, and in the same statement closes earlier unfinished rows (as `unwritten` says for the rows
   * it names, as ATTEMPT_LOST for any other), inserts `previous` and this one. Where it may not send it still closes
   * those of its own run. `totals` count from the epoch on that the budget began in; `sinceFirstMs` without what was
   * waited for the destination. `trial`: this attempt is the one that a destination takes whose breaker is half open.
   */
  beginAttempt(
    run: RunRef,
    options: {
      readonly previous: PreviousAttempt | null;
      readonly unwritten: readonly UnwrittenEnd[];
      readonly runId: string;
      readonly worker: string;
      readonly trial?: string | null;
    },
    timeoutMs: number,
  ): Promise<BegunAttempt>;
  /** R12: the run waits for its destination: no row, nothing spent, no part of its deadline; due when it will look again. */
  waitForDestination(run: RunRef, delayMs: number, timeoutMs: number): Promise<void>;
  /** Stores a failure on its row where it is unfinished (inserts it for a local attempt) and sets the row's due time. */
  failAttempt(
    run: RunRef,
    attempt: AttemptRef & { readonly local: boolean },
    failure: AttemptFailure,
    delayMs: number | null,
    timeoutMs: number,
  ): Promise<void>;
  /**
   * R12: an attempt that spent nothing leaves no row. Sets the row's due time as `failAttempt` does. `doubtful` (R18): it
   * may have taken effect, which is kept for good; of a local attempt, which has no row, that is all.
   */
  removeAttempt(
    run: RunRef,
    attempt: AttemptRef & { readonly doubtful: boolean },
    delayMs: number,
    timeoutMs: number,
  ): Promise<void>;
  /**
   * R16: by event id and epoch, from PENDING, STARTED or DEAD; closes the attempt (null: a local one, which has no row)
   * and, as ATTEMPT_LOST, the unfinished ones before it; resolves an open letter.
   */
  settle(run: RunRef, receipt: Receipt, attempt: AttemptRef | null, timeoutMs: number): Promise<SettleAnswer>;
}

// ---- Store: many events in one run (R20) -----------------------------------------------------------------------------

export interface EventRef {
  readonly eventId: string;
  readonly epoch: number;
}

/** What a batch was started with; which of it is still carried, the rows tell. */
export interface BatchRef {
  readonly carrier: string;
  readonly destination: string;
  readonly events: readonly EventRef[];
}

export interface LoadedBatch {
  readonly destination: DestinationView;
  /** Carried, and may be sent. */
  readonly events: readonly { readonly ref: EventRef; readonly event: OutboxEvent }[];
  /** Carried, and held by a pause. */
  readonly held: readonly EventRef[];
  /** Carried, and more than what is read at once. */
  readonly over: readonly EventRef[];
  /** Settled in this epoch already. */
  readonly delivered: number;
  /** Not this batch's any more. */
  readonly superseded: number;
  /** Not in this database. */
  readonly missing: number;
}

/** An event that leaves its batch: PENDING in the next epoch, without a carrier. */
export interface FallenEvent {
  readonly ref: EventRef;
  /** null: at once, in the place that its age gives it among those that wait. */
  readonly delayMs: number | null;
  /** It goes on in a run of its own. */
  readonly alone: boolean;
  /** Attempts of this epoch, in their order: what is counted as n = 1, 2. None: nothing was tried, and nothing is spent. */
  readonly attempts: readonly (AttemptFailure & { readonly local: boolean })[];
}

/** What a failed event of a batch has used up before it, and may. */
export interface Budget {
  readonly policy: RetryPolicy;
  /** How its attempts ended, in their order. */
  readonly codes: readonly ErrorCode[];
  readonly sinceFirstMs: number;
}

/** Why the one statement for all was refused, where each row was then settled by itself. */
export interface BulkRefusal {
  readonly bulkRefused?: unknown;
}

export interface BatchStore {
  /** R15, R20: those that it still carries, up to `maxBytes` of payloads. Writes nothing. */
  loadBatch(batch: BatchRef, maxBytes: number, timeoutMs: number): Promise<LoadedBatch>;
  readBudgets(events: readonly EventRef[], timeoutMs: number): Promise<ReadonlyMap<string, Budget>>;
  /** R16: by event id and epoch, one statement for all that are open; the others one by one. */
  settleBatch(
    receipts: readonly { readonly ref: EventRef; readonly receipt: Receipt }[],
    timeoutMs: number,
  ): Promise<Readonly<Record<SettleAnswer, number>> & BulkRefusal>;
  /** R17, R20: fenced by epoch and carrier. `doubtful` (R18): something may have taken effect that no attempt tells of. */
  fallOut(
    carrier: string,
    events: readonly FallenEvent[],
    options: { readonly runId: string; readonly worker: string; readonly doubtful: boolean },
    timeoutMs: number,
  ): Promise<{ readonly fallen: number; readonly superseded: number }>;
}

export interface DeadLetterInput {
  readonly run: RunRef;
  readonly code: ErrorCode;
  /** Used where no attempt row tells more. */
  readonly message: string;
  /** The attempt that ended it: written where its own end could not be. null where none did. */
  readonly attempt: { readonly n: number; readonly local: boolean; readonly status: number | null } | null;
  /** Both null where the relay's own check rejected the row before any run (R8). */
  readonly workflowId: string | null;
  readonly runId: string | null;
}

export interface DeadLetterStore {
  /**
   * R17: fenced update first; letter, status and notification row in one transaction. `notify` (R24): the notification row,
   * where it opened its group; null where an older one waits, so that of a thousand failures one starts a run.
   */
  recordDeadLetter(
    input: DeadLetterInput,
    timeoutMs: number,
  ): Promise<
    | { readonly kind: 'recorded'; readonly id: string; readonly notify: string | null; readonly eventType?: string }
    | { readonly kind: 'already'; readonly id: string; readonly notify: string | null }
    | { readonly kind: 'superseded' }
  >;
}

// ---- Store: the relay (R4-R8) --------------------------------------------------------------------------------------

/** One claimed row with what its start needs; never the payload. */
export interface ClaimedEvent {
  readonly eventId: string;
  readonly epoch: number;
  readonly carrier: string | null;
  readonly destination: string;
  readonly eventName: string;
  readonly eventType: string;
  readonly tenantId: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly policyHash: string;
  /** The policy of that hash; the default where the store does not have it. */
  readonly policy: RetryPolicy;
  readonly firstAttempt: 'local' | 'regular';
  /** Whether a batch to its destination may begin with a local attempt. */
  readonly destinationWell: boolean;
  readonly startTries: number;
  /** Of its append; left out: it has none. */
  readonly trace?: TraceContext | undefined;
  /** How long ago it was appended when it was claimed, in ms. Left out: not known. */
  readonly ageMs?: number | undefined;
}

/** R20: the claimed events of one carrier: two or more, of one destination. */
export interface ClaimedBatch {
  readonly carrier: string;
  readonly events: readonly ClaimedEvent[];
}

/** Which stored policy an event type has. */
export interface PolicyHashes {
  readonly byType: Readonly<Record<string, string>>;
  readonly otherwise: string;
}

export interface ClaimRequest {
  readonly leaseToken: string;
  readonly leaseMs: number;
  readonly batch: number;
  /** Where the walk over the lanes goes on: what the last claim returned, opaque. null: at the first lanes. */
  readonly cursor: string | null;
  /** Cap of runs for destinations that name none. */
  readonly defaultMaxRuns: number;
  /** Given to rows that have none yet. */
  readonly policies: PolicyHashes;
  readonly probeHolder: string;
  /** R20: what travels many to a run now, and how a carrier's name begins. Left out: nothing does. */
  readonly coalesced?: { readonly sizes: CoalescedSizes; readonly carrierPrefix: string };
}

/** Due events that wait. */
export interface WaitingType {
  readonly destination: string;
  readonly eventType: string;
  /** Counted up to the limit that was asked for. */
  readonly waiting: number;
}

export interface BacklogStore {
  /** Due rows by destination (of those named) and event type, each counted up to `most`. */
  countWaiting(destinations: readonly string[], most: number): Promise<readonly WaitingType[]>;
}

export interface Claim {
  /** Interleaved by destination and lane: the first of each come before the second of any. */
  readonly events: readonly ClaimedEvent[];
  readonly cursor: string;
  /** Lanes were left unwalked in this round over all of them: an empty claim does not yet mean that nothing is due. */
  readonly unfinished: boolean;
}

export interface RelayStore {
  /** R6: where a breaker may be tried, this relay is the one that claims for it, unless another is. */
  holdProbes(holder: string, leaseMs: number): Promise<void>;
  claim(request: ClaimRequest): Promise<Claim>;
  /**
   * R7: PENDING and this token → STARTED, due in 30 s. `overtaken`: settled in this epoch already. `again`: within the
   * same lease an earlier call of the same was not answered, so what it would have done counts as done, not as fenced.
   */
  markStarted(
    leaseToken: string,
    rows: readonly (EventRef & { readonly carrier?: string | null })[],
    again?: boolean,
  ): Promise<{ readonly marked: number; readonly overtaken: number; readonly fenced: number }>;
  /**
   * R7, R8: stays PENDING, without token and carrier, due after `delayMs`. `countTry` adds one to start_tries. `sent`: a start
   * was sent, which may have been taken. `again`: as above.
   */
  release(
    leaseToken: string,
    rows: readonly {
      readonly eventId: string;
      readonly epoch: number;
      readonly carrier?: string | null;
      readonly delayMs: number;
      readonly countTry: boolean;
      readonly sent?: boolean;
    }[],
    again?: boolean,
  ): Promise<{ readonly released: number; readonly overtaken: number; readonly fenced: number }>;
  /** Destinations with rows waiting and no room (R6), filled by runs of which some are five minutes past due. */
  findFull(
    defaultMaxRuns: number,
  ): Promise<readonly { readonly destination: string; readonly started: number; readonly pastDue: number }[]>;
}

/** Starts workflows; the answer tells only what the relay may conclude from it (R2, R8). */
export interface WorkflowStarter {
  start(event: ClaimedEvent, timeoutMs: number): Promise<StartAnswer>;
  startBatch(batch: ClaimedBatch, timeoutMs: number): Promise<StartAnswer>;
}

export type StartAnswer =
  | { readonly kind: 'started'; readonly eager: boolean }
  /** A run with this very id exists: success. */
  | { readonly kind: 'exists' }
  /** Refused or unanswered: the environment's fault, never the event's. */
  | {
      readonly kind: 'refused';
      readonly reason: string;
      /** Not for now but for what it is: a batch's events may still have runs of their own. */
      readonly unfit?: true;
    };

// ---- Store: effects that may stand (R18) ---------------------------------------------------------------------------

export interface DoubtfulEvent {
  readonly event: OutboxEvent;
  /** Some attempt, of any epoch, ended in a way after which the effect may stand. */
  readonly doubtful: boolean;
  /** Whether the destination is to be asked at all: its breaker is closed. */
  readonly mayAsk: boolean;
}

export interface DueAsk {
  readonly letterId: string;
  readonly run: RunRef;
  /** Times asked since the letter. */
  readonly asked: number;
}

export interface EffectStore {
  /** The event as this run sends it, while its row is open in this run, or dead in this epoch; null otherwise. */
  loadDoubtful(run: RunRef, state: 'open' | 'dead', timeoutMs: number): Promise<DoubtfulEvent | null>;
  /** Open letters whose destination is to be asked now, oldest first; not those of a sick one. */
  findDueAsks(hold: LeaseHold, limit: number): Promise<readonly DueAsk[]>;
  /** Counts an ask; the next one comes `nextMs` after the letter, null: none. Fenced by `asked` and the lease. */
  bookAsk(hold: LeaseHold, ask: DueAsk, nextMs: number | null): Promise<void>;
}

// ---- Duties that one process does at a time ------------------------------------------------------------------------

/** Who does a duty: carried by every write of it. */
export interface LeaseHold {
  readonly name: string;
  readonly holder: string;
}

export interface LeaseStore {
  /** Takes or renews it; false while somebody else has it. */
  take(hold: LeaseHold, leaseMs: number): Promise<boolean>;
  /** Ends it at once, where it is still the holder's. */
  release(hold: LeaseHold): Promise<void>;
}
