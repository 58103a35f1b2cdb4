import type { IncomingMessage } from 'node:http';
import { AUDIT_LIMITS } from '../contract/audit-dto.js';
import { CLOUD_EVENT_BATCH_MEDIA_TYPE, CLOUD_EVENT_MEDIA_TYPE, isJsonMediaType } from '../contract/cloud-event.js';
import { parseJsonItems } from '../contract/json-text.js';
import type { JsonObject, JsonValue } from '../contract/json-value.js';
import { HttpProblem } from './problem.js';
import { readBody } from './read-body.js';
import { isBinaryCloudEvent, readCloudEventHeaders } from './read-cloud-event-headers.js';
import { parseBody, readMediaType, toJsonProblem, unsupported } from './read-json.js';

export type AuditFormat = 'dto' | 'cloudevent';

/** One event of a request, not looked at yet. */
export interface AuditItem {
  readonly format: AuditFormat;
  readonly value: JsonValue;
  /** As it came, headers of the event counted. */
  readonly bytes: number;
}

export type AuditRequest =
  | { readonly kind: 'one'; readonly item: AuditItem }
  /** A problem in the place of an item that cannot be read; the others can. */
  | { readonly kind: 'batch'; readonly items: readonly (AuditItem | HttpProblem)[] };

/**
 * What a POST brought, by its Content-Type: our JSON (one event, or an array), or CloudEvents in one of the three modes of
 * their HTTP binding (1.0.2, section 3). Throws HttpProblem (400, 413, 415, 422, 431).
 */
export async function readAuditRequest(req: IncomingMessage): Promise<AuditRequest> {
  const type = readMediaType(req);
  if (isEncodedCloudEvents(req)) return readEncodedCloudEvents(req, type);
  if (isBinaryCloudEvent(req)) return { kind: 'one', item: await readBinaryCloudEvent(req) };
  if (type !== 'application/json') {
    throw unsupported('application/json', CLOUD_EVENT_MEDIA_TYPE, CLOUD_EVENT_BATCH_MEDIA_TYPE);
  }
  return readEvents(req, 'dto');
}

/** Throws HttpProblem (400, 413) for what is wrong with the body, or with its only event. */
async function readEvents(req: IncomingMessage, format: AuditFormat): Promise<AuditRequest> {
  const body = await readBody(req, AUDIT_LIMITS.batchBytes);
  const parsed = parseJsonItems(body, { maxDepth: AUDIT_LIMITS.depth, maxItems: AUDIT_LIMITS.batchItems });
  if (!parsed.ok) throw toJsonProblem(parsed);
  if (parsed.kind === 'too_many') {
    throw new HttpProblem('batch_too_long', `Expected at most ${AUDIT_LIMITS.batchItems} events`);
  }
  if (parsed.kind === 'one') return { kind: 'one', item: { format, value: parsed.value, bytes: body.length } };
  return {
    kind: 'batch',
    items: parsed.items.map((item) => (item.ok ? toItem(format, item.value) : toJsonProblem(item))),
  };
}

/** Whatever its charset and its format: a type of CloudEvents that is not taken must not pass for another mode. */
function isEncodedCloudEvents({ headers }: IncomingMessage): boolean {
  return /^\s*application\/cloudevents/i.test(headers['content-type'] ?? '');
}

async function readEncodedCloudEvents(req: IncomingMessage, type: string | null): Promise<AuditRequest> {
  const isBatch = type === CLOUD_EVENT_BATCH_MEDIA_TYPE;
  if (!isBatch && type !== CLOUD_EVENT_MEDIA_TYPE) {
    throw unsupported(CLOUD_EVENT_MEDIA_TYPE, CLOUD_EVENT_BATCH_MEDIA_TYPE);
  }
  const request = await readEvents(req, 'cloudevent');
  if ((request.kind === 'batch') !== isBatch) {
    throw new HttpProblem('not_an_event', isBatch ? 'Expected an array of CloudEvents' : 'Expected one CloudEvent');
  }
  return request;
}

/** The body is the data, one level below the event. An event without data has no body, and needs no type for it. */
async function readBinaryCloudEvent(req: IncomingMessage): Promise<AuditItem> {
  const { attributes, bytes: headerBytes } = readCloudEventHeaders(req);
  const type = readMediaType(req);
  const isJson = type !== null && isJsonMediaType(type);
  if (req.headers['content-type'] !== undefined && !isJson) throw unsupported('application/json');
  const body = await readBody(req, AUDIT_LIMITS.batchBytes);
  if (body.length === 0) return { format: 'cloudevent', value: attributes, bytes: headerBytes };
  if (!isJson) throw unsupported('application/json');
  const { value: data } = parseBody(body, AUDIT_LIMITS.depth - 1);
  // Whatever it is: which data are taken is judged where all modes meet.
  const value: JsonObject = { ...attributes, data };
  return { format: 'cloudevent', value, bytes: headerBytes + body.length };
}

function toItem(format: AuditFormat, value: JsonValue): AuditItem {
  return { format, value, bytes: Buffer.byteLength(JSON.stringify(value)) };
}
