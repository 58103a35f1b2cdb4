/**
 * CloudEvents at the ingest. Real: PostgreSQL, HTTP, and the CNCF's own SDK as the client, in the three modes it writes
 * (its batch is an array of its structured events). Fake: nothing.
 */
import { randomUUID } from 'node:crypto';
import canonicalize from 'canonicalize';
import { CloudEvent, HTTP, type Message } from 'cloudevents';
import { fingerprint } from '../../src/application/audit/fingerprint.js';
import { createIngestRules } from '../../src/application/audit/ingest-rules.js';
import { recordAuditLog } from '../../src/application/audit/record-audit-log.js';
import type { AuditEvent, JsonObject } from '../../src/contract/audit-dto.js';
import { openConnections } from '../support/open-connections.js';
import { type Answer, event, expectProblem, FINGERPRINT_KEYS, startIngest, type TestIngest } from './ingest-set-up.js';

let ingest: TestIngest;
beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());

const DTO_SCHEMA = 'urn:temporal-outbox:audit:v1';

function sdkEvent(overrides: Record<string, unknown> = {}): CloudEvent<unknown> {
  return new CloudEvent({
    id: randomUUID(),
    source: '/services/shop',
    type: 'com.example.order.cancelled.v2',
    time: '2026-01-02T03:04:05.678Z',
    subject: 'order/17',
    data: { reason: 'changed my mind', lines: [1, 2] },
    ...overrides,
  });
}

const send = (message: Message, key?: string) =>
  ingest.post(message.body as string, {
    headers: message.headers as Record<string, string>,
    ...(key === undefined ? {} : { key }),
  });
const batched = (events: readonly CloudEvent<unknown>[]): Message => ({
  headers: { 'content-type': 'application/cloudevents-batch+json' },
  body: JSON.stringify(events),
});
const traceOf = (letter: string) => `00-${letter.repeat(32)}-${letter.repeat(16)}-01`;
const MODES = {
  structured: (one: CloudEvent<unknown>) => HTTP.structured(one),
  binary: (one: CloudEvent<unknown>) => HTTP.binary(one),
  batch: (one: CloudEvent<unknown>) => batched([one]),
} as const;
const MODE_NAMES = Object.keys(MODES) as (keyof typeof MODES)[];

/** One answer, whether it came alone or in a batch of one. */
const first = (answer: Answer) =>
  answer.status === 207
    ? { status: answer.body.results[0].status, body: answer.body.results[0].receipt ?? answer.body.results[0].problem }
    : { status: answer.status, body: answer.body };

async function stored(id: string): Promise<JsonObject & { rows: number }> {
  const { rows } = await ingest.pool.query('SELECT body FROM audit.record WHERE event_id = $1', [id]);
  return { ...rows[0]?.body, rows: rows.length };
}

