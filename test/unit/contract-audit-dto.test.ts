/** The audit DTO v1 against good and bad events. Nothing is fake; the clock is given. */
import { AUDIT_LIMITS, type AuditEvent, parseAuditEvent } from '../../src/contract/audit-dto.js';

const now = new Date('2026-11-23T12:00:00.000Z');

const minimal: AuditEvent = {
  specVersion: '1.0',
  eventId: 'e-1',
  source: '/services/auth',
  action: 'auth.user.signed_in',
  actionVersion: 1,
  category: 'authentication',
  operation: 'login',
  outcome: 'success',
  occurredAt: '2026-11-23T11:59:00Z',
  actor: { type: 'user', id: 'u-1' },
  targets: [],
};

const full: AuditEvent = {
  ...minimal,
  outcomeReason: 'password and key',
  severity: 'low',
  tenantId: 't-1',
  actor: {
    type: 'service',
    id: 's-1',
    name: 'Batch',
    sessionId: 'x',
    onBehalfOf: { type: 'user', id: 'u-1' },
    metadata: { admin: true },
  },
  targets: [{ type: 'user', id: 'u-1', name: 'Ada', metadata: { n: 1.5 } }],
  context: {
    ip: '2001:db8::1',
    userAgent: 'curl/8',
    location: 'Rome',
    requestId: 'r',
    correlationId: 'c',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  },
  changes: [{ field: '/email', old: null, new: { deep: ['x'] }, redacted: false }],
  metadata: { 'a-b_C': 'x', n: 3, ok: true },
  dataSchema: 'https://schemas.example.com/signed-in',
  schemaVersion: 2,
  data: { any: { thing: [1, 2, 3] } },
  contentHash: `sha-256:${'0a'.repeat(32)}`,
  routing: {
    eventName: 'UserSignedIn',
    routingKey: 'audit.log',
    aggregateType: 'user',
    aggregateId: '1',
    outboxId: 'o',
  },
};

function pointersOf(value: unknown): string[] {
  const parsed = parseAuditEvent(value, now);
  return parsed.ok ? [] : parsed.problems.map((problem) => problem.pointer);
}

