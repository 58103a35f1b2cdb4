/**
 * Real: the audit handler and httpHandler, run by the real dispatcher. Fake: their destinations, scripted. The audit
 * log's own side of these answers is tested with a real server elsewhere.
 */
import { describeFailure } from '../../src/application/delivery/describe-failure.js';
import { createDispatcher } from '../../src/application/delivery/dispatcher.js';
import { batchResponseBytes, splitBatch, toBatchBody } from '../../src/application/delivery/handlers/audit-batch.js';
import { auditHandler } from '../../src/application/delivery/handlers/audit-handler.js';
import { type HttpHandlerOptions, httpHandler } from '../../src/application/delivery/handlers/http-handler.js';
import { noteUnknownTypes } from '../../src/application/delivery/note-unknown-types.js';
import type { Handler, HandlerContext } from '../../src/application/delivery/ports.js';
import { AUDIT_LIMITS, parseAuditEvent } from '../../src/contract/audit-dto.js';
import { healthyView } from '../../src/domain/delivery/breaker.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import type { Receipt } from '../../src/domain/delivery/receipt.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import {
  completeEvent,
  type EventForTest,
  FakeHttpClient,
  type OutboxEvent,
  runHandler,
  type Script,
  toAuditEvent,
  toIntegrationEvent,
} from '../../src/testing.js';
import { failure } from '../contract/http-client.contract.js';
import { eventOf } from '../support/events.js';

const EVENT_ID = '0197d3a0-0000-7000-8000-000000000001';
const event: EventForTest = { id: EVENT_ID, eventName: 'auth.user.signed_in.v1', payload: { userId: 'u1' } };

async function run(handler: Handler, script: Script, sent: EventForTest = event) {
  const http = new FakeHttpClient(script);
  const outcome = await runHandler(handler, sent, { http }).then(
    (receipt) => ({ receipt }),
    (error: unknown) => ({ error }),
  );
  return { ...outcome, requests: http.requests };
}

function find(handler: Handler, ...scripts: Script[]) {
  const http = new FakeHttpClient(...scripts);
  const context = {
    http: { send: (request: object) => http.send({ timeoutMs: 1_000, ...request } as never) },
    idempotencyKey: EVENT_ID,
  } as unknown as HandlerContext;
  const found = handler.find?.(eventOf({ id: EVENT_ID }), context) ?? Promise.reject(new Error('no find'));
  return { found, http };
}

