/**
 * Exports, and looks that find little, over 50,000 records. Real: the HTTP server, its sockets, PostgreSQL. Fake: nothing;
 * the reader is watched at its port, which counts the turns.
 */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { RecordReader } from '../../src/application/audit/reading/ports.js';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import { AUDIT_EXPORT_PATH } from '../../src/contract/audit-records-api.js';
import { createOperatorBook } from '../../src/infrastructure/prisma/operator-store.js';
import { createRecordReader } from '../../src/infrastructure/prisma/record-reader.js';
import { eventually } from '../support/eventually.js';
import { addPerson, makePageFolder, openPage, testMonitor } from '../support/monitor.js';
import { fillRecords, makeMonths } from '../support/records.js';
import { event, expectProblem, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

const RECORDS = 50_000;
const FROM = new Date('2026-01-20T00:00:00Z');
/** Over three months. */
const STEP_MS = 120_000;

let ingest: TestIngest;
let key: string;

beforeAll(async () => {
  ingest = await startIngest();
  await makeMonths(ingest.pool, 6);
  await fillRecords(ingest.pool, { tenantId: 'bulk', count: RECORDS, from: FROM, stepMs: STEP_MS });
  key = await ingest.key(['audit:read'], 'bulk');
}, 120_000);
afterAll(() => ingest.stop());

const path = (query: Record<string, string> = {}) => `${AUDIT_EXPORT_PATH}?${new URLSearchParams(query)}`;

async function open(port: number, query: Record<string, string> = {}, method = 'GET'): Promise<IncomingMessage> {
  const request = get({
    host: '127.0.0.1',
    port,
    path: path(query),
    method,
    headers: { Authorization: `Bearer ${key}` },
  });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of response) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() as string;
    yield* lines;
  }
  expect(rest).toBe('');
}

/** The reader of an api of its own, and how often it was asked for records. */
async function startWatched(
  limits: Parameters<typeof startIngestOn>[1] = {},
  before: (turn: number) => Promise<void> = async () => {},
) {
  let turns = 0;
  const watch = (reader: RecordReader): RecordReader => ({
    ...reader,
    look: async (look) => {
      await before(++turns);
      return reader.look(look);
    },
  });
  const api = await startIngestOn(ingest.auditUrl, { ...limits, records: (pool) => watch(createRecordReader(pool)) });
  return { api, turns: () => turns };
}

it('an export is every record once, the oldest first, with their number in the last line', async () => {
  const response = await open(ingest.port);
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
  let n = 0;
  let last = '';
  for await (const line of linesOf(response)) {
    last = line;
    if (n === RECORDS) continue;
    const { type, recordedAt, event: body } = JSON.parse(line);
    if (type !== 'record' || body.data.n !== n || recordedAt !== new Date(FROM.getTime() + n * STEP_MS).toISOString()) {
      throw new Error(`expected record ${n}, got ${line.slice(0, 200)}`);
    }
    n++;
  }
  expect(JSON.parse(last)).toEqual({ type: 'end', records: RECORDS });
}, 60_000);

it('an export holds a few pages in memory, however many there are', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed + process.memoryUsage().external;
  };
  const response = await open(ingest.port);
  let bytes = 0;
  let next = 4 * 1024 * 1024;
  const held: number[] = [];
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes < next) continue;
    held.push(heap());
    next += 4 * 1024 * 1024;
  }
  // A page of 1,000 such records is a megabyte of text, several as objects. Kept whole it would be over a hundred.
  const half = held.length >> 1;
  const [first, second] = [Math.max(...held.slice(0, half)), Math.max(...held.slice(half))];
  expect(bytes).toBeGreaterThan(50 * 1024 * 1024);
  expect(half).toBeGreaterThan(5);
  expect(second - first).toBeLessThan(12 * 1024 * 1024);
}, 60_000);

it('who does not read is not read for, and is cut off without the last line', async () => {
  const { api, turns } = await startWatched({ limits: { exportPageMs: 1_000, maxExports: 1 } });
  const response = await open(api.port);
  response.pause();
  // Room again is how it shows from outside.
  await eventually('the export to be given up', async () => {
    const { status } = await api.post('', { method: 'HEAD', path: path(), key });
    return status === 200 ? true : undefined;
  });
  // What sockets take in by themselves is some megabytes: a few pages of fifty.
  expect(turns()).toBeLessThan(25);
  await expect(drain(response)).rejects.toThrow();
  await api.stop();
}, 60_000);

