/** Real: the finder, its places and deadline, definitions of handlers. Fake: the handlers' destinations, or the handler. */

import { defineHandler } from '../../src/application/delivery/define-handler.js';
import { createEffectFinder } from '../../src/application/delivery/find-effect.js';
import { auditHandler } from '../../src/application/delivery/handlers/audit-handler.js';
import type { Handler, Logger } from '../../src/application/delivery/ports.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { FakeHttpClient } from '../../src/infrastructure/http/fake-http-client.js';
import { failure } from '../contract/http-client.contract.js';
import { outboxEventOf } from '../support/events.js';

const receipt = { id: 'r1', hash: null, status: 200, at: '2026-04-01T00:00:02.000Z', replayed: true };
const log: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const event = outboxEventOf();
const RECORD = '0197d3a0-0000-7000-8000-00000000000a';

function finderOf(find: Handler['find'], http = new FakeHttpClient()) {
  const handler: Handler = {
    routingKey: 'audit.log',
    deliver: async () => receipt,
    ...(find === undefined ? {} : { find }),
  };
  const finder = createEffectFinder({ handlers: [handler], http, log });
  const shutdown = new AbortController();
  const ask = (more: { timeoutMs?: number; event?: typeof event } = {}) =>
    finder.find(more.event ?? event, { timeoutMs: more.timeoutMs ?? 10_000, signal: shutdown.signal });
  return { ask, shutdown };
}

it('R18: the receipt of what stands, none, and handlers that cannot say', async () => {
  await expect(finderOf(async () => receipt).ask()).resolves.toEqual({ kind: 'stands', receipt });
  await expect(finderOf(async () => null).ask()).resolves.toEqual({ kind: 'none' });
  await expect(finderOf(undefined).ask()).resolves.toEqual({ kind: 'unsupported' });
});

it('R18: a schema that became stricter does not hide what stands', async () => {
  const strict = {
    parse: () => {
      throw new Error('not any more');
    },
  };
  const { find } = defineHandler({
    routingKey: 'audit.log',
    schema: strict,
    deliver: async () => receipt,
    find: async ({ payload }) => ({ ...receipt, id: `found with ${Object.keys(payload).length}` }),
  });
  await expect(finderOf(find).ask()).resolves.toMatchObject({ kind: 'stands' });
});

it.each([
  ['throws', finderOf(() => Promise.reject(new Error('bug'))), 'HANDLER.FAILED'],
  [
    'throws at once',
    finderOf(() => {
      throw new IntegrationError('HTTP.NETWORK');
    }),
    'HTTP.NETWORK',
  ],
  ['answers no receipt', finderOf(async () => ({}) as never), 'HTTP.BAD_RESPONSE'],
])('R18: a handler that %s is a failed ask', async (_, { ask }, code) => {
  expect((await failure(ask())).code).toBe(code);
});

it('R18: an event of a routing key that nobody handles is a failed ask', async () => {
  const { ask } = finderOf(async () => receipt);
  const error = await failure(ask({ event: outboxEventOf({ routingKey: 'nobody' }) }));
  expect(error.code).toBe('DISPATCH.HANDLER_NOT_FOUND');
});

it('R18: ends at its deadline and at a shutdown, whatever the handler does, which hears of it', async () => {
  const heard: string[] = [];
  const deaf: Handler['find'] = (_, { signal }) => {
    signal.addEventListener('abort', () => heard.push('aborted'));
    return new Promise(() => {});
  };
  expect((await failure(finderOf(deaf).ask({ timeoutMs: 1 }))).code).toBe('HTTP.TIMEOUT');
  const { ask, shutdown } = finderOf(deaf);
  const asking = failure(ask());
  shutdown.abort();
  expect((await asking).code).toBe('DELIVERY.CANCELLED');
  expect((await failure(ask())).code).toBe('DELIVERY.CANCELLED');
  expect(heard).toHaveLength(2);
});

it('R18: a few at once for a destination; what finds no place is a failed ask, and a place is free after its ask', async () => {
  const gates: ((found: null) => void)[] = [];
  const { ask } = finderOf(() => new Promise((resolve) => gates.push(resolve)));
  const asking = Array.from({ length: 8 }, () => ask());
  expect((await failure(ask())).code).toBe('DESTINATION.BUSY');
  for (const open of gates.splice(0)) open(null);
  await Promise.all(asking);
  const again = ask();
  for (const open of gates) open(null);
  await expect(again).resolves.toEqual({ kind: 'none' });
});

it('R18: the audit log is asked by identity and content hash alone: a mapper that breaks does not hide what stands', async () => {
  const found = {
    found: true,
    recordId: RECORD,
    recordedAt: '2026-04-01T00:00:02.000Z',
    hash: `sha-256:${'cd'.repeat(32)}`,
  };
  const http = new FakeHttpClient({ status: 200, body: JSON.stringify({ results: [found] }) });
  const mappers = {
    'order.order.placed.v1': () => {
      throw new Error('changed');
    },
  };
  const audit = auditHandler({ baseUrl: 'http://audit.test', apiKey: 'k', mappers });
  const finder = createEffectFinder({ handlers: [audit], http, log });
  const source = 'outbox:a b';
  const asked = finder.find(outboxEventOf({ tenantId: 'acme', source }), {
    timeoutMs: 10_000,
    signal: new AbortController().signal,
  });
  await expect(asked).resolves.toMatchObject({ kind: 'stands', receipt: { id: RECORD, replayed: true } });
  expect(JSON.parse(http.requests[0]?.body ?? '')).toEqual({
    identities: [
      { source: 'outbox:a%20b', eventId: event.id, tenantId: 'acme', contentHash: `sha-256:${'ab'.repeat(32)}` },
    ],
  });
});
