import { toLastResponse } from '../../application/delivery/last-response.js';
import {
  DEFAULT_MAX_RESPONSE_BYTES,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
} from '../../application/delivery/ports.js';
import { IntegrationError } from '../../domain/delivery/integration-error.js';

/** What a scripted destination does with one request. */
export type ScriptedAnswer =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  /** Never answers: the request's own deadline or signal ends it. */
  | 'hang'
  | 'network-error'
  | 'tls-error';

/** A fixed answer, or one made from the request. */
export type Script = ScriptedAnswer | ((request: HttpRequest) => ScriptedAnswer);

/**
 * An HttpClient for tests that keeps the real one's promises (one contract suite runs against both) and sends nothing.
 * Answers the scripts in turn, and the last one for ever; with no script, every request fails as unreachable.
 */
export class FakeHttpClient implements HttpClient {
  /** Every request that was made, in order. */
  readonly requests: HttpRequest[] = [];
  readonly #scripts: Script[];

  constructor(...scripts: Script[]) {
    this.#scripts = scripts;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    if (request.signal?.aborted) throw new IntegrationError('DELIVERY.CANCELLED');
    this.requests.push(request);
    const script = this.#scripts.length > 1 ? this.#scripts.shift() : this.#scripts[0];
    const answer = typeof script === 'function' ? script(request) : (script ?? 'network-error');
    switch (answer) {
      case 'hang':
        return hang(request);
      case 'network-error':
        throw new IntegrationError('HTTP.NETWORK');
      case 'tls-error':
        throw new IntegrationError('HTTP.TLS');
      default:
        return limitBody(answer, request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES);
    }
  }

  async close(): Promise<void> {}
}

function hang({ signal, timeoutMs }: HttpRequest): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => end(new IntegrationError('DELIVERY.CANCELLED'));
    const timer = setTimeout(() => end(new IntegrationError('HTTP.TIMEOUT')), Math.max(1, timeoutMs));
    const end = (error: IntegrationError) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      reject(error);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function limitBody(answer: Exclude<ScriptedAnswer, string>, maxBytes: number): HttpResponse {
  const bytes = new TextEncoder().encode(answer.body ?? '');
  const headers = Object.entries(answer.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const);
  const response: HttpResponse = {
    status: answer.status,
    headers: Object.fromEntries(headers),
    body: new TextDecoder().decode(bytes.subarray(0, maxBytes)),
  };
  if (bytes.length > maxBytes && answer.status >= 200 && answer.status < 300) {
    throw new IntegrationError('HTTP.BAD_RESPONSE', {
      message: `Expected an answer of at most ${maxBytes} bytes`,
      response: toLastResponse(response),
    });
  }
  return response;
}