describe.each(MODE_NAMES)('in %s mode', (mode) => {
  it('the attributes of an event become the fields of its record', async () => {
    const one = sdkEvent({
      dataschema: 'https://example.com/schemas/order',
      tenantid: 't-1',
      actorid: 'u-7',
      actortype: 'service',
      outcome: 'denied',
      severity: 'high',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      tracestate: 'vendor=1',
      partitionkey: 'p-1',
      sequence: 42,
      sampled: true,
    });
    const answer = await send(MODES[mode](one), await ingest.key(['audit:write'], 't-1'));
    expect(first(answer)).toMatchObject({ status: 201, body: { eventId: one.id, replayed: false } });
    expect(await stored(one.id)).toEqual({
      rows: 1,
      specVersion: '1.0',
      eventId: one.id,
      source: '/services/shop',
      action: 'com.example.order.cancelled',
      actionVersion: 2,
      category: 'data',
      operation: 'update',
      outcome: 'denied',
      severity: 'high',
      occurredAt: '2026-01-02T03:04:05.678Z',
      tenantId: 't-1',
      actor: { type: 'service', id: 'u-7' },
      targets: [{ type: 'subject', id: 'order/17' }],
      context: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
      metadata: { partitionkey: 'p-1', sequence: '42', sampled: 'true' },
      dataSchema: 'https://example.com/schemas/order',
      data: { reason: 'changed my mind', lines: [1, 2] },
      routing: { eventName: 'com.example.order.cancelled.v2' },
    });
  });

  it('the least that an event may have is enough: its source is the actor', async () => {
    const one = sdkEvent({ type: 'billing.invoice.issued', subject: undefined, data: undefined });
    expect(first(await send(MODES[mode](one))).status).toBe(201);
    const record = await stored(one.id);
    expect(record).toMatchObject({
      category: 'billing',
      operation: 'create',
      outcome: 'success',
      actor: { type: 'system', id: '/services/shop' },
      targets: [],
    });
    expect(record).not.toHaveProperty('data');
  });

  it.each(MODE_NAMES)('an event that stands, sent again in %s mode by another way, is a replay', async (other) => {
    const id = randomUUID();
    const ways = {
      one: { traceparent: traceOf('a'), partitionkey: 'p-1', sampledrate: 1 },
      two: { traceparent: traceOf('b'), tracestate: 'vendor=1', partitionkey: 'p-2', sampledrate: 30 },
    };
    const answer = first(await send(MODES[mode](sdkEvent({ id, ...ways.one }))));
    const again = first(await send(MODES[other](sdkEvent({ id, ...ways.two }))));
    expect(first(await send(MODES[other](sdkEvent({ id })))).status).toBe(200);
    expect([answer.status, again.status]).toEqual([201, 200]);
    expect(again.body).toEqual({ ...answer.body, replayed: true });
    expect((await stored(id)).rows).toBe(1);
  });

  it.each([
    ['data', { data: { reason: 'another' } }],
    ['type', { type: 'com.example.order.cancelled.v3' }],
    ['an extension', { warehouse: 'w-2' }],
    ['its time left out', { time: undefined }],
  ])('B20: the same id with other %s is refused', async (_, other) => {
    const id = randomUUID();
    await send(MODES[mode](sdkEvent({ id })));
    const changed = JSON.parse(JSON.stringify({ ...sdkEvent({ id }).toJSON(), ...other }));
    const message = mode === 'binary' ? HTTP.binary(new CloudEvent(changed)) : null;
    if (message !== null && changed.time === undefined) delete message.headers['ce-time'];
    const answer = first(
      message !== null
        ? await send(message)
        : await ingest.post(mode === 'batch' ? [changed] : changed, {
            headers: { 'Content-Type': `application/cloudevents${mode === 'batch' ? '-batch' : ''}+json` },
          }),
    );
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'identity_conflict', retryable: false, errors: [{ pointer: '/id' }] },
    });
    expect((await stored(id)).rows).toBe(1);
  });

  it('a resend of an event without a time is a replay, though its record has the time of the first', async () => {
    const bare = { specversion: '1.0', id: randomUUID(), source: '/s', type: 'auth.user.signed_in' };
    const message = (): Message => {
      if (mode !== 'binary') return { headers: {}, body: JSON.stringify(mode === 'batch' ? [bare] : bare) };
      const headers = Object.fromEntries(Object.entries(bare).map(([name, value]) => [`ce-${name}`, value]));
      return { headers, body: undefined };
    };
    const type = { structured: '+json', batch: '-batch+json' } as Record<string, string>;
    const post = async () => {
      const { headers, body } = message();
      if (mode !== 'binary') headers['Content-Type'] = `application/cloudevents${type[mode]}`;
      else headers['Content-Type'] = 'application/json';
      return first(await ingest.post(body ?? '', { headers: headers as Record<string, string> }));
    };
    const before = Date.now();
    const [answer, again] = [await post(), await post()];
    expect([answer.status, again.status]).toEqual([201, 200]);
    expect(again.body).toEqual({ ...answer.body, replayed: true });
    const { occurredAt } = await stored(bare.id);
    expect(Math.abs(Date.parse(occurredAt as string) - before)).toBeLessThan(60_000);
  });

  it('B19: fifty at once are one record', async () => {
    await openConnections(ingest.pool, 50);
    const one = sdkEvent();
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(MODES[mode](one))));
    const statuses = answers.map((answer) => first(answer).status).sort();
    expect(statuses).toEqual([...Array.from({ length: 49 }, () => 200), 201]);
    expect((await stored(one.id)).rows).toBe(1);
  });

  describe('an audit event of DTO v1 as data', () => {
    const wrap = (dto: object, overrides = {}) => {
      const { eventId, source } = dto as { eventId: string; source: string };
      return sdkEvent({
        id: eventId,
        source,
        type: 'com.example.audited',
        dataschema: DTO_SCHEMA,
        data: dto,
        ...overrides,
      });
    };

    it('is taken as such', async () => {
      const dto = event({ data: { of: 'the DTO' }, actor: { type: 'apiKey', id: 'k-1' } });
      expect(first(await send(MODES[mode](wrap(dto)))).status).toBe(201);
      expect(await stored(dto.eventId)).toEqual({ ...dto, rows: 1 });
      expect(first(await send(MODES[mode](wrap(dto)))).status).toBe(200);
    });

    it.each(MODE_NAMES)(
      'is the same in %s mode, whatever its way, its envelope and its trace; and without one',
      async (other) => {
        const way = (letter: string) => ({
          context: { ip: '203.0.113.7', traceparent: traceOf(letter) },
          routing: { outboxId: letter },
        });
        const dto = event({ data: { of: 'the DTO' }, ...way('a') });
        const answer = first(await send(MODES[mode](wrap(dto, { traceparent: traceOf('a'), partitionkey: 'p-1' }))));
        const envelope = {
          type: 'com.example.again',
          time: '2026-02-02T02:02:02Z',
          subject: 'x',
          partitionkey: 'p-2',
          hop: 'second',
        };
        const again = [
          first(await send(MODES[other](wrap({ ...dto, ...way('b') }, { ...envelope, traceparent: traceOf('b') })))),
          await ingest.post({ ...dto, ...way('c') }),
        ];
        for (const { status, body } of again)
          expect({ status, body }).toEqual({ status: 200, body: { ...answer.body, replayed: true } });
        for (const content of [{ data: { of: 'another' } }, { context: { ip: '203.0.113.8' } }])
          expect(first(await send(MODES[other](wrap({ ...dto, ...content }))))).toMatchObject({
            status: 422,
            body: { code: 'identity_conflict' },
          });
        expect((await stored(dto.eventId)).rows).toBe(1);
      },
    );

    it.each([
      [{ id: 'another' }, '/data/eventId'],
      [{ source: '/another' }, '/data/source'],
      [{ tenantid: 't-9' }, '/data/tenantId'],
    ])('under the envelope %j is refused', async (overrides, pointer) => {
      const dto = event();
      const answer = first(await send(MODES[mode](wrap(dto, overrides))));
      expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_event', errors: [{ pointer }] } });
      expect((await stored(dto.eventId)).rows).toBe(0);
    });

    it('that does not fit is refused by pointers below /data', async () => {
      const answer = first(await send(MODES[mode](wrap({ ...event(), outcome: 'x', extra: 1 }))));
      expect(answer.status).toBe(422);
      const pointers = answer.body.errors.map((error: { pointer: string }) => error.pointer);
      expect(pointers.sort()).toEqual(['/data/extra', '/data/outcome']);
    });
  });
});

