// The pool and its statements on a real PostgreSQL: deadlines, ended connections, what counts as "the database is away".
// Nothing is fake.
import { type AddressInfo, connect, createServer } from 'node:net';
import { createPool, type PgPool, runStatement } from '../../src/infrastructure/prisma/pg-pool.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';

let databases: TestDatabases;
const pools: PgPool[] = [];

beforeAll(async () => {
  databases = await createTestDatabases();
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
});
afterAll(async () => {
  await databases.drop();
});

const unavailable = { name: 'IntegrationError', code: 'STORE.UNAVAILABLE' };

it('a statement that is not answered in time is STORE.UNAVAILABLE, and its connection is not used again', async () => {
  const pool = open({ max: 1 });
  const before = await backend(pool);
  const asleep = runStatement(pool, { name: 'sleep', text: 'SELECT pg_sleep(30)', timeoutMs: 100 });
  await expect(asleep).rejects.toMatchObject(unavailable);
  expect(await backend(pool)).not.toBe(before);
});

it('the server ends a statement whose deadline passed, long before its own', async () => {
  const pool = open({ max: 1, applicationName: 'gone', statementTimeoutMs: 300_000 });
  const running = `SELECT FROM pg_stat_activity WHERE application_name = 'gone' AND wait_event = 'PgSleep'`;
  const other = open();
  await backend(pool); // connected: the deadline below is all for the statement, which has to be seen while it runs
  const asleep = runStatement(pool, { name: 'sleep', text: 'SELECT pg_sleep(300)', timeoutMs: 8_000 });
  asleep.catch(() => undefined);
  await eventually('the statement to run', async () => (await other.query(running)).rowCount === 1);
  await expect(asleep).rejects.toMatchObject(unavailable);
  await eventually('the server to end it', async () => (await other.query(running)).rowCount === 0);
});

it('a statement ends when nobody waits for it any more, and its connection is not used again', async () => {
  const pool = open({ max: 1, applicationName: 'abandoned' });
  const running = `SELECT FROM pg_stat_activity WHERE application_name = 'abandoned' AND wait_event = 'PgSleep'`;
  const other = open();
  const gone = new AbortController();
  const statement = { name: 'sleep', text: 'SELECT pg_sleep(300)', timeoutMs: 60_000, signal: gone.signal };
  const asleep = runStatement(pool, statement);
  asleep.catch(() => undefined);
  await eventually('the statement to run', async () => (await other.query(running)).rowCount === 1);
  gone.abort();
  await expect(asleep).rejects.toMatchObject(unavailable);
  await eventually('the server to end it', async () => (await other.query(running)).rowCount === 0);
  await expect(runStatement(pool, statement)).rejects.toMatchObject(unavailable);
});

it('the deadline includes waiting for a connection, and one that comes too late goes back to the pool', async () => {
  const pool = open({ max: 1 });
  const only = await pool.connect();
  await expect(runStatement(pool, { name: 'one', text: 'SELECT 1', timeoutMs: 50 })).rejects.toMatchObject(unavailable);
  only.release();
  await eventually('the connection to be idle again', async () => pool.idleCount === 1);
  expect(pool.waitingCount).toBe(0);
});

it('how long a statement took is told where it was sent, whatever became of it, and not where it only waited to be', async () => {
  const pool = open({ max: 1 });
  const took: number[] = [];
  const told = { timeoutMs: 10_000, onTook: (ms: number) => void took.push(ms) };
  const only = await pool.connect();
  const waits = runStatement(pool, { ...told, name: 'one', text: 'SELECT 1', timeoutMs: 50 });
  await expect(waits).rejects.toMatchObject(unavailable);
  only.release();
  expect(took).toHaveLength(0);
  await runStatement(pool, { ...told, name: 'one', text: 'SELECT 1' });
  expect(took).toHaveLength(1);
  await expect(runStatement(pool, { ...told, name: 'wrong', text: 'SELECT 1 / 0' })).rejects.toThrow(
    'division by zero',
  );
  expect(took).toHaveLength(2);
});

it('a connection that the server ends while idle costs nothing but a new one', async () => {
  const lost: Error[] = [];
  const pool = open({ max: 1, onConnectionLost: (error) => lost.push(error) });
  await end(await backend(pool));
  await eventually('the loss to be told', async () => lost.length > 0);
  expect(await backend(pool)).toBeGreaterThan(0);
});

it('a connection that the server ends inside a transaction fails that transaction, not the process', async () => {
  const pool = open({ max: 1 });
  const client = await pool.connect();
  await client.query('BEGIN');
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
  await end(rows[0].pid);
  await expect(client.query('SELECT 1')).rejects.toThrow();
  client.release(true);
  expect(await backend(pool)).toBeGreaterThan(0);
});

