/**
 * The client against the real api. Real: PostgreSQL, HTTP, the client and its waits. Fake: somebody in between who loses
 * answers, or answers in the api's stead.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AuditClient, type AuditEvent, createAuditClient } from '../../src/client.js';
import { event, SECRET_KEY, startIngest, type TestIngest } from './ingest-set-up.js';

/** What happens to one request: to the api, but its answer is lost; not to the api; or as if nobody stood there. */
type Fate = 'lost' | 'refused' | 'passed';

let ingest: TestIngest;
let between: {
  url: string;
  fates: Fate[];
  seen: { key: string | undefined; body: string }[];
  /** Of what reached the api. */
  signatures: Record<string, string>[];
  close(): Promise<void>;
};
let client: AuditClient;

beforeAll(async () => {
  ingest = await startIngest();
  between = await standInBetween(ingest.url);
  client = createAuditClient({
    baseUrl: between.url,
    apiKey: await ingest.key(['audit:write', 'audit:read']),
    retry: { attempts: 4, initialMs: 1, maximumMs: 5 },
  });
});
afterAll(async () => {
  await client.close();
  await between.close();
  await ingest.stop();
});
beforeEach(() => {
  between.fates = [];
  between.seen.length = 0;
});

const rowsOf = async (eventIds: string[]) =>
  (await ingest.pool.query('SELECT event_id FROM audit.record WHERE event_id = ANY($1)', [eventIds])).rowCount;

it('stores one event once although its answers were lost, and is told so', async () => {
  const one = event();
  between.fates = ['lost', 'refused', 'lost'];
  await expect(client.record(one)).resolves.toMatchObject({ eventId: one.eventId, replayed: true });
  expect(await rowsOf([one.eventId])).toBe(1);
  expect(between.seen).toEqual(Array(4).fill({ key: one.eventId, body: JSON.stringify(one) }));
});

it('stores every event of a batch once, and sends again only what may still be stored', async () => {
  const events = Array.from({ length: 5 }, () => event());
  const [, kept, bad] = events as [AuditEvent, AuditEvent, AuditEvent];
  const sent = events.map((one) => (one === bad ? { ...one, outcome: 'no outcome' as 'success' } : one));
  await ingest.pool.query(`
    CREATE FUNCTION public.refuse_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_id = '${kept.eventId}' AND NOT EXISTS (SELECT FROM audit.failed_ingest) THEN RAISE EXCEPTION 'once'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER refuse_once BEFORE INSERT ON audit.record FOR EACH ROW EXECUTE FUNCTION public.refuse_once()`);
  const results = await client.recordBatch(sent);
  expect(results.map(({ ok }) => ok)).toEqual([true, true, false, true, true]);
  expect(results[2]).toMatchObject({
    error: { code: 'invalid_event', status: 422, attempts: 1, errors: [{ pointer: '/outcome' }] },
  });
  expect(await rowsOf(events.map(({ eventId }) => eventId))).toBe(4);
  expect(between.seen.map(({ body }) => JSON.parse(body).length)).toEqual([5, 1]);
});