describe('what a release before has fingerprinted', () => {
  const [current] = FINGERPRINT_KEYS;
  const dto = (): AuditEvent => event({ context: { traceparent: traceOf('a') }, routing: { outboxId: 'o-1' } });
  /** A CloudEvent in JSON, and what was fingerprinted of it then: all but the envelope's trace. */
  const cases = {
    'an audit event in its envelope': () => {
      const data = dto();
      const bare = {
        specversion: '1.0',
        id: data.eventId,
        source: data.source,
        type: 'a.b',
        dataschema: DTO_SCHEMA,
        data,
      };
      return { bare, sent: { ...bare, traceparent: traceOf('a') }, event: data };
    },
    'an event with the attributes of its way': () => {
      const one = event();
      const bare = {
        specversion: '1.0',
        id: one.eventId,
        source: one.source,
        type: 'a.b',
        partitionkey: 'p-1',
        data: { a: 1 },
      };
      return { bare, sent: { ...bare, traceparent: traceOf('a') }, event: one };
    },
  } as const;
  const type = { headers: { 'Content-Type': 'application/cloudevents+json' } };
  const formerly = (bare: object) => fingerprint(current, canonicalize(bare) as string);

  it.each(Object.entries(cases))('%s, sent again as it was: a replay of its record', async (_, make) => {
    const { bare, sent, event: one } = make();
    const record = recordAuditLog({
      store: ingest.store,
      failedIngest: ingest.failedIngest,
      fingerprintKeys: FINGERPRINT_KEYS,
      rules: createIngestRules(),
      log: { error: (fields) => expect(fields).toBe(undefined) },
    });
    const key = {
      id: randomUUID(),
      name: 't',
      prefix: 't',
      scopes: ['audit:write'],
      tenantId: null,
      ratePerMinute: null,
    } as const;
    await record({ key, now: new Date(), events: [{ event: one, content: canonicalize(bare) as string }] });
    const { rows } = await ingest.pool.query('SELECT fingerprint FROM audit.record_key WHERE event_id = $1', [
      one.eventId,
    ]);
    expect(rows[0].fingerprint).toEqual(formerly(bare));
    const again = await ingest.post(sent, type);
    expect({ status: again.status, replayed: again.headers.get('idempotency-replayed') }).toEqual({
      status: 200,
      replayed: 'true',
    });
    expectProblem(
      await ingest.post({ ...sent, type: 'a.c', data: { ...sent.data, a: 2 } }, type),
      422,
      one.context ? 'invalid_event' : 'identity_conflict',
    );
  });

  it.each(Object.entries(cases))(
    '%s, in failed_ingest: it is counted there, and its record closes it as stored',
    async (_, make) => {
      const { bare, sent, event: one } = make();
      const row = {
        identity: { tenantId: '', source: one.source, eventId: one.eventId },
        body: JSON.stringify(one),
        hmacKeyId: current.id,
        failure: { code: 'X', message: 'x' },
        keyId: randomUUID(),
      };
      const id = await ingest.failedIngest.keep({ ...row, fingerprint: formerly(bare) });
      const today = { fingerprint: fingerprint(current, 'another text'), formerFingerprint: formerly(bare) };
      expect(await ingest.failedIngest.keep({ ...row, ...today })).toBe(id);
      expect((await ingest.post(sent, type)).status).toBe(201);
      const { rows } = await ingest.pool.query('SELECT state, tries FROM audit.failed_ingest WHERE event_id = $1', [
        one.eventId,
      ]);
      expect(rows).toEqual([{ state: 'stored', tries: 2 }]);
    },
  );
});

