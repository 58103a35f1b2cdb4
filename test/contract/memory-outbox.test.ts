/**
 * Real: everything but the database, Temporal and the network: the in-memory outbox under the contracts that PostgreSQL
 * passes too (integration/delivery-store, integration/record-event), and what a team does with it. Fake: HTTP.
 */
import { randomUUID } from 'node:crypto';
import { defineConfig } from '../../src/application/delivery/define-config.js';
import { defineHandler } from '../../src/application/delivery/define-handler.js';
import { httpHandler } from '../../src/application/delivery/handlers/http-handler.js';
import { DEFAULT_POLICY } from '../../src/domain/delivery/policy.js';
import { FakeHttpClient } from '../../src/infrastructure/http/fake-http-client.js';
import { createMemoryOutbox } from '../../src/infrastructure/memory/memory-outbox.js';
import { createMemoryStore } from '../../src/infrastructure/memory/memory-store.js';
import { type MemoryTransaction, runMemoryTransaction } from '../../src/infrastructure/memory/memory-transaction.js';
import { recordEvent } from '../../src/infrastructure/prisma/record-event.js';
import { deliveryStoreContract } from './delivery-store.contract.js';
import { recordEventContract, signedIn } from './record-event.contract.js';

function createStore() {
  const store = createMemoryStore({ now: Date.now, policy: { ...DEFAULT_POLICY, maxAttempts: 4 } });
  const transaction = <T>(work: (tx: MemoryTransaction) => Promise<T>) =>
    runMemoryTransaction({ rows: store.rows, now: Date.now, source: 'outbox:main' }, work);
  return { store, transaction };
}

deliveryStoreContract('in memory', async () => {
  const { store, transaction } = createStore();
  return {
    attempts: store,
    deadLetters: store,
    effects: store,
    redrive: async (id) => store.redrive(id).kind === 'redriven',
    async append() {
      const id = await transaction((tx) => recordEvent(tx, { ...signedIn, payload: { total: 1 } }));
      Object.assign(store.rows.get(id) ?? {}, { status: 'STARTED' });
      return id;
    },
    async look(id) {
      const row = store.rows.get(id);
      if (row === undefined) throw new Error(`no event ${id}`);
      const { status, epoch, receipt, deadLetters } = row;
      const attempts = row.attempts.map(({ n, local, code, finished }) => ({ n, local, code, finished }));
      return { status, epoch, receiptId: receipt?.id ?? null, attempts, letters: deadLetters };
    },
    close: async () => {},
  };
});

for (const form of ['a Prisma transaction', 'a pg client'] as const) {
  const { store, transaction } = createStore();
  const shape = ({ $queryRaw, $executeRaw, query }: MemoryTransaction) =>
    form === 'a pg client' ? { query } : { $queryRaw, $executeRaw };
  let ended: MemoryTransaction | undefined;
  beforeAll(() =>
    transaction(async (tx) => {
      ended = tx;
    }),
  );
  recordEventContract(`in memory, as ${form}`, {
    transaction: (work) => transaction((tx) => work(shape(tx))),
    outside: () => shape(ended as MemoryTransaction),
    attempts: () => store,
  });
}

