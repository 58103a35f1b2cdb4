/**
 * Real: the audit handler and httpHandler, run by the real dispatcher. Fake: their destinations, scripted. The audit
 * log's own side of these answers is tested with a real server elsewhere.
 */
import { describeFailure } from '../../src/application/delivery/describe-failure.js';
import { auditHandler } from '../../src/application/delivery/handlers/audit-handler.js';
import { type HttpHandlerOptions, httpHandler } from '../../src/application/delivery/handlers/http-handler.js';
import { noteUnknownTypes } from '../../src/application/delivery/note-unknown-types.js';
import type { Handler, HandlerContext } from '../../src/application/delivery/ports.js';
import { parseAuditEvent } from '../../src/contract/audit-dto.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { type EventForTest, FakeHttpClient, runHandler, type Script } from '../../src/testing.js';
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
