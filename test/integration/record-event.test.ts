// recordEvent through every client it is promised for, on a real PostgreSQL: pg, Prisma 7 (this package's own generated
// client), Prisma 6, Drizzle and Kysely with the adapters of examples/producers. Nothing is fake.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { context, type Span, trace } from '@opentelemetry/api';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { drizzleTransaction } from '../../examples/producers/drizzle-transaction.js';
import { kyselyTransaction } from '../../examples/producers/kysely-transaction.js';
import { pgTransaction } from '../../examples/producers/pg-transaction.js';
import { createAttemptStore } from '../../src/infrastructure/prisma/attempt-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createOutboxPrisma, type OutboxPrisma } from '../../src/infrastructure/prisma/prisma-clients.js';
import { type OutboxTransaction, recordEvent, recordEvents } from '../../src/infrastructure/prisma/record-event.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { recordEventContract, signedIn } from '../contract/record-event.contract.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { createPrisma6 } from '../support/prisma-6.js';

let databases: TestDatabases;
let pool: PgPool;
let prisma: OutboxPrisma;
let prisma6: ReturnType<typeof createPrisma6>;

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl);
  prisma = createOutboxPrisma(pool);
  prisma6 = createPrisma6(databases.outboxUrl);
});
afterAll(async () => {
  await Promise.all([prisma.$disconnect(), prisma6.$disconnect()]);
  await pool.end();
  await databases.drop();
});

const event = signedIn;
const attempts = () => createAttemptStore(pool);

recordEventContract('pg', {
  transaction: async (work) => pgTransaction(await pool.connect(), (client) => work(client)),
  // The cast is what a caller without types may do: a pool does not compile, see below.
  outside: () => pool as unknown as OutboxTransaction,
  attempts,
});
recordEventContract('Prisma 7', {
  transaction: (work) => prisma.$transaction((tx) => work(tx)),
  outside: () => prisma as unknown as OutboxTransaction,
  attempts,
});
recordEventContract('Prisma 6', {
  transaction: (work) => prisma6.$transaction((tx) => work(tx)),
  outside: () => prisma6 as unknown as OutboxTransaction,
  attempts,
});
recordEventContract('Drizzle', {
  transaction: (work) => drizzle(pool).transaction((tx) => work(drizzleTransaction(tx))),
  outside: () => drizzleTransaction(drizzle(pool)),
  attempts,
});
recordEventContract('Kysely', {
  transaction: (work) =>
    kysely()
      .transaction()
      .execute((trx) => work(kyselyTransaction(trx))),
  outside: () => kyselyTransaction(kysely() as never),
  attempts,
});

it('R30: event and delivery stand together, and the delivery is due at once', async () => {
  const id = await pgTransaction(await pool.connect(), (client) => recordEvent(client, event));
  expect(await stored(id)).toMatchObject({
    status: 'PENDING',
    epoch: 0,
    destination: 'audit.log',
    event_type: 'AUTH',
    tenant: 'acme',
    policy_hash: null,
  });
});

it('R30: a client that is not in a transaction does not compile', () => {
  const never = () => {
    // @ts-expect-error a whole PrismaClient is no transaction
    void recordEvent(prisma, event);
    // @ts-expect-error nor is Prisma 6's
    void recordEvent(prisma6, event);
    // @ts-expect-error nor is a pool
    void recordEvent(pool, event);
  };
  expect(never).toBeInstanceOf(Function);
});

it('R30: leaves no savepoint behind', async () => {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await recordEvent(client, event);
    const back = client.query('ROLLBACK TO SAVEPOINT temporal_outbox');
    await expect(back).rejects.toMatchObject({ code: '3B001' });
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
});

it('R30: in a transaction that has failed, the error is the database’s own', async () => {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT 1 / 0').catch(() => undefined);
    await expect(recordEvent(client, event)).rejects.toMatchObject({ code: '25P02' });
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
});

it('R4: an early event that commits late is claimed by the first claim after its commit', async () => {
  const early = await pool.connect();
  try {
    await early.query('BEGIN');
    const first = await recordEvent(early, event);
    const second = await pgTransaction(await pool.connect(), (client) => recordEvent(client, event));
    expect(first < second).toBe(true);
    const before = await claimAll();
    expect(before).toContain(second);
    expect(before).not.toContain(first);
    await early.query('COMMIT');
    expect(await claimAll()).toEqual([first]);
  } finally {
    early.release();
  }
});

it('keeps traceparent and correlation id of the caller, and takes the active span’s trace where there is none', async () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const spanContext = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), traceFlags: 1 };
  const inSpan = trace.setSpan(context.active(), { spanContext: () => spanContext } as unknown as Span);
  context.setGlobalContextManager({
    active: () => inSpan,
    with: (_context, work, thisArg, ...args) => work.call(thisArg, ...args),
    bind: (_context, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  try {
    const [own, active] = await pgTransaction(await pool.connect(), (client) =>
      recordEvents(client, [{ ...event, headers: { traceparent, correlationId: 'c-1' } }, event]),
    );
    expect((await stored(own as string))?.headers).toEqual({ traceparent, correlationId: 'c-1' });
    expect((await stored(active as string))?.headers).toEqual({
      traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`,
    });
  } finally {
    context.disable();
  }
});

it('availableAt holds the delivery back', async () => {
  const availableAt = new Date(Date.now() + 3_600_000);
  const id = await pgTransaction(await pool.connect(), (client) => recordEvent(client, { ...event, availableAt }));
  expect((await stored(id))?.due_at).toEqual(availableAt);
});

it('the SQL example appends its event', async () => {
  const script = await readFile(new URL('../../examples/producers/record-event.sql', import.meta.url), 'utf8');
  const client = new pg.Client({ connectionString: databases.outboxUrl });
  await client.connect();
  try {
    await client.query(script);
  } finally {
    await client.end();
  }
  const { rows } = await pool.query(`SELECT headers FROM outbox.event WHERE aggregate_id = 'o-1001'`);
  expect(rows).toEqual([{ headers: { correlationId: 'checkout-7' } }]);
});

function kysely(): Kysely<object> {
  return new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
}

async function stored(id: string): Promise<Record<string, unknown> | null> {
  const { rows } = await pool.query(
    'SELECT * FROM outbox.event e JOIN outbox.delivery d ON d.event_id = e.id WHERE e.id = $1',
    [id],
  );
  return rows[0] ?? null;
}

let cursor: string | null = null;

/** As a relay does: it goes on where its last claim said. */
async function claimAll(): Promise<string[]> {
  const claim = await createRelayStore(pool).claim({
    leaseToken: randomUUID(),
    leaseMs: 30_000,
    batch: 1_000,
    cursor,
    defaultMaxRuns: 1_000,
    policies: { byType: {}, otherwise: 'p' },
    probeHolder: randomUUID(),
  });
  cursor = claim.cursor;
  return claim.events.map((claimed) => claimed.eventId);
}
