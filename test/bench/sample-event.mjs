// What every contender delivers: the change of an order, about 500 bytes of payload, always of another order.
import { createHash, randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';

const CUSTOMERS = 500;

/** As a producer gives it to recordEvent. */
export function newEvent(n) {
  const orderId = randomUUID();
  return {
    id: uuidv7(),
    eventName: 'order.order.changed.v1',
    eventType: 'ORDER',
    aggregate: { type: 'order', id: orderId, version: 1 },
    tenantId: `tenant-${n % 4}`,
    headers: { correlationId: randomUUID(), actor: { type: 'user', id: `customer-${n % CUSTOMERS}` } },
    payload: {
      orderId,
      customerId: `customer-${n % CUSTOMERS}`,
      status: 'paid',
      previousStatus: 'placed',
      total: 12_940 + (n % 1_000),
      currency: 'EUR',
      lines: [1, 2, 3].map((line) => ({ line, sku: `sku-${(n + line) % 5_000}`, quantity: line, price: 1_299 })),
      note: 'Leave it with the neighbour on the second floor if nobody answers the bell.',
    },
  };
}

/** The same event as our handler gets it, for contenders that have no outbox to load it from. */
export function newIntegrationEvent(n) {
  const { id, eventName, eventType, aggregate, tenantId, headers, payload } = newEvent(n);
  const now = new Date().toISOString();
  return {
    id,
    name: eventName,
    type: eventType,
    routingKey: 'audit.log',
    source: 'outbox:bench',
    aggregate,
    tenantId,
    occurredAt: now,
    recordedAt: now,
    payload,
    headers,
    contentHash: `sha-256:${createHash('sha256').update(JSON.stringify(payload)).digest('hex')}`,
    numbersAsStrings: [],
  };
}
