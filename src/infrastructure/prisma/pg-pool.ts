import { Socket } from 'node:net';
import { types } from 'node:util';
import pg from 'pg';
import { IntegrationError, isIntegrationError } from '../../domain/delivery/integration-error.js';
import { readSqlState } from './sql-states.js';

/** A process has one for each database, which Prisma's adapter and the hot statements share; an api has one more to read by. */
export type PgPool = pg.Pool;

export interface PoolOptions {
  /** Connections at most. Default 10. */
  readonly max?: number;
  /** Seen in pg_stat_activity. */
  readonly applicationName?: string;
  /** The server gives up a statement after this. Default 30 s; it outlives every client-side deadline. */
  readonly statementTimeoutMs?: number;
  /** To open a connection, or to wait for a free one. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** What `end` gives connections that are in use, or whose server does not answer. Default 5 s. */
  readonly endTimeoutMs?: number;
  /** Called for a connection that breaks while no statement waits on it. The pool replaces it by itself. */
  readonly onConnectionLost?: (error: Error) => void;
}

export interface Statement {
  /** Prepared once for each connection under this name: one name, one text. */
  readonly name: string;
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Not prepared but planned for these very values, each time: where a plan for any would be a wrong one for most. */
  readonly replan?: true;
  /** From the call to the last row, waiting for a connection included. */
  readonly timeoutMs: number;
  /** Of whoever waits for it: once it is aborted the statement ends as one whose deadline has passed. */
  readonly signal?: AbortSignal | undefined;
  /** Told, once it had a connection, how long the statement took from then on, whatever became of it. Must not throw. */
  readonly onTook?: ((ms: number) => void) | undefined;
}

/** How many connections a pool has, by what its server sees them as. */
export interface PoolState {
  readonly name: string;
  readonly max: number;
  readonly used: number;
  readonly idle: number;
  readonly waiting: number;
}

const opened = new Set<{ readonly pool: PgPool; readonly name: string; readonly max: number }>();

/** All pools that this process has open, those of one name together. */
export function readPools(): readonly PoolState[] {
  const byName = new Map<string, PoolState>();
  for (const { pool, name, max } of opened) {
    const { used = 0, idle = 0, waiting = 0, max: before = 0 } = byName.get(name) ?? {};
    byName.set(name, {
      name,
      max: before + max,
      used: used + pool.totalCount - pool.idleCount,
      idle: idle + pool.idleCount,
      waiting: waiting + pool.waitingCount,
    });
  }
  return [...byName.values()];
}

/**
 * Opens no connection yet. A connection that the server ends never ends the process: every client has a listener.
 * `end` ends: what is still in use after `endTimeoutMs`, or has not said goodbye, is cut off.
 */
export function createPool(connectionString: string, options: PoolOptions = {}): PgPool {
  const sockets = new Set<Socket>();
  const config: pg.PoolConfig = {
    connectionString,
    // Also those of clients that are just connecting, which no pool tells of.
    stream: () => {
      const socket = new Socket();
      sockets.add(socket);
      return socket.once('close', () => sockets.delete(socket));
    },
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'temporal-outbox',
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    idle_in_transaction_session_timeout: 60_000,
    // The claim's estimate is far above what it costs; compiling it would take longer than running it. And a statement
    // whose client is gone (a deadline passed, a process killed) ends within a second, not at the statement timeout;
    // servers on Windows cannot look for that and refuse the setting.
    options: `-c jit=off${process.platform === 'win32' ? '' : ' -c client_connection_check_interval=1000'}`,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
  const pool = new BoundedPool(config, sockets, options.endTimeoutMs ?? 5_000);
  const told = { pool, name: config.application_name as string, max: config.max as number };
  opened.add(told);
  pool.onceEnding(() => opened.delete(told));
  const lost = options.onConnectionLost ?? (() => undefined);
  // The pool listens to idle clients only; one that breaks between two statements of a transaction emits 'error' too.
  pool.on('connect', (client) => client.on('error', lost));
  pool.on('error', () => undefined); // the same error, told by the client's listener already
  return pool;
}

/** pg's own `end` waits for clients in use, and leaves the socket of a server that does not answer open: for ever, both. */
class BoundedPool extends pg.Pool {
  readonly #sockets: ReadonlySet<Socket>;
  readonly #endTimeoutMs: number;
  #ending: () => void = () => {};

  constructor(config: pg.PoolConfig, sockets: ReadonlySet<Socket>, endTimeoutMs: number) {
    super(config);
    this.#sockets = sockets;
    this.#endTimeoutMs = endTimeoutMs;
  }

  /** `ending`: called when somebody ends it. */
  onceEnding(ending: () => void): void {
    this.#ending = ending;
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    const ended = this.#end();
    if (callback === undefined) return ended;
    ended.finally(callback).catch(() => undefined); // pg's own form tells no error either
  }

  async #end(): Promise<void> {
    this.#ending();
    let timer: NodeJS.Timeout | undefined;
    const passed = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        for (const socket of this.#sockets) socket.destroy();
        resolve();
      }, this.#endTimeoutMs);
    });
    try {
      await Promise.race([super.end(), passed]);
    } finally {
      // A goodbye that is not answered yet keeps its deadline; the timer alone keeps no process.
      if (this.#sockets.size === 0) clearTimeout(timer);
      else timer?.unref();
    }
  }
}

