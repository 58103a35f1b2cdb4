/** Real: the client, its waits (made short). Fake: the audit log, scripted. */

import { Webhook } from 'standardwebhooks';
import type { AuditClientOptions, AuditRequestError } from '../../src/client.js';
import { type AuditEvent, createAuditClient, isAuditRequestError } from '../../src/client.js';
import { FakeHttpClient, type Script, type ScriptedAnswer, toAuditEvent } from '../../src/testing.js';
import { eventOf } from '../support/events.js';

const event: AuditEvent = toAuditEvent(eventOf(), {});
const record = {
  recordId: '0197d3a0-0000-7000-8000-00000000000a',
  recordedAt: '2026-04-01T00:00:02.000Z',
  hash: `sha-256:${'cd'.repeat(32)}`,
};
const receipt = { ...record, eventId: event.eventId, replayed: false };
const STORED: ScriptedAnswer = { status: 201, body: JSON.stringify(receipt) };

function problem(status: number, code: string, retryable: boolean, more: object = {}): Exclude<ScriptedAnswer, string> {
  const body = { type: 'about:blank', title: 't', status, detail: 'd', code, retryable, requestId: 'r-1', ...more };
  return { status, headers: { 'content-type': 'application/problem+json' }, body: JSON.stringify(body) };
}

function setUp(scripts: readonly Script[], options: Partial<AuditClientOptions> = {}) {
  const http = new FakeHttpClient(...scripts);
  const retry = { attempts: 3, initialMs: 1, maximumMs: 2, totalMs: 5_000, ...options.retry };
  const client = createAuditClient({ baseUrl: 'http://audit.test/', apiKey: 'k', http, ...options, retry });
  return { http, client };
}

async function refusal(call: Promise<unknown>): Promise<AuditRequestError> {
  const error = await call.then(
    () => {
      throw new Error('expected a refusal');
    },
    (thrown: unknown) => thrown,
  );
  if (!isAuditRequestError(error)) throw error;
  return error;
}

describe('one event', () => {
  it('is stored under its id and answered with the receipt', async () => {
    const { client, http } = setUp([STORED]);
    await expect(client.record(event)).resolves.toEqual(receipt);
    expect(http.requests).toMatchObject([
      {
        url: 'http://audit.test/integration/v1/audit/logs',
        headers: { authorization: 'Bearer k', 'Idempotency-Key': event.eventId },
        body: JSON.stringify(event),
      },
    ]);
  });

  it.each(['Grüße', 'a b', ' a'])('has no Idempotency-Key where no header holds its id: %j', async (eventId) => {
    const { client, http } = setUp([STORED]);
    await client.record({ ...event, eventId });
    expect(http.requests[0]?.headers).not.toHaveProperty('Idempotency-Key');
  });

  const retried: [string, ScriptedAnswer][] = [
    ['a problem that is retryable', problem(503, 'store_unavailable', true)],
    ['a retryable 500, and a code of a newer api', problem(500, 'of_tomorrow', true)],
    ['a retryable 400', problem(400, 'incomplete_body', true)],
    ['no connection', 'network-error'],
    ['no answer in time', 'hang'],
    ['a page of somebody in between', { status: 502, body: '<html>' }],
  ];
  it.each(retried)('is sent again, the same in every way, after %s', async (_, answer) => {
    const { client, http } = setUp([answer, answer, STORED], { timeoutMs: 20 });
    await expect(client.record(event)).resolves.toEqual(receipt);
    expect(http.requests).toHaveLength(3);
    const sent = http.requests.map(({ url, headers, body }) => JSON.stringify([url, headers, body]));
    expect(new Set(sent).size).toBe(1);
  });

  const final: [string, ScriptedAnswer, string, number | null][] = [
    ['a problem that is final', problem(422, 'identity_conflict', false), 'identity_conflict', 422],
    ['a final 500', problem(500, 'internal', false), 'internal', 500],
    ['a refused certificate', 'tls-error', 'HTTP.TLS', null],
    ['a 401 of somebody in between', { status: 401, body: '' }, 'HTTP.UNAUTHORIZED', 401],
    ['a success without a receipt', { status: 200, body: '{}' }, 'HTTP.BAD_RESPONSE', 200],
    [
      'a success that a problem came with',
      { ...problem(503, 'overloaded', true), status: 200 },
      'HTTP.BAD_RESPONSE',
      200,
    ],
  ];
  it.each(final)('is not sent again after %s', async (_, answer, code, status) => {
    const { client, http } = setUp([answer]);
    expect(await refusal(client.record(event))).toMatchObject({ code, status, retryable: false, attempts: 1 });
    expect(http.requests).toHaveLength(1);
  });

  it('ends with what the api said: code, status, pointers and ids', async () => {
    const errors = [{ pointer: '/actor/id', detail: 'x' }];
    const { client } = setUp([problem(500, 'internal', true, { errors, failedIngestId: 'f-1' })]);
    expect(await refusal(client.record(event))).toMatchObject({
      name: 'AuditRequestError',
      code: 'internal',
      status: 500,
      retryable: true,
      attempts: 3,
      errors,
      requestId: 'r-1',
      failedIngestId: 'f-1',
      message: 'd (internal, status 500)',
    });
  });

  it('reads Retry-After, and gives up where the total time does not have it', async () => {
    const { client, http } = setUp([{ ...problem(429, 'rate_limited', true), headers: { 'Retry-After': '30' } }]);
    expect(await refusal(client.record(event))).toMatchObject({ code: 'rate_limited', retryAfterMs: 30_000 });
    expect(http.requests).toHaveLength(1);
  });

  it('ends by its signal, before, in an attempt and in a wait', async () => {
    const { client, http } = setUp(['hang'], { timeoutMs: 60_000 });
    const gone = AbortSignal.abort('no');
    expect(await refusal(client.record(event, { signal: gone }))).toMatchObject({
      code: 'DELIVERY.CANCELLED',
      attempts: 0,
      cause: 'no',
    });
    const inAttempt = new AbortController();
    const call = refusal(client.record(event, { signal: inAttempt.signal }));
    inAttempt.abort();
    expect(await call).toMatchObject({ code: 'DELIVERY.CANCELLED', attempts: 1 });
    expect(http.requests).toHaveLength(1);

    const inWait = new AbortController();
    const waiting = setUp(
      [
        () => {
          setImmediate(() => inWait.abort());
          return 'network-error';
        },
      ],
      { retry: { initialMs: 3_600_000, maximumMs: 3_600_000, totalMs: 86_400_000 } },
    );
    expect(await refusal(waiting.client.record(event, { signal: inWait.signal }))).toMatchObject({
      code: 'DELIVERY.CANCELLED',
    });
    expect(waiting.http.requests).toHaveLength(1);
  });
});

