/**
 * The bad-input table for CloudEvents, in the three modes. Real: PostgreSQL, the HTTP server, every byte on the wire. Fake:
 * nothing. After each test the table rule is checked: nothing stored but what was taken, and the process still serves.
 */
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { AUDIT_LIMITS } from '../../src/contract/audit-dto.js';
import {
  type Answer,
  expectProblem,
  type PostOptions,
  sendRaw,
  startIngest,
  type TestIngest,
} from './ingest-set-up.js';

let ingest: TestIngest;
beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());

let accepted = 0;
afterEach(async () => {
  expect(await ingest.counts()).toEqual({ records: accepted, keys: accepted });
});

const STRUCTURED = { 'Content-Type': 'application/cloudevents+json' };
const BATCH = { 'Content-Type': 'application/cloudevents-batch+json' };

type Event = Record<string, unknown>;
const cloudEvent = (overrides: Event = {}): Event => ({
  specversion: '1.0',
  id: randomUUID(),
  source: '/services/auth',
  type: 'auth.user.signed_in',
  ...overrides,
});

/** Attributes as headers, as far as a header can hold them. */
function ceHeaders(attributes: Event): Record<string, string> {
  const entries = Object.entries(attributes).filter(([name]) => name !== 'data');
  return Object.fromEntries(entries.map(([name, value]) => [`ce-${name}`, encodeURIComponent(String(value))]));
}

type Mode = 'structured' | 'batch' | 'binary';
const MODES: readonly Mode[] = ['structured', 'batch', 'binary'];

/** One event in a mode. A text is JSON text of the event, in binary mode of its data. */
async function post(
  mode: Mode,
  one: Event,
  options: PostOptions & { json?: (json: string) => string } = {},
): Promise<Answer> {
  const { json = (text) => text, headers = {}, ...rest } = options;
  if (mode === 'binary') {
    const body = one.data === undefined ? '' : json(JSON.stringify(one.data));
    return ingest.post(body, { ...rest, headers: { ...ceHeaders(one), ...headers } });
  }
  const text = json(JSON.stringify(one));
  const type = mode === 'batch' ? BATCH : STRUCTURED;
  return ingest.post(mode === 'batch' ? `[${text}]` : text, { ...rest, headers: { ...type, ...headers } });
}

/** A refusal: of the request, or of the one item of a batch. */
function expectRefused(answer: Answer, status: number, code: string, pointers?: string[]): void {
  if (answer.status === 207) {
    expect(answer.body.results).toMatchObject([{ status, problem: { status, code } }]);
  } else {
    expectProblem(answer, status, code);
  }
  const problem = answer.status === 207 ? answer.body.results[0].problem : answer.body;
  if (pointers) expect(problem.errors.map((error: { pointer: string }) => error.pointer)).toEqual(pointers);
}

async function expectTaken(answer: Answer): Promise<void> {
  expect([201, 207]).toContain(answer.status);
  if (answer.status === 207) expect(answer.body.results).toMatchObject([{ status: 201 }]);
  accepted++;
}

