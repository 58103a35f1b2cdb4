/**
 * What a chaos run is made of. The runner (run-chaos.ts) knows nothing of servers: whoever calls it lays out the world.
 * `outbox verify --chaos` makes databases on a staging's servers and leaves those as they are; `npm run chaos` starts its own and can also restart them.
 */

import type pg from 'pg';
import type { LEDGER_KEY } from './chaos-config.js';

/** F1 to F31 of the table of faults. */
export type FaultId = `F${number}`;

/** A TCP proxy (toxiproxy) on one connection of the roles. All toxics of one call are taken off by `heal`. */
export interface ChaosProxy {
  readonly name: ProxyName;
  /** `127.0.0.1:port`, where the roles connect. */
  readonly address: string;
  /** Connections are refused and open ones cut, until `heal`. */
  cut(): Promise<Heal>;
  /** Adds one toxic, as toxiproxy names them: latency, bandwidth, slow_close, timeout, reset_peer, slicer, limit_data. */
  add(
    toxic: string,
    attributes: Record<string, number>,
    options?: { stream?: 'upstream' | 'downstream'; toxicity?: number },
  ): Promise<Heal>;
  /** Leads elsewhere from now on, `127.0.0.1:7233`; open connections are cut. `heal` leads back. */
  upstream(address: string): Promise<Heal>;
  /** Takes off everything, also what another fault has put on. */
  heal(): Promise<void>;
}

/** Takes off just the one toxic, cut or way elsewhere that it was answered for. Again, or after `heal`: nothing. */
export type Heal = () => Promise<void>;

/** `audit`: the api's database. `ingest`: from the worker to the api. `notices`: to Slack, Sentry and the webhook. */
export type ProxyName = 'outbox' | 'audit' | 'temporal' | 'ledger' | 'ingest' | 'notices';

export type FleetRole = 'relay' | 'worker' | 'api';

/** One role as a process of its own, of the built command line. */
export interface FleetMember {
  /** `relay-1`. The same after a restart. */
  readonly name: string;
  readonly role: FleetRole;
  readonly pid: number;
  /** How many processes it has been so far, this one counted. */
  readonly starts: number;
  readonly probePort: number | null;
  readonly apiPort: number | null;
  /** Everything printed since the first start, both streams, of all its processes. */
  printed(): string;
  /** How often a global pattern stood within a line of it: each line is looked at once, since faults ask many times a second. */
  timesPrinted(pattern: RegExp): number;
  /** A signal of a fault. The keeper starts it again after an end that a fault wanted; one that nobody wanted is a violation. */
  kill(signal: NodeJS.Signals): Killed;
  /** The process that runs now is going to end by itself, by a failpoint for one: that end is wanted, too. */
  expectEnd(): Killed;
  /** Resolves when the process that runs now has ended. */
  ended(): Promise<number | NodeJS.Signals>;
  /** Resolves when it has started again (or has never ended) and its /ready answers 200. Rejects after `withinMs`. */
  untilReady(withinMs: number): Promise<void>;
}

/** Bound to the process that the signal went to. */
export interface Killed {
  readonly pid: number;
  /** Never, where the signal does not end it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** The process that came after it answers /ready with 200. */
  nextReady(withinMs: number): Promise<void>;
}

export interface Fleet {
  readonly members: readonly FleetMember[];
  of(role: FleetRole): readonly FleetMember[];
  /**
   * One more beside those that are there, e.g. with OUTBOX_TEST_FAILPOINT or a module that shifts its clock. Ready when it
   * resolves. Started again after an end it has no failpoint any more.
   */
  add(role: FleetRole, environment?: Record<string, string>): Promise<FleetMember>;
  /** Stops it for good, by SIGTERM: its exit code. One other than 0 is told in `unwanted`. */
  remove(member: FleetMember): Promise<number | NodeJS.Signals>;
  /** Resident bytes by member, now. */
  memory(): Promise<ReadonlyMap<string, number>>;
  /** Open files and sockets by member, now. */
  handles(): Promise<ReadonlyMap<string, number>>;
  /** Ends that no fault wanted, in words. */
  readonly unwanted: readonly string[];
}

