/**
 * GET /monitor/stream: the overview as it changes. Real: HTTP, sessions in PostgreSQL, sockets that do not read. Fake: the
 * parts, which say what a test tells them to; the page, a few files. Limits are small where the text says so.
 */
import { connect } from 'node:net';
import { SESSION_PATH, STREAM_PATH, type StreamMessage, streamMessageSchema } from '../../src/contract/monitor-api.js';
import { OVERVIEW_PARTS, type OverviewPartName } from '../../src/contract/overview-api.js';
import type { PartReaders } from '../../src/http/snapshots.js';
import { createOperatorBook } from '../../src/infrastructure/prisma/operator-store.js';
import { eventually } from '../support/eventually.js';
import { addPerson, fakeParts, makePageFolder, openPage, testMonitor } from '../support/monitor.js';
import { expectProblem, type IngestOptions, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

const { folder, remove } = makePageFolder();
const PASSWORD = 'correct horse battery staple';
const ALICE = { name: 'alice', password: PASSWORD };

let audit: TestIngest;
let running: TestIngest[] = [];
let streams: OpenStream[] = [];
/** What is due, and how often it was read. */
const backlog = { due: 0, reads: 0 };
const parts: Partial<PartReaders> = {
  backlog: async () => {
    backlog.reads++;
    const value = { due: backlog.due, lagSeconds: 0 };
    return { name: 'backlog', state: 'ok', at: new Date().toISOString(), reason: null, value };
  },
};

beforeAll(async () => {
  audit = await startIngest(); // its database only
  await addPerson(audit.pool, 'alice', 'operator', PASSWORD);
});
afterEach(async () => {
  for (const stream of streams) stream.close();
  for (const ingest of running) await ingest.stop();
  [streams, running] = [[], []];
});
afterAll(async () => {
  await audit.stop();
  remove();
});

type Given = Parameters<typeof testMonitor>[1];

async function start(given: Given = {}, options: IngestOptions = {}): Promise<TestIngest> {
  const monitor = testMonitor(folder, { parts: fakeParts(parts), ...given });
  const ingest = await startIngestOn(audit.auditUrl, { ...options, monitor });
  running.push(ingest);
  return ingest;
}

interface OpenStream {
  readonly status: number;
  readonly headers: Headers;
  readonly messages: StreamMessage[];
  /** Resolves once the server, or `close`, has ended it. */
  readonly ended: Promise<void>;
  close(): void;
}

async function openStream(ingest: TestIngest, cookie: string): Promise<OpenStream> {
  const closing = new AbortController();
  const { signal } = closing;
  const response = await fetch(`${ingest.url}${STREAM_PATH}`, { headers: { Cookie: cookie }, signal });
  const messages: StreamMessage[] = [];
  const read = async () => {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const piece = decoder.decode(chunk, { stream: true });
      text += piece;
      if (!piece.includes('\n')) continue; // in the middle of one
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) messages.push(streamMessageSchema.parse(JSON.parse(frame.replace(/^data: /, ''))));
    }
  };
  const ended = read().catch((error: unknown) => {
    if (!signal.aborted && (error as Error).name !== 'TypeError') throw error; // cut off
  });
  const stream = { status: response.status, headers: response.headers, messages, ended, close: () => closing.abort() };
  streams.push(stream);
  return stream;
}

const dueOf = ({ messages }: OpenStream) =>
  messages.flatMap((message) =>
    message.type === 'part' && message.part.name === 'backlog' ? [message.part.value?.due] : [],
  );

it('says everything first, then what has changed and nothing else, and every other second that it lives', async () => {
  const ingest = await start();
  const { cookie } = await openPage(ingest, ALICE);
  backlog.due = 1;
  const stream = await openStream(ingest, cookie);
  expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  expect(stream.headers.get('cache-control')).toBe('no-store');
  expect(stream.headers.get('x-accel-buffering')).toBe('no');
  await eventually('the first message', async () => stream.messages.length > 0);
  const [first] = stream.messages;
  expect(first).toMatchObject({ type: 'snapshot', version: '1.2.3' });
  expect(first?.type === 'snapshot' && first.parts.map(({ name }) => name)).toEqual([...OVERVIEW_PARTS]);
  expect(first?.type === 'snapshot' && first.parts.find(({ name }) => name === 'backlog')?.value).toEqual({
    due: 1,
    lagSeconds: 0,
  });
  backlog.due = 2;
  await eventually('the change', async () => dueOf(stream).includes(2));
  const { reads } = backlog;
  await eventually('two more looks at it', async () => backlog.reads >= reads + 2);
  expect(dueOf(stream)).toEqual([2]);
  expect(stream.messages.filter(({ type }) => type === 'tick').length).toBeGreaterThan(1);
  expect(stream.messages.filter(({ type }) => type === 'part')).toHaveLength(1);
});