describe('bodies that cannot be parsed', () => {
  it.each(['', ' ', 'null', '"text"', '7', 'true'])('B4: the body %j is answered 400', async (body) => {
    const code = body.trim() === '' ? 'invalid_json' : 'not_an_event';
    for (const headers of [STRUCTURED, BATCH]) expectProblem(await ingest.post(body, { headers }), 400, code);
    const answer = await ingest.post(body, { headers: ceHeaders(cloudEvent()) });
    // No body is an event without data, which the specification allows, and null is none in any mode.
    if (body === '' || body === 'null') await expectTaken(answer);
    else if (body === ' ') expectProblem(answer, 400, code);
    else expectRefused(answer, 422, 'invalid_event', ['/data']);
  });

  it('B4: an array is no event and an event is no array', async () => {
    expectProblem(await ingest.post([cloudEvent()], { headers: STRUCTURED }), 400, 'not_an_event');
    expectProblem(await ingest.post(cloudEvent(), { headers: BATCH }), 400, 'not_an_event');
    const nested = await ingest.post([[cloudEvent()], null, 7], { headers: BATCH });
    expect(nested.body.results.map(({ status }: { status: number }) => status)).toEqual([400, 400, 400]);
  });

  it.each(['{"a":1', '{"a":1,}', '{"a":NaN}', '{"a":01}', '{} {}', '\ufeff{}'])(
    'B5: the JSON %j is answered 400',
    async (body) => {
      for (const headers of [STRUCTURED, BATCH, ceHeaders(cloudEvent())]) {
        expectProblem(await ingest.post(body, { headers }), 400, 'invalid_json');
      }
    },
  );

  it.each(MODES)('B6: invalid UTF-8 is answered 400 (%s)', async (mode) => {
    const one = cloudEvent({ data: { text: 'x' } });
    const body = JSON.stringify(mode === 'binary' ? one.data : mode === 'batch' ? [one] : one).replace(
      '"x"',
      '"\u00ff"',
    );
    const headers = { structured: STRUCTURED, batch: BATCH, binary: ceHeaders(one) }[mode] as Record<string, string>;
    expectProblem(await ingest.post(Buffer.from(body, 'latin1'), { headers }), 400, 'invalid_utf8');
  });

  it.each(MODES)('B9: 33, 5,000 and 100,000 levels are answered 400, 32 are stored (%s)', async (mode) => {
    // The event is a level, its data another.
    const nested = (levels: number) => (text: string) =>
      text.replace('"deep"', '['.repeat(levels - 2) + ']'.repeat(levels - 2));
    const one = () => cloudEvent({ data: { at: 'deep' } });
    for (const levels of [33, 5_000, 100_000]) {
      expectRefused(await post(mode, one(), { json: nested(levels) }), 400, 'too_deep');
    }
    await expectTaken(await post(mode, one(), { json: nested(32) }));
  });

  it.each(MODES)('B12: keys that reach for a prototype are answered 400 (%s)', async (mode) => {
    for (const json of ['{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{"admin":true}}}']) {
      const answer = await post(mode, cloudEvent({ data: { at: 'here' } }), {
        json: (text) => text.replace('{"at":"here"}', json),
      });
      expectRefused(answer, 400, 'forbidden_key');
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe('media types and sizes', () => {
  it.each([
    'application/cloudevents',
    'application/cloudevents+xml',
    'application/cloudevents+avro',
    'application/cloudevents-batch+xml',
    'application/cloudevents+json; charset=latin1',
    'Application/CloudEvents+JSON; charset=utf-16',
  ])('B7: the type %s is answered 415, whatever the headers say', async (type) => {
    for (const headers of [{}, ceHeaders(cloudEvent())]) {
      const answer = await ingest.post(cloudEvent(), { headers: { ...headers, 'Content-Type': type } });
      expectProblem(answer, 415, 'unsupported_media_type');
    }
  });

  it.each(['', 'text/xml', 'application/octet-stream', 'application/xml+json/x', 'application/json; charset=latin1'])(
    'B7: binary mode with data of the type %j is answered 415',
    async (type) => {
      const headers = { ...ceHeaders(cloudEvent()), 'Content-Type': type };
      expectProblem(await ingest.post({ a: 1 }, { headers }), 415, 'unsupported_media_type');
    },
  );

  it('B7: data that are JSON by another name are taken', async () => {
    await expectTaken(
      await post('binary', cloudEvent({ data: {} }), { headers: { 'Content-Type': 'application/vnd.x+json' } }),
    );
    await expectTaken(
      await post('structured', cloudEvent({ datacontenttype: 'application/json; charset=utf-8', data: {} })),
    );
    await expectTaken(
      await post('structured', cloudEvent(), {
        headers: { 'Content-Type': 'Application/CloudEvents+JSON; charset="UTF-8"' },
      }),
    );
  });

  it.each(MODES)('data that are no JSON object are answered 422, null is no data (%s)', async (mode) => {
    for (const data of ['text', 7, true, false, [], [1], [{}]]) {
      expectRefused(await post(mode, cloudEvent({ data })), 422, 'invalid_event', ['/data']);
    }
    const one = cloudEvent();
    await expectTaken(await post(mode, { ...one, data: null }));
    const again = await post(mode, one);
    expect(again.status === 207 ? again.body.results[0].status : again.status).toBe(200);
    const { rows } = await ingest.pool.query('SELECT body FROM audit.record WHERE event_id = $1', [one.id]);
    expect(rows[0].body).not.toHaveProperty('data');
  });

  it.each(['structured', 'batch'] as const)(
    'data in another form are answered 422 with a clear sentence (%s)',
    async (mode) => {
      expectRefused(await post(mode, cloudEvent({ data_base64: 'AAAA' })), 422, 'invalid_event', ['/data_base64']);
      const xml = { datacontenttype: 'text/xml', data: '<a/>' };
      expectRefused(await post(mode, cloudEvent(xml)), 422, 'invalid_event', ['/datacontenttype', '/data']);
      await expectTaken(await post(mode, cloudEvent({ data: null, data_base64: null, subject: null })));
    },
  );

  it.each(MODES)('B8: an event over 64 KiB is answered 413, also after inflating (%s)', async (mode) => {
    const large = cloudEvent({ data: { text: 'x'.repeat(AUDIT_LIMITS.eventBytes) } });
    expectRefused(await post(mode, large), 413, 'body_too_large');
    const headers = { structured: STRUCTURED, batch: BATCH, binary: ceHeaders(large) }[mode] as Record<string, string>;
    const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024, 0x20));
    const answer = await ingest.post(bomb, { headers: { ...headers, 'Content-Encoding': 'gzip' } });
    expectProblem(answer, 413, 'body_too_large');
  });

  it('B24: headers of an event over 8 KiB are answered 431, of any request by the server', async () => {
    const headers = ceHeaders(cloudEvent({ ext: 'x'.repeat(8 * 1024) }));
    expectProblem(await ingest.post('', { headers }), 431, 'headers_too_large');
    const many = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`e${index}`, 'x'.repeat(16)]));
    expectProblem(await ingest.post('', { headers: ceHeaders(cloudEvent(many)) }), 431, 'headers_too_large');
    const huge = `POST /integration/v1/audit/logs HTTP/1.1\r\nHost: x\r\nce-id: ${'x'.repeat(20_000)}\r\n\r\n`;
    expect(await sendRaw(ingest.port, huge)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('headers and data of an event count together', async () => {
    const data = { text: 'x'.repeat(AUDIT_LIMITS.eventBytes - 4_000) };
    const answer = await post(
      'binary',
      cloudEvent({ ext: 'y'.repeat(490), other: 'z'.repeat(490), subject: 's', data }),
    );
    await expectTaken(answer);
    const more = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`e${index}`, 'y'.repeat(490)]));
    expectProblem(await post('binary', cloudEvent({ ...more, data })), 413, 'body_too_large');
  });
});