/** What the ledger destination does with a request, before or after it notes the effect. */
export type LedgerMode =
  | { readonly kind: 'take' }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** Notes the effect, then cuts the connection without an answer. */
  | { readonly kind: 'lose' }
  /** Notes the effect, waits, answers. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Notes the effect and answers as given: an odd 2xx. */
  | { readonly kind: 'odd'; readonly status: number; readonly headers?: Record<string, string>; readonly body: string };

export interface LedgerRequest {
  readonly at: number;
  /** The Idempotency-Key. */
  readonly key: string;
  /** `id` of the body, the event's. */
  readonly eventId: string;
  readonly tenant: string;
  /** SHA-256 of the body's payload as the producer's journal has it. */
  readonly payloadHash: string;
  /** `effect`: first of its key. `again`: collapsed. `refused`: no effect, by the mode. */
  readonly did: 'effect' | 'again' | 'refused';
  readonly status: number;
  readonly receipt: string | null;
  /** How long it was made to wait for its answer. */
  readonly heldMs: number;
}

/** The destination past the process boundary. Every request is in its file before it is answered. */
export interface Ledger {
  readonly url: string;
  readonly requests: readonly LedgerRequest[];
  /** Decides for each request; default `take`. `n`: how many requests of this key there were, this one counted. */
  mode(decide: (request: { key: string; eventId: string; eventType: string; n: number }) => LedgerMode): void;
  close(): Promise<void>;
}

export interface ChaosEvent {
  /** A UUID, where a fault must know the event before it is committed. Default: a new one. */
  readonly id?: string;
  readonly routingKey: 'audit.log' | typeof LEDGER_KEY;
  readonly eventName: string;
  readonly eventType: string;
  readonly tenantId: string;
  readonly aggregate: { readonly type: string; readonly id: string; readonly version?: number };
  readonly payload: Record<string, unknown>;
  /** What must become of it. `delivered` unless a fault wants otherwise. */
  readonly expect?: 'delivered' | 'dead' | 'either';
}

export interface AppendedEvent extends ChaosEvent {
  readonly id: string;
}

/** Appends by itself at the offered rate, and what a fault asks for. Its journal is flushed (fsync) before and after each COMMIT. */
export interface ChaosProducer {
  readonly journalFile: string;
  readonly committed: number;
  /** Of its own connection: appends that failed, by SQLSTATE or code. */
  readonly refused: ReadonlyMap<string, number>;
  /**
   * In one transaction: the ids, or it rejects. Journalled. In a run it is tried again for some time where nothing of it
   * stands; not with `once`, which is of a fault that wants the error, nor with any other option.
   */
  append(
    events: readonly ChaosEvent[],
    options?: { once?: boolean; rollBack?: boolean; holdMs?: number },
  ): Promise<readonly string[]>;
  /** As `append`, by statements of the caller's own, poison that `recordEvents` refuses for instance: what they wrote, for the journal. */
  write(
    work: (tx: { query: pg.PoolClient['query'] }) => Promise<readonly AppendedEvent[]>,
    options?: { rollBack?: boolean; holdMs?: number },
  ): Promise<readonly string[]>;
  /** Events a second of the steady flow; 0 pauses. */
  rate(perSecond: number): void;
  stop(): Promise<void>;
}

/** Servers that a run owns; null at a staging. */
export interface ChaosServers {
  readonly postgres: {
    readonly pid: number;
    /** A superuser's, not through a proxy. */
    readonly adminUrl: string;
    /** SIGQUIT, as `pg_ctl stop -m immediate`, and a start that recovers. */
    restartImmediately(): Promise<void>;
    /** Of one that is stopped, or a start of one that runs: nothing. The same for Temporal. */
    stop(): Promise<void>;
    start(): Promise<void>;
    /** There is no more room on the disk for what is appended, until the answer is called. Rejects, saying why, where it cannot be shown. */
    fillDisk(): Promise<Heal>;
  };
  readonly temporal: {
    readonly pid: number;
    readonly address: string;
    /** SIGKILL and a start on the same store. */
    kill(): Promise<void>;
    start(): Promise<void>;
    /** Its store is emptied: another namespace UUID, no runs. */
    loseData(): Promise<void>;
  };
  /** A process that a fault starts: whatever becomes of this run, it ends. */
  watch(pid: number): void;
}

