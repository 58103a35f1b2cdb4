import type { IntegrationEvent } from '../../../domain/delivery/integration-event.js';
import { defineHandler, type HandlerReceipt } from '../define-handler.js';
import type { Handler, HandlerContext, HttpRequest, HttpResponse } from '../ports.js';
import { parseJsonBody, toHttpError } from './to-http-error.js';

export interface HttpHandlerOptions {
  readonly routingKey: string;
  /** Where events go, http or https. */
  readonly url: string;
  /** Default POST. */
  readonly method?: 'POST' | 'PUT' | 'PATCH';
  /** Sent with every request, credentials for instance. Content-Type and Idempotency-Key are ours. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Asked with GET whether an effect stands; `{id}` becomes the event's id. 2xx: it does. 404: it does not. */
  readonly findUrl?: string;
  /** For one request; never more than is left of the attempt. Default: all that is left. */
  readonly timeoutMs?: number;
  /**
   * The agreed receipt in a 2xx answer, or null where it is missing (`HTTP.BAD_RESPONSE`). Default: a JSON object with
   * an `id`, a string or a whole number.
   */
  readonly receipt?: (response: HttpResponse, event: IntegrationEvent) => HandlerReceipt | null;
}

/**
 * A destination without code: sends the IntegrationEvent as JSON, with the event's id as `Idempotency-Key`, and reads
 * the answer by the error table. Throws a TypeError for a definition that cannot work.
 */
export function httpHandler(options: HttpHandlerOptions): Handler {
  const { routingKey, method = 'POST', headers = {}, findUrl, timeoutMs, receipt = readId } = options;
  const url = checkUrl(options.url, `httpHandler "${routingKey}": url`);
  const bounded = <T extends object>(request: T) => (timeoutMs === undefined ? request : { ...request, timeoutMs });

  const toReceipt = (response: HttpResponse, event: IntegrationEvent): HandlerReceipt => {
    const found = isSuccess(response) ? receipt(response, event) : null;
    if (found === null) throw toHttpError(response);
    return { status: response.status, ...found };
  };
  const deliver = async (event: IntegrationEvent, context: HandlerContext): Promise<HandlerReceipt> => {
    const request: Omit<HttpRequest, 'timeoutMs' | 'signal'> = {
      method,
      url,
      headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': context.idempotencyKey },
      body: JSON.stringify(event),
    };
    return toReceipt(await context.http.send(bounded(request)), event);
  };
  if (findUrl === undefined) return defineHandler({ routingKey, deliver });

  checkUrl(findUrl.replaceAll('{id}', 'id'), `httpHandler "${routingKey}": findUrl`);
  return defineHandler({
    routingKey,
    deliver,
    find: async (event, context) => {
      const request = {
        method: 'GET' as const,
        url: findUrl.replaceAll('{id}', encodeURIComponent(event.id)),
        headers,
      };
      const response = await context.http.send(bounded(request));
      return response.status === 404 ? null : { ...toReceipt(response, event), replayed: true };
    },
  });
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
