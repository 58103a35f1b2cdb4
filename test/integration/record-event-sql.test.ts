// The SQL contract, outbox.record_event(jsonb), through a plain pg client on a real PostgreSQL, as a producer in another
// language uses it; and that it draws every line where recordEvent draws it. Nothing is fake.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { encodeNewEvent, type NewOutboxEvent } from '../../src/application/delivery/new-outbox-event.js';
import { EVENT_LIMITS } from '../../src/domain/delivery/outbox-event.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';

let databases: TestDatabases;
let client: pg.Client;

beforeAll(async () => {
  databases = await createTestDatabases();
  client = new pg.Client({ connectionString: databases.outboxUrl });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await databases.drop();
});

type Parts = Record<string, unknown>;
const minimal = { eventName: 'a.b.v1', eventType: 'AUTH', aggregate: { type: 'user', id: '1' }, payload: {} };
const with_ = (parts: Parts): Parts => ({ ...minimal, ...parts });
const aggregate = (parts: Parts): Parts => with_({ aggregate: { type: 'user', id: '1', ...parts } });

it('appends with its defaults and answers a UUIDv7', async () => {
  const id = await append(minimal);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const { rows } = await client.query('SELECT * FROM outbox.event WHERE id = $1', [id]);
  expect(rows[0]).toMatchObject({ routing_key: 'audit.log', source: 'outbox:main', tenant_id: '', headers: {} });
});

it('R25: takes the source from the stored deployment name', async () => {
  await client.query('BEGIN');
  await client.query(`UPDATE outbox.deployment SET name = 'shop-eu'`);
  const id = await append(minimal);
  const { rows } = await client.query('SELECT source FROM outbox.event WHERE id = $1', [id]);
  await client.query('ROLLBACK');
  expect(rows).toEqual([{ source: 'outbox:shop-eu' }]);
});

it('R25: without a deployment name an event that has no source is refused, and says what to run', async () => {
  await client.query('BEGIN');
  await client.query('DELETE FROM outbox.deployment');
  const id = await append(with_({ source: 'erp:legacy' }));
  const { rows } = await client.query('SELECT source FROM outbox.event WHERE id = $1', [id]);
  expect(rows).toEqual([{ source: 'erp:legacy' }]);
  const error = await append(minimal).catch((reason: unknown) => reason);
  await client.query('ROLLBACK');
  expect(error).toMatchObject({
    code: '55000',
    message: expect.stringContaining('outbox migrate deploy --deployment NAME'),
  });
});

it('the same id a second time is 23505', async () => {
  const id = randomUUID();
  await append(with_({ id }));
  expect((await refusal(with_({ id }))).code).toBe('23505');
});

it('the same content has the same hash, other content another', async () => {
  const at = { occurredAt: '2026-01-01T00:00:00Z' };
  const a = await hashOf(with_({ ...at, payload: { x: 1, y: { b: 2, a: 1 } } }));
  expect(await hashOf(with_({ ...at, payload: { y: { a: 1, b: 2 }, x: 1 } }))).toBe(a);
  expect(await hashOf(with_({ ...at, payload: { x: 2, y: { b: 2, a: 1 } } }))).not.toBe(a);
  expect(await hashOf(with_({ ...at, tenantId: 't', payload: { x: 1, y: { b: 2, a: 1 } } }))).not.toBe(a);
});

it('keeps numbers that JavaScript cannot hold', async () => {
  const { rows } = await client.query<{ id: string }>(
    `SELECT outbox.record_event(jsonb_set($1::jsonb, '{payload}', '{"n": 9007199254740993}')) AS id`,
    [JSON.stringify(minimal)],
  );
  const stored = await client.query(`SELECT payload->>'n' AS n FROM outbox.event WHERE id = $1`, [rows[0]?.id]);
  expect(stored.rows).toEqual([{ n: '9007199254740993' }]);
});

it('names the event of a batch that does not fit, and appends none of it', async () => {
  const before = await count();
  const batch = [minimal, with_({ tenantId: 5 })];
  const answer = client.query('SELECT outbox.record_events($1::jsonb)', [JSON.stringify(batch)]);
  await expect(answer).rejects.toMatchObject({
    code: '22023',
    message: 'event 1: tenantId: expected a string, got number',
  });
  expect(await count()).toBe(before);
});