it('a batch answers for each of its events, in order, and overlapping batches are replays', async () => {
  const [good, bad, other] = [sdkEvent(), sdkEvent({ outcome: 'perhaps' }), sdkEvent()];
  const answer = await send(batched([good, bad, other, good]));
  expect(answer.status).toBe(207);
  const statuses = (of: Answer) => of.body.results.map(({ status }: { status: number }) => status);
  expect(statuses(answer)).toEqual([201, 422, 201, 200]);
  expect(answer.body.results[1].problem.errors).toEqual([{ pointer: '/outcome', detail: expect.any(String) }]);
  expect(statuses(await send(batched([other, sdkEvent()])))).toEqual([200, 201]);
});

it('an event of our own format and a CloudEvent under one identity are two contents', async () => {
  const dto = event({ source: '/services/shop' });
  await ingest.post(dto);
  expectProblem(await send(HTTP.structured(sdkEvent({ id: dto.eventId }))), 422, 'identity_conflict');
});

it("a content hash of our outbox's is the fingerprint in a CloudEvent, too (R26)", async () => {
  const key = await ingest.key(['audit:write:any-tenant']);
  const dto = event({ contentHash: `sha-256:${'ab'.repeat(32)}` });
  const wrapped = sdkEvent({ id: dto.eventId, source: dto.source, dataschema: DTO_SCHEMA, data: dto });
  expect((await send(HTTP.structured(wrapped), key)).status).toBe(201);
  expect((await ingest.post(dto, { key })).status).toBe(200);
  const answer = await send(HTTP.structured(wrapped.cloneWith({ id: randomUUID() }, false)));
  expectProblem(answer, 422, 'invalid_event');
});

it('header values are unquoted and percent-decoded once (HTTP binding, 3.1.3.2)', async () => {
  const id = randomUUID();
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-source': '/s%2520x',
    'ce-type': 'auth.user.signed_in',
    'ce-subject': 'Euro%20%E2%82%AC%20%F0%9F%98%80',
    'ce-old': '"a \\"quoted\\" one"',
  };
  expect((await ingest.post({ a: 1 }, { headers })).status).toBe(201);
  expect(await stored(id)).toMatchObject({
    source: '/s%20x',
    targets: [{ type: 'subject', id: 'Euro € 😀' }],
    metadata: { old: 'a "quoted" one' },
  });
  const structured = { specversion: '1.0', id, source: '/s%20x', type: 'auth.user.signed_in' };
  const same = { ...structured, subject: 'Euro € 😀', old: 'a "quoted" one', data: { a: 1 }, nothing: null };
  const type = { headers: { 'Content-Type': 'application/cloudevents+json' } };
  expect((await ingest.post(same, type)).status).toBe(200);
});