/**
 * Runs one named statement and returns its rows.
 *
 * Throws an IntegrationError `STORE.UNAVAILABLE` when the database cannot be reached, refuses to work at the moment or
 * does not answer within `timeoutMs`; the statement may have taken effect all the same. Every other error of the
 * database (a constraint, a type) is thrown as it is.
 */
export async function runStatement<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  pool: PgPool,
  statement: Statement,
): Promise<Row[]> {
  const deadline = startDeadline(statement);
  try {
    const client = await connectBefore(deadline.passed, pool);
    let broken = false;
    const began = performance.now();
    try {
      const running = client.query<Row>({
        ...(statement.replan ? {} : { name: statement.name }),
        text: statement.text,
        values: [...(statement.values ?? [])],
      });
      const result = await Promise.race([running, deadline.passed]);
      return result.rows;
    } catch (error) {
      broken = isUnavailable(error);
      throw error;
    } finally {
      statement.onTook?.(performance.now() - began);
      // With a statement still on the wire, releasing as broken destroys the socket: no later statement waits behind it.
      client.release(broken);
    }
  } catch (error) {
    throw toStoreError(error);
  } finally {
    deadline.clear();
  }
}

/** One statement of a transaction. */
export type Query = <Row extends pg.QueryResultRow = pg.QueryResultRow>(
  statement: Omit<Statement, 'timeoutMs' | 'signal'>,
) => Promise<Row[]>;

/**
 * Runs `work` between BEGIN and COMMIT on one connection, all of it within `timeoutMs`. What throws rolls back. Throws as
 * `runStatement` does; where the COMMIT was not answered it may have taken effect all the same.
 */
export async function runTransaction<T>(
  pool: PgPool,
  { name, timeoutMs }: { readonly name: string; readonly timeoutMs: number },
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const deadline = startDeadline({ name, timeoutMs });
  try {
    const client = await connectBefore(deadline.passed, pool);
    let broken = false;
    const send = async <Row extends pg.QueryResultRow>(query: pg.QueryConfig) =>
      (await Promise.race([client.query<Row>(query), deadline.passed])).rows;
    try {
      await send({ text: 'BEGIN' });
      const result = await work((statement) =>
        send({ name: statement.name, text: statement.text, values: [...(statement.values ?? [])] }),
      );
      await send({ text: 'COMMIT' });
      return result;
    } catch (error) {
      // A connection that cannot even roll back is closed, which does.
      broken = isUnavailable(error) || (await send({ text: 'ROLLBACK' }).catch(() => null)) === null;
      throw error;
    } finally {
      client.release(broken);
    }
  } catch (error) {
    throw toStoreError(error);
  } finally {
    deadline.clear();
  }
}

/** `STORE.UNAVAILABLE` for what is the environment's, anything else unchanged. For callers that use a client or Prisma. */
export function toStoreError(error: unknown): unknown {
  return isUnavailable(error) ? new IntegrationError('STORE.UNAVAILABLE', { cause: error }) : error;
}

class DeadlinePassedError extends Error {
  override readonly name = 'DeadlinePassedError';
}

interface Deadline {
  readonly passed: Promise<never>;
  clear(): void;
}

function startDeadline({ name, timeoutMs, signal }: Pick<Statement, 'name' | 'timeoutMs' | 'signal'>): Deadline {
  const { promise: passed, reject } = Promise.withResolvers<never>();
  const end = (why: string) => reject(new DeadlinePassedError(`statement ${name}: ${why}`));
  const timer = setTimeout(() => end(`expected an answer within ${timeoutMs} ms, none came`), timeoutMs);
  const abandon = () => end('nobody waits for it any more');
  signal?.addEventListener('abort', abandon, { once: true });
  if (signal?.aborted) abandon();
  passed.catch(() => undefined); // it may pass while nobody races it any more
  return {
    passed,
    clear: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abandon);
    },
  };
}

async function connectBefore(passed: Promise<never>, pool: PgPool): Promise<pg.PoolClient> {
  const connecting = pool.connect();
  try {
    return await Promise.race([connecting, passed]);
  } catch (error) {
    // Not a leak: a connection that comes after the deadline goes back to the pool.
    connecting.then(
      (client) => client.release(),
      () => undefined,
    );
    throw error;
  }
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return readSqlState(error.code ?? '').unavailable;
  // What pg throws without a SQLSTATE is about the connection, but for our own mistakes in the parameters.
  // Not by instanceof: Node's own errors are of another realm where the code runs in a VM context.
  return types.isNativeError(error) && !isIntegrationError(error) && !/^(Type|Range)Error$/.test(error.name);
}
