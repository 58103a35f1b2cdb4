import type { IntegrationEvent } from '../../../domain/delivery/integration-event.js';
import { defineHandler, type HandlerReceipt } from '../define-handler.js';
import type { Handler, HandlerContext, HttpRequest, HttpResponse } from '../ports.js';
import { parseJsonBody, toHttpError } from './to-http-error.js';

const OURS: ReadonlySet<string> = new Set(['content-type', 'idempotency-key']);

export interface HttpHandlerOptions {
  readonly routingKey: string;
  /** Where events go, http or https. */
  readonly url: string;
  /** Default POST. */
  readonly method?: 'POST' | 'PUT' | 'PATCH';
  /** Sent with every request, credentials for instance. Content-Type and Idempotency-Key are ours whatever stands here. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Asked with GET and `headers` whether an effect stands; `{id}` becomes the event's id. 2xx: it does, and the answer
   * holds the same receipt. 404: it does not.
   */
  readonly findUrl?: string;
  /** For one event, from connecting to the last byte, in ms: 100 to 600,000, default 15,000. See `defineHandler`. */
  readonly timeoutMs?: number;
  /**
   * false: the destination is not to know of the trace. Requests carry no `traceparent` and no `tracestate`, with tracing on
   * or off, and the event's own are left out of the `headers` of the body. See `defineHandler`.
   */
  readonly traceContext?: boolean;
  /**
   * The agreed receipt in a 2xx answer, or null where it is missing (`HTTP.BAD_RESPONSE`, final). Default: the body is a
   * JSON object with an `id`, a string of 1 to 200 characters or a whole number, and whatever else it likes.
   */
  readonly receipt?: (response: HttpResponse, event: IntegrationEvent) => HandlerReceipt | null;
  /**
   * For a destination that answers an Idempotency-Key it has taken already by 409 and the first receipt: that receipt, or null
   * where this 409 says something else (`HTTP.CLIENT_ERROR`, final), a state that conflicts or a request still under way.
   * Default: every 409 is final.
   */
  readonly conflictReceipt?: (response: HttpResponse, event: IntegrationEvent) => HandlerReceipt | null;
}

/**
 * A destination without code. Throws a TypeError for a definition that cannot work.
 *
 * What it sends: one request for each attempt, `Content-Type: application/json`, `Idempotency-Key: <the event's id>`, and
 * as body the IntegrationEvent:
 *
 *     { "id": "0197d3a0-…", "name": "order.order.placed.v1", "type": "ORDER", "routingKey": "crm.contact",
 *       "source": "outbox:main", "aggregate": { "type": "order", "id": "1", "version": 3 }, "tenantId": "acme",
 *       "occurredAt": "2026-04-01T00:00:00.000Z", "recordedAt": "2026-04-01T00:00:00.120Z",
 *       "payload": { … }, "headers": { "traceparent": "00-…" }, "contentHash": "sha-256:…", "numbersAsStrings": [] }
 *
 * `version` and `tenantId` may be null. `numbersAsStrings` names, as JSON Pointers, the numbers that JavaScript cannot
 * hold and that are strings here.
 *
 * What it expects: a 2xx with the receipt, by default `{ "id": "…" }`, the destination's own id of the effect, which is
 * kept with the delivery. A 2xx without it is `HTTP.BAD_RESPONSE` and final, for the effect may stand; every other status
 * is read by the error table (docs/errors.md), `Retry-After` with it. The same Idempotency-Key must not have its effect
 * twice, and is answered with the receipt again.
 */
export function httpHandler(options: HttpHandlerOptions): Handler {
  const { routingKey, method = 'POST', headers = {}, findUrl, timeoutMs, receipt = readId, conflictReceipt } = options;
  const { traceContext } = options;
  const url = checkUrl(options.url, `httpHandler "${routingKey}": url`);
  const own = Object.entries(headers).filter(([name]) => !OURS.has(name.toLowerCase()));
  const theirs = Object.fromEntries(own);
  const base = {
    routingKey,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(traceContext === undefined ? {} : { traceContext }),
  };

  const toReceipt = (response: HttpResponse, event: IntegrationEvent): HandlerReceipt => {
    const found = isSuccess(response) ? receipt(response, event) : null;
    if (found === null) throw toHttpError(response);
    return { status: response.status, ...found };
  };
  const deliver = async (event: IntegrationEvent, context: HandlerContext): Promise<HandlerReceipt> => {
    const request: Omit<HttpRequest, 'timeoutMs' | 'signal'> = {
      method,
      url,
      headers: { ...theirs, 'content-type': 'application/json', 'idempotency-key': context.idempotencyKey },
      body: JSON.stringify(traceContext === false ? withoutTrace(event) : event),
    };
    const response = await context.http.send(request);
    const first = response.status === 409 ? (conflictReceipt?.(response, event) ?? null) : null;
    return first === null ? toReceipt(response, event) : { status: 409, ...first, replayed: true };
  };
  if (findUrl === undefined) return defineHandler({ ...base, deliver });

  checkUrl(findUrl.replaceAll('{id}', 'id'), `httpHandler "${routingKey}": findUrl`);
  return defineHandler({
    ...base,
    deliver,
    find: async (event, context) => {
      const request = {
        method: 'GET' as const,
        url: findUrl.replaceAll('{id}', encodeURIComponent(event.id)),
        headers: theirs,
      };
      const response = await context.http.send(request);
      return response.status === 404 ? null : { ...toReceipt(response, event), replayed: true };
    },
  });
}

/** `contentHash` holds all the same: it is not about headers. */
function withoutTrace(event: IntegrationEvent): IntegrationEvent {
  const { traceparent: _traceparent, tracestate: _tracestate, ...headers } = event.headers;
  return { ...event, headers };
}

function isSuccess({ status }: HttpResponse): boolean {
  return status >= 200 && status < 300;
}

function readId(response: HttpResponse): HandlerReceipt | null {
  const { id } = (parseJsonBody(response) ?? {}) as { id?: unknown };
  return typeof id === 'string' || Number.isSafeInteger(id) ? { id: String(id) } : null;
}

function checkUrl(url: string, where: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol)) {
    throw new TypeError(`${where}: expected an absolute http or https URL`);
  }
  return url;
}
