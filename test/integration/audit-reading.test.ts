/**
 * The list and one record. Real: the HTTP server, PostgreSQL, keys; records in months that are over, written by the store's
 * own statement. Fake: nothing.
 */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { NewRecord } from '../../src/application/audit/ports.js';
import { toRecordFilter } from '../../src/application/audit/reading/to-record-filter.js';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';
import { AUDIT_EXPORT_PATH, recordListSchema, recordViewSchema } from '../../src/contract/audit-records-api.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createRecordReader } from '../../src/infrastructure/prisma/record-reader.js';
import { makeMonths, recordAt } from '../support/records.js';
import {
  type Answer,
  event,
  expectProblem,
  FINGERPRINT_KEYS,
  startIngest,
  startIngestOn,
  type TestIngest,
} from './ingest-set-up.js';

let ingest: TestIngest;
/** One for each tenant, one for records without a tenant, one for all. */
let keys: Record<'acme' | 'other' | 'none' | 'all', string>;

beforeAll(async () => {
  ingest = await startIngest();
  await makeMonths(ingest.pool, 10);
  keys = {
    acme: await ingest.key(['audit:read', 'audit:write'], 'acme'),
    other: await ingest.key(['audit:read'], 'other'),
    none: await ingest.key(['audit:read']),
    all: await ingest.key(['audit:read:any-tenant']),
  };
}, 60_000);
afterAll(() => ingest.stop());

type Query = Record<string, string>;
const get = (path: string, key: string) => ingest.post('', { method: 'GET', path, key });
const list = (query: Query, key = keys.acme) => get(`${AUDIT_LOGS_PATH}?${new URLSearchParams(query)}`, key);
const show = (id: string, key = keys.acme) => get(`${AUDIT_LOGS_PATH}/${id}`, key);

async function store(...records: NewRecord[]): Promise<NewRecord[]> {
  for (let n = 0; n < records.length; n += 500) await ingest.store.insertNew(records.slice(n, n + 500));
  return records;
}

/** Follows `next` to the end; between two pages `meanwhile` happens. */
async function pages(query: Query, key: string, meanwhile = async () => {}): Promise<string[][]> {
  const found: string[][] = [];
  let cursor: string | null = null;
  do {
    const answer: Answer = await list({ ...query, ...(cursor === null ? {} : { cursor }) }, key);
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200 });
    const page = recordListSchema.parse(answer.body);
    expect(page.items.length).toBeLessThanOrEqual(Number(query.limit ?? 50));
    expect(page.searched.backTo === null).toBe(page.next === null);
    found.push(page.items.map((item) => item.recordId as string));
    cursor = page.next;
    await meanwhile();
  } while (cursor !== null);
  return found;
}

async function exported(query: Query, key: string): Promise<string[]> {
  const answer = await get(`${AUDIT_EXPORT_PATH}?${new URLSearchParams(query)}`, key);
  expect(answer.status).toBe(200);
  const lines = (answer.body as string)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.pop()).toEqual({ type: 'end', records: lines.length });
  return lines.map(({ recordId }) => recordId);
}

