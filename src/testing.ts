/** For tests of handlers, mappers and the code that appends, without a database, Temporal or a network. */
import { createDispatcher } from './application/delivery/dispatcher.js';
import type { Handler, HttpClient, Logger } from './application/delivery/ports.js';
import type { OutboxEvent } from './domain/delivery/outbox-event.js';
import type { Receipt } from './domain/delivery/receipt.js';
import { FakeHttpClient } from './infrastructure/http/fake-http-client.js';

export { toAuditEvent } from './application/delivery/mappers/to-audit-event.js';
export type { OutboxEvent } from './domain/delivery/outbox-event.js';
export { toIntegrationEvent } from './domain/delivery/to-integration-event.js';
export { FakeHttpClient, type Script, type ScriptedAnswer } from './infrastructure/http/fake-http-client.js';
export {
  createMemoryOutbox,
  type DeliverOptions,
  type MemoryOutbox,
  type MemoryOutboxOptions,
} from './infrastructure/memory/memory-outbox.js';
export type { MemoryAttempt, MemoryDeadLetter, MemoryDelivery } from './infrastructure/memory/memory-store.js';
export type { MemoryTransaction } from './infrastructure/memory/memory-transaction.js';

export interface RunHandlerOptions {
  /** Default: a FakeHttpClient without a script, to which every request is unreachable. */
  readonly http?: HttpClient;
  /** Of the whole attempt. Default 5 s. */
  readonly timeoutMs?: number;
  /** Default: says nothing. */
  readonly log?: Logger;
}

/** What an event needs here; all else is completed. */
export type EventForTest = Pick<OutboxEvent, 'eventName' | 'payload'> & Partial<OutboxEvent>;

/**
 * One attempt to deliver one event through a handler, by the real dispatcher: mapped, checked, within its deadline,
 * classified. Throws the IntegrationError that the attempt would end with.
 */
export async function runHandler(
  handler: Handler,
  event: EventForTest,
  options: RunHandlerOptions = {},
): Promise<Receipt> {
  const { http = new FakeHttpClient(), timeoutMs = 5_000, log = SILENT } = options;
  const dispatcher = createDispatcher({ handlers: [handler], http, log, places: { local: 1, regular: 1 } });
  const signal = new AbortController().signal;
  const answer = await dispatcher.dispatch(completeEvent({ routingKey: handler.routingKey, ...event }), {
    mode: 'regular',
    timeoutMs,
    signal,
  });
  if (answer === 'busy') throw new Error('Expected a free place in a dispatcher of its own');
  return answer;
}

/** As it would stand in the outbox, for what is not named: one aggregate, no tenant, a fixed id and time. */
export function completeEvent(event: EventForTest): OutboxEvent {
  const at = event.occurredAt ?? '2026-01-01T00:00:00.000Z';
  return {
    id: '01900000-0000-7000-8000-000000000001',
    eventType: 'TEST',
    routingKey: 'test',
    source: 'outbox:test',
    aggregateType: 'test',
    aggregateId: '1',
    aggregateVersion: null,
    tenantId: '',
    headers: {},
    contentHash: `sha-256:${'0'.repeat(64)}`,
    occurredAt: at,
    recordedAt: at,
    numbersAsStrings: [],
    ...event,
  };
}

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