it('ends with the problem of the api, and asks no more', async () => {
  const one = event();
  await client.record(one);
  await expect(client.record({ ...one, outcome: 'failure' })).rejects.toMatchObject({
    name: 'AuditRequestError',
    code: 'identity_conflict',
    status: 422,
    retryable: false,
    attempts: 1,
    errors: [{ pointer: '/eventId', detail: expect.any(String) }],
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  expect(between.seen).toHaveLength(2);
});

it('looks up what stands, again where it was not answered', async () => {
  const one = event();
  await client.record(one);
  between.fates = ['refused'];
  const { source, eventId } = one;
  const found = await client.lookup([
    { source, eventId },
    { source, eventId: 'none' },
  ]);
  expect(found.map((result) => result.found)).toEqual([true, false]);
});

it('lists what it stored page by page, and shows one', async () => {
  const stored = await client.recordBatch(Array.from({ length: 3 }, () => event({ source: '/reading' })));
  const ids = stored.map((result) => (result.ok ? result.receipt.recordId : ''));
  between.fates = ['refused', 'passed', 'lost'];
  const first = await client.list({ source: '/reading', limit: 2 });
  const second = await client.list({ source: '/reading', limit: 2, cursor: first.next as string });
  expect([...first.items, ...second.items].map(({ recordId }) => recordId)).toEqual(ids.sort().reverse());
  expect(second.next).toBeNull();
  const all: string[] = [];
  for await (const { recordId } of client.records({ source: '/reading' })) all.push(recordId);
  expect(all).toEqual(ids);
  await expect(client.get(ids.at(-1) as string)).resolves.toEqual(second.items[0]);
  await expect(client.get('0197d3a0-0000-7000-8000-00000000000a')).rejects.toMatchObject({
    code: 'not_found',
    status: 404,
  });
});

it('sends an eventId that no header can hold', async () => {
  const one = event({ eventId: 'Grüße 🌍' });
  await expect(client.record(one)).resolves.toMatchObject({ eventId: one.eventId, replayed: false });
});

it('gives a bad event its own refusal, however bad, and stores the others of its batch', async () => {
  const [deep, proto] = [event(), event()] as AuditEvent[];
  let data: AuditEvent['data'] = {};
  for (let level = 0; level < 40; level++) data = { a: data };
  const key = JSON.parse('{"__proto__":{"admin":true}}') as AuditEvent['data'];
  const events = [event(), { ...deep, data }, event(), { ...proto, data: key }, event()] as AuditEvent[];
  const results = await client.recordBatch(events);
  expect(results.map((result) => (result.ok ? 'stored' : result.error.code))).toEqual([
    'stored',
    'too_deep',
    'stored',
    'forbidden_key',
    'stored',
  ]);
  expect(between.seen).toHaveLength(1);
});

it('signs each try anew for a key that needs it, whatever it asks; without the secret it is not let in', async () => {
  const made = await ingest.createKey({ signedUnder: SECRET_KEY, scopes: ['audit:write', 'audit:read'] });
  const options = { baseUrl: between.url, apiKey: made.secret, retry: { attempts: 4, initialMs: 1, maximumMs: 5 } };
  const signed = createAuditClient({ ...options, signingSecret: made.signingSecret ?? '' });
  const unsigned = createAuditClient(options);
  try {
    const one = event({ data: { text: 'né\u{1f600}' } });
    between.fates = ['lost', 'lost'];
    between.signatures.length = 0;
    const receipt = await signed.record(one);
    expect(receipt).toMatchObject({ eventId: one.eventId, replayed: true });
    expect(new Set(between.signatures.map((headers) => headers['webhook-id'])).size).toBe(3);
    expect(await signed.recordBatch([event(), event()])).toMatchObject([{ ok: true }, { ok: true }]);
    expect(await signed.lookup([{ source: one.source, eventId: one.eventId }])).toMatchObject([{ found: true }]);
    expect((await signed.list({ limit: 1 })).items).toHaveLength(1);
    expect(await signed.get(receipt.recordId)).toMatchObject({ recordId: receipt.recordId });
    await expect(unsigned.record(event())).rejects.toMatchObject({ code: 'unauthorized', status: 401, attempts: 1 });
  } finally {
    await signed.close();
    await unsigned.close();
  }
});

async function standInBetween(target: string): Promise<typeof between> {
  const state = {
    fates: [] as Fate[],
    seen: [] as { key: string | undefined; body: string }[],
    signatures: [] as Record<string, string>[],
  };
  const pass = async (req: IncomingMessage, res: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const key = req.headers['idempotency-key'];
    state.seen.push({ key: key as string | undefined, body });
    const fate = state.fates.shift() ?? 'passed';
    if (fate === 'refused') return void res.writeHead(502, { 'content-type': 'text/html' }).end('<html>');
    const { authorization, 'content-type': contentType } = req.headers;
    const signature = Object.entries(req.headers).filter(([name]) => name.startsWith('webhook-')) as [string, string][];
    state.signatures.push(Object.fromEntries(signature));
    const headers = {
      authorization: `${authorization}`,
      'content-type': contentType ?? 'application/json',
      ...Object.fromEntries(signature),
    };
    const answer = await fetch(`${target}${req.url}`, {
      method: `${req.method}`,
      headers: key === undefined ? headers : { ...headers, 'idempotency-key': key as string },
      ...(req.method === 'GET' ? {} : { body }),
    });
    const text = await answer.text();
    if (fate === 'lost') return void res.destroy();
    res.writeHead(answer.status, { 'content-type': `${answer.headers.get('content-type')}` }).end(text);
  };
  const server = createServer((req, res) => {
    pass(req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}
