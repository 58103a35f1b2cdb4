/**
 * Appends events as an application does, in transactions of its own, and keeps a journal that believes nobody. An append is
 * given up at its deadline; where COMMIT was sent by then its events are in doubt and are never appended again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { createPool, runStatement } from '../../infrastructure/prisma/pg-pool.js';
import { recordEvents } from '../../infrastructure/prisma/record-event.js';
import { type ChaosJournal, openChaosJournal, toJournalEvent } from './chaos-journal.js';
import type { PlannedTransaction } from './chaos-traffic.js';
import { createFlow } from './offer-flow.js';
import type { AppendedEvent, ChaosEvent, ChaosProducer } from './ports.js';

export interface ProducerDeps {
  /** Of the outbox's database, through its proxy where answers to COMMIT are to get lost. */
  readonly url: string;
  readonly journalFile: string;
  /** What the steady flow appends next. */
  readonly traffic: () => PlannedTransaction;
  /** Of all its events. Default: the deployment's. A staging tells a run's events by it. */
  readonly source?: string;
  /** Default 10; the flow leaves two of them to the faults. */
  readonly connections?: number;
  /** How long what a fault appends is tried again where nothing of it stands. Default 0: it is tried once. */
  readonly appendWithinMs?: number;
  /** What could not be appended in time is, at no more than so many times the rate. Default 2. */
  readonly catchUp?: number;
}

/** What a runner asks besides. All counts are of events. */
export interface RunningProducer extends ChaosProducer {
  /** Offered by the flow's rate and not appended yet: it will be. */
  readonly owed: number;
  readonly inDoubt: number;
  readonly rolledBack: number;
}

const CONNECT_TIMEOUT_MS = 2_000;
/** For one statement, COMMIT too. */
const STATEMENT_TIMEOUT_MS = 5_000;
const END_TIMEOUT_MS = 3_000;
const LEFT_TO_FAULTS = 2;
const TRIED_AGAIN_AFTER_MS = 500;

export async function startChaosProducer(deps: ProducerDeps): Promise<RunningProducer> {
  const connections = deps.connections ?? 10;
  const journal = await openChaosJournal(deps.journalFile);
  const pool = createPool(deps.url, {
    max: connections,
    applicationName: 'chaos-producer',
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    endTimeoutMs: END_TIMEOUT_MS,
  });
  const counts = { committed: 0, rolledBack: 0, inDoubt: 0 };
  const refused = new Map<string, number>();
  let draining: Promise<void> | null = null;

  const write: ChaosProducer['write'] = async (work, options = {}) => {
    try {
      const { fate, ids, error } = await transact({ pool, journal }, work, options);
      counts[fate] += ids.length;
      if (error !== null) throw new InDoubtError(ids, error);
      return ids;
    } catch (error) {
      const name = nameOf(error);
      refused.set(name, (refused.get(name) ?? 0) + 1);
      throw error;
    }
  };
  const appendOnce = (events: readonly ChaosEvent[], options: WriteOptions) =>
    write(async (tx) => {
      const ids = await recordEvents(tx, events.map(withoutExpectation(deps.source)));
      return events.map((event, at) => ({ ...event, id: ids[at] as string }));
    }, options);
  /** In doubt: whether the events stand after all, looked for until then. They are not appended again in any case. */
  const comeToStand = async (ids: readonly string[], until: number) => {
    while (performance.now() < until && draining === null) {
      const look = { name: 'chaos_stands', text: STANDS, values: [ids], timeoutMs: STATEMENT_TIMEOUT_MS };
      const rows = await runStatement(pool, look).catch(() => []); // not to be reached yet: the loop has its own deadline
      if (rows.length > 0) return true;
      await sleep(TRIED_AGAIN_AFTER_MS);
    }
    return false;
  };
  /** A dead connection of the pool or a slow disk is not what the fault wants to see, unless it says so. */
  const append: ChaosProducer['append'] = async (events, { once = false, ...options } = {}) => {
    const { rollBack = false, holdMs = 0 } = options;
    const patient = !once && !rollBack && holdMs === 0;
    const until = performance.now() + (patient ? (deps.appendWithinMs ?? 0) : 0);
    for (;;) {
      try {
        return await appendOnce(events, options);
      } catch (error) {
        if (error instanceof InDoubtError) {
          if (await comeToStand(error.ids, until)) return error.ids;
          throw error;
        }
        if (performance.now() >= until || draining !== null) throw error;
        await sleep(TRIED_AGAIN_AFTER_MS);
      }
    }
  };
  const flow = createFlow({
    next: deps.traffic,
    append: ({ events, rollBack }) => appendOnce(events, { rollBack }),
    mayStand: (error) => error instanceof InDoubtError,
    most: Math.max(1, connections - LEFT_TO_FAULTS),
    ...(deps.catchUp === undefined ? {} : { catchUp: deps.catchUp }),
  });
  return {
    journalFile: deps.journalFile,
    refused,
    get committed() {
      return counts.committed;
    },
    get rolledBack() {
      return counts.rolledBack;
    },
    get inDoubt() {
      return counts.inDoubt;
    },
    get owed() {
      return flow.owed;
    },
    append,
    write,
    rate: flow.rate,
    stop() {
      draining ??= flow.stop().then(async () => {
        await pool.end();
        await journal.close();
      });
      return draining;
    },
  };
}

