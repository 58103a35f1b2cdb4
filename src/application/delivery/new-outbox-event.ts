import { IntegrationError } from '../../domain/delivery/integration-error.js';
import { EVENT_LIMITS, type OutboxHeaders } from '../../domain/delivery/outbox-event.js';
import type { TraceContext } from '../../domain/trace-context.js';
import { jsonPointer, strictJson } from './strict-json.js';

/** What a producer appends. A field that is null or undefined is absent. */
export interface NewOutboxEvent {
  /** What happened, a fact in the past tense, versioned: `auth.user.signed_in.v1`. */
  readonly eventName: string;
  /** The family that chooses policy: `AUTH`. */
  readonly eventType: string;
  readonly aggregate: { readonly type: string; readonly id: string; readonly version?: number | null | undefined };
  /** Plain JSON values only: nothing is left out or changed silently, see `strictJson`. At most 48 KiB, 32 levels. */
  readonly payload: object;
  /** A UUID. Default: a new UUIDv7. Give one to make appending it twice fail with 23505. */
  readonly id?: string | null | undefined;
  /** Where it goes; selects the handler. Default `audit.log`. */
  readonly routingKey?: string | null | undefined;
  /** Who says so. Default `outbox:<deployment>`. */
  readonly source?: string | null | undefined;
  readonly tenantId?: string | null | undefined;
  /** At most 8 KiB. `traceparent` and `tracestate` default to OpenTelemetry's active span, as far as they fit. */
  readonly headers?: OutboxHeaders | null | undefined;
  /** When it happened; RFC 3339 with a zone, at most 5 minutes ahead of the database. Default: the time of the append. */
  readonly occurredAt?: Date | string | null | undefined;
  /** Deliver no earlier. Default: at once. */
  readonly availableAt?: Date | string | null | undefined;
}

export interface EncodedEvent {
  readonly id: string;
  /** For `outbox.record_events`. */
  readonly json: string;
}

/**
 * Checks one event by the rules of the SQL function `outbox.record_events` and encodes it for it.
 * Throws an IntegrationError `DISPATCH.INVALID_EVENT` whose `field` is a JSON Pointer and whose message says what was
 * expected, what came (its kind or size, never its content) and how to mend it. Nothing has been sent then, so the
 * transaction is still good.
 */
export function encodeNewEvent(
  event: NewOutboxEvent,
  defaults: { readonly id: () => string; readonly trace: TraceContext | null },
): EncodedEvent {
  if (typeof event !== 'object' || event === null) refuse('', `expected an event object, got ${kindOf(event)}`);
  for (const field of Object.keys(event)) {
    if (!FIELDS.has(field)) {
      refuse(jsonPointer('', field), 'not a field of an event; put what is your own into payload or headers');
    }
  }
  const id = text('/id', event.id ?? defaults.id(), UUID, 36, 'expected a UUID').toLowerCase();
  const headers = checkedHeaders(event.headers ?? {}, defaults.trace);
  const fields: [string, string | null][] = [
    ['id', strictJson(id, '/id')],
    ['eventName', JSON.stringify(text('/eventName', event.eventName, NAME, EVENT_LIMITS.eventName, NAME_RULE))],
    ['eventType', JSON.stringify(text('/eventType', event.eventType, NAME, EVENT_LIMITS.eventType, NAME_RULE))],
    ['routingKey', optional('/routingKey', event.routingKey, NAME, EVENT_LIMITS.routingKey, NAME_RULE)],
    ['source', optional('/source', event.source, FILLED, EVENT_LIMITS.source, FILLED_RULE)],
    ['tenantId', optional('/tenantId', event.tenantId, TEXT, EVENT_LIMITS.tenantId, TEXT_RULE)],
    ['aggregate', checkedAggregate(event.aggregate)],
    ['occurredAt', time('/occurredAt', event.occurredAt)],
    ['availableAt', time('/availableAt', event.availableAt)],
    ['payload', sized('/payload', event.payload, EVENT_LIMITS.payloadBytes)],
    ['headers', sized('/headers', headers, EVENT_LIMITS.headersBytes)],
  ];
  const present = fields.filter(([, json]) => json !== null);
  return { id, json: `{${present.map(([name, json]) => `"${name}":${json}`).join(',')}}` };
}

const FIELDS: ReadonlySet<string> = new Set([
  'eventName',
  'eventType',
  'aggregate',
  'payload',
  'id',
  'routingKey',
  'source',
  'tenantId',
  'headers',
  'occurredAt',
  'availableAt',
] satisfies (keyof NewOutboxEvent)[]);
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const NAME = /^[A-Za-z][A-Za-z0-9_.-]*$/;
const NAME_RULE = 'expected letters, digits, "_", "." or "-", beginning with a letter';
const TEXT = /^\P{Cc}*$/u;
const TEXT_RULE = 'expected no control characters';
const FILLED = /^\P{Cc}+$/u;
const FILLED_RULE = 'expected at least one character and no control characters';
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const RFC3339 =
  /^[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-](0\d|1[0-4]):[0-5]\d)$/;
const CORRELATION_ID_LENGTH = 128;

