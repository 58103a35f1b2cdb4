/**
 * A small application as a user of temporal-outbox would write it: sign-ins, orders and invoices, each written together
 * with its events in one transaction, some of them rolled back. Its tables stand in a PostgreSQL schema of their own.
 */
import type { Pool, PoolClient } from 'pg';
import type { NewOutboxEvent } from '../../application/delivery/new-outbox-event.js';
import { recordEvents } from '../../infrastructure/prisma/record-event.js';
import type { Expectation, Journal } from './journal.js';
import { type PartnerOrder, type Rehearsal, SAMPLE_PARTNER_KEY } from './sample-partner.js';

const SCHEMA = `
CREATE SCHEMA IF NOT EXISTS sample;
CREATE TABLE IF NOT EXISTS sample.account (id text PRIMARY KEY, tenant text NOT NULL, last_sign_in timestamptz);
CREATE TABLE IF NOT EXISTS sample.customer_order (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL, customer text NOT NULL, total_cents integer NOT NULL, status text NOT NULL);
CREATE TABLE IF NOT EXISTS sample.invoice (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL, total_cents integer NOT NULL);
`;

/** What nothing is wrong with; the other kinds fail on purpose at the partner's. */
export const EVERYDAY_KINDS = ['signIn', 'placeOrder', 'bill', 'refusedPayment', 'export'] as const;
export const SAMPLE_KINDS = [...EVERYDAY_KINDS, 'unsteadyExport', 'refusedExports'] as const;
export type SampleKind = (typeof SAMPLE_KINDS)[number];

/** What each transaction leaves behind: events appended, whether it commits, what becomes of its events. */
export const SAMPLE_OUTCOMES: Readonly<Record<SampleKind, { events: number; commits: boolean; expect: Expectation }>> =
  {
    signIn: { events: 1, commits: true, expect: 'delivered' },
    placeOrder: { events: 1, commits: true, expect: 'delivered' },
    bill: { events: 2, commits: true, expect: 'delivered' },
    refusedPayment: { events: 1, commits: false, expect: 'delivered' },
    export: { events: 1, commits: true, expect: 'delivered' },
    unsteadyExport: { events: 1, commits: true, expect: 'retried' },
    refusedExports: { events: 3, commits: true, expect: 'redriven' },
  };

const TENANTS = ['acme', 'globex', 'initech'] as const;
const PEOPLE = ['ada', 'grace', 'linus', 'margaret', 'edsger'] as const;

export async function createSampleTables(pool: Pool): Promise<void> {
  await pool.query(SCHEMA);
}

/**
 * Runs one transaction of the sample application and writes its journal lines. What it does hangs on `kind` and `random`
 * ([0, 1)) alone, but for the ids of events. Returns these.
 */