describe('audit DTO v1', () => {
  it('accepts the smallest and the fullest event and hands back the very value', () => {
    for (const event of [minimal, full]) {
      const parsed = parseAuditEvent(event, now);
      expect(parsed).toEqual({ ok: true, event });
      expect(parsed.ok && parsed.event === event).toBe(true);
    }
  });

  it('lets only an anonymous actor go without an id', () => {
    expect(pointersOf({ ...minimal, actor: { type: 'anonymous' } })).toEqual([]);
    expect(pointersOf({ ...minimal, actor: { type: 'user' } })).toEqual(['/actor/id']);
  });

  it('names every missing field', () => {
    expect(pointersOf({}).sort()).toEqual(
      [
        'specVersion',
        'eventId',
        'source',
        'action',
        'actionVersion',
        'category',
        'operation',
        'outcome',
        'occurredAt',
        'actor',
        'targets',
      ]
        .map((name) => `/${name}`)
        .sort(),
    );
  });

  it.each([
    ['targets', Array.from({ length: AUDIT_LIMITS.targets + 1 }, () => ({ type: 't', id: 'i' })), '/targets'],
    ['changes', Array.from({ length: AUDIT_LIMITS.changes + 1 }, () => ({ field: '/a' })), '/changes'],
    [
      'metadata',
      Object.fromEntries(Array.from({ length: AUDIT_LIMITS.metadataKeys + 1 }, (_, i) => [`k${i}`, i])),
      '/metadata',
    ],
    ['metadata', { k: 'x'.repeat(AUDIT_LIMITS.metadataValue + 1) }, '/metadata/k'],
    ['metadata', { 'not a key': 1 }, '/metadata/not a key'],
    ['action', `a.${'b'.repeat(AUDIT_LIMITS.action)}`, '/action'],
    ['source', 'x'.repeat(AUDIT_LIMITS.source + 1), '/source'],
    ['source', 'has space', '/source'],
    ['tenantId', '', '/tenantId'],
    ['tenantId', 'x'.repeat(AUDIT_LIMITS.tenantId + 1), '/tenantId'],
  ])('B10: refuses %s over its limits', (field, value, pointer) => {
    expect(pointersOf({ ...minimal, [field]: value })).toEqual([pointer]);
  });

  it('B11: refuses U+0000 and lone surrogates in values and keys, wherever they stand', () => {
    expect(pointersOf({ ...minimal, data: { a: 'x\u0000' } })).toEqual(['/data/a']);
    expect(pointersOf({ ...minimal, data: { a: ['\ud800'] } })).toEqual(['/data/a/0']);
    expect(pointersOf({ ...minimal, data: { '\udc00': 1 } })).toEqual(['/data/\udc00']);
    expect(pointersOf({ ...minimal, data: { '\u0000': 1 } })).toEqual(['/data/\u0000']);
    expect(pointersOf({ ...minimal, data: { a: '\u{1f600}' } })).toEqual([]);
  });

  it('B13: refuses numbers that do not survive, and values of another type', () => {
    expect(pointersOf({ ...minimal, data: JSON.parse('{"a":1e400}') })).toEqual(['/data/a']);
    expect(pointersOf({ ...minimal, data: JSON.parse('{"a":-9007199254740993}') })).toEqual(['/data/a']);
    expect(pointersOf({ ...minimal, data: { a: Number.MAX_SAFE_INTEGER } })).toEqual([]);
    expect(pointersOf({ ...minimal, actionVersion: '1' })).toEqual(['/actionVersion']);
    expect(pointersOf({ ...minimal, actionVersion: 2 ** 31 })).toEqual(['/actionVersion']);
    expect(pointersOf({ ...minimal, eventId: {} })).toEqual(['/eventId']);
    expect(pointersOf({ ...minimal, data: [] })).toEqual(['/data']);
    expect(pointersOf('text')).toEqual(['']);
  });

  it('B14: refuses unknown and server-set fields at every level, by name', () => {
    for (const field of ['recordId', 'recordedAt', 'keyId', 'leafVersion', 'salt', 'via', 'x/y']) {
      expect(pointersOf({ ...minimal, [field]: 'x' })).toEqual([`/${field.replace('/', '~1')}`]);
    }
    expect(pointersOf({ ...minimal, actor: { type: 'user', id: 'u', role: 'x' } })).toEqual(['/actor/role']);
    expect(pointersOf({ ...minimal, targets: [{ type: 'a', id: 'b', c: 1 }] })).toEqual(['/targets/0/c']);
  });

  it.each([
    '2026-11-23',
    '2026-11-23T11:00:00',
    '2026-11-23 11:00:00Z',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-11-23T24:00:00Z',
    '2026-11-23T11:60:00Z',
    '2026-11-23T11:00:60Z',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+00:01',
    '2026-11-23T11:00:00+24:00',
    '2026-11-23T11:00:00.Z',
    '2026-11-24T12:00:00Z',
    '2026-11-23T12:05:00.001Z',
    '2026-11-23T11:05:01-01:00',
    '+002026-11-23T11:00:00Z',
    'Mon, 23 Nov 2026 11:00:00 GMT',
    '1763895600',
    '',
  ])('B15: refuses the time "%s"', (occurredAt) => {
    expect(pointersOf({ ...minimal, occurredAt })).toEqual(['/occurredAt']);
  });

  it.each([
    '2026-11-23T12:05:00.000Z',
    '2024-02-29T23:59:59.123456789Z',
    '2026-11-23T13:00:00+01:00',
    '0001-01-01T00:00:00Z',
    '2000-02-29T00:00:00-23:59',
  ])('accepts the time "%s"', (occurredAt) => {
    expect(pointersOf({ ...minimal, occurredAt })).toEqual([]);
  });

  it('B16: refuses an eventId that is empty, too long or holds control characters', () => {
    for (const eventId of ['', 'x'.repeat(AUDIT_LIMITS.eventId + 1), 'a\nb', 'a\u007f', 'a\u0085', '\u001b[31m']) {
      expect(pointersOf({ ...minimal, eventId })).toEqual(['/eventId']);
    }
    expect(pointersOf({ ...minimal, eventId: '../../etc/passwd%00' })).toEqual([]);
    expect(pointersOf({ ...minimal, eventId: 'x'.repeat(AUDIT_LIMITS.eventId) })).toEqual([]);
  });

  it('never repeats a value that was sent', () => {
    const secret = 'hunter2-secret';
    const parsed = parseAuditEvent(
      {
        ...minimal,
        action: secret,
        category: secret,
        occurredAt: secret,
        context: { ip: secret, traceparent: secret },
      },
      now,
    );
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed)).not.toContain(secret);
  });
});