describe.each(MODES)('events that do not fit (%s)', (mode) => {
  const day = 86_400_000;
  it.each([
    ['B10', { data: { n: 0 }, ...Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`e${i}`, 'x'])) }, ['']],
    ['B10', { ext: 'x'.repeat(501) }, ['/ext']],
    ['B10', { subject: 'x'.repeat(129) }, ['/subject']],
    ['B10', { tenantid: 'x'.repeat(65) }, ['/tenantid']],
    ['B10', { ['x'.repeat(41)]: 'x' }, [`/${'x'.repeat(41)}`]],
    ['B11', { subject: 'a\u0000b' }, ['/subject']],
    ['B11', { data: { a: ['\ud800'] } }, ['/data/a/0']],
    ['B11', { data: { '\udfff': 1 } }, ['/data/\udfff']],
    ['B13', { data: { n: 2 ** 53 } }, ['/data/n']],
    ['B14', { specversion: '0.3' }, ['/specversion']],
    ['B14', { outcome: 'perhaps' }, ['/outcome']],
    ['B14', { severity: 'loud' }, ['/severity']],
    ['B14', { category: 'cats', operation: 'purr' }, ['/category', '/operation']],
    ['B14', { actortype: 'cat', actorid: 'tom' }, ['/actortype']],
    ['B14', { actortype: 'user' }, ['/actorid']],
    ['B14', { traceparent: 'x' }, ['/traceparent']],
    ['B14', { source: 'not a uri' }, ['/source']],
    ['B14', { dataschema: 'not a uri' }, ['/dataschema']],
    ['B15', { time: '2026-02-30T00:00:00Z' }, ['/time']],
    ['B15', { time: '0000-01-01T00:00:00Z' }, ['/time']],
    ['B15', { time: '2026-01-02T03:04:05' }, ['/time']],
    ['B15', { time: '2 January 2026' }, ['/time']],
    ['B15', { time: new Date(Date.now() + day).toISOString() }, ['/time']],
    ['B16', { id: '' }, ['/id']],
    ['B16', { type: '' }, ['/type']],
    ['B16', { id: 'x'.repeat(201) }, ['/id']],
    ['B16', { id: 'a\r\nb' }, ['/id']],
    ['B16', { type: 'x'.repeat(129) }, ['/type']],
  ])('%s: %j is answered 422 with its pointers', async (_, overrides: Event, pointers) => {
    // fetch cannot write a lone surrogate or an unsafe number into a header; into the data it can.
    expectRefused(await post(mode, cloudEvent(overrides)), 422, 'invalid_event', pointers);
  });

  it('every problem of an event is named at once, and no value of it', async () => {
    const answer = await post(mode, cloudEvent({ time: 'hunter2', outcome: 'hunter2', data: { a: '\ud800' } }));
    expectRefused(answer, 422, 'invalid_event');
    const both = await post(mode, cloudEvent({ time: 'hunter2', outcome: 'hunter2', traceparent: 'hunter2' }));
    expectRefused(both, 422, 'invalid_event');
    const problem = both.status === 207 ? both.body.results[0].problem : both.body;
    const pointers = problem.errors.map((error: { pointer: string }) => error.pointer);
    expect(pointers.sort()).toEqual(['/outcome', '/time', '/traceparent']);
    expect(JSON.stringify([answer.body, both.body, ingest.logs])).not.toContain('hunter2');
  });

  it.each(['1e400', '-1e400', '12345678901234567890'])('B13: %s in the data is answered 422', async (literal) => {
    const json = (text: string) => text.replace('"n":0', `"n":${literal}`);
    expectRefused(await post(mode, cloudEvent({ data: { n: 0 } }), { json }), 422, 'invalid_event', ['/data/n']);
  });

  it('B14: a foreign tenant is answered 403', async () => {
    const key = await ingest.key(['audit:write'], 't-1');
    const answer = await post(mode, cloudEvent({ tenantid: 't-2' }), { key });
    expectRefused(answer, 403, 'tenant_forbidden', ['/tenantid']);
  });

  it.each([
    `'; DROP TABLE audit.record; --`,
    '100% _sure_',
    '<script>alert(1)</script>" onload="x',
    'a\u202eb\u001b[31mred',
    'a\r\nb',
    '=cmd()',
  ])('B17, B18: %j is stored as it is', async (text) => {
    const one = cloudEvent({ subject: text, ext: text, data: { text, [text]: 1 } });
    await expectTaken(await post(mode, one));
    const { rows } = await ingest.pool.query('SELECT body FROM audit.record WHERE event_id = $1', [one.id]);
    expect(rows[0].body).toMatchObject({
      targets: [{ id: text }],
      metadata: { ext: text },
      data: { text, [text]: 1 },
    });
  });

  it('B20: the same id with other content is refused, and another tenant is told nothing of it', async () => {
    const [mine, theirs] = [await ingest.key(['audit:write'], 't-1'), await ingest.key(['audit:write'], 't-2')];
    const one = cloudEvent();
    await expectTaken(await post(mode, one, { key: mine }));
    expectRefused(await post(mode, { ...one, subject: 's' }, { key: mine }), 422, 'identity_conflict', ['/id']);
    await expectTaken(await post(mode, { ...one, subject: 's' }, { key: theirs }));
  });

  it('B21: an Idempotency-Key that differs from the id is answered 422', async () => {
    const answer = await post(mode, cloudEvent(), { headers: { 'Idempotency-Key': 'another' } });
    expectProblem(answer, 422, 'idempotency_key_mismatch');
    if (mode === 'batch') return;
    expect(answer.body.errors).toEqual([{ pointer: '/id', detail: expect.any(String) }]);
    const one = cloudEvent();
    await expectTaken(await post(mode, one, { headers: { 'Idempotency-Key': `"${one.id}"` } }));
  });
});