export async function runSampleTransaction(
  deps: { pool: Pool; journal: Journal; random: () => number },
  kind: SampleKind,
): Promise<readonly string[]> {
  const { commits, expect } = SAMPLE_OUTCOMES[kind];
  const client = await deps.pool.connect();
  try {
    await client.query('BEGIN');
    const done = await TRANSACTIONS[kind](client, deps.random);
    // One line for each order, since each event has its own; all others stand in one.
    const lines = done.map(({ ids, partner }) => ({ ids, expect, partner }));
    for (const line of lines) await deps.journal.write({ kind: 'intent', ...line });
    await client.query(commits ? 'COMMIT' : 'ROLLBACK');
    for (const line of lines) await deps.journal.write({ kind: commits ? 'committed' : 'rolledBack', ...line });
    return done.flatMap(({ ids }) => ids);
  } catch (error) {
    // The events stay in doubt in the journal: the connection may have died after COMMIT was sent.
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

interface Done {
  readonly ids: readonly string[];
  readonly partner?: PartnerOrder;
}
type Work = (client: PoolClient, random: () => number) => Promise<readonly Done[]>;

const TRANSACTIONS: Readonly<Record<SampleKind, Work>> = {
  async signIn(client, random) {
    const { tenant, person } = someone(random);
    await client.query(
      `INSERT INTO sample.account (id, tenant, last_sign_in) VALUES ($1, $2, clock_timestamp())
       ON CONFLICT (id) DO UPDATE SET last_sign_in = excluded.last_sign_in`,
      [`${tenant}-${person}`, tenant],
    );
    return append(client, [
      {
        eventName: 'auth.user.signed_in.v1',
        eventType: 'AUTH',
        aggregate: { type: 'user', id: `${tenant}-${person}` },
        tenantId: tenant,
        payload: { userId: `${tenant}-${person}`, method: random() < 0.5 ? 'password' : 'passkey' },
      },
    ]);
  },
  placeOrder: (client, random) => placeOrder(client, random),
  refusedPayment: (client, random) => placeOrder(client, random),
  async bill(client, random) {
    const { tenant, person } = someone(random);
    const totalCents = 100 + Math.floor(random() * 50_000);
    const order = await insertOrder(client, tenant, person, totalCents, 'billed');
    const invoice = await client.query<{ id: string }>(
      'INSERT INTO sample.invoice (order_id, total_cents) VALUES ($1, $2) RETURNING id',
      [order, totalCents],
    );
    const invoiceId = String(invoice.rows[0]?.id);
    const common = { eventType: 'BILLING', aggregate: { type: 'invoice', id: invoiceId }, tenantId: tenant };
    return append(client, [
      { ...common, eventName: 'billing.invoice.issued.v1', payload: { userId: person, orderId: order, totalCents } },
      { ...common, eventName: 'billing.payment.captured.v1', payload: { userId: person, invoiceId, totalCents } },
    ]);
  },
  export: async (client, random) => [await exportOrder(client, random, someone(random), {})],
  // Once or twice: ten failures in a row would open the partner's breaker.
  unsteadyExport: async (client, random) => [
    await exportOrder(client, random, someone(random), { busy: 1 + Math.floor(random() * MOST_BUSY) }),
  ],
  // Of one customer and in one transaction: one group of dead letters, so one notice, and one event that tells of the redrive.
  async refusedExports(client, random) {
    const who = someone(random);
    const done: Done[] = [];
    for (let i = 0; i < 3; i += 1) done.push(await exportOrder(client, random, who, { refuse: true }));
    return done;
  },
};

/** Answers of 503 to one order, at most. */
const MOST_BUSY = 2;

async function placeOrder(client: PoolClient, random: () => number): Promise<readonly Done[]> {
  const { tenant, person } = someone(random);
  const totalCents = 100 + Math.floor(random() * 50_000);
  const order = await insertOrder(client, tenant, person, totalCents, 'placed');
  return append(client, [
    {
      eventName: 'order.order.placed.v1',
      eventType: 'ORDER',
      aggregate: { type: 'order', id: order, version: 1 },
      tenantId: tenant,
      payload: { userId: person, totalCents, changes: [{ field: '/status', old: null, new: 'placed' }] },
    },
  ]);
}

/** `rehearse` tells the partner how to fail. */
async function exportOrder(
  client: PoolClient,
  random: () => number,
  { tenant, person }: ReturnType<typeof someone>,
  rehearse: Rehearsal,
): Promise<Done> {
  const items = 1 + Math.floor(random() * 9);
  const order = await insertOrder(client, tenant, person, items * 1_000, 'exported');
  const [done] = await append(client, [
    {
      eventName: 'order.order.exported.v1',
      eventType: 'ORDER',
      routingKey: SAMPLE_PARTNER_KEY,
      aggregate: { type: 'order', id: order },
      tenantId: tenant,
      payload: { userId: person, items, ...(Object.keys(rehearse).length > 0 && { rehearse: { ...rehearse } }) },
    },
  ]);
  return { ids: done?.ids ?? [], partner: { order, items, ...rehearse } };
}

async function append(client: PoolClient, events: readonly NewOutboxEvent[]): Promise<readonly Done[]> {
  return [{ ids: await recordEvents(client, events) }];
}

async function insertOrder(client: PoolClient, tenant: string, customer: string, totalCents: number, status: string) {
  const { rows } = await client.query<{ id: string }>(
    'INSERT INTO sample.customer_order (tenant, customer, total_cents, status) VALUES ($1, $2, $3, $4) RETURNING id',
    [tenant, customer, totalCents, status],
  );
  return String(rows[0]?.id);
}

function someone(random: () => number) {
  return { tenant: pick(TENANTS, random), person: pick(PEOPLE, random) };
}

function pick<T>(values: readonly [T, ...T[]] | readonly T[], random: () => number): T {
  return values[Math.floor(random() * values.length)] ?? (values[0] as T);
}
