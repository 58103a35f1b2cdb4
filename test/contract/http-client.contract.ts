/**
 * What every HttpClient keeps, whatever is behind it. An adapter brings a way to make a destination that behaves in one
 * of these ways; the suite sees only what the port promises.
 */
import type { HttpClient, HttpRequest } from '../../src/application/delivery/ports.js';
import { type IntegrationError, isIntegrationError } from '../../src/domain/delivery/integration-error.js';

export type Behaviour =
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string }
  /** Takes the connection and never answers. */
  | { kind: 'silent' }
  /** Resets the connection when the request has come. */
  | { kind: 'reset' }
  /** Presents a certificate that nobody has signed. */
  | { kind: 'untrusted' };

export interface Destination {
  readonly url: string;
  /** What reached it, in order. */
  readonly seen: readonly { method: string; headers: Readonly<Record<string, string>>; body: string }[];
  /** Resolves when a request has arrived. */
  arrived(): Promise<void>;
}

export interface HttpClientSubject {
  readonly client: HttpClient;
  destination(behaviour: Behaviour): Promise<Destination>;
  close(): Promise<void>;
}

export function httpClientContract(name: string, createSubject: () => Promise<HttpClientSubject>): void {
  describe(`HttpClient contract: ${name}`, () => {
    let subject: HttpClientSubject;
    beforeEach(async () => {
      subject = await createSubject();
    });
    afterEach(() => subject.close());

    const post = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json' },
      body: '{"a":"ü"}',
      timeoutMs: 10_000,
      ...more,
    });

    it('sends method, headers and body, and returns status, lower-case headers and body', async () => {
      const destination = await subject.destination({
        kind: 'answer',
        status: 201,
        headers: { 'X-Request-Id': 'r1' },
        body: '{"ok":"✓"}',
      });
      const answer = await subject.client.send(post(destination.url));
      expect(answer).toMatchObject({ status: 201, body: '{"ok":"✓"}' });
      expect(answer.headers['x-request-id']).toBe('r1');
      expect(destination.seen).toMatchObject([
        { method: 'POST', body: '{"a":"ü"}', headers: { 'content-type': 'application/json' } },
      ]);
    });

    it.each([200, 204, 404, 409, 422, 429, 500, 503])('returns status %i as it came', async (status) => {
      const destination = await subject.destination({ kind: 'answer', status });
      expect((await subject.client.send(post(destination.url))).status).toBe(status);
    });

    it('follows no redirect', async () => {
      const other = await subject.destination({ kind: 'answer', status: 200 });
      const destination = await subject.destination({ kind: 'answer', status: 307, headers: { location: other.url } });
      expect((await subject.client.send(post(destination.url))).status).toBe(307);
      expect(destination.seen).toHaveLength(1);
    });

    it('ends at its deadline with HTTP.TIMEOUT when nothing answers', async () => {
      const destination = await subject.destination({ kind: 'silent' });
      expect((await failure(subject.client.send(post(destination.url, { timeoutMs: 50 })))).code).toBe('HTTP.TIMEOUT');
    });

    it("ends with DELIVERY.CANCELLED at the caller's abort, also one that came before the call", async () => {
      const destination = await subject.destination({ kind: 'silent' });
      const abort = new AbortController();
      const sent = failure(subject.client.send(post(destination.url, { signal: abort.signal })));
      await destination.arrived();
      abort.abort(new Error('shutting down'));
      expect((await sent).code).toBe('DELIVERY.CANCELLED');

      const before = await failure(subject.client.send(post(destination.url, { signal: AbortSignal.abort() })));
      expect(before.code).toBe('DELIVERY.CANCELLED');
      expect(destination.seen).toHaveLength(1);
    });

    it('leaves no listener on the signal of a call that has ended', async () => {
      const destination = await subject.destination({ kind: 'answer', status: 200 });
      const abort = new AbortController();
      await subject.client.send(post(destination.url, { signal: abort.signal }));
      abort.abort(new Error('later'));
      expect((await subject.client.send(post(destination.url))).status).toBe(200);
    });

    it('reports a reset connection as HTTP.NETWORK', async () => {
      const destination = await subject.destination({ kind: 'reset' });
      expect((await failure(subject.client.send(post(destination.url)))).code).toBe('HTTP.NETWORK');
    });

    it('reports a refused certificate as HTTP.TLS', async () => {
      const destination = await subject.destination({ kind: 'untrusted' });
      expect((await failure(subject.client.send(post(destination.url)))).code).toBe('HTTP.TLS');
    });

    it('takes a body up to the limit and refuses a longer 2xx with HTTP.BAD_RESPONSE and its status', async () => {
      const fits = await subject.destination({ kind: 'answer', status: 200, body: 'x'.repeat(1_000) });
      expect((await subject.client.send(post(fits.url, { maxResponseBytes: 1_000 }))).body).toHaveLength(1_000);

      const long = await subject.destination({ kind: 'answer', status: 200, body: 'x'.repeat(1_001) });
      const error = await failure(subject.client.send(post(long.url, { maxResponseBytes: 1_000 })));
      expect(error).toMatchObject({ code: 'HTTP.BAD_RESPONSE', status: 200 });
    });

    it('limits a body to 64 KiB unless told otherwise', async () => {
      const long = await subject.destination({ kind: 'answer', status: 201, body: 'x'.repeat(64 * 1024 + 1) });
      expect((await failure(subject.client.send(post(long.url)))).code).toBe('HTTP.BAD_RESPONSE');
    });

    it('cuts a longer body of an error status, so that its status decides', async () => {
      const long = await subject.destination({ kind: 'answer', status: 503, body: 'x'.repeat(5_000) });
      const answer = await subject.client.send(post(long.url, { maxResponseBytes: 1_000 }));
      expect(answer).toMatchObject({ status: 503, body: 'x'.repeat(1_000) });
    });
  });
}

export async function failure(call: Promise<unknown>): Promise<IntegrationError> {
  const outcome = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome && isIntegrationError(outcome.error)) return outcome.error;
  throw new Error(`Expected an IntegrationError, got ${JSON.stringify(outcome)}`);
}
