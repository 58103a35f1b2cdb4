// Checking and encoding a new event: pure, nothing is fake. That the SQL function draws the same lines is in
// test/integration/record-event-sql.test.ts.
import fc from 'fast-check';
import { encodeNewEvent, type NewOutboxEvent } from '../../src/application/delivery/new-outbox-event.js';
import { strictJson } from '../../src/application/delivery/strict-json.js';
import { isIntegrationError } from '../../src/domain/delivery/integration-error.js';
import { EVENT_LIMITS } from '../../src/domain/delivery/outbox-event.js';
import type { TraceContext } from '../../src/domain/trace-context.js';

const ID = '01a207c2-25d2-7bfe-9091-decce9720d3c';
const TRACEPARENT = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const minimal: NewOutboxEvent = {
  eventName: 'auth.user.signed_in.v1',
  eventType: 'AUTH',
  aggregate: { type: 'user', id: '42' },
  payload: { ok: true },
};

it('encodes what is given and leaves out what is not', () => {
  expect(encoded(minimal)).toEqual({
    id: ID,
    eventName: 'auth.user.signed_in.v1',
    eventType: 'AUTH',
    aggregate: { type: 'user', id: '42', version: null },
    payload: { ok: true },
    headers: {},
  });
  const whole = {
    ...minimal,
    id: ID.toUpperCase(),
    routingKey: 'erp.sync',
    source: '/services/auth',
    tenantId: 't1',
    aggregate: { type: 'user', id: '42', version: 7 },
    headers: { traceparent: TRACEPARENT, correlationId: 'c1', actor: { id: 'u1' }, mine: [1] },
    occurredAt: new Date(0),
    availableAt: '2026-11-23T10:00:00+01:00',
  };
  expect(encoded(whole)).toEqual({ ...whole, id: ID, occurredAt: '1970-01-01T00:00:00.000Z' });
});

it('takes null and undefined for absent', () => {
  const fields = ['id', 'routingKey', 'source', 'tenantId', 'headers', 'occurredAt', 'availableAt'];
  for (const none of [null, undefined]) {
    expect(encoded({ ...minimal, ...Object.fromEntries(fields.map((field) => [field, none])) })).toEqual(
      encoded(minimal),
    );
  }
});

it("takes the active span's traceparent and tracestate, unless the caller gives a traceparent", () => {
  const active = { traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-00`, tracestate: 'vendor=1' };
  expect(encoded(minimal, active)).toMatchObject({ headers: active });
  const own = { ...minimal, headers: { traceparent: TRACEPARENT } };
  expect(encoded(own, active)).toEqual(encoded(own));
  expect(encoded(own, active)).toMatchObject({ headers: { traceparent: TRACEPARENT } });
});

it('an event that fits without the active span is not refused because of it: first tracestate is left out, then the trace', () => {
  const active = { traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-00`, tracestate: `vendor=${'x'.repeat(500)}` };
  const { traceparent } = active;
  const tellsOf = (bytes: number) => {
    const mine = 'm'.repeat(bytes - '{"mine": ""}'.length);
    const { headers } = encoded({ ...minimal, headers: { mine } }, active) as { headers: object };
    const { mine: kept, ...told } = headers as Record<string, unknown>;
    expect(kept).toBe(mine);
    return told;
  };
  const traceBytes = `, "traceparent": "${traceparent}"`.length;
  const stateBytes = `, "tracestate": "${active.tracestate}"`.length;
  expect(tellsOf(8_192 - traceBytes - stateBytes)).toEqual(active);
  expect(tellsOf(8_192 - traceBytes - stateBytes + 1)).toEqual({ traceparent });
  expect(tellsOf(8_192 - traceBytes)).toEqual({ traceparent });
  expect(tellsOf(8_192 - traceBytes + 1)).toEqual({});
});

it.each<[string, unknown, string]>([
  ['no event', undefined, ''],
  ['an unknown field', { ...minimal, eventname: 'x' }, '/eventname'],
  ['a name that begins with a digit', { ...minimal, eventName: '1.a' }, '/eventName'],
  ['a name with a blank', { ...minimal, eventName: 'user signed in' }, '/eventName'],
  ['a name with a newline at its end', { ...minimal, eventName: 'a.b\n' }, '/eventName'],
  ['a missing type', { ...minimal, eventType: undefined }, '/eventType'],
  ['a number for a tenant', { ...minimal, tenantId: 5 }, '/tenantId'],
  ['a control character in a tenant', { ...minimal, tenantId: 'a\u0085b' }, '/tenantId'],
  ['an empty source', { ...minimal, source: '' }, '/source'],
  [
    'half a surrogate pair in an aggregate id',
    { ...minimal, aggregate: { type: 'user', id: '\ud800' } },
    '/aggregate/id',
  ],
  ['a number for an aggregate id', { ...minimal, aggregate: { type: 'user', id: 42 } }, '/aggregate/id'],
  ['no aggregate', { ...minimal, aggregate: undefined }, '/aggregate'],
  ['an unknown field of the aggregate', { ...minimal, aggregate: { type: 'u', id: '1', v: 1 } }, '/aggregate/v'],
  ['a negative version', { ...minimal, aggregate: { type: 'u', id: '1', version: -1 } }, '/aggregate/version'],
  ['a broken version', { ...minimal, aggregate: { type: 'u', id: '1', version: 1.5 } }, '/aggregate/version'],
  ['an id that is no UUID', { ...minimal, id: '42' }, '/id'],
  ['30 February', { ...minimal, occurredAt: '2026-02-30T00:00:00Z' }, '/occurredAt'],
  ['a time without a zone', { ...minimal, occurredAt: '2026-02-03T00:00:00' }, '/occurredAt'],
  ['an invalid Date', { ...minimal, availableAt: new Date(Number.NaN) }, '/availableAt'],
  ['a number for a time', { ...minimal, availableAt: 0 }, '/availableAt'],
  ['an array for a payload', { ...minimal, payload: [] }, '/payload'],
  ['a Date for a payload', { ...minimal, payload: new Date(0) }, '/payload'],
  ['no payload', { ...minimal, payload: undefined }, '/payload'],
  ['a traceparent that is none', { ...minimal, headers: { traceparent: '00-x' } }, '/headers/traceparent'],
  ['an empty correlation id', { ...minimal, headers: { correlationId: '' } }, '/headers/correlationId'],
  ['a string for an actor', { ...minimal, headers: { actor: 'me' } }, '/headers/actor'],
])('refuses %s and names the field', (_, event, field) => {
  expect(fieldRefused(() => encoded(event as NewOutboxEvent))).toBe(field);
});

