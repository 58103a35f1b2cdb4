// Our handler and mapper by themselves, as temporal-outbox would call them: no database, no Temporal, no network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isIntegrationError, recordEvent } from 'temporal-outbox';
import {
  completeEvent,
  createMemoryOutbox,
  FakeHttpClient,
  runHandler,
  toAuditEvent,
  toIntegrationEvent,
} from 'temporal-outbox/testing';
import { orderPlacedMapper } from '../src/audit-mapper.ts';
import { warehouseHandler } from '../src/warehouse-handler.ts';

const handler = warehouseHandler('http://warehouse.test/shipments');
const shipment = { orderId: 'o-1', sku: 'teapot', quantity: 2 };

test('a shipment is asked for once, under the id of its event', async () => {
  const http = new FakeHttpClient({ status: 201, body: '{"shipmentId":"s-1"}' });
  const receipt = await runHandler(handler, { eventName: 'shop.shipment.requested.v1', payload: shipment }, { http });
  assert.equal(receipt.id, 's-1');
  assert.equal(http.requests.length, 1);
  assert.match(http.requests[0]?.headers?.['idempotency-key'] ?? '', /^[0-9a-f-]{36}$/);
});

test('a quantity of nothing is refused before anything is sent', async () => {
  const http = new FakeHttpClient({ status: 201, body: '{"shipmentId":"s-1"}' });
  const payload = { ...shipment, quantity: 0 };
  await assert.rejects(
    runHandler(handler, { eventName: 'shop.shipment.requested.v1', payload }, { http }),
    (error) => isIntegrationError(error) && error.code === 'DISPATCH.INVALID_EVENT',
  );
  assert.equal(http.requests.length, 0);
});

test('a warehouse that is overloaded is asked again later', async () => {
  const http = new FakeHttpClient({ status: 429, headers: { 'retry-after': '7' } });
  await assert.rejects(
    runHandler(handler, { eventName: 'shop.shipment.requested.v1', payload: shipment }, { http }),
    (error) => isIntegrationError(error) && error.code === 'HTTP.RATE_LIMITED' && error.retryAfterMs === 7_000,
  );
});

test('the audit record names the customer who placed the order', () => {
  const placed = completeEvent({ eventName: 'shop.order.placed.v1', payload: { customer: 'ada', ...shipment } });
  const audit = toAuditEvent(toIntegrationEvent(placed), { 'shop.order.placed': orderPlacedMapper });
  assert.deepEqual(audit.actor, { type: 'user', id: 'ada' });
  assert.deepEqual(audit.targets, [{ type: 'order', id: '1', name: '2 x teapot' }]);
});

test('a warehouse that is down for a while gets the shipment all the same; retries take no time here', async () => {
  const outbox = createMemoryOutbox({ deployment: 'shop' });
  await outbox.transaction((tx) =>
    recordEvent(tx, {
      eventName: 'shop.shipment.requested.v1',
      eventType: 'SHIPMENT',
      routingKey: 'warehouse.shipment',
      aggregate: { type: 'order', id: shipment.orderId },
      payload: shipment,
    }),
  );
  const http = new FakeHttpClient('network-error', { status: 503 }, { status: 201, body: '{"shipmentId":"s-1"}' });
  const [delivery] = await outbox.deliver({ handlers: [handler] }, { http });
  assert.equal(delivery?.status, 'DELIVERED');
  assert.equal(delivery?.receipt?.id, 's-1');
  assert.deepEqual(
    delivery?.attempts.map(({ code }) => code),
    ['HTTP.NETWORK', 'HTTP.SERVER_ERROR', null],
  );
});

test('a shipment whose answers were all lost is found, and is no dead letter', async () => {
  const outbox = createMemoryOutbox({ deployment: 'shop' });
  await outbox.transaction((tx) =>
    recordEvent(tx, {
      eventName: 'shop.shipment.requested.v1',
      eventType: 'SHIPMENT',
      routingKey: 'warehouse.shipment',
      aggregate: { type: 'order', id: shipment.orderId },
      payload: shipment,
    }),
  );
  const http = new FakeHttpClient(({ method }) =>
    method === 'GET' ? { status: 200, body: '{"shipmentId":"s-1"}' } : 'network-error',
  );
  const [delivery] = await outbox.deliver({ handlers: [handler] }, { http });
  assert.equal(delivery?.status, 'DELIVERED');
  assert.equal(delivery?.receipt?.replayed, true);
  assert.match(http.requests.at(-1)?.url ?? '', new RegExp(`/shipments/${delivery?.event.id}$`));
});