it('reads for ten as often as for one', async () => {
  const ingest = await start({ streams: { perSession: 10, perPerson: 10 } });
  const { cookie } = await openPage(ingest, ALICE);
  const before = backlog.reads;
  const ten = await Promise.all(Array.from({ length: 10 }, () => openStream(ingest, cookie)));
  await eventually('the snapshots', async () => ten.every(({ messages }) => messages.length > 0));
  backlog.due = 30;
  await eventually('the change at all of them', async () => ten.every((stream) => dueOf(stream).includes(30)));
  // The first look, and those of two seconds each since.
  const looks = backlog.reads - before;
  const ticks = Math.max(...ten.map(({ messages }) => messages.filter(({ type }) => type === 'tick').length));
  expect(looks).toBeLessThanOrEqual(ticks + 3);
});

it('shows nobody what their key may not read, and nothing of all to whoever is of one tenant', async () => {
  const ingest = await start();
  const namesOf = async (scope: 'dlq:read' | 'audit:read') => {
    const { cookie } = await openPage(ingest, { key: await ingest.key([scope]) });
    const stream = await openStream(ingest, cookie);
    const [first] = await eventually('the snapshot', async () => stream.messages.length > 0 && stream.messages);
    return first?.type === 'snapshot' ? first.parts.map(({ name }) => name) : [];
  };
  const ofRecords: OverviewPartName[] = ['seal', 'verification'];
  const delivery = await namesOf('dlq:read');
  expect(delivery).toEqual(OVERVIEW_PARTS.filter((name) => !ofRecords.includes(name)));
  expect(await namesOf('audit:read')).toEqual(['outboxDatabase', 'auditDatabase', ...ofRecords]);
  const bound = await openPage(ingest, { key: await ingest.key(['admin'], 'acme') });
  expectProblem(await bound.get(STREAM_PATH), 403, 'tenant_forbidden');
});

it('is for sessions: a key, another cookie and nobody are answered 401', async () => {
  const ingest = await start();
  const get = (key: string | null, headers = {}) =>
    ingest.post(null, { method: 'GET', path: STREAM_PATH, key, headers });
  expectProblem(await get(await ingest.key(['admin'])), 401, 'session_ended');
  expectProblem(await get(null, { Cookie: 'outbox_monitor=v1.x.y' }), 401, 'session_ended');
  expectProblem(await get(null), 401, 'session_ended');
  const { cookie } = await openPage(ingest, ALICE);
  const head = await fetch(`${ingest.url}${STREAM_PATH}`, { method: 'HEAD', headers: { Cookie: cookie } });
  expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  expectProblem(await ingest.post({}, { path: STREAM_PATH, key: null }), 405, 'method_not_allowed');
});

it('has so many places for a session, and so many for all; one that is left is free again', async () => {
  const ingest = await start({ streams: { perSession: 2, total: 3 } });
  const one = await openPage(ingest, ALICE);
  const other = await openPage(ingest, ALICE);
  const first = await openStream(ingest, one.cookie);
  await openStream(ingest, one.cookie);
  const refused = await one.get(STREAM_PATH);
  expectProblem(refused, 429, 'rate_limited');
  expect(refused.headers.get('retry-after')).toBe('5');
  await openStream(ingest, other.cookie);
  expectProblem(await other.get(STREAM_PATH), 503, 'overloaded');
  first.close();
  await eventually('a place', async () => (await openStream(ingest, other.cookie)).status === 200);
});

it('has so many places for a person, however often they sign in, and others for everybody else', async () => {
  const ingest = await start({ streams: { perSession: 2, perPerson: 3, total: 4 } });
  const sessions = [await openPage(ingest, ALICE), await openPage(ingest, ALICE), await openPage(ingest, ALICE)];
  for (const { cookie } of sessions) expect((await openStream(ingest, cookie)).status).toBe(200);
  expectProblem(await (await openPage(ingest, ALICE)).get(STREAM_PATH), 429, 'rate_limited');
  const other = await openPage(ingest, { key: await ingest.key(['dlq:read']) });
  expect((await openStream(ingest, other.cookie)).status).toBe(200);
});

