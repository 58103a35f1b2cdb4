// Real: PostgreSQL, the pool, both generated Prisma clients. Sessions are ended by pg_terminate_backend, as a fail-over does.
import { randomUUID } from 'node:crypto';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createAuditPrisma, createOutboxPrisma } from '../../src/infrastructure/prisma/prisma-clients.js';
import { asAdmin, createTestDatabases, type TestDatabases } from '../support/databases.js';

let databases: TestDatabases;
beforeAll(async () => {
  databases = await createTestDatabases();
});
afterAll(() => databases.drop());

describe('Prisma over the shared pool', () => {
  it('reads and writes in its own PostgreSQL schema, through the connections of the pool', async () => {
    const pool = createPool(databases.outboxUrl, { max: 1 });
    const prisma = createOutboxPrisma(pool);
    await prisma.policy.create({ data: { hash: 'abc', body: { attempts: 3 } } });
    // One connection in all: had the client a pool of its own, its session would be another.
    const [session] = await prisma.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
    const { rows } = await pool.query('SELECT pg_backend_pid() AS pid, body FROM outbox.policy');
    expect(rows).toEqual([{ pid: session?.pid, body: { attempts: 3 } }]);
    await prisma.$disconnect();
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await pool.end();
  });

  it('takes a pool that another copy of pg made', async () => {
    const pool = createPool(databases.outboxUrl);
    const foreign = new Proxy(pool, { getPrototypeOf: () => Object.prototype });
    expect(foreign instanceof (pool.constructor as new () => unknown)).toBe(false);
    expect(await createOutboxPrisma(foreign).outboxEvent.count()).toBe(0);
    await pool.end();
  });

  it('reads the audit tables, the partitioned one and its xid8 column included', async () => {
    const pool = createPool(databases.auditUrl);
    const prisma = createAuditPrisma(pool);
    expect(await prisma.auditRecord.findMany()).toEqual([]);
    expect(await prisma.recordKey.count()).toBe(0);
    await pool.end();
  });

  it('survives the end of an idle session: the next call gets a new connection', async () => {
    const lost: Error[] = [];
    const pool = createPool(databases.outboxUrl, { max: 1, onConnectionLost: (error) => lost.push(error) });
    const prisma = createOutboxPrisma(pool);
    await prisma.policy.count();
    const removed = new Promise((resolve) => pool.once('remove', resolve));
    await endSessionsOf(databases.outboxUrl);
    await removed;
    expect(lost.map((error) => error.message)).toContainEqual(expect.stringContaining('terminating connection'));
    expect(await prisma.deadLetter.count()).toBe(0);
    await pool.end();
  });

  it('survives the end of a session inside a transaction: that transaction fails, the next one commits', async () => {
    const pool = createPool(databases.outboxUrl, { max: 2 });
    const prisma = createOutboxPrisma(pool);
    const hash = randomUUID();
    const work = prisma.$transaction(async (tx) => {
      await tx.policy.create({ data: { hash, body: {} } });
      await endSessionsOf(databases.outboxUrl);
      await tx.policy.count();
    });
    await expect(work).rejects.toThrow();
    expect(await prisma.policy.count({ where: { hash } })).toBe(0);
    await prisma.$transaction((tx) => tx.policy.create({ data: { hash, body: {} } }));
    expect(await prisma.policy.count({ where: { hash } })).toBe(1);
    await pool.end();
  });
});

async function endSessionsOf(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  await asAdmin((client) =>
    client.query('SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1', [name]),
  );
}
