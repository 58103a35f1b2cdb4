/**
 * A job is what one actor does at a time: a relay's life, one activity, a turn of the reconciler, a person's act. It stands
 * still at a gate before every statement, before the commit of one that is held open, and before every call to Temporal or to
 * the destination, until a command opens the gate and says how that call ends. A crashed job never goes on.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import type { Books } from './books.js';

/**
 * How the call behind a gate ends. `lost`: done, but nobody hears of it. `refused`: not done. `slow`, of a statement: done, and
 * its commit is a gate of its own.
 */
export type Outcome = 'ok' | 'lost' | 'refused' | 'slow';

export interface Opened {
  readonly outcome: Outcome;
  /** Decides what is left open: which error, which of several. */
  readonly choice: number;
}

export interface Gate {
  readonly kind: 'statement' | 'commit' | 'call' | 'sleep';
  readonly label: string;
  /** Of a sleep, by the world's clock. */
  readonly until?: number;
  open(opened: Opened): void;
}

export type Actor = 'relay' | 'worker' | 'reconciler' | 'person';

/** What a job says of itself, to be held against the books once its step is over. */
export type Note =
  | {
      readonly kind: 'settled';
      readonly eventId: string;
      readonly epoch: number;
      /** `some`: of a batch, which is told how many, not which. */
      readonly superseded: boolean | 'some';
    }
  | { readonly kind: 'sent'; readonly eventIds: readonly string[] };

/** What an activity may write to: the events of its run. */
export interface Carried {
  readonly carrier: string | null;
  readonly epochs: ReadonlyMap<string, number>;
}

export interface HeldClient {
  inTransaction: boolean;
  readonly pid: number;
  /** Back to the pool, whatever it was in. */
  letGo(): Promise<void>;
}

export interface Job {
  readonly name: string;
  readonly actor: Actor;
  readonly carried: Carried | null;
  readonly gates: Gate[];
  readonly clients: Set<HeldClient>;
  /** Calls to the database that it has not answered; null: of no backend yet. */
  readonly underWay: Map<Promise<unknown>, number | null>;
  /** Lease tokens of its claims. */
  readonly tokens: Set<string>;
  /** Statements and notes of the step under way. */
  readonly ran: string[];
  readonly notes: Note[];
  /** As the database was when it last looked at what it carries. */
  loaded: Books | null;
  state: 'live' | 'ended' | 'dead';
  failure: unknown;
}

const jobs = new AsyncLocalStorage<Job>();

/** Begins at once, and runs up to its first gate. */
export function startJob(of: Pick<Job, 'name' | 'actor' | 'carried'>, run: (job: Job) => Promise<unknown>): Job {
  const job: Job = {
    ...of,
    gates: [],
    clients: new Set(),
    underWay: new Map(),
    tokens: new Set(),
    ran: [],
    notes: [],
    loaded: null,
    state: 'live',
    failure: null,
  };
  const ended = (failure: unknown) => {
    if (job.state === 'dead') return;
    job.state = 'ended';
    job.failure = failure;
  };
  jobs.run(job, () => {
    run(job).then(() => ended(null), ended);
  });
  return job;
}

/** Stands still until the gate is opened, or until `signal`, where there is one. */
export function passGate(job: Job, gate: Omit<Gate, 'open'>, signal?: AbortSignal): Promise<Opened> {
  return new Promise((resolve) => {
    const leave = (opened: Opened) => {
      const at = job.gates.indexOf(own);
      if (at >= 0) job.gates.splice(at, 1);
      resolve(opened);
    };
    const own: Gate = { ...gate, open: leave };
    const give = () => leave({ outcome: 'ok', choice: 0 });
    if (signal?.aborted) return give();
    signal?.addEventListener('abort', give, { once: true });
    job.gates.push(own);
  });
}

/** Waited for before anybody else moves. */
export function track<T>(job: Job, work: Promise<T>, pid: number | null): Promise<T> {
  const seen = work.finally(() => job.underWay.delete(seen));
  job.underWay.set(seen, pid);
  seen.catch(() => undefined);
  return seen;
}

/** It forgets all that it held; the server rolls back what was open. */
export async function crash(job: Job): Promise<void> {
  job.state = 'dead';
  job.gates.splice(0);
  await Promise.all([...job.clients].map((client) => client.letGo()));
}

const realTimeout = globalThis.setTimeout;
const immediate = () => new Promise<void>((resolve) => setImmediate(resolve));
const NEVER_MS = 2 ** 31 - 1;
/** Between two tries of one write (`withinDeadline`): the only time that a job waits for nobody. */
const TRY_AGAIN_MS = 100;

/**
 * Time belongs to the commands: within a job a deadline never passes by itself, and the wait between two tries is over at
 * once. Gives the timers back when called.
 */
export function takeTimers(): () => void {
  const own = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
    const job = jobs.getStore();
    if (job === undefined) return realTimeout(callback, ms, ...args);
    if (ms !== TRY_AGAIN_MS) return realTimeout(callback, NEVER_MS, ...args).unref();
    const waited = Promise.withResolvers<void>();
    track(job, waited.promise, null);
    return realTimeout(() => {
      waited.resolve();
      callback(...args);
    }, 0);
  };
  globalThis.setTimeout = Object.assign(own, realTimeout) as typeof setTimeout;
  return () => {
    globalThis.setTimeout = realTimeout;
  };
}

const LOOK_MS = 4;

/** Until every job stands at its gates, has ended, or waits for a lock that another one holds. */
export async function untilQuiet(all: readonly Job[], admin: PgPool): Promise<void> {
  for (;;) {
    await immediate();
    const under = all.flatMap((job) => (job.state === 'dead' ? [] : [...job.underWay]));
    if (under.length === 0) return;
    const first = Promise.race(under.map(([work]) => work.catch(() => undefined)));
    const late = new Promise<'late'>((resolve) => realTimeout(() => resolve('late'), LOOK_MS));
    if ((await Promise.race([first, late])) !== 'late') continue;
    if (!all.some(({ clients }) => [...clients].some(({ inTransaction }) => inTransaction))) continue;
    const pids = under.map(([, pid]) => pid);
    if (pids.includes(null)) continue;
    const text = 'SELECT bool_and(cardinality(pg_blocking_pids(p)) > 0) AS blocked FROM unnest($1::int[]) p';
    if ((await admin.query(text, [pids])).rows[0].blocked) return;
  }
}