describe('the pages of a list', () => {
  const MONTHS = 10;
  const FROM = Date.UTC(2026, 0, 1);
  const SPAN = Date.UTC(2026, MONTHS, 1) - FROM;
  const TENANTS = ['acme', 'other', ''] as const;
  const ACTIONS = ['auth.user.signed_in', 'auth.users.listed', 'auth.user', 'order.order.placed'];
  const WORDS = ['grün', '100%_done', 'a\\b"c', "'; DROP TABLE x --", 'Plain', '<script>'];
  let standing: NewRecord[];
  let random = 1;
  /** The same data in each run. */
  const next = (below: number) => {
    random = (random * 48_271) % 2_147_483_647;
    return random % below;
  };
  const pick = <T>(...choices: readonly T[]) => choices[next(choices.length)] as T;

  const madeUp = (at: number): NewRecord => {
    const rare = next(400) === 0;
    return recordAt(
      new Date(at),
      pick(...TENANTS, 'acme', 'acme', 'acme'),
      event({
        eventId: randomUUID(),
        source: pick('/services/auth', '/services/shop'),
        action: (rare ? pick('rare.thing.done', 'rare.thing') : pick(...ACTIONS)) as string,
        category: pick('authentication', 'data', 'iam'),
        operation: pick('login', 'create', 'update'),
        outcome: pick('success', 'failure', 'denied'),
        severity: pick('info', 'high'),
        occurredAt: new Date(at - next(100) * 86_400_000).toISOString(),
        actor: { type: pick('user', 'service'), id: `a-${next(rare ? 2 : 30)}` },
        targets: Array.from({ length: next(3) }, () => ({
          type: pick('order', 'user'),
          id: `t-${next(rare ? 3 : 200)}`,
        })),
        data: { text: pick(...WORDS) },
      }),
    );
  };

  beforeAll(async () => {
    // Several within one millisecond, and at the very ends of months.
    const times = Array.from({ length: 6_000 }, (_, n) => {
      if (n % 50 === 0) return Date.UTC(2026, 1 + (n % 9), 1) - (n % 100 === 0 ? 0 : 1);
      return FROM + (next(SPAN / 1_000) as number) * 1_000;
    });
    standing = await store(...times.map(madeUp));
  }, 60_000);

  const instant = fc.integer({ min: FROM - 1e9, max: FROM + SPAN + 1e9 }).map((ms) => new Date(ms).toISOString());
  const filters = fc.record(
    {
      actorType: fc.constantFrom('user', 'service', 'anonymous'),
      actorId: fc.constantFrom('a-0', 'a-1', 'a-29', "a' OR 1=1"),
      targetType: fc.constantFrom('order', 'user'),
      targetId: fc.constantFrom('t-0', 't-2', 't-150', 't-'),
      action: fc.constantFrom(...ACTIONS, 'auth', 'rare', 'rare.thing', 'none.such'),
      category: fc.constantFrom('authentication', 'iam', 'other'),
      operation: fc.constantFrom('login', 'delete'),
      outcome: fc.constantFrom('failure', 'unknown'),
      severity: fc.constantFrom('info', 'high', 'low'),
      source: fc.constantFrom('/services/shop', '/services/none'),
      recordedFrom: instant,
      recordedTo: instant,
      occurredFrom: instant,
      occurredTo: instant,
      text: fc.constantFrom('GRÜN', '100%_DONE', 'a\\b"c', "'; drop", '%', '_', '<SCRIPT>', 'plain'),
    },
    { requiredKeys: [] },
  );
  const few = (maximum: number) =>
    filters.map((filter) => Object.fromEntries(Object.entries(filter).slice(0, maximum)));

  const holds = ({ record, identity }: NewRecord, tenantId: string | null, filter: Query): boolean => {
    const body = record.event as unknown as AuditEvent;
    const ms = (time: string | undefined, otherwise: number) => (time === undefined ? otherwise : Date.parse(time));
    const [recorded, occurred] = [Date.parse(record.recordedAt), Date.parse(body.occurredAt)];
    const { targetType, targetId, action, text } = filter;
    return (
      (tenantId === null || identity.tenantId === tenantId) &&
      (filter.actorType ?? body.actor.type) === body.actor.type &&
      (filter.actorId ?? body.actor.id) === body.actor.id &&
      ((targetType ?? targetId) === undefined ||
        body.targets.some(({ type, id }) => (targetType ?? type) === type && (targetId ?? id) === id)) &&
      (action === undefined || body.action === action || body.action.startsWith(`${action}.`)) &&
      (filter.category ?? body.category) === body.category &&
      (filter.operation ?? body.operation) === body.operation &&
      (filter.outcome ?? body.outcome) === body.outcome &&
      (filter.severity ?? body.severity) === body.severity &&
      (filter.source ?? body.source) === body.source &&
      recorded >= ms(filter.recordedFrom, 0) &&
      recorded < ms(filter.recordedTo, 9e15) &&
      occurred >= ms(filter.occurredFrom, 0) &&
      occurred < ms(filter.occurredTo, 9e15) &&
      (text === undefined ||
        JSON.stringify(body).toLowerCase().includes(JSON.stringify(text).slice(1, -1).toLowerCase()))
    );
  };

  const expected = (tenantId: string | null, filter: Query) =>
    standing
      .filter((one) => holds(one, tenantId, filter))
      .map(({ record }) => record.recordId)
      .sort()
      .reverse();

  it('together are what the filter means, each once and in order, while newer records come in; so is an export', async () => {
    const whose = fc.constantFrom<[keyof typeof keys, string | null]>(['acme', 'acme'], ['none', ''], ['all', null]);
    await fc.assert(
      fc.asyncProperty(few(3), whose, fc.integer({ min: 20, max: 200 }), async (filter, [key, tenantId], limit) => {
        // Read first: what comes in after the first page may not be seen at all.
        const wanted = expected(tenantId, filter);
        const newer = async () => {
          standing.push(...(await store(madeUp(Date.now()), madeUp(Date.now()))));
        };
        expect((await pages({ ...filter, limit: String(limit) }, keys[key], newer)).flat()).toEqual(wanted);
        expect((await exported(filter, keys[key])).reverse()).toEqual(expected(tenantId, filter));
      }),
      { numRuns: 60, seed: 20261128 },
    );
  }, 120_000);

  it('come in pages of one, too', async () => {
    const filter = { targetId: 't-0', action: 'rare' };
    const found = await pages({ ...filter, limit: '1' }, keys.acme);
    expect(found.flat()).toEqual(expected('acme', filter));
    expect(found.every((page) => page.length <= 1)).toBe(true);
  });

  it('a time finer than a millisecond means the next one, at both ends', async () => {
    const at = '2026-03-03T03:03:03.123Z';
    const [one] = (await store(recordAt(new Date(at), 'acme', event()))) as [NewRecord];
    standing.push(one);
    const found = async (query: Query) => (await pages(query, keys.acme)).flat().includes(one.record.recordId);
    const day = { recordedFrom: '2026-03-03T00:00:00Z', recordedTo: '2026-03-04T00:00:00Z' };
    expect(await found({ ...day, recordedFrom: at })).toBe(true);
    expect(await found({ ...day, recordedFrom: '2026-03-03T03:03:03.1231Z' })).toBe(false);
    expect(await found({ ...day, recordedTo: at })).toBe(false);
    expect(await found({ ...day, recordedTo: '2026-03-03T05:03:03.1231+02:00' })).toBe(true);
  });

  it('each look is planned for its own values, however often it is asked for', async () => {
    // Prepared, they passed their deadline at a million records, after some repetitions.
    const pool = createPool(ingest.auditUrl, { max: 1 });
    const reader = createRecordReader(pool);
    const filter = toRecordFilter({ targetId: 't-none' }, 'acme');
    for (let n = 0; n < 3; n++) {
      const looked = await reader.look({ filter, order: 'newest', after: null, records: 50_000, take: 10 });
      expect(looked).toEqual({ found: [], records: 1_000, place: null });
    }
    const { rows } = await pool.query('SELECT name FROM pg_prepared_statements');
    expect(rows).toEqual([]);
    await pool.end();
  });

  it('are looked for in turns where a span holds more than an index should give', async () => {
    // 5,100 within an hour, behind 1,100 others: the index gives too many, and a walk goes on.
    const at = Date.UTC(2026, 4, 5, 5);
    const one = (ms: number, id: string) =>
      recordAt(new Date(ms), 'dense', event({ eventId: randomUUID(), targets: [{ type: 'x', id }] }));
    const dense = Array.from({ length: 5_100 }, (_, n) => one(at + n, 'hot'));
    const front = Array.from({ length: 1_100 }, (_, n) => one(at + 10_000 + n, 'cold'));
    await store(...dense, ...front);
    const key = await ingest.key(['audit:read'], 'dense');
    const found = (await pages({ targetId: 'hot', limit: '200' }, key)).flat();
    const ids = dense.map(({ record }) => record.recordId).sort();
    expect(found).toEqual([...ids].reverse());
    expect(await exported({ targetId: 'hot' }, key)).toEqual(ids);
  }, 60_000);
});

