/** Pure: rows as they may stand in the database, also such as were written around the append. */
import { EVENT_LIMITS, type OutboxEvent } from '../../src/domain/delivery/outbox-event.js';
import { toIntegrationEvent } from '../../src/domain/delivery/to-integration-event.js';
import { eventOf, outboxEventOf } from '../support/events.js';

function nested(levels: number): OutboxEvent['payload'] {
  let value: OutboxEvent['payload'] = {};
  for (let level = 1; level < levels; level++) value = { d: value };
  return value;
}

describe('toIntegrationEvent', () => {
  it('maps every field; no tenant is null', () => {
    expect(toIntegrationEvent(outboxEventOf())).toEqual(eventOf());
    expect(toIntegrationEvent(outboxEventOf({ tenantId: 'acme' })).tenantId).toBe('acme');
  });

  it.each<[string, Partial<OutboxEvent>]>([
    [
      'names at their limits',
      { eventName: `a${'.'.repeat(127)}`, eventType: 'A'.repeat(64), routingKey: 'k'.repeat(64) },
    ],
    ['characters beyond the basic plane, counted once', { aggregateId: '🦆'.repeat(128), tenantId: '🦆'.repeat(64) }],
    ['the deepest payload', { payload: nested(EVENT_LIMITS.depth) }],
    ['the largest payload', { payload: { t: 'x'.repeat(EVENT_LIMITS.payloadBytes - 8) } }],
    ['microseconds', { occurredAt: '2026-04-01T00:00:00.123456Z' }],
    ['no version', { aggregateVersion: null }],
    ['version 0', { aggregateVersion: 0 }],
  ])('takes %s', (_, parts) => {
    expect(toIntegrationEvent(outboxEventOf(parts)).id).toBe(outboxEventOf().id);
  });

  it.each<[string, object]>([
    ['/id', { id: 'x' }],
    ['/eventName', { eventName: '' }],
    ['/eventName', { eventName: 'a'.repeat(129) }],
    ['/eventName', { eventName: '1st' }],
    ['/eventName', { eventName: 'a b' }],
    ['/eventType', { eventType: 'A'.repeat(65) }],
    ['/routingKey', { routingKey: 'k\n' }],
    ['/source', { source: '' }],
    ['/source', { source: 'x'.repeat(257) }],
    ['/aggregateType', { aggregateType: 'a\u0007' }],
    ['/aggregateId', { aggregateId: '🦆'.repeat(129) }],
    ['/aggregateId', { aggregateId: 7 }],
    ['/aggregateVersion', { aggregateVersion: -1 }],
    ['/aggregateVersion', { aggregateVersion: 2 ** 53 }],
    ['/tenantId', { tenantId: 't'.repeat(65) }],
    ['/occurredAt', { occurredAt: '12345-01-01T00:00:00Z' }],
    ['/recordedAt', { recordedAt: 'now' }],
    ['/contentHash', { contentHash: 'md5:1' }],
    ['/payload', { payload: [] }],
    ['/payload', { payload: null }],
    ['/payload', { payload: nested(EVENT_LIMITS.depth + 1) }],
    ['/payload', { payload: nested(100_000) }],
    ['/payload', { payload: { t: 'x'.repeat(2_500_000) } }],
    ['/headers', { headers: 'x' }],
    ['/headers', { headers: { x: nested(40) } }],
    ['/headers', { headers: { x: 'x'.repeat(20_000) } }],
  ])('refuses a bad %s as DISPATCH.INVALID_EVENT, naming the field and not its content', (field, parts) => {
    const refuse = () => toIntegrationEvent(outboxEventOf(parts as Partial<OutboxEvent>));
    expect(refuse).toThrow(
      expect.objectContaining({
        name: 'IntegrationError',
        code: 'DISPATCH.INVALID_EVENT',
        field,
        message: expect.stringContaining('expected'),
      }),
    );
  });
});