it.each<[string, unknown, string]>([
  ['undefined', { a: [{ b: undefined }] }, '/payload/a/0/b'],
  ['NaN', { a: Number.NaN }, '/payload/a'],
  ['Infinity', { a: Number.NEGATIVE_INFINITY }, '/payload/a'],
  ['a bigint', { a: 1n }, '/payload/a'],
  ['a Date', { a: new Date() }, '/payload/a'],
  ['a Map', { a: new Map() }, '/payload/a'],
  ['a Buffer', { a: Buffer.from('x') }, '/payload/a'],
  ['a function', { a: () => 1 }, '/payload/a'],
  ['a symbol', { a: Symbol('x') }, '/payload/a'],
  ['a symbol for a key', { a: { [Symbol('x')]: 1 } }, '/payload/a'],
  ['an object with toJSON', { a: { toJSON: () => 1 } }, '/payload/a'],
  ['a hole in an array', { a: Array(2) }, '/payload/a/0'],
  ['NUL in a string', { a: 'x\u0000y' }, '/payload/a'],
  ['NUL in a key', { 'x\u0000y': 1 }, '/payload/x\u0000y'],
  ['half a surrogate pair', { a: 'x\udc00' }, '/payload/a'],
  ['a place whose key holds "/" and "~"', { 'a/b': { 'c~d': undefined } }, '/payload/a~1b/c~0d'],
])('refuses %s in a payload rather than change it', (_, payload, field) => {
  expect(fieldRefused(() => encoded({ ...minimal, payload: payload as object }))).toBe(field);
});

it('refuses a cycle by name, but takes the same object twice', () => {
  const shared = { x: 1 };
  expect(encoded({ ...minimal, payload: { a: shared, b: [shared] } })).toMatchObject({
    payload: { a: shared, b: [shared] },
  });
  const cycle: Record<string, unknown> = {};
  cycle.self = { again: cycle };
  expect(fieldRefused(() => encoded({ ...minimal, payload: cycle }))).toBe('/payload/self/again');
});

it('takes a payload of exactly the limits in size and depth, and refuses one more', () => {
  const frame = '{"a": ""}'.length;
  const fits = { a: 'x'.repeat(EVENT_LIMITS.payloadBytes - frame) };
  expect(encoded({ ...minimal, payload: fits })).toMatchObject({ payload: fits });
  expect(fieldRefused(() => encoded({ ...minimal, payload: { a: `${fits.a}x` } }))).toBe('/payload');
  expect(() => encoded({ ...minimal, payload: nested(EVENT_LIMITS.depth) })).not.toThrow();
  expect(() => encoded({ ...minimal, payload: nested(EVENT_LIMITS.depth + 1) })).toThrow(/at most 32 levels/);
  expect(() => encoded({ ...minimal, payload: nested(100_000) })).toThrow(/at most 32 levels/);
});

it('measures bytes, not characters', () => {
  expect(fieldRefused(() => encoded({ ...minimal, payload: { a: 'ä'.repeat(25_000) } }))).toBe('/payload');
});

it('says what was expected and what came, never the content', () => {
  expect(() => encoded({ ...minimal, tenantId: 'secret'.repeat(20) })).toThrow(
    '/tenantId: expected at most 64 characters, got 120',
  );
});

it('writes any JSON value so that it reads back as the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      fc.pre(!JSON.stringify(value).includes('\\u0000') && JSON.stringify(value).isWellFormed());
      const text = strictJson(value, '');
      expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(value));
    }),
  );
});

function encoded(event: NewOutboxEvent, trace: TraceContext | null = null): unknown {
  return JSON.parse(encodeNewEvent(event, { id: () => ID, trace }).json);
}

function fieldRefused(work: () => unknown): string | null {
  try {
    work();
  } catch (error) {
    if (isIntegrationError(error) && error.code === 'DISPATCH.INVALID_EVENT') return error.field;
    throw error;
  }
  throw new Error('expected a refusal, none came');
}

function nested(levels: number): object {
  let value: object = {};
  for (let i = 1; i < levels; i += 1) value = { a: value };
  return value;
}
