import pg from 'pg';

interface WatchOptions {
  readonly databaseUrl: string;
  readonly everyMs: number;
  /** Told who holds what the session waits for; again when that is somebody else. */
  readonly say: (holders: string) => void;
}

interface Holder {
  readonly pid: number;
  readonly usename: string | null;
  readonly application: string | null;
}

/**
 * Looks, from a connection of its own that is opened only where something takes long, who holds the lock that `session`
 * waits for. It only tells: where it cannot look it keeps silent, and the session's own timeouts end the wait.
 */
export function watchLocks(session: pg.Client, options: WatchOptions): { stop(): Promise<void> } {
  const { databaseUrl, everyMs, say } = options;
  // Asked now: later the session is busy with what it waits for.
  const pid = session
    .query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    .then(({ rows }) => rows[0]?.pid ?? 0)
    .catch(() => 0); // the session's next statement says what is wrong
  let said = '';
  let looking: Promise<void> | null = null;
  const timer = setInterval(() => {
    looking ??= look().finally(() => {
      looking = null;
    });
  }, everyMs);

  async function look(): Promise<void> {
    const holders = await readHolders(databaseUrl, await pid).catch(() => ''); // see above: it only tells
    if (holders === '' || holders === said) return; // between two tries nobody is waited for
    said = holders;
    say(holders);
  }

  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

/** Never their statements: data stands in those. */
async function readHolders(databaseUrl: string, pid: number): Promise<string> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'temporal-outbox migrate: watch',
    connectionTimeoutMillis: 2_000,
    statement_timeout: 2_000,
    query_timeout: 2_500,
  });
  client.on('error', () => undefined); // the statement rejects with it
  try {
    await client.connect();
    const { rows } = await client.query<Holder>(
      `SELECT holder AS pid, usename, application_name AS application
       FROM unnest(pg_blocking_pids($1)) AS holder LEFT JOIN pg_stat_activity a ON a.pid = holder ORDER BY holder LIMIT 5`,
      [pid],
    );
    return rows.map(describe).join(', ');
  } finally {
    await client.end();
  }
}

function describe({ pid, usename, application }: Holder): string {
  if (pid === 0) return 'a prepared transaction'; // PostgreSQL 18, 9.27: what pg_blocking_pids says of one
  const of = [application === null || application === '' ? null : JSON.stringify(application), usename];
  return `process ${pid} (${of.filter((part) => part !== null).join(' of ')})`;
}