describe('a key that needs signatures', () => {
  const signingSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

  it('has every request signed, each try anew, also one without a body', async () => {
    const { client, http } = setUp(['network-error', STORED], { signingSecret });
    await client.record(event);
    await client.recordBatch([event]);
    await refusal(client.get('x'));
    expect(http.requests.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST', 'GET']);
    for (const { body = '', headers = {} } of http.requests) {
      expect(() => new Webhook(signingSecret).verify(body, { ...headers })).not.toThrow();
    }
    expect(new Set(http.requests.map(({ headers }) => headers?.['webhook-id'])).size).toBe(4);
  });

  it.each(['', 'whsec_', 'hunter2', `whsec_${Buffer.alloc(8).toString('base64')}`])(
    'is refused the secret %j',
    (secret) => {
      expect(() => setUp([STORED], { signingSecret: secret })).toThrow(TypeError);
      expect(() => setUp([STORED], { signingSecret: secret })).not.toThrow('hunter2');
    },
  );
});

describe('a batch', () => {
  const events = (count: number) => Array.from({ length: count }, (_, i) => ({ ...event, eventId: `e-${i}` }));
  const ids = (body: string | undefined) => (JSON.parse(body ?? '[]') as AuditEvent[]).map(({ eventId }) => eventId);
  /** Answers each item by its id; 201 unless told otherwise. */
  const api =
    (answers: Record<string, [number, string, boolean][]> = {}): Script =>
    ({ body }) => ({
      status: 207,
      body: JSON.stringify({
        results: ids(body).map((eventId) => {
          const [status, code, retryable] = answers[eventId]?.shift() ?? [201, '', false];
          if (status === 201) return { status, receipt: { ...receipt, eventId } };
          const [title, detail, type] = ['t', 'd', 'about:blank'];
          return { status, problem: { type, title, status, detail, code, retryable } };
        }),
      }),
    });

  it('sends again only the events whose problem is retryable, and answers in the order given', async () => {
    const { client, http } = setUp([
      api({
        'e-1': [[500, 'internal', true]],
        'e-2': [[422, 'invalid_event', false]],
        'e-3': Array.from({ length: 3 }, (): [number, string, boolean] => [503, 'store_unavailable', true]),
      }),
    ]);
    const results = await client.recordBatch(events(5));
    expect(http.requests.map(({ body }) => ids(body))).toEqual([
      ['e-0', 'e-1', 'e-2', 'e-3', 'e-4'],
      ['e-1', 'e-3'],
      ['e-3'],
    ]);
    expect(results).toMatchObject([
      { ok: true, receipt: { eventId: 'e-0' } },
      { ok: true, receipt: { eventId: 'e-1' } },
      { ok: false, error: { code: 'invalid_event', attempts: 1, retryable: false } },
      { ok: false, error: { code: 'store_unavailable', attempts: 3, retryable: true } },
      { ok: true, receipt: { eventId: 'e-4' } },
    ]);
    expect(http.requests[0]?.headers).not.toHaveProperty('Idempotency-Key');
  });

  it('is sent whole again where nobody answered', async () => {
    const { client, http } = setUp(['network-error', api()]);
    expect((await client.recordBatch(events(2))).map(({ ok }) => ok)).toEqual([true, true]);
    expect(http.requests.map(({ body }) => ids(body))).toEqual([
      ['e-0', 'e-1'],
      ['e-0', 'e-1'],
    ]);
  });

  it('is cut into requests of 500 events and of 4 MiB', async () => {
    const { client, http } = setUp([api()]);
    expect(await client.recordBatch(events(1_201))).toHaveLength(1_201);
    expect(http.requests.map(({ body }) => ids(body).length)).toEqual([500, 500, 201]);
    const large = events(100).map((one) => ({ ...one, data: { text: 'ä'.repeat(30_000) } }));
    await client.recordBatch(large);
    const sizes = http.requests.slice(3).map(({ body }) => Buffer.byteLength(body ?? ''));
    expect(sizes.length).toBe(2);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4 * 1024 * 1024);
  });

  it('gives the refusal of a whole request to its own events only', async () => {
    const { client, http } = setUp([problem(401, 'unauthorized', false), api()]);
    const results = await client.recordBatch(events(501));
    expect(http.requests).toHaveLength(2);
    expect(results[0]).toMatchObject({ ok: false, error: { code: 'unauthorized' } });
    expect(results[500]).toMatchObject({ ok: true });
  });

  const refusals: [string, Script][] = [
    ['400, of one event', problem(400, 'too_deep', false)],
    ['422, of one event', problem(422, 'invalid_event', false)],
    ['413, of a page of somebody in between', { status: 413, body: '<html>' }],
  ];
  it.each(refusals)(
    'is sent again in halves where it was refused whole (%s), until the event is alone',
    async (_, refusal) => {
      const refuse: Script = (request) => {
        const answer = ids(request.body).includes('e-7') ? refusal : api();
        return typeof answer === 'function' ? answer(request) : answer;
      };
      const { client, http } = setUp([refuse]);
      const results = await client.recordBatch(events(600));
      expect(results.flatMap((result, at) => (result.ok ? [] : [[at, result.error.retryable]]))).toEqual([[7, false]]);
      expect(results[8]).toMatchObject({ ok: true, receipt: { eventId: 'e-8' } });
      // 500 in halves: two for each of the nine times that it takes to be alone, at most; and the part behind it.
      expect(http.requests.length).toBeLessThanOrEqual(1 + 2 * 9 + 1);
      expect(new Set(http.requests.map(({ body }) => body)).size).toBe(http.requests.length);
    },
  );

  it('is divided for each of many such events, and stores all others', async () => {
    const isBad = (eventId: string) => eventId.endsWith('7');
    const refuse: Script = (request) => {
      const answer = ids(request.body).some(isBad) ? problem(400, 'forbidden_key', false) : api();
      return typeof answer === 'function' ? answer(request) : answer;
    };
    const { client } = setUp([refuse]);
    const results = await client.recordBatch(events(500));
    expect(results.map(({ ok }) => ok)).toEqual(events(500).map(({ eventId }) => !isBad(eventId)));
  });

  it('is not divided for ever where every request is refused', async () => {
    const { client, http } = setUp([problem(400, 'malformed_request', false)]);
    const results = await client.recordBatch(events(5_000));
    expect(results).toMatchObject(Array(5_000).fill({ ok: false, error: { code: 'malformed_request' } }));
    expect(http.requests.length).toBeLessThan(50);
  });

  it('has its own time for each request, and any number of events while some of them are settled', async () => {
    const waits: number[] = [];
    const busy = Array.from({ length: 4 }, (): [number, string, boolean] => [503, 'store_unavailable', true]);
    const answer = api({ 'e-0': busy });
    let turn = 0;
    const { client, http } = setUp(
      [
        (request) => {
          waits.push(request.timeoutMs);
          turn += 1;
          // Each part is lost twice before it is taken.
          return turn % 3 === 0 && typeof answer === 'function' ? answer(request) : 'network-error';
        },
      ],
      { timeoutMs: 4_000, retry: { totalMs: 60_000 } },
    );
    const results = await client.recordBatch(events(5_000));
    expect(results.filter(({ ok }) => !ok)).toMatchObject([{ error: { code: 'store_unavailable', retryable: true } }]);
    expect(http.requests).toHaveLength(3 * 10);
    expect(Math.min(...waits)).toBe(4_000);
  });

  it('answers for every event where nobody ever answers, or the signal ends it', async () => {
    const { client, http } = setUp(['network-error']);
    expect(await client.recordBatch(events(501))).toEqual(
      Array(501).fill({ ok: false, error: expect.objectContaining({ code: 'HTTP.NETWORK', attempts: 3 }) }),
    );
    expect(http.requests).toHaveLength(3);
    const results = await client.recordBatch(events(2), { signal: AbortSignal.abort() });
    expect(results).toMatchObject(Array(2).fill({ ok: false, error: { code: 'DELIVERY.CANCELLED' } }));
    expect(await client.recordBatch([])).toEqual([]);
  });

  it('takes no answer with other than one result for each', async () => {
    const { client } = setUp([{ status: 207, body: '{"results":[]}' }]);
    expect(await client.recordBatch(events(1))).toMatchObject([{ ok: false, error: { code: 'HTTP.BAD_RESPONSE' } }]);
  });
});