describe('an item', () => {
  it('is the record as its receipt told of it, with the event as it was sent', async () => {
    const sent = event({
      tenantId: 'acme',
      context: { ip: '203.0.113.7' },
      metadata: { n: 0.1 },
      data: { ü: [null, 'x'] },
    });
    const receipt = (await ingest.post(sent, { key: keys.acme })).body;
    const { status, body } = await show(receipt.recordId);
    expect(status).toBe(200);
    expect(recordViewSchema.parse(body)).toEqual({
      recordId: receipt.recordId,
      recordedAt: receipt.recordedAt,
      tenantId: 'acme',
      via: 'api',
      hash: receipt.hash,
      event: sent,
    });
    const [item] = (await list({ limit: '1' })).body.items;
    expect(item).toEqual(body);
    expect((await show(receipt.recordId.toUpperCase())).body).toEqual(body);
  });

  it('of a record that was stored with its content hash, as releases before did, is shown and searched without it', async () => {
    const contentHash = `sha-256:${'c0de'.repeat(16)}`;
    const one = event({ eventId: randomUUID() });
    const old = recordAt(new Date('2026-02-03T02:02:02Z'), 'acme', { ...one, contentHash });
    await store(old);
    expect((await show(old.record.recordId)).body.event).toEqual(one);
    const within = { recordedFrom: old.record.recordedAt, recordedTo: '2026-02-03T02:02:02.001Z' };
    for (const text of [contentHash, 'c0dec0de', 'contentHash']) {
      expect((await list({ ...within, text })).body).toMatchObject({ items: [], next: null });
    }
    expect((await list({ ...within, text: one.eventId })).body.items).toHaveLength(1);
    for (const format of ['ndjson', 'csv', 'ocsf']) {
      const { body } = await get(`${AUDIT_EXPORT_PATH}?${new URLSearchParams({ ...within, format })}`, keys.acme);
      expect(JSON.stringify(body)).toContain(one.eventId);
      expect(JSON.stringify(body)).not.toContain('c0dec0de');
    }
  });

  it('of an erased record holds its id, its time and its hash, and nothing else', async () => {
    const gone = recordAt(new Date('2026-02-02T02:02:02Z'), 'acme', event());
    await ingest.pool.query(`INSERT INTO audit.record_key SELECT 'acme', '/gone', 'gone', $1, $2, 'k1', $3, $3`, [
      gone.record.recordId,
      gone.record.recordedAt,
      gone.leafHash,
    ]);
    await ingest.pool.query(
      `INSERT INTO audit.record (record_id, recorded_at, tenant_id, source, event_id, action, action_version, category,
         operation, outcome, severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt, body)
       VALUES ($1, $2, 'acme', '/gone', 'gone', 'auth.user.signed_in', 1, 'authentication', 'login', 'success', 'info', $2,
         'user', NULL, 'api', '0198c0de-0000-7000-8000-000000000001', 1, '', '{}')`,
      [gone.record.recordId, gone.record.recordedAt],
    );
    const { recordId, recordedAt } = gone.record;
    const hash = `sha-256:${Buffer.from(gone.leafHash).toString('hex')}`;
    const tombstone = { recordId, recordedAt, hash, erased: true };
    expect((await show(recordId)).body).toEqual(tombstone);
    const query = { recordedFrom: recordedAt, recordedTo: '2026-02-02T02:02:02.001Z', source: '/gone' };
    expect((await list(query)).body.items).toEqual([tombstone]);
    const ocsf = (await list({ ...query, format: 'ocsf' })).body.items;
    expect(ocsf).toMatchObject([{ class_uid: 0, unmapped: { recordId, hash, erased: true } }]);
    const csv = await get(`${AUDIT_EXPORT_PATH}?${new URLSearchParams({ ...query, format: 'csv' })}`, keys.acme);
    expect((csv.body as string).split('\r\n')[1]).toBe(`${recordId},${recordedAt},,,${hash},true${','.repeat(21)}`);
  });
});

