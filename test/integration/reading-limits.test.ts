/**
 * How much of reading one API key, and all of them, may take at once. Real: the HTTP server, its sockets, PostgreSQL. Fake:
 * the reader is held back at its port, so that requests are under way for as long as a test needs them to be.
 */
import { request } from 'node:http';
import type { RecordReader } from '../../src/application/audit/reading/ports.js';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import { AUDIT_EXPORT_PATH } from '../../src/contract/audit-records-api.js';
import { createRecordReader } from '../../src/infrastructure/prisma/record-reader.js';
import { eventually } from '../support/eventually.js';
import { type Answer, event, expectProblem, startIngest, type TestIngest } from './ingest-set-up.js';

let ingest: TestIngest;
let keys: Record<'one' | 'two' | 'three', string>;
/** While it is not null, looks wait for it. */
let gate: Promise<void> | null;
let open: () => void;
let fail: boolean;
let looking: number;

beforeAll(async () => {
  const held = (reader: RecordReader): RecordReader => ({
    ...reader,
    look: async (look) => {
      looking++;
      await gate;
      if (fail) throw new Error('planted');
      return reader.look(look);
    },
  });
  const limits = { maxExports: 3, maxExportsPerKey: 2, maxSearches: 3, maxSearchesPerKey: 2 };
  ingest = await startIngest({ limits, records: (pool) => held(createRecordReader(pool)) });
  const key = () => ingest.key(['audit:read']);
  keys = { one: await key(), two: await key(), three: await key() };
});
afterAll(() => ingest.stop());
beforeEach(() => {
  gate = new Promise((resolve) => {
    open = resolve;
  });
  [fail, looking] = [false, 0];
});
afterEach(() => open());

const get = (path: string, key: string) => ingest.post('', { method: 'GET', path, key });
const underWay = (n: number) => eventually(`${n} under way`, async () => looking === n);

function expectLater(answer: Answer, status: number, code: string, retryAfter: string): void {
  expectProblem(answer, status, code);
  expect(answer.body.retryable).toBe(true);
  expect(answer.headers.get('retry-after')).toBe(retryAfter);
}

describe.each([
  ['searches', AUDIT_LOGS_PATH, '1'],
  ['exports', AUDIT_EXPORT_PATH, '10'],
])('%s at once', (_, path, retryAfter) => {
  it('are so many of one key, then 429; so many of all, then 503; and again as many once they have ended', async () => {
    const first = [get(path, keys.one), get(path, keys.one)];
    await underWay(2);
    expectLater(await get(path, keys.one), 429, 'rate_limited', retryAfter);
    const third = get(path, keys.two);
    await underWay(3);
    expectLater(await get(path, keys.three), 503, 'overloaded', retryAfter);
    // A key that has all of its own is told so, whatever the others do.
    expectLater(await get(path, keys.one), 429, 'rate_limited', retryAfter);
    open();
    for (const answer of await Promise.all([...first, third])) expect(answer.status).toBe(200);
    gate = null;
    for (let n = 0; n < 4; n++) expect((await get(path, keys.one)).status).toBe(200);
  });

  it('that fail, or whose caller is gone, leave their places', async () => {
    fail = true;
    const failing = [get(path, keys.one), get(path, keys.one)];
    await underWay(2);
    open();
    for (const answer of await Promise.all(failing)) expectProblem(answer, 500, 'internal');
    fail = false;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const headers = { Authorization: `Bearer ${keys.one}` };
    const gone = request({ host: '127.0.0.1', port: ingest.port, path, headers }).on('error', () => undefined);
    gone.end();
    await underWay(3);
    gone.destroy();
    open();
    gate = null;
    await eventually('both places of the key', async () => {
      const both = await Promise.all([get(path, keys.one), get(path, keys.one)]);
      return both.every(({ status }) => status === 200);
    });
  });
});

it('one record is shown, and the ingest takes more, whatever is searched and exported', async () => {
  const receipt = (await ingest.post(event())).body;
  const held = [AUDIT_LOGS_PATH, AUDIT_EXPORT_PATH].flatMap((path) => [get(path, keys.one), get(path, keys.one)]);
  await underWay(4);
  expect((await get(`${AUDIT_LOGS_PATH}/${receipt.recordId}`, keys.one)).status).toBe(200);
  expect((await ingest.post(event())).status).toBe(201);
  open();
  await Promise.all(held);
});