describe('the in-memory outbox', () => {
  const crmEvent = { ...signedIn, routingKey: 'crm.contact', payload: { name: 'Ada' } };
  const crm = httpHandler({ routingKey: 'crm.contact', url: 'http://crm.test/contacts' });
  const config = defineConfig({ handlers: [crm] });
  const created = { status: 201, body: '{"id":"c-1"}' };

  it('delivers what was committed: one request with the event id as its key, and the receipt that came back', async () => {
    const outbox = createMemoryOutbox({ deployment: 'shop' });
    const id = await outbox.transaction((tx) => recordEvent(tx, crmEvent));
    await outbox
      .transaction(async (tx) => {
        await recordEvent(tx, crmEvent);
        throw new Error('rolled back');
      })
      .catch(() => undefined);
    expect(outbox.events()).toMatchObject([{ id, eventName: 'auth.user.signed_in.v1', source: 'outbox:shop' }]);
    const http = new FakeHttpClient(created);
    expect(await outbox.deliver(config, { http })).toMatchObject([
      { status: 'DELIVERED', receipt: { id: 'c-1', status: 201 }, attempts: [{ n: 1, code: null, finished: true }] },
    ]);
    expect(http.requests.map(({ headers }) => headers?.['idempotency-key'])).toEqual([id]);
    await outbox.deliver(config, { http });
    expect(http.requests).toHaveLength(1);
  });

  it('retries as the policy says without waiting for it, Retry-After included', async () => {
    const outbox = createMemoryOutbox();
    await outbox.transaction((tx) => recordEvent(tx, crmEvent));
    const tooMany = { status: 429, headers: { 'retry-after': '1800' } };
    const http = new FakeHttpClient({ status: 500 }, { status: 502 }, tooMany, created);
    const [delivery] = await outbox.deliver(config, { http });
    expect(delivery?.status).toBe('DELIVERED');
    expect(delivery?.attempts.map(({ code, delayMs }) => [code, delayMs])).toEqual([
      ['HTTP.SERVER_ERROR', 500],
      ['HTTP.SERVER_ERROR', 1_000],
      ['HTTP.RATE_LIMITED', 1_802_000], // and the backoff after it
      [null, null],
    ]);
    const at = (delivery?.attempts ?? []).map(({ startedAt }) => startedAt);
    const waits = at.slice(1).map((startedAt, i) => startedAt - (at[i] ?? 0));
    expect(waits.map((waited, i) => waited >= ([500, 1_000, 1_800_000][i] ?? 0))).toEqual([true, true, true]);
  });

  it('ends in a dead letter at a final error, after the policy’s attempts, and at a routing key without a handler', async () => {
    const outbox = createMemoryOutbox();
    await outbox.transaction((tx) => recordEvent(tx, crmEvent));
    await outbox.transaction((tx) => recordEvent(tx, { ...crmEvent, routingKey: 'crm.down' }));
    await outbox.transaction((tx) => recordEvent(tx, { ...crmEvent, routingKey: 'crm.contcat' }));
    const down = httpHandler({ routingKey: 'crm.down', url: 'http://down.test/' });
    const http = new FakeHttpClient(({ url }) => (url.includes('crm.test') ? { status: 404 } : 'network-error'));
    const deliveries = await outbox.deliver({ handlers: [crm, down] }, { http });
    const ends = deliveries.map(({ status, attempts, deadLetters: [letter] }) => ({
      status,
      ...letter,
      tried: attempts.length,
    }));
    expect(ends).toMatchObject([
      { status: 'DEAD', code: 'HTTP.CLIENT_ERROR', tried: 1, retryCount: 1, response: { status: 404 } },
      { status: 'DEAD', code: 'HTTP.NETWORK', tried: 10, retryCount: 10, maxRetries: 10 },
      { status: 'DEAD', code: 'DISPATCH.HANDLER_NOT_FOUND', tried: 5 },
    ]);
  });

  it('a redriven letter is delivered in the next epoch, under the same key', async () => {
    const outbox = createMemoryOutbox();
    const id = await outbox.transaction((tx) => recordEvent(tx, crmEvent));
    const http = new FakeHttpClient({ status: 400 }, created);
    await outbox.deliver(config, { http });
    await expect(outbox.redrive(randomUUID())).rejects.toThrow('not-found');
    await outbox.redrive(id);
    expect(await outbox.deliver(config, { http })).toMatchObject([
      { status: 'DELIVERED', epoch: 1, deadLetters: [{ epoch: 0, state: 'redriven' }] },
    ]);
    expect(new Set(http.requests.map(({ headers }) => headers?.['idempotency-key']))).toEqual(new Set([id]));
  });

  it('holds an event back until it is available, in its own time, and delivers the due ones first', async () => {
    const outbox = createMemoryOutbox();
    const availableAt = new Date(Date.now() + 86_400_000);
    const late = await outbox.transaction((tx) => recordEvent(tx, { ...crmEvent, availableAt }));
    const soon = await outbox.transaction((tx) => recordEvent(tx, crmEvent));
    const order: string[] = [];
    const deliver = async ({ id }: { id: string }) => {
      order.push(id);
      return { id: 'r' };
    };
    await outbox.deliver({ handlers: [defineHandler({ routingKey: 'crm.contact', deliver })] });
    expect(order).toEqual([soon, late]);
  });

  it('puts events without a routing key through the audit mapping, and shows what the audit log was sent', async () => {
    const outbox = createMemoryOutbox();
    const id = await outbox.transaction((tx) => recordEvent(tx, signedIn));
    await outbox.transaction((tx) => recordEvent(tx, { ...signedIn, eventName: 'auth.user.broken.v1' }));
    const mappers = {
      'auth.user.signed_in': () => ({ actor: { type: 'user', id: 'ada' } }) as const,
      'auth.user.broken': () => ({ severity: 'huge' }) as never,
    };
    const [good, bad] = await outbox.deliver({ mappers });
    expect(good).toMatchObject({ status: 'DELIVERED', receipt: { status: 201 } });
    expect(bad).toMatchObject({
      status: 'DEAD',
      deadLetters: [{ code: 'DISPATCH.INVALID_EVENT', field: '/severity' }],
    });
    expect(outbox.auditEvents()).toMatchObject([{ eventId: id, tenantId: 'acme', actor: { type: 'user', id: 'ada' } }]);
  });

  it('keeps of a failure what the configuration’s redaction leaves, as the worker does', async () => {
    const outbox = createMemoryOutbox();
    await outbox.transaction((tx) => recordEvent(tx, crmEvent));
    const http = new FakeHttpClient({ status: 400, body: 'diagnosis=flu, password=hunter2' });
    const deliveries = await outbox.deliver({ handlers: [crm], redaction: { keys: ['diagnosis'] } }, { http });
    const [letter] = deliveries[0]?.deadLetters ?? [];
    expect(letter?.response?.body).toContain('diagnosis=');
    expect(JSON.stringify(deliveries)).not.toMatch(/flu|hunter2/);
  });

  it('runs no other statement, and says so', async () => {
    const outbox = createMemoryOutbox();
    const other = outbox.transaction((tx) => tx.query('SELECT * FROM users'));
    await expect(other).rejects.toThrow('runs no other; got: SELECT * FROM users');
  });

  it('hands out copies: what a test does to them changes nothing', async () => {
    const outbox = createMemoryOutbox();
    await outbox.transaction((tx) => recordEvent(tx, crmEvent));
    Object.assign(outbox.events()[0]?.payload ?? {}, { name: 'Eve' });
    Object.assign(outbox.deliveries()[0] ?? {}, { status: 'DEAD' });
    expect(outbox.deliveries()).toMatchObject([{ status: 'PENDING', event: { payload: { name: 'Ada' } } }]);
  });
});
