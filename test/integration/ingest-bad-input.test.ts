/**
 * The bad-input table, one POST at a time. Real: PostgreSQL, the HTTP server, every byte on the wire. Fake: nothing.
 * After each test the table rule is checked: nothing stored, and the process still serves.
 */
import { gzipSync } from 'node:zlib';
import { AUDIT_LIMITS } from '../../src/contract/audit-dto.js';
import { type Answer, event, expectProblem, sendRaw, startIngest, type TestIngest } from './ingest-set-up.js';

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());

let accepted = 0;
async function expectAccepted(body: unknown, options = {}): Promise<Answer> {
  const answer = await ingest.post(body, options);
  expect(answer).toMatchObject({ status: 201 });
  accepted++;
  return answer;
}

afterEach(async () => {
  expect(await ingest.counts()).toEqual({ records: accepted, keys: accepted });
  await expectAccepted(event());
});

describe('credentials', () => {
  const unknown = `tob_abcdefgh_${'A'.repeat(43)}`;
  it.each([
    ['none', undefined],
    ['another scheme', 'Basic dXNlcjpwYXNz'],
    ['no key', 'Bearer'],
    ['two words', 'Bearer a b'],
    ['no key of ours', 'Bearer hunter2'],
    ['an unknown key', `Bearer ${unknown}`],
    ['SQL', `Bearer ' OR 1=1 --`],
  ])('B1: %s is answered 401 with a challenge', async (_, authorization) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
    const answer = await ingest.post(event(), { key: null, headers });
    expectProblem(answer, 401, 'unauthorized');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer /);
  });

  it('B1: an expired, a revoked and an altered key are answered 401', async () => {
    const expired = await ingest.key(['audit:write'], null, new Date(Date.now() - 1_000));
    const revoked = await ingest.key(['audit:write']);
    await ingest.pool.query('UPDATE audit.api_key SET revoked_at = clock_timestamp() WHERE prefix = $1', [
      revoked.slice(4, 12),
    ]);
    const altered = `${(await ingest.key(['audit:write'])).slice(0, -2)}..`.replaceAll('.', '-');
    for (const key of [expired, revoked, altered]) {
      expectProblem(await ingest.post(event(), { key }), 401, 'unauthorized');
    }
  });

  it('B1: credentials are judged before the body is read', async () => {
    expectProblem(await ingest.post('{broken', { key: null }), 401, 'unauthorized');
  });

  it('the key itself stands nowhere in the database', async () => {
    const secret = await ingest.key(['audit:write']);
    const { rows } = await ingest.pool.query('SELECT k::text AS row FROM audit.api_key k');
    expect(rows.map(({ row }) => row).join()).not.toContain(secret.slice(13));
  });
});