export interface ChaosWorld {
  readonly seed: number;
  /** For files of the run; removed by whoever made it. */
  readonly folder: string;
  readonly deployment: string;
  /** Of the runner itself, never through a proxy. */
  readonly outbox: pg.Pool;
  readonly audit: pg.Pool;
  readonly temporal: { readonly address: string; readonly namespace: string };
  /** Of every role: URLs through the proxies, keys. */
  readonly environment: Readonly<Record<string, string>>;
  /** The `outbox.js` of the roles, which may be a planted build: what an operator runs is run from it. */
  readonly cli: string;
  readonly proxies: Readonly<Record<ProxyName, ChaosProxy>>;
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  /** What Slack, Sentry and the webhook got: channel and body. `mode` as the ledger's. */
  readonly notices: {
    readonly received: readonly { at: number; channel: 'slack' | 'sentry' | 'webhook'; body: string; status: number }[];
    mode(
      /** `n`: how many the channel got, this one counted. */
      decide: (channel: string, n: number) => { status: number; headers?: Record<string, string>; delayMs?: number },
    ): void;
  };
  readonly producer: ChaosProducer;
  readonly servers: ChaosServers | null;
  /** A secret that stands in payloads: it must be nowhere else (I9). */
  readonly canary: string;
  /** Aborts where what stands between the parts has ended by itself: the line is not to blame for what comes after. */
  readonly broken?: AbortSignal;
  log(line: string): void;
}

export interface FaultContext {
  /** Seeded, the fault's own: the same for the same seed and place in the schedule. */
  readonly random: () => number;
  /** The run is being given up: heal at once and return. */
  readonly signal: AbortSignal;
  /** How long the fault is to hold, from the schedule. */
  readonly durationMs: number;
  /** A run in CI: small counts. */
  readonly short: boolean;
  /** See `RunOptions`. */
  readonly patience: number;
}

export interface FaultOutcome {
  /** What showed that it really happened: a count of cut connections, of killed processes, of 503s. Zero: the fault did not happen. */
  readonly happened: number;
  readonly what: string;
  /** Milliseconds since the epoch when everything was healed. */
  readonly healedAt: number;
  /** How much longer than that a breaker may let nothing through, by what it says itself (R6). Default 0. */
  readonly breakerMs?: number;
  /** Expectations of the fault's own row that did not hold, each a sentence. */
  readonly problems: readonly string[];
  /** Why this machine cannot show the fault: the run is incomplete by it, and blames nobody. An error with `cannotBeShown: true` says the same. */
  readonly cannotBeShown?: string;
}

/** What a fault takes hold of. */
export type Resource =
  | 'outbox-db'
  | 'audit-db'
  | 'temporal'
  | 'ledger'
  | 'ingest'
  | 'notices'
  | 'relay'
  | 'worker'
  | 'api';

export interface Fault {
  readonly id: FaultId;
  readonly title: string;
  /** `servers`: only where the run owns them. */
  readonly needs: 'staging' | 'servers';
  /** Whether a mixed run may draw it, and how often beside the others; 0: only alone. */
  readonly weight: number;
  /** Milliseconds that it holds, from the schedule's random; `short` for a run in CI. */
  duration(random: () => number, short: boolean): number;
  /** Does it, holds it, heals it (also when it throws or is given up) and says what showed it. */
  inject(world: ChaosWorld, context: FaultContext): Promise<FaultOutcome>;
  /** How long until new work flows again, at most, for the report's verdict; seconds. 10 where it names none. */
  readonly recoversWithinSeconds?: number;
  /** Two faults may overlap only where both name theirs and share none, for one would heal the other. Left out: it overlaps none. */
  readonly resources?: readonly Resource[];
}
