import { Agent, type buildConnector, type Dispatcher, request as send } from 'undici';
import { toLastResponse } from '../../application/delivery/last-response.js';
import {
  DEFAULT_MAX_RESPONSE_BYTES,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
} from '../../application/delivery/ports.js';
import { catalogEntry } from '../../domain/delivery/error-catalog.js';
import { IntegrationError } from '../../domain/delivery/integration-error.js';
import { classifyTransportError } from './classify-transport-error.js';

export interface HttpClientOptions {
  /** Connections to one origin. Further calls wait inside their own deadline. Default 128. */
  readonly connections?: number;
  /** How long one connection may take to come up, whatever the call's deadline. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** How a connection comes up; then `connectTimeoutMs` is its own to keep. Default: to wherever the name leads. */
  readonly connect?: buildConnector.connector;
}

/**
 * The HttpClient of the product: HTTP/1.1 over pooled connections, one call at a time on each, no redirects, no retries,
 * no cookies. One deadline covers connecting, the headers and the last byte of the body.
 */
export function createHttpClient({
  connections = 128,
  connectTimeoutMs = 10_000,
  connect,
}: HttpClientOptions = {}): HttpClient {
  const agent = new Agent({
    connections,
    pipelining: 1,
    allowH2: false,
    connect: connect ?? { timeout: connectTimeoutMs },
    // The call's own deadline covers both; undici's are coarse and count from the last byte.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    send: (request) => sendWithin(agent, request),
    close: () => agent.destroy(),
  };
}

/** How far a call had come when its deadline passed. */
type Phase = 'while connecting' | 'while waiting for the headers' | 'while reading the body';

async function sendWithin(agent: Agent, request: HttpRequest): Promise<HttpResponse> {
  let phase: Phase = 'while connecting';
  const ended = new AbortController();
  const passed = () => {
    const message = `${catalogEntry('HTTP.TIMEOUT').message} (${phase})`;
    ended.abort(new IntegrationError('HTTP.TIMEOUT', { message }));
  };
  const timer = setTimeout(passed, Math.max(1, request.timeoutMs));
  const onCancel = () => ended.abort(new IntegrationError('DELIVERY.CANCELLED'));
  request.signal?.addEventListener('abort', onCancel, { once: true });
  if (request.signal?.aborted) onCancel();
  try {
    ended.signal.throwIfAborted();
    const sending = send(request.url, {
      dispatcher: agent.compose(
        onSent(() => {
          phase = 'while waiting for the headers';
        }),
      ),
      method: request.method,
      headers: request.headers ?? {},
      body: request.body ?? null,
      signal: ended.signal,
    });
    const answer = await beforeAbort(ended.signal, sending);
    phase = 'while reading the body';
    return await readAnswer(answer, request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES);
  } catch (error) {
    // What ends the call first is the reason, whatever undici makes of it.
    if (ended.signal.aborted) throw ended.signal.reason;
    throw error instanceof IntegrationError ? error : classifyTransportError(error, phase !== 'while connecting');
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', onCancel);
  }
}

/**
 * undici looks at the signal of a request only once that has a connection (8.12, tried): without this a call to a host
 * that drops packets would outlive its deadline until the connection is given up.
 */
function beforeAbort<T>(signal: AbortSignal, sending: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  // The one that comes second is nobody's any more; undici ends what is left of the request by the same signal.
  sending.catch(() => undefined);
  aborted.catch(() => undefined);
  return Promise.race([sending, aborted]);
}

/** Tells when a request has a connection and is written to it: undici's promise says nothing before the headers. */
function onSent(told: () => void): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart: (...args) => {
        told();
        handler.onRequestStart?.(...args);
      },
      onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError: (...args) => handler.onResponseError?.(...args),
    });
}

async function readAnswer(answer: Dispatcher.ResponseData, maxBytes: number): Promise<HttpResponse> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    // Leaving the loop destroys the body and its connection, so the rest is never read.
    if (size > maxBytes) break;
  }
  const response: HttpResponse = {
    status: answer.statusCode,
    headers: joinHeaders(answer.headers),
    body: Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8'),
  };
  if (size > maxBytes && isSuccess(response.status)) {
    throw new IntegrationError('HTTP.BAD_RESPONSE', {
      message: `Expected an answer of at most ${maxBytes} bytes`,
      response: toLastResponse(response),
    });
  }
  return response;
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function joinHeaders(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const entries = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value] as const],
  );
  return Object.fromEntries(entries);
}