describe('who may read', () => {
  let mine: string;
  beforeAll(async () => {
    mine = (await ingest.post(event({ tenantId: 'acme' }), { key: keys.acme })).body.recordId;
  });

  it('B2: a key without the scope is answered 403, for a list, one, and an export', async () => {
    const writer = await ingest.key(['audit:write', 'dlq:write'], 'acme');
    const worker = await ingest.key(['audit:write:any-tenant']);
    for (const key of [writer, worker]) {
      for (const path of [AUDIT_LOGS_PATH, `${AUDIT_LOGS_PATH}/${mine}`, AUDIT_EXPORT_PATH]) {
        expectProblem(await get(path, key), 403, 'scope_missing');
      }
    }
  });

  it("B2: another tenant's record is not there; nor is that of a tenant for a key without one", async () => {
    expect((await show(mine)).status).toBe(200);
    for (const key of [keys.other, keys.none]) expectProblem(await show(mine, key), 404, 'not_found');
    expect((await show(mine, keys.all)).body.recordId).toBe(mine);
  });

  it('B2: a filter for another tenant is answered 403 with its pointer, and tells nothing', async () => {
    for (const path of [AUDIT_LOGS_PATH, AUDIT_EXPORT_PATH]) {
      for (const [tenantId, key] of [
        ['acme', keys.other],
        ['nobody', keys.other],
        ['acme', keys.none],
        ['', keys.acme],
      ]) {
        const answer = await get(`${path}?tenantId=${tenantId}`, key as string);
        expectProblem(answer, 403, 'tenant_forbidden');
        expect(answer.body.errors).toEqual([{ pointer: '/tenantId', detail: 'Not a tenant of this API key' }]);
      }
    }
  });

  it('a key sees its own tenant, one without sees what has none, any-tenant all of them or the one it names', async () => {
    const none = (await ingest.post(event())).body.recordId;
    const tenantsOf = async (query: Query, key: string) =>
      new Set(
        (await list({ limit: '200', ...query }, key)).body.items.map((item: { tenantId: string }) => item.tenantId),
      );
    expect(await tenantsOf({}, keys.acme)).toEqual(new Set(['acme']));
    expect(await tenantsOf({ tenantId: 'acme' }, keys.acme)).toEqual(new Set(['acme']));
    expect(await tenantsOf({}, keys.none)).toEqual(new Set([null]));
    expect((await tenantsOf({}, keys.all)).size).toBeGreaterThan(1);
    expect(await tenantsOf({ tenantId: 'acme' }, keys.all)).toEqual(new Set(['acme']));
    expect(await tenantsOf({ tenantId: '' }, keys.all)).toEqual(new Set([null]));
    expect((await show(none, keys.none)).status).toBe(200);
    // A key cannot be made so; one that was changed by hand reads no further.
    await expect(ingest.key(['audit:read:any-tenant'], 'other')).rejects.toThrow('got both');
    const bound = await ingest.key(['audit:read'], 'other');
    await ingest.pool.query(`UPDATE audit.api_key SET scopes = '{audit:read:any-tenant}' WHERE tenant_id = 'other'`);
    expectProblem(await list({ tenantId: 'acme' }, bound), 403, 'tenant_forbidden');
    expectProblem(await show(mine, bound), 404, 'not_found');
  });
});

