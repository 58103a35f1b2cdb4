/** Pure: what of a payload may leave the producer's side for the audit log, by event type. Nothing is fake. */
import { type EventRedaction, redactPayload } from '../../src/application/delivery/mappers/redact-payload.js';
import { toAuditEvent } from '../../src/application/delivery/mappers/to-audit-event.js';
import type { JsonObject } from '../../src/domain/delivery/json.js';
import { eventOf } from '../support/events.js';

const payload: JsonObject = {
  userId: 'u-1',
  ip: '10.0.0.1',
  reason: 'asked for',
  order: { total: 5, email: 'ada@example.com', lines: [{ email: 'b@example.com', sku: 's' }] },
  changes: [
    { field: '/contact/email', old: 'a@example.com', new: 'b@example.com' },
    { field: 'plan', old: 'a', new: 'b' },
  ],
};
const mapped = (byEventType: EventRedaction['byEventType'], type = 'ORDER') =>
  toAuditEvent(redactPayload(eventOf({ type, payload }), byEventType === undefined ? {} : { byEventType }), {});

describe('redaction by event type', () => {
  it('without a rule for the type leaves the event as it is', () => {
    const event = eventOf({ payload });
    expect(redactPayload(event, {})).toBe(event);
    expect(redactPayload(event, { byEventType: { AUTH: { keep: [] } } })).toBe(event);
  });

  it('keeps the listed fields, and reads nothing else of the payload for anything', () => {
    const event = mapped({ ORDER: { keep: ['order'] } });
    expect(event.data).toEqual({ order: payload.order });
    expect(event).not.toHaveProperty('changes');
    expect(event).not.toHaveProperty('context');
    expect(event.actor).toEqual({ type: 'system', id: 'outbox:main' });
    expect(mapped({ ORDER: { keep: ['order', 'userId', 'ip'] } })).toMatchObject({
      actor: { id: 'u-1' },
      context: { ip: '10.0.0.1' },
    });
  });

  it('drops a name wherever it stands; its change is told without its values', () => {
    const event = mapped({ ORDER: { drop: ['email', 'ip'] } });
    expect(JSON.stringify(event)).not.toMatch(/example\.com|10\.0\.0\.1/);
    expect(event.data).toMatchObject({ order: { total: 5, lines: [{ sku: 's' }] } });
    expect(event.changes).toEqual([
      { field: '/contact/email', redacted: true },
      { field: '/plan', old: 'a', new: 'b' },
    ]);
  });

  it('by * is for every type without a rule of its own', () => {
    const rules = { ORDER: { drop: ['ip'] }, '*': { keep: ['userId'] } };
    expect(Object.keys(mapped(rules).data ?? {})).toContain('order');
    expect(mapped(rules, 'AUTH').data).toEqual({ userId: 'u-1' });
    expect(mapped(rules, 'constructor').data).toEqual({ userId: 'u-1' });
  });

  it('comes before every mapper, and changes neither identity nor content hash', () => {
    const seen: JsonObject[] = [];
    const event = eventOf({ payload });
    const mapper = (given: { payload: JsonObject }) => {
      seen.push(given.payload);
      return {};
    };
    const whole = toAuditEvent(event, {});
    const kept = toAuditEvent(redactPayload(event, { byEventType: { '*': { keep: ['userId'] } } }), {
      [event.name]: mapper,
    });
    expect(seen).toEqual([{ userId: 'u-1' }]);
    for (const name of ['eventId', 'source', 'contentHash', 'occurredAt', 'action'] as const) {
      expect(kept[name]).toEqual(whole[name]);
    }
  });
});
