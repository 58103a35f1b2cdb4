/** Events for tests: valid whole, and different where a test says so. */
import type { IntegrationEvent } from '../../src/domain/delivery/integration-event.js';
import type { OutboxEvent } from '../../src/domain/delivery/outbox-event.js';

const ID = '0197d3a0-0000-7000-8000-000000000001';
const HASH = `sha-256:${'ab'.repeat(32)}`;

export function outboxEventOf(parts: Partial<OutboxEvent> = {}): OutboxEvent {
  return {
    id: ID,
    eventName: 'order.order.placed.v1',
    eventType: 'ORDER',
    routingKey: 'audit.log',
    source: 'outbox:main',
    aggregateType: 'order',
    aggregateId: '42',
    aggregateVersion: 1,
    tenantId: '',
    payload: { total: 5 },
    headers: {},
    contentHash: HASH,
    occurredAt: '2026-04-01T00:00:00.000Z',
    recordedAt: '2026-04-01T00:00:01.000Z',
    numbersAsStrings: [],
    ...parts,
  };
}

export function eventOf(parts: Partial<IntegrationEvent> = {}): IntegrationEvent {
  return {
    id: ID,
    name: 'order.order.placed.v1',
    type: 'ORDER',
    routingKey: 'audit.log',
    source: 'outbox:main',
    aggregate: { type: 'order', id: '42', version: 1 },
    tenantId: null,
    occurredAt: '2026-04-01T00:00:00.000Z',
    recordedAt: '2026-04-01T00:00:01.000Z',
    payload: { total: 5 },
    headers: {},
    contentHash: HASH,
    numbersAsStrings: [],
    ...parts,
  };
}