async function drain(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

it('who goes away ends it, and leaves room for the next one', async () => {
  const { api, turns } = await startWatched({ limits: { maxExports: 1 } });
  const response = await open(api.port);
  expectProblem(await api.post('', { method: 'GET', path: path(), key }), 503, 'overloaded');
  response.destroy();
  await eventually('room for another export', async () => {
    const again = await open(api.port, { recordedFrom: '2026-05-01T00:00:00Z' });
    const { statusCode } = again;
    again.resume();
    return statusCode === 200 ? true : undefined;
  });
  expect(turns()).toBeLessThan(40);
  await api.stop();
}, 60_000);

it('an error on the way leaves out the last line and ends the connection; before the first line it is an answer', async () => {
  const fail = (at: number) => async (turn: number) => {
    if (turn === at) throw new Error('planted');
  };
  const { api } = await startWatched({}, fail(5));
  const response = await open(api.port);
  expect(response.statusCode).toBe(200);
  await expect(drain(response)).rejects.toThrow('aborted');
  expect(api.logs).toMatchObject([
    { level: 'info' },
    { level: 'info', fields: { event: 'audit_log.export_begun' } },
    { level: 'info', fields: { event: 'audit_log.exported', outcome: 'failed' } },
    { level: 'warn', fields: { event: 'request.rejected', status: 500 } },
  ]);
  await api.stop();

  const early = await startWatched({}, fail(1));
  expectProblem(await early.api.post('', { method: 'GET', path: path(), key }), 500, 'internal');
  await early.api.stop();
});

it('says in the log who took which records, and how it ended', async () => {
  const { api } = await startWatched();
  const response = await open(api.port, { actorId: 'nobody', recordedFrom: '2026-03-01T00:00:00Z' });
  await drain(response);
  const lines = api.logs.filter(({ fields }) => String(fields.event).startsWith('audit_log.export'));
  const about = {
    actor: expect.stringMatching(/^api-key:/),
    format: 'ndjson',
    filter: { tenantId: 'bulk', actorId: 'nobody' },
    requestId: response.headers['x-request-id'],
  };
  expect(lines.map(({ fields }) => fields)).toMatchObject([
    { event: 'audit_log.export_begun', ...about },
    { event: 'audit_log.exported', ...about, records: 0, outcome: 'whole' },
  ]);
  await api.stop();
});

it('ends with the session that asked for it, without the last line', async () => {
  const { folder, remove } = makePageFolder();
  const password = 'correct horse battery staple';
  await addPerson(ingest.pool, 'mallory', 'viewer', password);
  // Every turn takes a while: the session may be taken for what it was for five seconds, and is over before the export is.
  const slow = () => new Promise<void>((resolve) => setTimeout(resolve, 200));
  const { api } = await startWatched({ monitor: testMonitor(folder), limits: { exportSessionMs: 100 } }, slow);
  const { cookie } = await openPage(api, { name: 'mallory', password });
  const response = await fetch(`${api.url}${path()}`, { headers: { Cookie: cookie } });
  expect(response.status).toBe(200);
  const reading = response.text();
  await createOperatorBook(ingest.pool).disable('mallory');
  await expect(reading).rejects.toThrow();
  await eventually('the line of its end', async () =>
    api.logs.find(({ fields }) => fields.event === 'audit_log.exported' && fields.outcome === 'session over'),
  );
  await api.stop();
  remove();
}, 60_000);

it('HEAD says what would come and reads nothing', async () => {
  const { api, turns } = await startWatched();
  const response = await open(api.port, { format: 'csv' }, 'HEAD');
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toBe('text/csv; charset=utf-8');
  expect(await drain(response)).toBe('');
  expect(turns()).toBe(0);
  await api.stop();
});

it('a page that a search finds nothing for looks at a bounded number, says how far it came, and goes on there', async () => {
  const reader = await ingest.key(['audit:read'], 'bulk');
  await fillRecords(ingest.pool, {
    tenantId: 'bulk',
    firstN: RECORDS,
    count: 8_000,
    from: new Date('2026-05-01T00:00:00Z'),
    stepMs: 1_000,
  });
  const search = async (query: Record<string, string>) => {
    const found: number[] = [];
    const pages: { records: number; backTo: string | null }[] = [];
    let cursor: string | null = null;
    do {
      const all = new URLSearchParams({ ...query, ...(cursor === null ? {} : { cursor }) });
      const { status, body } = await ingest.post('', { method: 'GET', path: `${AUDIT_LOGS_PATH}?${all}`, key: reader });
      expect(status).toBe(200);
      found.push(...body.items.map((item: { event: { data: { n: number } } }) => item.event.data.n));
      pages.push(body.searched);
      cursor = body.next;
    } while (cursor !== null);
    return { found, pages };
  };
  // The oldest record of all; one that no index knows of.
  for (const query of [{ text: '"n": 0,' }, { text: 'CFCD208495D565EF66E7DFF9F98764DA', outcome: 'success' }]) {
    const { found, pages } = await search(query);
    expect(found.filter((n) => n === 0)).toEqual(found);
    expect(pages.length).toBeGreaterThan(1);
    for (const { records } of pages) expect(records).toBeLessThanOrEqual(50_000);
    const times = pages.map(({ backTo }) => backTo ?? '');
    expect(times).toEqual([...times].sort().reverse());
    expect(times.at(-1)).toBe('');
  }
  // A rare target is found at once, by its index.
  const rare = await search({ targetId: 'row-17' });
  expect(rare.found).toEqual([17]);
  expect(rare.pages).toHaveLength(1);
  expect(rare.pages[0]?.records).toBeLessThan(2_000);
}, 60_000);

describe('formats', () => {
  const strange = '=cmd|calc!A1,"x"\r\n\u202e<script>\u001b[31m';
  let mine: string;
  beforeAll(async () => {
    mine = await ingest.key(['audit:read', 'audit:write'], 'formats');
    await ingest.post(
      event({
        eventId: '-1+1',
        outcomeReason: strange,
        actor: { type: 'user', id: '@sum', name: '\tx' },
        targets: [{ type: 'file', id: 'f-1' }],
        data: { 'a,b': '"' },
      }),
      { key: mine },
    );
  });
  const exported = async (format: string) => {
    const headers = { Authorization: `Bearer ${mine}` };
    return (await fetch(`${ingest.url}${path({ format })}`, { headers })).text();
  };

  it('B18: CSV is one line of fields for each record, and no field of it is a formula', async () => {
    const text = await exported('csv');
    const rows = parseCsv(text);
    expect(rows).toHaveLength(2);
    const [names, values] = rows as [string[], string[]];
    expect(values).toHaveLength(names.length);
    const record = Object.fromEntries(names.map((name, n) => [name, values[n]]));
    expect(record).toMatchObject({
      tenantId: 'formats',
      eventId: "'-1+1",
      outcomeReason: `'${strange}`,
      actorId: "'@sum",
      actorName: "'\tx",
      targets: '[{"id":"f-1","type":"file"}]',
      data: '{"a,b":"\\""}',
      severity: 'info',
      changes: '',
    });
    for (const field of values) expect(field).not.toMatch(/^[=+\-@\t\r]/);
    expect(text.startsWith('recordId,recordedAt,tenantId,via,hash,erased,eventId,source,action,')).toBe(true);
    expect(text.endsWith('\r\n')).toBe(true);
  });

  it('B18: NDJSON and the list are JSON whatever a field holds: one line, and read back the same', async () => {
    const [line, end, rest] = (await exported('ndjson')).split('\n') as [string, string, string];
    expect(JSON.parse(line).event.outcomeReason).toBe(strange);
    expect(JSON.parse(end)).toEqual({ type: 'end', records: 1 });
    expect(rest).toBe('');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
    expect(line).not.toMatch(/[\u0000-\u001f]/);
  });

  it('as OCSF', async () => {
    const [line, end] = (await exported('ocsf')).split('\n') as [string, string];
    expect(JSON.parse(line)).toMatchObject({
      class_uid: 3002,
      activity_id: 1,
      metadata: { uid: '-1+1', tenant_uid: 'formats' },
    });
    expect(JSON.parse(end)).toEqual({ type: 'end', records: 1 });
    const { body } = await ingest.post('', { method: 'GET', path: `${AUDIT_LOGS_PATH}?format=ocsf`, key: mine });
    expect(body.items).toEqual([JSON.parse(line)]);
  });
});

/** RFC 4180, by its grammar. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  for (let at = 0, row: string[] = []; at < text.length; ) {
    const [field] = /"(?:[^"]|"")*"|[^",\r\n]*/y[Symbol.match](text.slice(at)) as RegExpMatchArray;
    at += (field as string).length;
    row.push(
      (field as string).startsWith('"') ? (field as string).slice(1, -1).replaceAll('""', '"') : (field as string),
    );
    if (text[at] === ',') at++;
    else {
      expect(text.slice(at, at + 2)).toBe('\r\n');
      at += 2;
      rows.push(row);
      row = [];
    }
  }
  return rows;
}
