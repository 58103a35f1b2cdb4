/** Pure: no system, nothing fake. The events are made by fast-check, hostile on purpose. */
import fc from 'fast-check';
import { toAuditEvent, toAuditSource } from '../../src/application/delivery/mappers/to-audit-event.js';
import { ACTION_PATTERN, parseAuditEvent } from '../../src/contract/audit-dto.js';
import { parseJsonText } from '../../src/contract/json-text.js';
import { KNOWN_EVENTS, type KnownEvent } from '../../src/contract/known-events.js';
import { toAction } from '../../src/contract/to-action.js';
import type { IntegrationEvent } from '../../src/domain/delivery/integration-event.js';
import type { JsonObject } from '../../src/domain/delivery/json.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { eventOf } from '../support/events.js';

const at = new Date('2026-05-01T12:00:00Z');

/** Sent as it will be: as JSON text, through the checks of the ingest. */
function accepted(event: IntegrationEvent, mappers = {}) {
  const audit = toAuditEvent(event, mappers);
  const bytes = new TextEncoder().encode(JSON.stringify(audit));
  expect(bytes.length).toBeLessThanOrEqual(64 * 1024);
  const read = parseJsonText(bytes, 32);
  if (!read.ok) throw new Error(`${read.reason} at ${read.pointer}`);
  const parsed = parseAuditEvent(read.value, at);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.event;
}

const anyText = (max: number) =>
  fc.oneof(fc.string({ maxLength: max, unit: 'binary' }), fc.string({ maxLength: max, unit: 'grapheme' }));
const anyName = fc.oneof(
  anyText(200),
  fc.constantFrom(
    'UserLoggedIn',
    'auth.user.signed_in.v1',
    'X',
    '…',
    '9.9',
    'a.b.c.d.e.f.g.h.v3',
    'вход.выполнен',
    '.',
  ),
);
const anyPayload = fc.dictionary(
  fc.oneof(
    anyText(20),
    fc.constantFrom('__proto__', 'constructor', 'changes', 'actor', 'userId', 'before', 'after', 'ip'),
  ),
  fc.jsonValue({ maxDepth: 6 }),
) as fc.Arbitrary<JsonObject>;
const anyEvent = fc.record({
  name: anyName.filter((text) => text !== ''),
  type: anyText(80),
  source: anyText(300).filter((text) => text !== ''),
  aggregate: fc.record({
    type: anyText(80).filter((text) => text !== ''),
    id: anyText(300).filter((text) => text !== ''),
    version: fc.constant(null),
  }),
  tenantId: fc.option(anyText(100).filter((text) => text !== '')),
  occurredAt: fc.constantFrom(
    '2026-04-01T00:00:00.123456Z',
    '2030-01-01T00:00:00Z',
    'yesterday',
    '0000-01-01T00:00:00Z',
  ),
  payload: anyPayload,
  headers: fc.dictionary(
    fc.oneof(anyText(20), fc.constantFrom('audit', 'actor', 'ip', 'traceparent', 'userAgent')),
    fc.jsonValue(),
  ) as fc.Arbitrary<JsonObject>,
  numbersAsStrings: fc.array(anyText(60)),
});