describe('bodies that cannot be parsed', () => {
  it.each(['', ' ', 'null', '"text"', '7', 'true'])('B4: the body %j is answered 400', async (body) => {
    const answer = await ingest.post(body);
    expectProblem(answer, 400, body.trim() === '' ? 'invalid_json' : 'not_an_event');
  });

  it.each(['{"a":1', '{"a":1,}', '{"a":NaN}', '{"a":01}', '{} {}', '\ufeff{}'])(
    'B5: the body %j is answered 400',
    async (body) => expectProblem(await ingest.post(body), 400, 'invalid_json'),
  );

  it('B6: invalid UTF-8 is answered 400', async () => {
    const bytes = Buffer.from(JSON.stringify(event({ outcomeReason: 'x' })).replace('"x"', '"\u00ff"'), 'latin1');
    expectProblem(await ingest.post(bytes), 400, 'invalid_utf8');
  });

  it.each([33, 5_000, 100_000])('B9: %d levels are answered 400', async (levels) => {
    const open = '['.repeat(levels - 1);
    const whole = JSON.stringify(event({ data: {} })).replace('"data":{}', `"data":${open}${']'.repeat(levels - 1)}`);
    // An array is a batch, one level around its events.
    for (const body of [whole, '['.repeat(levels + 1), '{"a":'.repeat(levels)]) {
      expectProblem(await ingest.post(body), 400, 'too_deep');
    }
  });

  it('B9: 32 levels are stored', async () => {
    const data = JSON.parse(`{"a":${'['.repeat(30)}${']'.repeat(30)}}`);
    await expectAccepted(event({ data }));
  });

  it('B9, B12, B22: in a batch they are answered 400 alone, whatever was sent beside them', async () => {
    const bare = (text: string) => JSON.stringify(event({ data: {} })).replace('"data":{}', `"data":${text}`);
    const items = [
      JSON.stringify(event()),
      bare('{"__proto__":{"admin":true}}'),
      bare(`{"a":${'['.repeat(31)}${']'.repeat(31)}}`),
      bare(`{"a":${'['.repeat(30)}${']'.repeat(30)}}`),
      bare(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      JSON.stringify(event()),
    ];
    const answer = await ingest.post(`[${items.join()}]`);
    expect(answer.status).toBe(207);
    expect(answer.body.results).toMatchObject([
      { status: 201 },
      { status: 400, problem: { code: 'forbidden_key', errors: [{ pointer: '/data/__proto__' }] } },
      { status: 400, problem: { code: 'too_deep' } },
      { status: 201 },
      { status: 400, problem: { code: 'too_deep' } },
      { status: 201 },
    ]);
    accepted += 3;
  });

  it('B12: keys that reach for a prototype are answered 400 with a pointer', async () => {
    for (const [key, value, pointer] of [
      ['__proto__', '{"admin":true}', '/data/__proto__'],
      ['constructor', '{"prototype":{"admin":true}}', '/data/constructor/prototype'],
    ]) {
      const body = JSON.stringify(event({ data: {} })).replace('"data":{}', `"data":{"${key}":${value}}`);
      const answer = await ingest.post(body);
      expectProblem(answer, 400, 'forbidden_key');
      expect(answer.body.errors[0].pointer).toBe(pointer);
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe('media types and sizes', () => {
  it.each([
    { 'Content-Type': '' },
    { 'Content-Type': 'text/plain' },
    { 'Content-Type': 'application/xml' },
    { 'Content-Type': 'application/json; charset=latin1' },
    { 'Content-Type': 'application/json-seq' },
    { 'Content-Encoding': 'zstd' },
    { 'Content-Encoding': 'gzip, gzip' },
    { 'Content-Encoding': 'constructor' },
  ])('B7: %j is answered 415', async (headers: Record<string, string>) => {
    const answer = await ingest.post(event(), { headers });
    expectProblem(answer, 415, 'Content-Type' in headers ? 'unsupported_media_type' : 'unsupported_encoding');
  });

  it('a charset of UTF-8 and a gzip body are read', async () => {
    await expectAccepted(event(), { headers: { 'Content-Type': 'Application/JSON; charset="UTF-8"' } });
    await expectAccepted(gzipSync(JSON.stringify(event())), { headers: { 'Content-Encoding': 'gzip' } });
  });

  it('B5: a cut or wrong gzip body is answered 400', async () => {
    const gzip = { 'Content-Encoding': 'gzip' };
    const cut = gzipSync(JSON.stringify(event())).subarray(0, 60);
    expectProblem(await ingest.post(cut, { headers: gzip }), 400, 'malformed_request');
    expectProblem(await ingest.post('{}', { headers: gzip }), 400, 'malformed_request');
  });

  const oversize = 'x'.repeat(AUDIT_LIMITS.batchBytes + 1);
  it('B8: an event over 64 KiB is answered 413', async () => {
    const body = event({ data: { text: 'x'.repeat(AUDIT_LIMITS.eventBytes) } });
    expectProblem(await ingest.post(body), 413, 'body_too_large');
  });

  it('B8: a body over the limit is answered 413, also chunked, also after inflating', async () => {
    expectProblem(await ingest.post(oversize), 413, 'body_too_large');
    const chunked = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 5; i++) controller.enqueue(Buffer.alloc(1024 * 1024, 0x20));
        controller.close();
      },
    });
    expectProblem(await ingest.post(chunked), 413, 'body_too_large');
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expectProblem(await ingest.post(bomb, { headers: { 'Content-Encoding': 'gzip' } }), 413, 'body_too_large');
  });

  it('B8: a chunked body without end is answered once it is over the limit', async () => {
    const head = [
      'POST /integration/v1/audit/logs HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${await ingest.key(['audit:write'])}`,
      'Content-Type: application/json',
      'Transfer-Encoding: chunked',
    ];
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(0x100000, 0x20), Buffer.from('\r\n')]);
    const answer = await sendRaw(
      ingest.port,
      `${head.join('\r\n')}\r\n\r\n`,
      ...Array.from({ length: 5 }, () => chunk),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('events outside DTO v1', () => {
  it.each([
    ['B10', { targets: Array.from({ length: 21 }, () => ({ type: 't', id: 'i' })) }, '/targets'],
    ['B10', { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, i])) }, '/metadata'],
    ['B10', { outcomeReason: 'x'.repeat(257) }, '/outcomeReason'],
    ['B11', { outcomeReason: 'a\u0000b' }, '/outcomeReason'],
    ['B11', { data: { a: ['\ud800'] } }, '/data/a/0'],
    ['B11', { data: { '\udfff': 1 } }, '/data/\udfff'],
    ['B13', { actionVersion: '1' }, '/actionVersion'],
    ['B13', { eventId: {} }, '/eventId'],
    ['B14', { unknown: 1 }, '/unknown'],
    ['B14', { recordId: 'x' }, '/recordId'],
    ['B14', { recordedAt: '2026-01-01T00:00:00Z' }, '/recordedAt'],
    ['B14', { via: 'outbox' }, '/via'],
    ['B14', { contentHash: `sha-256:${'00'.repeat(32)}` }, '/contentHash'],
    ['B15', { occurredAt: '2026-02-30T00:00:00Z' }, '/occurredAt'],
    ['B15', { occurredAt: '0000-01-01T00:00:00Z' }, '/occurredAt'],
    ['B15', { occurredAt: '2026-01-02T03:04:05' }, '/occurredAt'],
    ['B15', { occurredAt: '2 January 2026' }, '/occurredAt'],
    ['B15', { occurredAt: new Date(Date.now() + 86_400_000).toISOString() }, '/occurredAt'],
    ['B16', { eventId: '' }, '/eventId'],
    ['B16', { eventId: 'x'.repeat(201) }, '/eventId'],
    ['B16', { eventId: 'a\r\nb' }, '/eventId'],
  ])('%s: %j is answered 422 with its pointer', async (_, overrides, pointer) => {
    const answer = await ingest.post({ ...event(), ...overrides });
    expectProblem(answer, 422, 'invalid_event');
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toEqual([pointer]);
    expect(answer.body.retryable).toBe(false);
  });

  it.each(['1e400', '-1e400', '9007199254740993', '12345678901234567890'])(
    'B13: %s is answered 422',
    async (literal) => {
      const answer = await ingest.post(JSON.stringify(event({ data: { n: 0 } })).replace('"n":0', `"n":${literal}`));
      expectProblem(answer, 422, 'invalid_event');
      expect(answer.body.errors[0].pointer).toBe('/data/n');
    },
  );

  it('every problem of an event is named at once', async () => {
    const answer = await ingest.post({ ...event(), outcome: 'x', category: 'y', extra: 1, actor: { type: 'user' } });
    const pointers = answer.body.errors.map((error: { pointer: string }) => error.pointer);
    expect(pointers.sort()).toEqual(['/actor/id', '/category', '/extra', '/outcome']);
  });

  it('B11: a long key comes back once at most, not with every problem below it', async () => {
    const sent = JSON.stringify(event({ data: { ['k'.repeat(30_000)]: Array.from({ length: 200 }, () => '\ud800') } }));
    const answer = await ingest.post(sent);
    expectProblem(answer, 422, 'invalid_event');
    expect(answer.body.errors).toHaveLength(AUDIT_LIMITS.problems);
    expect(answer.body.errors[0].pointer).toBe('/data');
    expect(JSON.stringify(answer.body).length).toBeLessThan(sent.length);
  });

  it("B14: a tenant that is not the key's is answered 403", async () => {
    const bound = await ingest.key(['audit:write'], 't-1');
    expectProblem(await ingest.post(event({ tenantId: 't-2' }), { key: bound }), 403, 'tenant_forbidden');
    expectProblem(await ingest.post(event({ tenantId: 't-2' })), 403, 'tenant_forbidden');
  });

  it('a key without the scope is answered 403', async () => {
    expectProblem(await ingest.post(event(), { key: await ingest.key(['audit:read']) }), 403, 'scope_missing');
    const path = '/integration/v1/audit/lookup';
    const answer = await ingest.post({ identities: [] }, { path, key: await ingest.key(['audit:write']) });
    expectProblem(answer, 403, 'scope_missing');
  });

  it('B21: an Idempotency-Key that differs from eventId is answered 422, the same one is taken', async () => {
    const answer = await ingest.post(event(), { headers: { 'Idempotency-Key': 'another' } });
    expectProblem(answer, 422, 'idempotency_key_mismatch');
    for (const quote of ['', '"']) {
      const one = event();
      await expectAccepted(one, { headers: { 'Idempotency-Key': `${quote}${one.eventId}${quote}` } });
    }
  });
});

describe('URLs and methods', () => {
  it.each(['/integration/v1/audit/logs%', '/integration/v1/%zz', '/x%00', '/x%ff', '/integration/v1/audit/logs?a=%'])(
    'B16: the URL %s is answered 400',
    async (path) => expectProblem(await ingest.post(event(), { path }), 400, 'malformed_url'),
  );

  it('B16: dot segments that reach the server as they are, plain or encoded, are answered 400', async () => {
    for (const path of ['/integration/../logs', '/integration/%2e%2e/logs', '/..%5c..%5cwindows']) {
      const answer = await sendRaw(ingest.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain('"code":"malformed_url"');
    }
  });

  it('B16: a URL that nothing can parse is answered 400 as a problem', async () => {
    const answer = await sendRaw(ingest.port, 'GET http://[::x/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"malformed_url"');
  });

  it.each(['/', '/integration/v1/audit/logs/', '/Integration/v1/audit/logs', '/integration/v2/audit/logs'])(
    'B16: the unknown route %s is answered 404',
    async (path) => expectProblem(await ingest.post(event(), { path }), 404, 'not_found'),
  );

  it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('B23: %s is answered 405 with Allow', async (method) => {
    for (const [path, allow] of [
      ['/integration/v1/audit/logs', 'GET, HEAD, POST'],
      ['/integration/v1/audit/lookup', 'POST'],
    ] as const) {
      if (allow.includes(method)) continue;
      const answer = await ingest.post('', { method, path });
      expectProblem(answer, 405, 'method_not_allowed');
      expect(answer.headers.get('allow')).toBe(allow);
    }
  });

  it('B23: probes can only be read', async () => {
    const answer = await ingest.post('', { path: '/live' });
    expectProblem(answer, 405, 'method_not_allowed');
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
  });
});

describe('what a refusal tells', () => {
  it('holds neither the key nor a value that was sent, in the answer and in the log', async () => {
    const key = await ingest.key(['audit:write']);
    const secret = 'hunter2-secret';
    const answer = await ingest.post({ ...event(), outcome: secret, occurredAt: secret, data: { a: secret } }, { key });
    expect(answer.status).toBe(422);
    const broken = await ingest.post(`{"password":"${secret}`, { key });
    expect(broken.status).toBe(400);
    const everything = JSON.stringify([answer.body, broken.body, ingest.logs]);
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain(key);
  });

  it('is one log line with ids, status and code', async () => {
    const answer = await ingest.post({ ...event(), outcome: 'x' });
    const lines = ingest.logs.filter((line) => line.fields.requestId === answer.body.requestId);
    expect(lines).toEqual([
      {
        level: 'info',
        fields: expect.objectContaining({
          event: 'request.rejected',
          method: 'POST',
          route: '/integration/v1/audit/logs',
          status: 422,
          code: 'invalid_event',
          pointers: ['/outcome'],
          keyId: expect.any(String),
        }),
      },
    ]);
  });
});