function checkedAggregate(aggregate: NewOutboxEvent['aggregate']): string {
  if (!isRecord(aggregate)) refuse('/aggregate', `expected an object {type, id, version?}, got ${kindOf(aggregate)}`);
  for (const field of Object.keys(aggregate)) {
    if (!['type', 'id', 'version'].includes(field)) {
      refuse(jsonPointer('/aggregate', field), 'not a field of an aggregate: expected type, id, version');
    }
  }
  const type = text('/aggregate/type', aggregate.type, FILLED, EVENT_LIMITS.aggregateType, FILLED_RULE);
  const id = text('/aggregate/id', aggregate.id, FILLED, EVENT_LIMITS.aggregateId, FILLED_RULE);
  const version = aggregate.version ?? null;
  if (version !== null && !(Number.isSafeInteger(version) && version >= 0)) {
    refuse('/aggregate/version', `expected a whole number from 0 to 2^53 - 1, got ${kindOf(version)}`);
  }
  return JSON.stringify({ type, id, version });
}

function checkedHeaders(headers: OutboxHeaders, active: TraceContext | null): OutboxHeaders {
  if (!isRecord(headers)) refuse('/headers', `expected an object, got ${kindOf(headers)}`);
  const { correlationId, actor, traceparent, ...others } = headers;
  if (traceparent !== undefined) {
    text(
      '/headers/traceparent',
      traceparent,
      TRACEPARENT,
      55,
      'expected a W3C traceparent (00-<32 hex>-<16 hex>-<2 hex>)',
    );
  }
  if (correlationId !== undefined) {
    text('/headers/correlationId', correlationId, FILLED, CORRELATION_ID_LENGTH, FILLED_RULE);
  }
  if (actor !== undefined && !isRecord(actor)) refuse('/headers/actor', `expected an object, got ${kindOf(actor)}`);
  const own = {
    ...others,
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(actor === undefined ? {} : { actor }),
  };
  if (traceparent !== undefined) return { ...own, traceparent };
  return active === null ? own : withTrace(own, active);
}

/**
 * The caller's own traceparent wins over the active span, whose tracestate is then not its own. What nobody asked for refuses no
 * event: where it does not fit, first tracestate and then the whole trace is left out.
 */
function withTrace(headers: OutboxHeaders, { traceparent, tracestate }: TraceContext): OutboxHeaders {
  const told = [...(tracestate === undefined ? [] : [{ traceparent, tracestate }]), { traceparent }];
  const fits = (whole: OutboxHeaders) => countBytes(strictJson(whole, '/headers')) <= EVENT_LIMITS.headersBytes;
  return told.map((trace) => ({ ...headers, ...trace })).find(fits) ?? headers;
}

function countBytes(json: string): number {
  return new TextEncoder().encode(json).length;
}

function optional(field: string, value: unknown, pattern: RegExp, limit: number, rule: string): string | null {
  return value === null || value === undefined ? null : JSON.stringify(text(field, value, pattern, limit, rule));
}

/** Lengths count characters (code points), as PostgreSQL's length() does. */
function text(field: string, value: unknown, pattern: RegExp, limit: number, rule: string): string {
  if (typeof value !== 'string') return refuse(field, `expected a string, got ${kindOf(value)}`);
  const length = [...value].length;
  if (length > limit) refuse(field, `expected at most ${limit} characters, got ${length}`);
  strictJson(value, field);
  if (!pattern.test(value)) refuse(field, length === 0 ? `${rule}; got an empty string` : rule);
  return value;
}

function time(field: string, value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (isDate(value)) {
    if (Number.isNaN(value.getTime())) refuse(field, 'expected a valid Date, got an invalid one');
    return time(field, value.toISOString());
  }
  if (typeof value !== 'string') refuse(field, `expected a Date or a string, got ${kindOf(value)}`);
  if (!RFC3339.test(value) || !dayExists(value)) {
    refuse(field, 'expected a time like 2026-11-23T09:30:00.000Z (RFC 3339, with a zone, the years 1000 to 2999)');
  }
  return JSON.stringify(value);
}

/** `new Date('2026-02-30…')` is 2 March: look whether the day survives. */
function dayExists(value: string): boolean {
  const date = new Date(`${value.slice(0, 10)}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 10) === value.slice(0, 10);
}

function sized(field: string, value: unknown, limitBytes: number): string {
  if (!isRecord(value)) refuse(field, `expected an object of JSON values, got ${kindOf(value)}`);
  const json = strictJson(value, field);
  const bytes = countBytes(json);
  if (bytes > limitBytes) {
    refuse(
      field,
      `expected at most ${limitBytes} bytes of JSON, got ${bytes}; keep large content elsewhere and refer to it`,
    );
  }
  return json;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Not `instanceof`: a Date may come from another realm. */
function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]';
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return 'a number that is none';
  return Array.isArray(value) ? 'an array' : typeof value;
}

function refuse(field: string, problem: string): never {
  const message = `${field === '' ? 'the event' : field}: ${problem}`;
  throw new IntegrationError('DISPATCH.INVALID_EVENT', { field, message });
}