describe('what only one mode has', () => {
  it.each([
    ['id', 7],
    ['source', {}],
    ['type', []],
    ['subject', true],
    ['time', 1],
  ])('B13: the attribute %s as %j is answered 422', async (name, value) => {
    for (const mode of ['structured', 'batch'] as const) {
      expectRefused(await post(mode, cloudEvent({ [name]: value })), 422, 'invalid_event', [`/${name}`]);
    }
  });

  it.each([
    { ext: {} },
    { ext: [1] },
    { ext: 1.5 },
    { ext: 2_147_483_648 },
    { 'a-b': 'x' },
    { Upper: 'x' },
    { a_b: 1 },
  ])('B14: the extension %j is answered 422', async (extension: Event) => {
    const pointers = [`/${Object.keys(extension)[0]}`];
    for (const mode of ['structured', 'batch'] as const) {
      expectRefused(await post(mode, cloudEvent(extension)), 422, 'invalid_event', pointers);
    }
  });

  it('attributes that are required are named, each one', async () => {
    for (const mode of ['structured', 'batch'] as const) {
      const answer = await post(mode, { data: {}, id: null });
      expectRefused(answer, 422, 'invalid_event', ['/specversion', '/id', '/source', '/type']);
    }
    const answer = await ingest.post({ a: 1 }, { headers: { 'ce-id': 'x' } });
    expectProblem(answer, 422, 'invalid_event');
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/specversion',
      '/source',
      '/type',
    ]);
  });

  it('B16: a type as long as an event may be is answered 422, sixty of them in a batch too', async () => {
    const long = () => cloudEvent({ type: 'A'.repeat(60_000) });
    for (const mode of ['structured', 'batch'] as const) {
      expectRefused(await post(mode, long(), {}), 422, 'invalid_event', ['/type']);
    }
    const answer = await ingest.post(Array.from({ length: 60 }, long), { headers: BATCH });
    const pointers = answer.body.results.map((result: { problem: { errors: { pointer: string }[] } }) =>
      result.problem.errors.map(({ pointer }) => pointer),
    );
    expect(pointers).toEqual(Array(60).fill(['/type']));
  });

  it('headers that are malformed, beyond ASCII or given twice are answered 422', async () => {
    for (const [name, value] of [
      ['ce-subject', '100%'],
      ['ce-subject', '%zz'],
      ['ce-subject', '%ff'],
      ['ce-subject', '\u00e9'],
      ['ce-datacontenttype', 'application/json'],
    ] as const) {
      const answer = await ingest.post('', { headers: { ...ceHeaders(cloudEvent()), [name]: value } });
      expectProblem(answer, 422, 'invalid_event');
      expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([`/${name.slice(3)}`]);
    }
    const key = await ingest.key(['audit:write']);
    const head = [
      'POST /integration/v1/audit/logs HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${key}`,
      'Content-Length: 0',
    ];
    const twice = Object.entries(ceHeaders(cloudEvent())).map(([name, value]) => `${name}: ${value}`);
    const raw = `${[...head, ...twice, 'CE-Id: other'].join('\r\n')}\r\n\r\n`;
    const answer = await sendRaw(ingest.port, raw);
    expect(answer).toMatch(/^HTTP\/1\.1 422 /);
    expect(answer).toContain('"pointer":"/id"');
  });

  it('B22: one bad of three is answered by itself, over 500 and none as a whole', async () => {
    const items = [cloudEvent(), { ...cloudEvent(), time: 'x' }, cloudEvent()];
    const answer = await ingest.post(items, { headers: BATCH });
    expect(answer.status).toBe(207);
    expect(answer.body.results.map(({ status }: { status: number }) => status)).toEqual([201, 422, 201]);
    accepted += 2;
    const [deep, key] = [`${'['.repeat(40)}${']'.repeat(40)}`, '{"__proto__":1}'];
    const texts = [deep, '1', key].map((text) =>
      JSON.stringify(cloudEvent({ data: { at: 'x' } })).replace('"x"', text),
    );
    const mixed = await ingest.post(`[${texts.join()}]`, { headers: BATCH });
    expect(mixed.body.results).toMatchObject([
      { status: 400, problem: { code: 'too_deep' } },
      { status: 201 },
      { status: 400, problem: { code: 'forbidden_key', errors: [{ pointer: '/data/at/__proto__' }] } },
    ]);
    accepted += 1;
    const many = Array.from({ length: 501 }, () => cloudEvent());
    expectProblem(await ingest.post(many, { headers: BATCH }), 413, 'batch_too_long');
    expectProblem(await ingest.post([], { headers: BATCH }), 400, 'empty_batch');
  });

  it('is one log line for each refusal, whatever is in the event', async () => {
    const answer = await post('structured', cloudEvent({ outcome: 'a\r\n\u001b[31mb' }));
    const lines = ingest.logs.filter((line) => line.fields.requestId === answer.body.requestId);
    expect(lines).toMatchObject([{ level: 'info', fields: { code: 'invalid_event', pointers: ['/outcome'] } }]);
  });
});