describe('what does not fit', () => {
  it.each([
    ['limit=-1', '/limit'],
    ['limit=0', '/limit'],
    ['limit=201', '/limit'],
    ['limit=1e9', '/limit'],
    ['limit=abc', '/limit'],
    ['limit=', '/limit'],
    ['limit=1&limit=2', '/limit'],
    ['cursor=abc', '/cursor'],
    ['cursor=', '/cursor'],
    ['unknown=1', '/unknown'],
    ['__proto__=1', '/__proto__'],
    ['actorType=robot', '/actorType'],
    ['action=auth.', '/action'],
    ['action=auth%25', '/action'],
    ['category=AUTH', '/category'],
    ['recordedFrom=yesterday', '/recordedFrom'],
    ['recordedFrom=2026-02-30T00:00:00Z', '/recordedFrom'],
    ['recordedTo=2026-01-01T00:00:00', '/recordedTo'],
    ['recordedTo=2026-01-01T00:00:00+02:00', '/recordedTo'],
    ['text=', '/text'],
    [`text=${'x'.repeat(201)}`, '/text'],
    ['format=xml', '/format'],
  ])('B26: ?%s is answered 422 with its pointer', async (query, pointer) => {
    const answer = await get(`${AUDIT_LOGS_PATH}?${query}`, keys.acme);
    expectProblem(answer, 422, 'invalid_filter');
    expect(answer.body.retryable).toBe(false);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ pointer }));
  });

  it('B26: an export takes neither limit nor cursor', async () => {
    for (const query of ['limit=10', 'cursor=abc', 'format=json']) {
      expectProblem(await get(`${AUDIT_EXPORT_PATH}?${query}`, keys.acme), 422, 'invalid_filter');
    }
  });

  it('B26: a cursor that was altered, of another filter, or of another tenant is answered 422', async () => {
    await ingest.post([event({ tenantId: 'acme' }), event({ tenantId: 'acme' })], { key: keys.acme });
    const query = { limit: '1', outcome: 'success' };
    const { next: cursor } = (await list(query)).body as { next: string };
    expect((await list({ ...query, cursor })).status).toBe(200);
    expect((await list({ ...query, limit: '7', cursor })).status).toBe(200);
    const altered = Array.from(
      cursor,
      (char, n) => `${cursor.slice(0, n)}${char === 'A' ? 'B' : 'A'}${cursor.slice(n + 1)}`,
    );
    const refused = [...altered, cursor.slice(1), `${cursor}A`, `${cursor}=`, cursor.toLowerCase()];
    for (const text of refused) expectProblem(await list({ ...query, cursor: text }), 422, 'invalid_filter');
    expectProblem(await list({ limit: '1', cursor }), 422, 'invalid_filter');
    expectProblem(await list({ ...query, text: 'x', cursor }), 422, 'invalid_filter');
    for (const key of [keys.other, keys.none, keys.all]) {
      expectProblem(await list({ ...query, cursor }, key), 422, 'invalid_filter');
    }
    // Whoever may name the tenant may go on in it.
    expect((await list({ ...query, tenantId: 'acme', cursor }, keys.all)).status).toBe(200);
  });

  it('a cursor outlives a rotation of the keys while its key is configured, and no longer', async () => {
    const { next: cursor } = (await list({ limit: '1' })).body as { next: string };
    const rotated = { id: 'k2', secret: 'second-secret-of-the-test' };
    const [first] = FINGERPRINT_KEYS;
    for (const [fingerprintKeys, status] of [
      [[rotated, first], 200],
      [[rotated], 422],
    ] as const) {
      const later = await startIngestOn(ingest.auditUrl, { fingerprintKeys });
      const path = `${AUDIT_LOGS_PATH}?${new URLSearchParams({ limit: '1', cursor })}`;
      expect((await later.post('', { method: 'GET', path, key: keys.acme })).status).toBe(status);
      await later.stop();
    }
  });

  it.each([
    ['%00', 400, 'malformed_url'],
    ['%zz', 400, 'malformed_url'],
    ['..%2f..%2fetc', 400, 'malformed_url'],
    ['abc', 404, 'not_found'],
    ['%27%20OR%201=1', 404, 'not_found'],
    ['00000000-0000-0000-0000-000000000000', 404, 'not_found'],
    ['ffffffff-ffff-7fff-bfff-ffffffffffff', 404, 'not_found'],
    ['0198c0de-0000-7000-8000-000000000001', 404, 'not_found'],
    ['0198c0de-0000-4000-8000-000000000001', 404, 'not_found'],
    ['0198c0de-0000-7000-8000-000000000001/x', 404, 'not_found'],
  ])('B16: the id %s is answered %d', async (id, status, code) => {
    expectProblem(await show(id), status, code);
  });

  it('B23: another method is answered 405 with Allow', async () => {
    for (const [path, allow] of [
      [AUDIT_LOGS_PATH, 'GET, HEAD, POST'],
      [`${AUDIT_LOGS_PATH}/0198c0de-0000-7000-8000-000000000001`, 'GET, HEAD'],
      [AUDIT_EXPORT_PATH, 'GET, HEAD'],
    ]) {
      const answer = await ingest.post('', { method: 'DELETE', path: path as string, key: keys.acme });
      expectProblem(answer, 405, 'method_not_allowed');
      expect(answer.headers.get('allow')).toBe(allow);
    }
  });
});