it('a statement whose connection is ended while it runs is STORE.UNAVAILABLE', async () => {
  const pool = open({ applicationName: 'victim' });
  const running = runStatement(pool, { name: 'sleep', text: 'SELECT pg_sleep(30)', timeoutMs: 30_000 });
  running.catch(() => undefined);
  const pid = await eventually('the statement to run', async () => {
    const text = `SELECT pid FROM pg_stat_activity WHERE application_name = 'victim' AND wait_event = 'PgSleep'`;
    return (await open().query(text)).rows[0]?.pid as number | undefined;
  });
  await end(pid);
  await expect(running).rejects.toMatchObject(unavailable);
});

it('a statement that the server gives up is STORE.UNAVAILABLE', async () => {
  const pool = open({ statementTimeoutMs: 50 });
  const asleep = runStatement(pool, { name: 'sleep', text: 'SELECT pg_sleep(30)', timeoutMs: 30_000 });
  await expect(asleep).rejects.toMatchObject({ ...unavailable, cause: { code: '57014' } });
});

it('ends although a client is never given back and a statement is still running: both are cut off', async () => {
  const pool = createPool(databases.outboxUrl, { endTimeoutMs: 100, applicationName: 'ending' });
  const kept = await pool.connect();
  const running = runStatement(pool, { name: 'sleep', text: 'SELECT pg_sleep(30)', timeoutMs: 30_000 });
  running.catch(() => undefined);
  const others = open();
  const sessions = async () =>
    (await others.query(`SELECT FROM pg_stat_activity WHERE application_name = 'ending'`)).rowCount;
  await eventually('both sessions', async () => (await sessions()) === 2);
  await pool.end();
  await expect(running).rejects.toMatchObject(unavailable);
  await expect(kept.query('SELECT 1')).rejects.toThrow();
  await expect(pool.end()).rejects.toThrow('more than once');
});

it('ends, and leaves no socket open, although the server answers nothing any more', async () => {
  // In front of the real server: once frozen it keeps the connection and passes nothing on.
  const server = new URL(databases.outboxUrl);
  let [cutOff, freeze] = [false, () => {}];
  const proxy = createServer({ allowHalfOpen: true }, (from) => {
    const to = connect(Number(server.port), server.hostname);
    from.pipe(to).pipe(from);
    from.on('error', () => {
      cutOff = true;
    });
    freeze = () => {
      from.unpipe(to).resume();
      to.unpipe(from).destroy();
      // A peer that only said goodbye takes this; one whose socket is gone refuses it.
      probe = () => from.write('?');
    };
  });
  let probe = () => true;
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const target = new URL(server);
  target.port = String((proxy.address() as AddressInfo).port);
  const pool = createPool(target.href, { endTimeoutMs: 100, max: 1 });
  await backend(pool);
  freeze();
  await pool.end();
  await eventually('the socket to be cut off', async () => {
    probe();
    return cutOff;
  });
  proxy.close();
});

it('a port where nobody listens is STORE.UNAVAILABLE', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const pool = createPool(`postgres://nobody@127.0.0.1:${port}/none`);
  pools.push(pool);
  await expect(runStatement(pool, { name: 'one', text: 'SELECT 1', timeoutMs: 5_000 })).rejects.toMatchObject(
    unavailable,
  );
});

it.each([
  ['a deadlock', `RAISE EXCEPTION 'd' USING ERRCODE = '40P01'`],
  ['a server that is shutting down', `RAISE EXCEPTION 'd' USING ERRCODE = '57P01'`],
  ['too many connections', `RAISE EXCEPTION 'd' USING ERRCODE = '53300'`],
  ['a standby', `RAISE EXCEPTION 'd' USING ERRCODE = '25006'`],
])('%s is STORE.UNAVAILABLE', async (_, body) => {
  const text = `DO $$ BEGIN ${body}; END $$`;
  await expect(runStatement(open(), { name: 'do', text, timeoutMs: 5_000 })).rejects.toMatchObject(unavailable);
});

it.each([
  ['a missing table', 'SELECT FROM nowhere', '42P01'],
  ['a violated constraint', `INSERT INTO outbox.deployment (name) VALUES ('Not a name')`, '23514'],
  ['a division by zero', 'SELECT 1 / 0', '22012'],
])('%s stays the error it is, and the connection is kept', async (_, text, code) => {
  const pool = open({ max: 1 });
  const before = await backend(pool);
  await expect(runStatement(pool, { name: 'bad', text, timeoutMs: 5_000 })).rejects.toMatchObject({ code });
  expect(await backend(pool)).toBe(before);
});

function open(options: Parameters<typeof createPool>[1] = {}): PgPool {
  const pool = createPool(databases.outboxUrl, options);
  pools.push(pool);
  return pool;
}

async function backend(pool: PgPool): Promise<number> {
  const text = 'SELECT pg_backend_pid() AS pid';
  const rows = await runStatement<{ pid: number }>(pool, { name: 'pid', text, timeoutMs: 5_000 });
  return rows[0]?.pid ?? 0;
}

async function end(pid: number): Promise<void> {
  await open().query('SELECT pg_terminate_backend($1)', [pid]);
}