describe('the audit handler', () => {
  const handler = auditHandler({ baseUrl: 'http://audit.test:8080/', apiKey: 'key-1' });
  const receipt = {
    recordId: '0197d3a0-0000-7000-8000-00000000000a',
    eventId: EVENT_ID,
    recordedAt: '2026-04-01T00:00:02.000Z',
    hash: `sha-256:${'cd'.repeat(32)}`,
    replayed: false,
  };
  const json = (body: unknown) => JSON.stringify(body);
  const problem = (status: number, code: string) => ({
    status,
    body: json({ type: 'about:blank', title: 't', status, detail: 'd', code, retryable: false }),
  });

  it('R25, R26: posts one valid DTO under the event id, with the content hash of the event', async () => {
    const { requests } = await run(handler, { status: 201, body: json(receipt) });
    const [request] = requests;
    expect(request).toMatchObject({
      method: 'POST',
      url: 'http://audit.test:8080/integration/v1/audit/logs',
      headers: { authorization: 'Bearer key-1', 'content-type': 'application/json', 'Idempotency-Key': EVENT_ID },
    });
    const sent = JSON.parse(request?.body ?? '');
    expect(sent).toMatchObject({ eventId: EVENT_ID, contentHash: `sha-256:${'0'.repeat(64)}` });
    expect(parseAuditEvent(sent, new Date()).ok).toBe(true);
    expect(requests).toHaveLength(1);
  });

  it.each([
    [201, false],
    [200, true],
  ])('returns the receipt of a %i', async (status, replayed) => {
    const outcome = await run(handler, { status, body: json({ ...receipt, replayed }) });
    expect(outcome).toMatchObject({
      receipt: { id: receipt.recordId, hash: receipt.hash, at: receipt.recordedAt, status, replayed },
    });
  });

  it.each<[string, { status: number; body?: string; headers?: Record<string, string> }, string]>([
    ['an empty 201', { status: 201 }, 'HTTP.BAD_RESPONSE'],
    ['HTML', { status: 200, body: '<html>' }, 'HTTP.BAD_RESPONSE'],
    ['JSON cut short', { status: 201, body: json(receipt).slice(0, 40) }, 'HTTP.BAD_RESPONSE'],
    ["another event's receipt", { status: 201, body: json({ ...receipt, eventId: 'x' }) }, 'HTTP.BAD_RESPONSE'],
    ['a receipt without hash', { status: 201, body: json({ ...receipt, hash: undefined }) }, 'HTTP.BAD_RESPONSE'],
    ['202', { status: 202, body: json(receipt) }, 'HTTP.BAD_RESPONSE'],
    ['302', { status: 302, headers: { location: '/' } }, 'HTTP.BAD_RESPONSE'],
    ['400', problem(400, 'invalid_json'), 'HTTP.CLIENT_ERROR'],
    ['401', problem(401, 'unauthorized'), 'HTTP.UNAUTHORIZED'],
    ['409', problem(409, 'identity_conflict'), 'HTTP.CLIENT_ERROR'],
    ['422 for what it holds', problem(422, 'invalid_event'), 'HTTP.CLIENT_ERROR'],
    ['422 for an identity with other content', problem(422, 'identity_conflict'), 'HTTP.ID_CONFLICT'],
    ['422 without a problem', { status: 422, body: 'no' }, 'HTTP.CLIENT_ERROR'],
    ['429', { status: 429, headers: { 'retry-after': '2' } }, 'HTTP.RATE_LIMITED'],
    ['500 for a failure of the log itself', problem(500, 'internal'), 'INGEST.INTERNAL'],
    ['500 of something in front of the log', { status: 500, body: '<html>' }, 'HTTP.SERVER_ERROR'],
    ['502 that calls itself internal', problem(502, 'internal'), 'HTTP.SERVER_ERROR'],
    ['503', problem(503, 'store_unavailable'), 'HTTP.SERVER_ERROR'],
    ['503 with Retry-After', { status: 503, headers: { 'retry-after': '1' } }, 'HTTP.RATE_LIMITED'],
  ])('takes %s for its code, and keeps the answer', async (_, answer, code) => {
    const { error } = (await run(handler, answer)) as { error?: unknown };
    expect(error).toMatchObject({ code, status: answer.status, response: { status: answer.status } });
  });

  it('passes Retry-After on, unclamped', async () => {
    const outcome = await run(handler, { status: 429, headers: { 'Retry-After': '2' } });
    expect(outcome).toMatchObject({ error: { retryAfterMs: 2_000 } });
  });

  it('passes chosen headers on; 4 KiB of the body are kept of it, cut between two characters', async () => {
    const headers = { 'content-type': 'text/plain', 'set-cookie': 'secret', 'x-request-id': 'q'.repeat(500) };
    const { error } = (await run(handler, { status: 500, headers, body: `x${'ü'.repeat(4_000)}` })) as {
      error?: unknown;
    };
    expect(describeFailure(error as IntegrationError, createRedactor()).response).toEqual({
      status: 500,
      headers: { 'content-type': 'text/plain', 'x-request-id': `${'q'.repeat(199)}…` },
      body: `x${'ü'.repeat(2_047)}`,
    });
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  it("ends what a user's mapper made wrong as DISPATCH.INVALID_EVENT with the field, unsent", async () => {
    const mappers = { 'auth.user.signed_in.v1': () => ({ action: 'Not An Action' }) };
    const strict = auditHandler({ baseUrl: 'http://audit.test', apiKey: 'k', mappers });
    const outcome = await run(strict, { status: 201 });
    expect(outcome).toMatchObject({ error: { code: 'DISPATCH.INVALID_EVENT', field: '/action' }, requests: [] });
  });

  it('ends what makes a mapper throw as DISPATCH.INVALID_EVENT, unsent, with the cause; its own field is kept', async () => {
    const deliverWith = async (thrown: Error) => {
      const mappers = {
        'auth.user.signed_in.v1': () => {
          throw thrown;
        },
      };
      const own = auditHandler({ baseUrl: 'http://audit.test', apiKey: 'k', mappers });
      return run(own, { status: 201 });
    };
    const plain = new TypeError("Cannot read properties of undefined (reading 'id')");
    const outcome = (await deliverWith(plain)) as { error?: Error; requests: unknown[] };
    expect(outcome).toMatchObject({ error: { code: 'DISPATCH.INVALID_EVENT', field: '/payload' }, requests: [] });
    expect(outcome.error?.message).toBe('The mapper for "auth.user.signed_in.v1" threw');
    expect(outcome.error?.cause).toBe(plain);
    const named = new IntegrationError('DISPATCH.INVALID_EVENT', { field: '/payload/who', message: 'no who' });
    expect(await deliverWith(named)).toMatchObject({
      error: { code: 'DISPATCH.INVALID_EVENT', field: '/payload/who' },
    });
  });

  it('R25: finds a record that stands by its identity', async () => {
    const { recordId, recordedAt, hash } = receipt;
    const body = json({ results: [{ found: true, recordId, recordedAt, hash }] });
    const { found, http } = find(handler, { status: 200, body });
    await expect(found).resolves.toEqual({ id: recordId, hash, at: recordedAt, replayed: true, status: 200 });
    expect(http.requests[0]).toMatchObject({
      url: 'http://audit.test:8080/integration/v1/audit/lookup',
      body: json({
        identities: [{ source: 'outbox:main', eventId: EVENT_ID, contentHash: `sha-256:${'ab'.repeat(32)}` }],
      }),
    });
  });

  it('R18: what stands under its identity with other content is no effect of the event', async () => {
    const { recordId, recordedAt, hash } = receipt;
    const stands = (sameContent: boolean) => {
      const body = json({ results: [{ found: true, recordId, recordedAt, hash, sameContent }] });
      return find(handler, { status: 200, body }).found;
    };
    await expect(stands(false)).resolves.toBeNull();
    await expect(stands(true)).resolves.toMatchObject({ id: recordId });
  });

  it('finds nothing where none stands, and throws where the answer says neither', async () => {
    await expect(find(handler, { status: 200, body: json({ results: [{ found: false }] }) }).found).resolves.toBeNull();
    expect((await failure(find(handler, { status: 200, body: json({ results: [] }) }).found)).code).toBe(
      'HTTP.BAD_RESPONSE',
    );
    expect((await failure(find(handler, { status: 503 }).found)).code).toBe('HTTP.SERVER_ERROR');
  });
});

describe('R20: the audit handler with many events', () => {
  const handler = auditHandler({ baseUrl: 'http://audit.test:8080/', apiKey: 'key-1' });
  const json = (body: unknown) => JSON.stringify(body);
  const idOf = (n: number) => `0197d3a0-0000-7000-8000-${String(n).padStart(12, '0')}`;
  const eventsOf = (count: number, payload: EventForTest['payload'] = { userId: 'u1' }) =>
    Array.from({ length: count }, (_, n) => completeEvent({ ...event, id: idOf(n), routingKey: 'audit.log', payload }));
  const receiptOf = (eventId: string, replayed = false) => ({
    status: replayed ? 200 : 201,
    receipt: {
      recordId: idOf(999_999),
      eventId,
      recordedAt: '2026-04-01T00:00:02.000Z',
      hash: `sha-256:${'cd'.repeat(32)}`,
      replayed,
    },
  });
  const problemOf = (status: number, code: string, more: object = {}) => ({
    status,
    problem: { type: 'about:blank', title: 't', status, detail: 'd', code, retryable: false, ...more },
  });
  const sentBy = ({ body = '' }: { body?: string }) =>
    (JSON.parse(body) as { eventId: string }[]).map(({ eventId }) => eventId);
  /** One result for each item that was sent. */
  const results =
    (of: (eventId: string) => object): Script =>
    (request) => ({ status: 207, body: json({ results: sentBy(request).map(of) }) });

  type Answered = { readonly answers?: readonly (Receipt | IntegrationError)[]; readonly error?: unknown };
  async function runBatch(script: Script | readonly Script[], events = eventsOf(3), own = handler) {
    const http = new FakeHttpClient(...[script].flat());
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const dispatcher = createDispatcher({ handlers: [own], http, log, places: { local: 1, regular: 1 } });
    const { signal } = new AbortController();
    const destination = healthyView('audit.log');
    const outcome: Answered = await dispatcher
      .dispatchBatch(events, { mode: 'regular', timeoutMs: 10_000, signal, destination })
      .then(
        (answers) => (typeof answers === 'string' ? { error: answers } : { answers }),
        (error: unknown) => ({ error }),
      );
    return { ...outcome, requests: http.requests };
  }

  it('R25, R26: posts an array of valid DTOs in order, without an Idempotency-Key, and reads a receipt for each', async () => {
    const { answers, requests } = await runBatch(results((id) => receiptOf(id, id === idOf(1))));
    expect(answers).toMatchObject(
      [false, true, false].map((replayed) => ({ id: idOf(999_999), status: replayed ? 200 : 201, replayed })),
    );
    const [request] = requests;
    expect(requests).toHaveLength(1);
    expect(request).toMatchObject({ method: 'POST', url: 'http://audit.test:8080/integration/v1/audit/logs' });
    expect(Object.keys(request?.headers ?? {})).toEqual(['authorization', 'content-type']);
    const sent = JSON.parse(request?.body ?? '') as object[];
    expect(sent).toMatchObject([0, 1, 2].map((n) => ({ eventId: idOf(n), contentHash: `sha-256:${'0'.repeat(64)}` })));
    for (const one of sent) expect(parseAuditEvent(one, new Date()).ok).toBe(true);
  });

  it('reads each item as if it had been sent alone', async () => {
    const told: [object, string][] = [
      [problemOf(422, 'invalid_event'), 'HTTP.CLIENT_ERROR'],
      [problemOf(422, 'identity_conflict'), 'HTTP.ID_CONFLICT'],
      [problemOf(403, 'tenant_forbidden'), 'HTTP.UNAUTHORIZED'],
      [problemOf(500, 'internal', { failedIngestId: 'f' }), 'INGEST.INTERNAL'],
      [problemOf(503, 'store_unavailable'), 'HTTP.SERVER_ERROR'],
      // Somebody else's receipt is none.
      [receiptOf(idOf(0)), 'HTTP.BAD_RESPONSE'],
    ];
    const body = json({ results: [receiptOf(idOf(0)), ...told.map(([result]) => result)] });
    const { answers = [] } = await runBatch({ status: 207, body }, eventsOf(7));
    expect(answers[0]).toMatchObject({ id: idOf(999_999) });
    const errors = answers.slice(1) as IntegrationError[];
    expect(errors.map(({ code }) => code)).toEqual(told.map(([, code]) => code));
    const status = (one: object) => (one as { status: number }).status;
    expect(errors.map((one) => one.status)).toEqual(told.map(([result]) => status(result)));
    expect(errors[0]?.response).toMatchObject({ status: 422, body: expect.stringContaining('invalid_event') });
  });

  it('R19: an answer to the whole is each status’s own, and says nothing of any item', async () => {
    const whole = (status: number, code: string) => ({ status, body: json(problemOf(status, code).problem) });
    for (const [answer, code] of [
      [whole(401, 'unauthorized'), 'HTTP.UNAUTHORIZED'],
      [whole(413, 'body_too_large'), 'HTTP.CLIENT_ERROR'],
      [whole(422, 'invalid_event'), 'HTTP.CLIENT_ERROR'],
      [{ status: 429, headers: { 'retry-after': '2' } }, 'HTTP.RATE_LIMITED'],
      [whole(503, 'store_unavailable'), 'HTTP.SERVER_ERROR'],
      [whole(500, 'internal'), 'INGEST.INTERNAL'],
      [{ status: 201, body: json(receiptOf(idOf(0)).receipt) }, 'HTTP.BAD_RESPONSE'],
      [{ status: 201, body: json(receiptOf('').receipt) }, 'HTTP.BAD_RESPONSE'],
      [{ status: 200, body: '<html>' }, 'HTTP.BAD_RESPONSE'],
      [{ status: 302, headers: { location: '/' } }, 'HTTP.BAD_RESPONSE'],
      ['network-error', 'HTTP.NETWORK'],
    ] as const) {
      const { answers, error } = await runBatch(answer);
      expect({ answers, error }).toMatchObject({ answers: undefined, error: { code } });
    }
    expect(await runBatch({ status: 429, headers: { 'retry-after': '2' } })).toMatchObject({
      error: { retryAfterMs: 2_000 },
    });
  });

  it.each<[string, string]>([
    ['one too few', json({ results: [receiptOf(idOf(0)), receiptOf(idOf(1))] })],
    ['one too many', json({ results: [0, 1, 2, 3].map((n) => receiptOf(idOf(n))) })],
    ['what is no result', json({ results: [receiptOf(idOf(0)), receiptOf(idOf(1)), { status: 201 }] })],
    ['no results', '{}'],
    ['no JSON', '<html>'],
    ['nothing', ''],
  ])('a 207 with %s is HTTP.BAD_RESPONSE as a whole', async (_, body) => {
    expect(await runBatch({ status: 207, body })).toMatchObject({ error: { code: 'HTTP.BAD_RESPONSE', status: 207 } });
  });

  it('posts no more at once than the log takes: items, and bytes', async () => {
    const counts = async (events: ReturnType<typeof eventsOf>) => {
      const { answers = [], requests } = await runBatch(
        results((id) => receiptOf(id)),
        events,
      );
      // Each event has its own answer, whichever request it was in.
      expect(answers).toHaveLength(events.length);
      expect(answers.filter((one) => !('id' in one))).toEqual([]);
      expect(requests.flatMap(sentBy)).toEqual(events.map(({ id }) => id));
      for (const { body = '' } of requests)
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(AUDIT_LIMITS.batchBytes);
      return requests.map((request) => sentBy(request).length);
    };
    expect(await counts(eventsOf(500))).toEqual([500]);
    expect(await counts(eventsOf(501))).toEqual([500, 1]);
    // Three bytes each.
    const large = eventsOf(120, { note: '€'.repeat(13_000) });
    const parts = await counts(large);
    expect(parts).toHaveLength(2);
    // As many as fit.
    const size = Buffer.byteLength(toBatchBody([{ eventId: '', json: json(auditOf(large[0])) }])) - 1;
    expect(parts[0]).toBe(Math.floor((AUDIT_LIMITS.batchBytes - 1) / size));
  });

  it('a body is filled, and not beyond what is taken', () => {
    const item = (bytes: number) => ({ eventId: 'e', json: 'x'.repeat(bytes) });
    const most = AUDIT_LIMITS.batchBytes;
    const partsOf = (...sizes: number[]) => {
      const parts = splitBatch(sizes.map(item));
      for (const part of parts) expect(toBatchBody(part).length).toBeLessThanOrEqual(most);
      return parts.map(({ length }) => length);
    };
    expect(partsOf(10, most - 14)).toEqual([2]);
    expect(partsOf(10, most - 12)).toEqual([1, 1]);
    expect(partsOf()).toEqual([]);
  });

  it('one that the mapping refuses is not sent, and keeps none of the others; with all such nothing is sent', async () => {
    const mappers = { 'auth.user.broken.v1': () => ({ action: 'Not An Action' }) };
    const strict = auditHandler({ baseUrl: 'http://audit.test', apiKey: 'k', mappers });
    const [first, second, third] = eventsOf(3);
    if (!(first && second && third)) throw new Error('expected three events');
    const bad = { ...second, eventName: 'auth.user.broken.v1' };
    const { answers, requests } = await runBatch(
      results((id) => receiptOf(id)),
      [first, bad, third],
      strict,
    );
    expect(answers).toMatchObject([{ id: idOf(999_999) }, { code: 'DISPATCH.INVALID_EVENT', field: '/action' }, {}]);
    expect(requests.map(sentBy)).toEqual([[first.id, third.id]]);
    const none = await runBatch('network-error', [bad], strict);
    expect(none).toMatchObject({ answers: [{ code: 'DISPATCH.INVALID_EVENT' }], requests: [] });
  });

  it('a failure of a later request is that of its events alone; of the first one, of the call', async () => {
    const first = results((id) => receiptOf(id));
    const later = await runBatch([first, { status: 503 }], eventsOf(501));
    expect(later.answers?.slice(-2)).toMatchObject([{ replayed: false }, { code: 'HTTP.SERVER_ERROR', status: 503 }]);
    expect(later.requests).toHaveLength(2);
    const { error } = await runBatch({ status: 503 }, eventsOf(501));
    expect(error).toMatchObject({ code: 'HTTP.SERVER_ERROR', status: 503 });
  });

  it('R19, R20: a later request that is refused as a whole is told from what was said of an event by itself', async () => {
    const refusesOne = results((id) => (id === idOf(499) ? problemOf(422, 'invalid_event') : receiptOf(id)));
    for (const whole of [{ status: 404 }, { status: 200, body: '<html>' }]) {
      const { answers = [] } = await runBatch([refusesOne, whole], eventsOf(502));
      expect(answers.slice(-3)).toMatchObject([
        { code: 'HTTP.CLIENT_ERROR', status: 422, ofRequest: false },
        { status: whole.status, ofRequest: true },
        { status: whole.status, ofRequest: true },
      ]);
    }
  });

  it('500 receipts, and 500 problems that name some fields, are within what is read of an answer', async () => {
    const errors = Array.from({ length: 20 }, (_, n) => ({
      pointer: `/metadata/some-field-of-a-quite-long-name/${n}`,
      detail: 'Too small: expected string to have >=1 characters, and some more words',
    }));
    for (const [of, expected] of [
      [(id: string) => receiptOf(id), 'id'],
      [() => problemOf(422, 'invalid_event', { requestId: idOf(1), errors }), 'code'],
    ] as const) {
      const { answers = [] } = await runBatch(results(of), eventsOf(500));
      expect(answers.filter((one) => expected in one && one instanceof Error === (expected === 'code'))).toHaveLength(
        500,
      );
    }
    // One that never ends is not read to its end.
    const endless = { status: 207, body: 'x'.repeat(batchResponseBytes(3) + 1) };
    expect(await runBatch(endless)).toMatchObject({ error: { code: 'HTTP.BAD_RESPONSE' } });
  });

  it('tells of a type that the mapping does not know as it does for a single one', async () => {
    const told: string[] = [];
    const telling = auditHandler({
      baseUrl: 'http://audit.test',
      apiKey: 'k',
      onUnknownType: (type) => told.push(type),
    });
    const events = eventsOf(3).map((one, n) =>
      n === 0 ? one : { ...one, eventName: 'parcel.sorted.v1', eventType: 'SHIPPING' },
    );
    await runBatch(
      results((id) => receiptOf(id)),
      events,
      telling,
    );
    expect(told).toEqual(['SHIPPING', 'SHIPPING']);
  });

  function auditOf(one: OutboxEvent | undefined) {
    if (one === undefined) throw new Error('expected an event');
    return toAuditEvent(toIntegrationEvent(one), {}, createRedactor());
  }
});

describe('an event type that the audit mapping does not know', () => {
  const receiptOf = (id: string) => ({
    status: 201,
    body: JSON.stringify({
      recordId: '0197d3a0-0000-7000-8000-00000000000a',
      eventId: id,
      recordedAt: '2026-04-01T00:00:02.000Z',
      hash: `sha-256:${'cd'.repeat(32)}`,
      replayed: false,
    }),
  });
  function noting() {
    const lines: object[] = [];
    const counted: string[] = [];
    const log = { debug: () => {}, info: () => {}, error: () => {}, warn: (fields: object) => void lines.push(fields) };
    return { lines, counted, note: noteUnknownTypes({ log, count: (name) => void counted.push(name) }) };
  }
  const options = { baseUrl: 'http://audit.test', apiKey: 'k' };

  it('is delivered as "other", counted each time and told once', async () => {
    const { lines, counted, note } = noting();
    const handler = auditHandler({ ...options, onUnknownType: note });
    for (const eventType of ['SHIPPING', 'SHIPPING', 'RETURNS', 'ORDER', 'order', 'IMPORT']) {
      const unknown = { ...event, eventName: 'parcel.sorted.v1', eventType };
      expect(await run(handler, receiptOf(EVENT_ID), unknown)).toMatchObject({ receipt: { replayed: false } });
    }
    expect(counted).toEqual(Array(3).fill('unknown_event_types'));
    expect(lines).toMatchObject([{ eventType: 'SHIPPING' }, { eventType: 'RETURNS' }]);
  });

  it('is none where a mapper gives the category', async () => {
    const { counted, note } = noting();
    const mappers = { 'parcel.sorted': () => ({ category: 'data' as const }) };
    const handler = auditHandler({ ...options, mappers, onUnknownType: note });
    await run(handler, receiptOf(EVENT_ID), { ...event, eventName: 'parcel.sorted.v1', eventType: 'SHIPPING' });
    expect(counted).toEqual([]);
  });

  it('is told of for two hundred types, however many there are', () => {
    const { lines, counted, note } = noting();
    for (let n = 0; n < 500; n++) note(`T${n}`);
    expect([lines.length, counted.length]).toEqual([200, 500]);
  });
});

describe('httpHandler', () => {
  const define = (options: Partial<HttpHandlerOptions> = {}) =>
    httpHandler({ routingKey: 'partner', url: 'https://partner.test/orders', ...options });

  it('sends the event as JSON with its id as Idempotency-Key, over any header of the same name', async () => {
    const handler = define({ method: 'PUT', headers: { 'x-key': 's', 'Idempotency-Key': 'mine' }, timeoutMs: 770 });
    const { requests } = await run(handler, { status: 200, body: '{"id":"p1"}' });
    expect(requests[0]).toMatchObject({
      method: 'PUT',
      url: 'https://partner.test/orders',
      headers: { 'x-key': 's', 'content-type': 'application/json', 'idempotency-key': EVENT_ID },
    });
    expect(Object.keys(requests[0]?.headers ?? {})).toHaveLength(3);
    expect(requests[0]?.timeoutMs).toBeLessThanOrEqual(770);
    expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({
      id: EVENT_ID,
      name: event.eventName,
      payload: event.payload,
    });
  });

  it('without trace context leaves the trace out of the body, and nothing else', async () => {
    const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=1' };
    const sent = { ...event, headers: { ...trace, correlationId: 'c1' } };
    const bodyOf = async (options: Partial<HttpHandlerOptions>) => {
      const { requests } = await run(define(options), { status: 200, body: '{"id":"p1"}' }, sent);
      return JSON.parse(requests[0]?.body ?? '') as { headers: object };
    };
    const whole = await bodyOf({});
    expect(whole.headers).toEqual(sent.headers);
    expect(await bodyOf({ traceContext: true })).toEqual(whole);
    expect(await bodyOf({ traceContext: false })).toEqual({ ...whole, headers: { correlationId: 'c1' } });
  });

  it.each([
    ['{"id":"p1"}', 'p1'],
    ['{"id":7}', '7'],
  ])('takes the id of %s for the receipt', async (body, id) => {
    expect(await run(define(), { status: 202, body })).toMatchObject({ receipt: { id, status: 202, replayed: false } });
  });

  it.each(['', 'ok', '[]', 'null', '{}', '{"id":null}', '{"id":1.5}', '{"id":""}'])(
    'ends a 2xx with the body %j as HTTP.BAD_RESPONSE',
    async (body) => {
      expect(await run(define(), { status: 200, body })).toMatchObject({ error: { code: 'HTTP.BAD_RESPONSE' } });
    },
  );

  it('reads another agreed receipt where told how', async () => {
    const handler = define({
      receipt: ({ headers }) => (headers.location === undefined ? null : { id: headers.location }),
    });
    expect(await run(handler, { status: 201, headers: { Location: '/o/1' } })).toMatchObject({
      receipt: { id: '/o/1' },
    });
    expect(await run(handler, { status: 201 })).toMatchObject({ error: { code: 'HTTP.BAD_RESPONSE' } });
  });

  it('takes the first receipt out of a 409 where told how, and from no other refusal', async () => {
    const answer = (status: number) => ({ status, body: '{"id":"p1","first":"o1"}' });
    const told = define({
      conflictReceipt: ({ body }) => {
        const { first } = JSON.parse(body) as { first?: string };
        return first === undefined ? null : { id: first };
      },
      findUrl: 'https://partner.test/orders/{id}',
    });
    expect(await run(told, answer(409))).toMatchObject({ receipt: { id: 'o1', status: 409, replayed: true } });
    expect(await run(told, answer(201))).toMatchObject({ receipt: { id: 'p1', status: 201, replayed: false } });
    // What `receipt` makes of an answer is for answers of success; a 409 to `findUrl` says nothing of an effect.
    const reading = define({ receipt: (_, { id }) => ({ id }) });
    expect(await run(reading, answer(409))).toMatchObject({ error: { code: 'HTTP.CLIENT_ERROR' } });
    expect((await failure(find(told, answer(409)).found)).code).toBe('HTTP.CLIENT_ERROR');
    expect(await run(told, answer(422))).toMatchObject({ error: { code: 'HTTP.CLIENT_ERROR' } });
    expect(await run(told, { status: 409, body: '{}' })).toMatchObject({ error: { code: 'HTTP.CLIENT_ERROR' } });
    expect(await run(define(), answer(409))).toMatchObject({ error: { code: 'HTTP.CLIENT_ERROR' } });
  });

  it('classifies what is no success', async () => {
    expect(await run(define(), { status: 422, body: '{"id":"p1"}' })).toMatchObject({
      error: { code: 'HTTP.CLIENT_ERROR' },
    });
    expect(await run(define(), 'network-error')).toMatchObject({ error: { code: 'HTTP.NETWORK' } });
  });

  it('asks findUrl for the event: 2xx it stands, 404 it does not, else it is unknown', async () => {
    const handler = define({ findUrl: 'https://partner.test/orders/{id}' });
    const { found, http } = find(handler, { status: 200, body: '{"id":"p1"}' });
    await expect(found).resolves.toMatchObject({ id: 'p1', replayed: true });
    expect(http.requests[0]).toMatchObject({ method: 'GET', url: `https://partner.test/orders/${EVENT_ID}` });
    await expect(find(handler, { status: 404 }).found).resolves.toBeNull();
    expect((await failure(find(handler, { status: 500 }).found)).code).toBe('HTTP.SERVER_ERROR');
    expect(define().find).toBeUndefined();
  });

  it.each<[string, Partial<HttpHandlerOptions>]>([
    ['url', { url: 'partner.test' }],
    ['url', { url: 'ftp://partner.test/' }],
    ['findUrl', { findUrl: '/orders/{id}' }],
    ['routingKey', { routingKey: 'a b' }],
  ])('refuses a bad %s where it is defined', (field, options) => {
    expect(() => define(options)).toThrow(field);
  });
});