describe('B17: what means something to SQL means itself', () => {
  it.each([
    '%',
    '_',
    "'; DROP TABLE audit.record; --",
    'a\\b',
    '"quoted"',
    '\\u0041',
    '$1',
    '[x]',
    '*',
    'ünïcödé',
    '\u202e',
  ])('a search for %j finds the record that holds it, and only that', async (needle) => {
    const key = await ingest.key(['audit:read', 'audit:write'], 'literal');
    const id = (await ingest.post(event({ data: { text: `x${needle}y` } }), { key })).body.recordId;
    await ingest.post(event({ data: { text: 'xAy' } }), { key });
    const found = (await list({ text: `x${needle}y` }, key)).body.items;
    expect(found.map((item: { recordId: string }) => item.recordId)).toEqual([id]);
  });

  it('so it does in a filter', async () => {
    const actor = { type: 'user' as const, id: "u' OR '1'='1" };
    const id = (
      await ingest.post(event({ actor, tenantId: 'acme', targets: [{ type: '%', id: '_' }] }), { key: keys.acme })
    ).body.recordId;
    expect((await list({ actorId: actor.id })).body.items).toMatchObject([{ recordId: id }]);
    expect((await list({ targetType: '%', targetId: '_' })).body.items).toMatchObject([{ recordId: id }]);
    expect((await list({ targetId: '%' })).body.items).toEqual([]);
  });
});