it('cuts whoever does not read, and nobody else', async () => {
  let n = 0;
  const ingest = await start({
    parts: {
      ...fakeParts(parts),
      // Of more than the system keeps for a socket within a few of them.
      rate: async () => {
        const reason = `${'x'.repeat(4 * 1024 * 1024)}${n++}`;
        return { name: 'rate', state: 'failing', at: null, reason, value: null };
      },
    },
    // More than two of them: who reads, but in the same process and after a pause of the machine, is not behind by so much.
    streams: { undrainedBytes: 10 * 1024 * 1024 },
  });
  const { cookie } = await openPage(ingest, ALICE);
  const reader = await openStream(ingest, cookie);
  const socket = connect(ingest.port, '127.0.0.1').pause();
  socket.on('error', () => {}); // it is reset
  socket.write(`GET ${STREAM_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookie}\r\n\r\n`);
  await eventually('the one that does not read to be cut', async () =>
    ingest.logs.some(({ fields }) => fields.event === 'monitor.stream_cut'),
  );
  expect(ingest.logs.filter(({ fields }) => fields.event === 'monitor.stream_cut')).toHaveLength(1);
  const { length } = reader.messages;
  await eventually('the other one to go on', async () => reader.messages.length > length + 2);
  socket.destroy();
});

describe('the end', () => {
  it('comes at once with signing out, and to no other session', async () => {
    const ingest = await start();
    const page = await openPage(ingest, ALICE);
    const other = await openPage(ingest, ALICE);
    const [mine, theirs] = [await openStream(ingest, page.cookie), await openStream(ingest, other.cookie)];
    await eventually('both to have begun', async () => mine.messages.length > 0 && theirs.messages.length > 0);
    expect((await page.send('DELETE', SESSION_PATH)).status).toBe(204);
    await mine.ended;
    const { length } = theirs.messages;
    await eventually('the other one to go on', async () => theirs.messages.length > length);
    expectProblem(await page.get(STREAM_PATH), 401, 'session_ended');
  });

  it('comes with the session, wherever it was ended', async () => {
    const ingest = await start({ streams: { sessionMs: 200 } });
    const elsewhere = await start();
    const page = await openPage(ingest, ALICE);
    const stream = await openStream(ingest, page.cookie);
    await eventually('it to have begun', async () => stream.messages.length > 0);
    const out = await elsewhere.post(
      {},
      {
        method: 'DELETE',
        path: SESSION_PATH,
        key: null,
        headers: { Cookie: page.cookie, Origin: elsewhere.url, 'X-Outbox-CSRF': page.session.csrf },
      },
    );
    expect(out.status).toBe(204);
    await stream.ended;
  });

  it('comes with other rights: what was shown by the old ones is not shown on', async () => {
    await addPerson(audit.pool, 'bob', 'viewer', PASSWORD);
    const ingest = await start({ streams: { sessionMs: 200 } });
    const { cookie } = await openPage(ingest, { name: 'bob', password: PASSWORD });
    const stream = await openStream(ingest, cookie);
    await eventually('it to have begun', async () => stream.messages.length > 0);
    await createOperatorBook(audit.pool).setRole('bob', 'watcher');
    await stream.ended;
    const again = await openStream(ingest, cookie);
    const [first] = await eventually('the snapshot', async () => again.messages.length > 0 && again.messages);
    const names = first?.type === 'snapshot' ? first.parts.map(({ name }) => name) : [];
    expect([names.includes('backlog'), names.includes('seal')]).toEqual([true, false]);
  });

  it('of one visitor is nobody else’s where nobody signs in', async () => {
    const ingest = await start({ signIn: false });
    const stream = await openStream(ingest, '');
    await eventually('it to have begun', async () => stream.messages.length > 0);
    const session = await ingest.post(null, { method: 'GET', path: SESSION_PATH, key: null });
    const headers = { Origin: ingest.url, 'X-Outbox-CSRF': session.body.csrf };
    const out = await ingest.post({}, { method: 'DELETE', path: SESSION_PATH, key: null, headers });
    expect(out.status).toBe(204);
    const { length } = stream.messages;
    await eventually('it to go on', async () => stream.messages.length > length);
  });

  it('comes with the stop of the api, which waits for none of them', async () => {
    const ingest = await start({}, { limits: { closeGraceMs: 600_000 } });
    const { cookie } = await openPage(ingest, ALICE);
    const stream = await openStream(ingest, cookie);
    await eventually('it to have begun', async () => stream.messages.length > 0);
    await ingest.closeApi();
    await stream.ended;
  });
});