describe('the audit mapping', () => {
  it('makes a record that the ingest accepts of any event', () => {
    fc.assert(
      fc.property(anyEvent, (parts) => {
        const event = eventOf(parts);
        expect(accepted(event)).toMatchObject({ eventId: event.id, contentHash: event.contentHash });
      }),
      { numRuns: 500 },
    );
  });

  it('is pure: the same event gives the same record', () => {
    fc.assert(
      fc.property(anyEvent, (parts) => {
        expect(toAuditEvent(eventOf(parts), {})).toEqual(toAuditEvent(eventOf(parts), {}));
      }),
      { numRuns: 50 },
    );
  });

  it('maps an event that nobody has seen before', () => {
    const event = eventOf({
      name: 'UserLoggedIn',
      type: 'NOVEL',
      source: 'outbox:main',
      tenantId: 'acme',
      aggregate: { type: 'user', id: '7', version: 3 },
      payload: { userId: 7, ip: '192.0.2.1' },
      headers: { correlationId: 'c1', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    });
    expect(accepted(event)).toEqual({
      specVersion: '1.0',
      eventId: event.id,
      source: 'outbox:main',
      action: 'user.logged_in',
      actionVersion: 1,
      category: 'other',
      operation: 'login',
      outcome: 'success',
      occurredAt: event.occurredAt,
      tenantId: 'acme',
      actor: { type: 'user', id: '7' },
      targets: [{ type: 'user', id: '7' }],
      context: {
        ip: '192.0.2.1',
        correlationId: 'c1',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
      data: event.payload,
      contentHash: event.contentHash,
      routing: {
        eventName: 'UserLoggedIn',
        routingKey: 'audit.log',
        aggregateType: 'user',
        aggregateId: '7',
        outboxId: event.id,
      },
    });
  });

  it.each(Object.keys(KNOWN_EVENTS))('knows %s, with its version and without', (name) => {
    const plain = accepted(eventOf({ name, payload: { reason: 'x'.repeat(400) } }));
    const versioned = accepted(eventOf({ name: `${name}.v2`, payload: { reason: 'x'.repeat(400) } }));
    expect(versioned).toEqual({ ...plain, actionVersion: 2, routing: { ...plain.routing, eventName: `${name}.v2` } });
    const { reason, ...known } = (KNOWN_EVENTS as Record<string, KnownEvent>)[name] as KnownEvent;
    expect(plain).toMatchObject(known);
    expect(plain.outcomeReason?.length).toBe(reason ? 256 : undefined);
  });

  it('takes the actor from the headers, else the payload, else the user id, else the source', () => {
    const payload = { actor: { type: 'service', id: 'billing' }, userId: 'u1' };
    const actorOf = (parts: Partial<IntegrationEvent>) => accepted(eventOf(parts)).actor;
    expect(actorOf({ headers: { actor: { id: 'h', name: 'Ada' } }, payload })).toEqual({
      type: 'user',
      id: 'h',
      name: 'Ada',
    });
    expect(actorOf({ headers: { actor: { type: 'anonymous' } }, payload })).toEqual({ type: 'anonymous' });
    expect(actorOf({ headers: { actor: {} }, payload })).toEqual({ type: 'service', id: 'billing' });
    expect(actorOf({ payload: { userId: 'u1' } })).toEqual({ type: 'user', id: 'u1' });
    expect(actorOf({ payload: {} })).toEqual({ type: 'system', id: 'outbox:main' });
  });

  it('reads changes as a list, by field, and from before and after', () => {
    const changesOf = (payload: JsonObject) => accepted(eventOf({ payload })).changes;
    expect(changesOf({ changes: [{ field: '/a/b', old: 1, new: 2 }, { field: 'c/d', new: null }, 'noise'] })).toEqual([
      { field: '/a/b', old: 1, new: 2 },
      { field: '/c~1d', new: null },
    ]);
    expect(changesOf({ changes: { status: { old: 'a', new: 'b' }, noise: 1 } })).toEqual([
      { field: '/status', old: 'a', new: 'b' },
    ]);
    expect(changesOf({ before: { a: 1, b: { c: 1 } }, after: { a: 1, b: { c: 2 }, d: 3 } })).toEqual([
      { field: '/b', old: { c: 1 }, new: { c: 2 } },
      { field: '/d', new: 3 },
    ]);
    expect(changesOf({ before: 1, after: {} })).toBeUndefined();
  });

  it('leaves out changes past the hundredth and says how many', () => {
    const changes = Array.from({ length: 103 }, (_, n) => ({ field: `f${n}`, new: n }));
    const audit = accepted(eventOf({ payload: { changes } }));
    expect(audit.changes).toHaveLength(100);
    expect(audit.metadata).toEqual({ changesOmitted: 3 });
  });

  it('lets a producer state fields in headers.audit, passing over what does not fit', () => {
    const audit = {
      action: 'iam.role.assumed',
      category: 'iam',
      outcome: 'denied',
      severity: 'enormous',
      metadata: { region: 'eu' },
      context: { ip: '192.0.2.1' },
    };
    expect(accepted(eventOf({ headers: { audit, correlationId: 'c' } }))).toMatchObject({
      context: { ip: '192.0.2.1', correlationId: 'c' },
      action: 'iam.role.assumed',
      category: 'iam',
      outcome: 'denied',
      metadata: { region: 'eu', statedIgnored: 'severity' },
    });
  });

  it("prefers the user's mapper for the exact name, then for the name without version, then the built-in one", () => {
    const name = 'auth.user.signed_in.v1';
    const severityOf = (mappers: object) => accepted(eventOf({ name }), mappers).severity;
    const low = () => ({ severity: 'low' as const });
    const high = () => ({ severity: 'high' as const });
    expect(severityOf({ [name]: high, 'auth.user.signed_in': low })).toBe('high');
    expect(severityOf({ 'auth.user.signed_in': low })).toBe('low');
    expect(severityOf({})).toBeUndefined();
  });

  it('ends a throwing mapper as DISPATCH.INVALID_EVENT', () => {
    const cause = new Error('no such field');
    const mappers = {
      x: () => {
        throw cause;
      },
    };
    expect(() => toAuditEvent(eventOf({ name: 'x' }), mappers)).toThrow(
      expect.objectContaining({ code: 'DISPATCH.INVALID_EVENT', field: '/payload', cause }),
    );
  });

  it('lists numbers kept as strings, and turns those that are left into strings', () => {
    const event = eventOf({ payload: { a: '9007199254740993', b: 1e300 }, numbersAsStrings: ['/a'] });
    expect(accepted(event)).toMatchObject({
      data: { a: '9007199254740993', b: '1e+300' },
      metadata: { numbersAsStrings: '/a /b' },
    });
  });

  it('flattens what is too deep for a record, renames keys that reach for a prototype, and says both', () => {
    let deep: JsonObject = { end: true };
    for (let level = 1; level < 32; level++) deep = { d: deep };
    const event = eventOf({ payload: deep });
    expect(accepted(event).metadata).toEqual({ flattened: '/d'.repeat(31) });
    const hostile = JSON.parse('{"a":{"__proto__":{"x":1}},"constructor":{"prototype":1}}') as JsonObject;
    expect(accepted(eventOf({ payload: hostile }))).toMatchObject({
      data: { a: { '(__proto__)': { x: 1 } }, '(constructor)': { prototype: 1 } },
      metadata: { renamedKeys: '/a/__proto__ /constructor' },
    });
  });

  it('takes the time of the append for one set ahead of it, and keeps what was claimed', () => {
    const event = eventOf({ occurredAt: '2027-01-01T00:00:00Z' });
    expect(accepted(event)).toMatchObject({
      occurredAt: event.recordedAt,
      metadata: { occurredAtClaimed: '2027-01-01T00:00:00Z' },
    });
  });

  describe('secrets', () => {
    const payload: JsonObject = {
      email: 'ada@example.com',
      password: 'hush-1',
      changes: [
        { field: '/user/password', old: 'hush-2', new: 'hush-3' },
        { field: '/settings', old: { apiKey: 'hush-4' }, new: { color: 'red' } },
        { field: '/name', old: 'Ada', new: 'Grace' },
      ],
    };
    const audit = {
      metadata: { 'x-api-key': 'hush-5', region: 'eu' },
      actor: { type: 'user', id: '7', metadata: { session_token: 'hush-6' } },
      targets: [{ type: 'user', id: '7', metadata: { secret: 'hush-7' } }],
    };

    it('are left out of data, changes and metadata by name; personal data and everything else stay', () => {
      const record = accepted(eventOf({ payload, headers: { audit } }));
      expect(JSON.stringify(record)).not.toContain('hush');
      expect(record).toMatchObject({
        data: { email: 'ada@example.com', password: '[redacted]' },
        changes: [
          { field: '/user/password', old: '[redacted]', new: '[redacted]', redacted: true },
          { field: '/settings', old: { apiKey: '[redacted]' }, new: { color: 'red' }, redacted: true },
          { field: '/name', old: 'Ada', new: 'Grace' },
        ],
        metadata: { region: 'eu', 'x-api-key': '[redacted]' },
        contentHash: eventOf({}).contentHash,
      });
      expect(record.changes?.[2]).not.toHaveProperty('redacted');
      expect(record.metadata?.redacted).toBe(
        '/password /changes/0/old /changes/0/new /changes/1/old/apiKey /metadata/x-api-key /actor/session_token /targets/0/secret',
      );
    });

    it("are left out of what a user's mapper states, too, and by the configuration's own names", () => {
      const mappers = { 'a.b': () => ({ data: { token: 'hush', lastDiagnosis: 'flu' } }) };
      const own = createRedactor({ keys: ['diagnosis'] });
      expect(toAuditEvent(eventOf({ name: 'a.b' }), mappers, own).data).toEqual({
        token: '[redacted]',
        lastDiagnosis: '[redacted]',
      });
    });

    it('an imported original stays as it came', () => {
      const record = accepted(eventOf({ type: 'IMPORT', payload, headers: { audit } }));
      expect(record.data).toEqual(payload);
      expect(record.metadata).toEqual(audit.metadata);
    });
  });

  it('drops changes, then data, to stay within 64 KiB', () => {
    const before = { text: 'a'.repeat(20_000) };
    const after = { text: 'b'.repeat(20_000) };
    const twice = accepted(eventOf({ payload: { before, after } }));
    expect(twice).toMatchObject({ data: { before }, metadata: { changesOmitted: 1 } });
    expect(twice.changes).toBeUndefined();
    const huge = accepted(eventOf({ payload: { text: 'ü'.repeat(40_000) } }));
    expect(huge).toMatchObject({ data: { omitted: true, bytes: 80_011 }, metadata: { dataOmitted: true } });
  });

  it('keeps two long tenants, aggregates and actors that begin alike apart', () => {
    const long = (end: string) =>
      eventOf({ tenantId: 't'.repeat(80) + end, payload: { userId: 'u'.repeat(200) + end } });
    const [one, two] = [accepted(long('1')), accepted(long('2'))];
    expect(one.tenantId).not.toBe(two.tenantId);
    expect(one.actor.id).not.toBe(two.actor.id);
  });
});

describe('toAction', () => {
  it.each([
    ['auth.user.signed_in.v1', 'auth.user.signed_in', 1],
    ['UserLoggedIn', 'user.logged_in', 1],
    ['userLoggedIn', 'user.logged_in', 1],
    ['OrderPlacedV12', 'order.placed', 12],
    ['order-placed_v2', 'order.placed', 2],
    ['HTTPRequestSent', 'http.request_sent', 1],
    ['ABc.XMLHttpAB', 'abc.xml_http_ab', 1],
    ['Created', 'event.created', 1],
    ['my_service.thing.done', 'myservice.thing.done', 1],
    ['3d.model.made', 'e3d.model.made', 1],
    ['a.b.c.d.e.f.g.v0', 'a.b.c.d.e.f_g', 1],
    ['seen.ipv4', 'seen.ipv4', 1],
    ['Zürich.Öffnet', 'zurich.offnet', 1],
    ['вход', 'event.unnamed', 1],
    ['', 'event.unnamed', 1],
  ])('%s is %s, version %i', (name, action, actionVersion) => {
    expect(toAction(name)).toEqual({ action, actionVersion });
  });

  it('reads no more than the first 4,096 characters, but for the version at the end', () => {
    expect(toAction(`${'.'.repeat(4_090)}a.b.v3`)).toEqual({ action: 'a.b', actionVersion: 3 });
    expect(toAction(`${'.'.repeat(5_000)}a.b.v3`)).toEqual({ action: 'event.unnamed', actionVersion: 3 });
  });

  it('always fits the pattern', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const { action, actionVersion } = toAction(name);
        expect(action).toMatch(ACTION_PATTERN);
        expect(action.length).toBeLessThanOrEqual(128);
        expect(actionVersion).toBeGreaterThanOrEqual(1);
      }),
    );
  });
});

describe('toAuditSource', () => {
  it('leaves a URI reference alone and encodes the rest', () => {
    expect(toAuditSource('outbox:main')).toBe('outbox:main');
    expect(toAuditSource('/services/auth?x=1%20')).toBe('/services/auth?x=1%20');
    expect(toAuditSource('Köln 100%')).toBe('K%C3%B6ln%20100%25');
  });
});