describe('a look-up', () => {
  it('asks which identities stand, and again when it was not answered', async () => {
    const results = [{ found: true, ...record }, { found: false }];
    const { client, http } = setUp(['network-error', { status: 200, body: JSON.stringify({ results }) }]);
    const identities = [
      { source: 'a', eventId: '1' },
      { source: 'a', eventId: '2' },
    ];
    await expect(client.lookup(identities)).resolves.toEqual(results);
    expect(http.requests.map(({ body }) => body)).toEqual(Array(2).fill(JSON.stringify({ identities })));
  });
});

describe('reading', () => {
  const view = { ...record, tenantId: null, via: 'api', event: { ...event } };
  const page = { items: [view], next: 'c', searched: { records: 1, backTo: '2026-04-01T00:00:02.000Z' } };
  const ok = (body: object): ScriptedAnswer => ({ status: 200, body: JSON.stringify(body) });

  it('lists a page by what was asked for, and asks again when it was not answered', async () => {
    const { client, http } = setUp(['network-error', ok(page)]);
    const query = { action: 'auth', limit: 7, text: 'a&b=ä', tenantId: '', recordedFrom: '2026-04-01T00:00:00+02:00' };
    await expect(client.list({ ...query, cursor: undefined })).resolves.toEqual(page);
    expect(http.requests).toHaveLength(2);
    const { method, url, body, headers } = http.requests[1] ?? {};
    expect([method, body, headers]).toEqual(['GET', undefined, { authorization: 'Bearer k' }]);
    const asked = new URL(url as string);
    expect(asked.pathname).toBe('/integration/v1/audit/logs');
    expect(Object.fromEntries(asked.searchParams)).toEqual({ ...query, limit: '7' });
  });

  it('reads all that a query means page after page, no further than it is asked to', async () => {
    const { client, http } = setUp([
      ok(page),
      'network-error',
      ok({ ...page, items: [], next: 'd' }),
      ok({ ...page, next: null }),
    ]);
    const read: unknown[] = [];
    for await (const one of client.records({ action: 'auth' })) read.push(one);
    expect(read).toEqual([view, view]);
    expect(http.requests.map(({ url }) => Object.fromEntries(new URL(url as string).searchParams))).toEqual([
      { action: 'auth', limit: '200' },
      { action: 'auth', limit: '200', cursor: 'c' },
      { action: 'auth', limit: '200', cursor: 'c' },
      { action: 'auth', limit: '200', cursor: 'd' },
    ]);
    const lazy = setUp([ok(page)]);
    for await (const _ of lazy.client.records()) break;
    expect(lazy.http.requests).toHaveLength(1);
  });

  it('shows one record, also what an erasure left', async () => {
    const { tenantId: _, via: __, event: ___, ...left } = view;
    for (const one of [view, { ...left, erased: true }]) {
      const { client, http } = setUp([ok(one)]);
      await expect(client.get('a/b')).resolves.toEqual(one);
      expect(http.requests[0]?.url).toBe('http://audit.test/integration/v1/audit/logs/a%2Fb');
    }
  });

  it('ends with the problem of the api, and takes no answer that is no record', async () => {
    const missing = setUp([problem(404, 'not_found', false)]);
    expect(await refusal(missing.client.get('x'))).toMatchObject({ code: 'not_found', status: 404, attempts: 1 });
    const strange = setUp([ok({ items: [{}] }), ok({})]);
    expect(await refusal(strange.client.list())).toMatchObject({ code: 'HTTP.BAD_RESPONSE', attempts: 1 });
    expect(await refusal(strange.client.get('x'))).toMatchObject({ code: 'HTTP.BAD_RESPONSE', attempts: 1 });
  });
});

it.each([{ attempts: 0 }, { totalMs: 0 }, { initialMs: Number.NaN }])('refuses the bounds %j', (retry) => {
  expect(() => setUp([STORED], { retry })).toThrow(TypeError);
});