interface WriteOptions {
  readonly rollBack?: boolean;
  readonly holdMs?: number;
}

/** $1 the ids of one transaction: all of them stand, or none. */
const STANDS = 'SELECT id FROM outbox.event WHERE id = ANY ($1::uuid[]) LIMIT 1';

/** COMMIT was sent and not answered: the events may stand or not. */
class InDoubtError extends Error {
  override readonly name = 'InDoubtError';

  constructor(
    readonly ids: readonly string[],
    cause: unknown,
  ) {
    super(`COMMIT was not answered, so ${ids.length} events are in doubt: ${String((cause as Error)?.message)}`, {
      cause,
    });
  }
}

interface Outcome {
  readonly fate: 'committed' | 'rolledBack' | 'inDoubt';
  readonly ids: readonly string[];
  /** In doubt: why. */
  readonly error: unknown;
}

/** Rejects where nothing stands for certain: COMMIT was never sent, or answered that it rolled back. */
async function transact(
  { pool, journal }: { pool: pg.Pool; journal: ChaosJournal },
  work: (tx: { query: pg.PoolClient['query'] }) => Promise<readonly AppendedEvent[]>,
  { rollBack = false, holdMs = 0 }: { rollBack?: boolean; holdMs?: number },
): Promise<Outcome> {
  const client = await pool.connect();
  const bounded = (text: string, values?: unknown[]) => before(STATEMENT_TIMEOUT_MS, text, client.query(text, values));
  let broken = true;
  try {
    await bounded('BEGIN');
    const events = await work({ query: bounded as pg.PoolClient['query'] });
    if (holdMs > 0) {
      await bounded('SET LOCAL idle_in_transaction_session_timeout = 0');
      await new Promise((resolve) => setTimeout(resolve, holdMs));
    }
    const ids = events.map(({ id }) => id.toLowerCase());
    const tx = await journal.intend(events.map((event) => toJournalEvent(event.id, event)));
    if (rollBack) {
      // Without COMMIT nothing stands, whether ROLLBACK is answered or not.
      await bounded('ROLLBACK').then(
        () => {
          broken = false;
        },
        () => undefined,
      );
      await journal.end(tx, 'rolledBack');
      return { fate: 'rolledBack', ids, error: null };
    }
    let answer: pg.QueryResult;
    try {
      answer = await bounded('COMMIT');
    } catch (error) {
      return { fate: 'inDoubt', ids, error };
    }
    broken = false;
    // PostgreSQL answers COMMIT of a transaction that has failed with ROLLBACK.
    const fate = answer.command === 'COMMIT' ? 'committed' : 'rolledBack';
    await journal.end(tx, fate);
    return { fate, ids, error: null };
  } finally {
    // Closing it rolls back what is still open.
    client.release(broken);
  }
}

/** Of `work`, or an error at the deadline; the connection must not be used again then. */
async function before<T>(timeoutMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error(`${what}: expected an answer within ${timeoutMs} ms`), { code: 'DEADLINE' }));
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, passed]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined); // it fails later, when nobody waits for it any more
  }
}

function withoutExpectation(source: string | undefined) {
  return ({ expect: _expect, ...event }: ChaosEvent) => ({ ...event, ...(source === undefined ? {} : { source }) });
}

/** The SQLSTATE, Node's or our own code, else the error's name or what pg says of the connection. */
function nameOf(error: unknown): string {
  if (error instanceof InDoubtError) return 'in doubt';
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message ?? error).slice(0, 80);
}
