import { IntegrationError } from './integration-error.js';
import type { IntegrationEvent } from './integration-event.js';
import type { JsonValue } from './json.js';
import { EVENT_LIMITS, type OutboxEvent } from './outbox-event.js';

/**
 * The one way from what is stored to what a handler gets. Three fields say three different things:
 * - `eventName` becomes `name`: WHAT happened, a fact in the past tense, versioned. Mappers are chosen by it.
 * - `eventType` becomes `type`: the FAMILY that chooses policy (retry, ordering, alerts).
 * - `routingKey` stays: WHERE the event goes. It selects the handler and says nothing about the fact.
 *
 * The append has checked all of this; it is checked again because rows may be written around it, and such a row must die
 * by name instead of failing somewhere inside a handler.
 * @throws IntegrationError `DISPATCH.INVALID_EVENT` with `field`, a JSON Pointer into the OutboxEvent
 */
export function toIntegrationEvent(event: OutboxEvent): IntegrationEvent {
  for (const [field, expected, holds] of CHECKS) {
    if (!holds(event)) {
      throw new IntegrationError('DISPATCH.INVALID_EVENT', { field, message: `${field}: expected ${expected}` });
    }
  }
  return {
    id: event.id,
    name: event.eventName,
    type: event.eventType,
    routingKey: event.routingKey,
    source: event.source,
    aggregate: { type: event.aggregateType, id: event.aggregateId, version: event.aggregateVersion },
    tenantId: event.tenantId === '' ? null : event.tenantId,
    occurredAt: event.occurredAt,
    recordedAt: event.recordedAt,
    payload: event.payload,
    headers: event.headers,
    contentHash: event.contentHash,
    numbersAsStrings: event.numbersAsStrings,
  };
}

type Check = readonly [field: string, expected: string, holds: (event: OutboxEvent) => boolean];

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$/;
const HASH = /^sha-256:[0-9a-f]{64}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f]/;
/** A number that JavaScript cannot hold takes two quotes more here than in the database, so the size has room. */
const SIZE_ROOM = 2;

const CHECKS: readonly Check[] = [
  ['/id', 'a UUID in lower case', (e) => matches(e.id, UUID)],
  ['/eventName', nameRule(EVENT_LIMITS.eventName), (e) => isName(e.eventName, EVENT_LIMITS.eventName)],
  ['/eventType', nameRule(EVENT_LIMITS.eventType), (e) => isName(e.eventType, EVENT_LIMITS.eventType)],
  ['/routingKey', nameRule(EVENT_LIMITS.routingKey), (e) => isName(e.routingKey, EVENT_LIMITS.routingKey)],
  ['/source', textRule(1, EVENT_LIMITS.source), (e) => isText(e.source, 1, EVENT_LIMITS.source)],
  [
    '/aggregateType',
    textRule(1, EVENT_LIMITS.aggregateType),
    (e) => isText(e.aggregateType, 1, EVENT_LIMITS.aggregateType),
  ],
  ['/aggregateId', textRule(1, EVENT_LIMITS.aggregateId), (e) => isText(e.aggregateId, 1, EVENT_LIMITS.aggregateId)],
  [
    '/aggregateVersion',
    'null or a whole number from 0 to 2^53 - 1',
    (e) => e.aggregateVersion === null || (Number.isSafeInteger(e.aggregateVersion) && e.aggregateVersion >= 0),
  ],
  ['/tenantId', textRule(0, EVENT_LIMITS.tenantId), (e) => isText(e.tenantId, 0, EVENT_LIMITS.tenantId)],
  ['/occurredAt', 'an RFC 3339 time in UTC', (e) => matches(e.occurredAt, TIME)],
  ['/recordedAt', 'an RFC 3339 time in UTC', (e) => matches(e.recordedAt, TIME)],
  ['/contentHash', '"sha-256:" and 64 hex digits', (e) => matches(e.contentHash, HASH)],
  ['/payload', 'a JSON object', (e) => isObject(e.payload)],
  ['/payload', `at most ${EVENT_LIMITS.depth} levels`, (e) => isWithinDepth(e.payload, EVENT_LIMITS.depth)],
  ['/payload', jsonRule(EVENT_LIMITS.payloadBytes), (e) => isWithinBytes(e.payload, EVENT_LIMITS.payloadBytes)],
  ['/headers', 'a JSON object', (e) => isObject(e.headers)],
  [
    '/headers',
    `at most ${EVENT_LIMITS.depth} levels`,
    (e) => isWithinDepth(e.headers as JsonValue, EVENT_LIMITS.depth),
  ],
  ['/headers', jsonRule(EVENT_LIMITS.headersBytes), (e) => isWithinBytes(e.headers, EVENT_LIMITS.headersBytes)],
];

function nameRule(max: number): string {
  return `1 to ${max} letters, digits, "_", "." or "-", beginning with a letter`;
}

function textRule(min: number, max: number): string {
  return `${min} to ${max} characters, none of them a control character`;
}

function jsonRule(bytes: number): string {
  return `at most ${bytes} bytes of JSON`;
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value);
}

function isName(value: unknown, max: number): boolean {
  return typeof value === 'string' && value.length <= max && /^[A-Za-z][A-Za-z0-9_.-]*$/.test(value);
}

/** In code points, as PostgreSQL counts characters. */
function isText(value: unknown, min: number, max: number): boolean {
  if (typeof value !== 'string' || value.length < min || value.length > 2 * max || CONTROL.test(value)) return false;
  return [...value].length <= max;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without recursion, since hostile depth is what it guards against. A scalar is 0 deep, `{}` and `[]` 1. */
function isWithinDepth(value: JsonValue, max: number): boolean {
  const open: [JsonValue, number][] = [[value, 1]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [node, depth] = next;
    if (typeof node !== 'object' || node === null) continue;
    if (depth > max) return false;
    for (const child of Object.values(node)) open.push([child, depth + 1]);
  }
  return true;
}

/** Counts UTF-8 by hand: the bundle that this may be part of has no encoder to rely on. */
function isWithinBytes(value: unknown, max: number): boolean {
  const json = JSON.stringify(value);
  if (json.length * 3 <= max) return true; // no UTF-16 unit takes more than three bytes
  let bytes = 0;
  for (const character of json) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes <= max * SIZE_ROOM;
}