describe('refuses with 22023 and the name of the field, as recordEvent does by JSON Pointer,', () => {
  const cases: [string, Parts, string][] = [
    ...['id', 'eventName', 'eventType', 'routingKey', 'source', 'tenantId', 'occurredAt', 'availableAt'].map(
      (field): [string, Parts, string] => [`a number for ${field}`, with_({ [field]: 5 }), field],
    ),
    ['an unknown field', with_({ colour: 'red' }), 'colour'],
    ['a null name', with_({ eventName: null }), 'eventName'],
    ['a newline at the end of a name', with_({ eventName: 'a.b\n' }), 'eventName'],
    ['a blank in a type', with_({ eventType: 'A B' }), 'eventType'],
    ['an empty routing key', with_({ routingKey: '' }), 'routingKey'],
    ['an empty source', with_({ source: '' }), 'source'],
    ['a control character in a source', with_({ source: 'a\u0007' }), 'source'],
    ['a C1 control character in a tenant', with_({ tenantId: 'a\u0085' }), 'tenantId'],
    ['no aggregate', with_({ aggregate: null }), 'aggregate'],
    ['an unknown field of the aggregate', aggregate({ v: 1 }), 'aggregate.v'],
    ['a number for an aggregate type', aggregate({ type: 1 }), 'aggregate.type'],
    ['an empty aggregate id', aggregate({ id: '' }), 'aggregate.id'],
    ['a string for a version', aggregate({ version: '1' }), 'aggregate.version'],
    ['a broken version', aggregate({ version: 0.5 }), 'aggregate.version'],
    ['a version beyond 2^53 - 1', aggregate({ version: 2 ** 53 }), 'aggregate.version'],
    ['an id that is no UUID', with_({ id: 'x' }), 'id'],
    ['a UUID in braces', with_({ id: `{${randomUUID()}}` }), 'id'],
    ['30 February', with_({ occurredAt: '2026-02-30T00:00:00Z' }), 'occurredAt'],
    ['29 February of a common year', with_({ occurredAt: '2100-02-29T00:00:00Z' }), 'occurredAt'],
    ['a time without a zone', with_({ occurredAt: '2026-02-03T00:00:00' }), 'occurredAt'],
    ['a word that PostgreSQL takes for a time', with_({ availableAt: 'tomorrow' }), 'availableAt'],
    ['infinity', with_({ availableAt: 'infinity' }), 'availableAt'],
    ['hour 24', with_({ availableAt: '2026-01-01T24:00:00Z' }), 'availableAt'],
    ['an array for a payload', with_({ payload: [] }), 'payload'],
    ['null for a payload', with_({ payload: null }), 'payload'],
    ['a string for headers', with_({ headers: 'x' }), 'headers'],
    ['a broken traceparent', with_({ headers: { traceparent: 'x' } }), 'headers.traceparent'],
    ['a number for a correlation id', with_({ headers: { correlationId: 7 } }), 'headers.correlationId'],
    ['a string for an actor', with_({ headers: { actor: 'me' } }), 'headers.actor'],
  ];
  it.each(cases)('%s', async (_, event, field) => {
    const error = await refusal(event);
    expect(error.code).toBe('22023');
    expect(error.message).toMatch(new RegExp(`^event 0: ${field.replaceAll('.', '\\.')}: `));
    expect(fieldRefusedByTypeScript(event)).toBe(`/${field.replaceAll('.', '/')}`);
  });

  it('what is no object', async () => {
    for (const event of [null, 5, 'x', []]) {
      expect(await refusal(event as unknown as Parts)).toMatchObject({ code: '22023' });
    }
  });

  it('what happened in the future, by the database’s clock', async () => {
    const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
    await append(with_({ occurredAt: inMinutes(4) }));
    expect((await refusal(with_({ occurredAt: inMinutes(6) }))).message).toContain(
      'occurredAt: expected at most 5 minutes',
    );
    await append(with_({ availableAt: inMinutes(60 * 24 * 365) }));
  });
});

describe('the limits of EVENT_LIMITS are the limits of the database:', () => {
  const text = (length: number) => 'a'.repeat(length);
  const emoji = (length: number) => '😀'.repeat(length);
  const nested = (levels: number): Parts => (levels === 1 ? {} : { a: nested(levels - 1) });
  const sized = (bytes: number): Parts => ({ a: text(bytes - '{"a": ""}'.length) });
  const cases = {
    eventName: (n) => with_({ eventName: text(n) }),
    eventType: (n) => with_({ eventType: text(n) }),
    routingKey: (n) => with_({ routingKey: text(n) }),
    source: (n) => with_({ source: emoji(n) }),
    aggregateType: (n) => aggregate({ type: emoji(n) }),
    aggregateId: (n) => aggregate({ id: emoji(n) }),
    tenantId: (n) => with_({ tenantId: emoji(n) }),
    payloadBytes: (n) => with_({ payload: sized(n) }),
    headersBytes: (n) => with_({ headers: sized(n) }),
    depth: (n) => with_({ payload: nested(n) }),
  } satisfies Record<keyof typeof EVENT_LIMITS, (n: number) => Parts>;

  it.each(Object.entries(cases))('%s', async (name, make) => {
    const limit = EVENT_LIMITS[name as keyof typeof EVENT_LIMITS];
    await append(make(limit));
    expect(fieldRefusedByTypeScript(make(limit))).toBeNull();
    expect((await refusal(make(limit + 1))).code).toBe('22023');
    expect(fieldRefusedByTypeScript(make(limit + 1))).not.toBeNull();
  });

  it('the depth of headers too', async () => {
    await append(with_({ headers: nested(EVENT_LIMITS.depth) }));
    expect((await refusal(with_({ headers: nested(EVENT_LIMITS.depth + 1) }))).message).toContain('headers: ');
  });
});

async function append(event: Parts): Promise<string> {
  const { rows } = await client.query<{ id: string }>('SELECT outbox.record_event($1::jsonb) AS id', [
    JSON.stringify(event),
  ]);
  return rows[0]?.id ?? '';
}

async function refusal(event: Parts): Promise<{ code: string; message: string }> {
  const error = await append(event).then(
    () => null,
    (refused: unknown) => refused,
  );
  if (!(error instanceof Error)) throw new Error('expected a refusal, the event was appended');
  return error as Error & { code: string };
}

async function hashOf(event: Parts): Promise<string> {
  const { rows } = await client.query('SELECT content_hash FROM outbox.event WHERE id = $1', [await append(event)]);
  return rows[0].content_hash;
}

async function count(): Promise<number> {
  return (await client.query('SELECT count(*)::integer AS n FROM outbox.event')).rows[0].n;
}

/** JSON Pointer of the field, or null where recordEvent would send it. */
function fieldRefusedByTypeScript(event: Parts): string | null {
  try {
    encodeNewEvent(event as unknown as NewOutboxEvent, { id: randomUUID, trace: null });
    return null;
  } catch (error) {
    return (error as { field: string }).field;
  }
}
