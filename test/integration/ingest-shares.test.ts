/**
 * What callers can hold of the process without asking for much: answers that nobody reads, bodies that come byte by byte,
 * requests sent ahead of their answers. Real: HTTP down to the bytes, PostgreSQL. Fake: nothing; limits are small here.
 */
import { connect, type Socket } from 'node:net';
import pg from 'pg';
import { Webhook } from 'standardwebhooks';
import type { HttpLimits } from '../../src/http/http-limits.js';
import { describeApi } from '../../src/http/openapi/operations.js';
import { createAnswerCheck } from '../support/check-answer.js';
import { eventually } from '../support/eventually.js';
import { event, expectProblem, SECRET_KEY, startIngest, type TestIngest } from './ingest-set-up.js';

const LOGS = '/integration/v1/audit/logs';

let ingest: TestIngest;
let sockets: Socket[];
beforeEach(() => {
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await ingest.stop();
});

const start = async (limits: Partial<HttpLimits>) => {
  ingest = await startIngest({ limits });
};

interface Connection {
  readonly socket: Socket;
  /** All that came. */
  received(): string;
  readonly closed: Promise<void>;
}

function open(sent: string, { read = true } = {}): Connection {
  const socket = connect(ingest.port, '127.0.0.1');
  sockets.push(socket);
  let received = '';
  if (read) socket.on('data', (chunk) => (received += chunk.toString('latin1')));
  socket.on('error', () => undefined); // a connection that is ended may be reset
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(sent);
  return { socket, received: () => received, closed };
}

const statusesOf = (received: string) =>
  [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
const logged = (name: string) => ingest.logs.filter(({ fields }) => fields.event === name);

/** A POST that says its body has more bytes than it has. */
function slowly(headers: Record<string, string> = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${LOGS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n${lines.join('')}\r\n{`;
}

function posts(key: string, n: number): string {
  return Array.from({ length: n }, () => {
    const body = JSON.stringify(event());
    return `POST ${LOGS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  }).join('');
}

/** Holds back what needs the table until released, and counts those that wait. */
async function hold(lock = 'audit.record_key IN SHARE MODE') {
  const client = new pg.Client({ connectionString: ingest.auditUrl });
  client.on('error', () => undefined); // a test that fails drops the database under it
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${lock}`);
  const waiting = async (): Promise<number> => {
    const { rows } = await ingest.pool.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows[0].n;
  };
  return { release: () => client.end(), waiting };
}

describe('answers that nobody reads', () => {
  const DOCUMENT = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n';

  it('take no place of those with a key', async () => {
    await start({ maxInFlight: 5, maxPipelined: 100 });
    const key = await ingest.key(['audit:write']);
    for (let n = 0; n < 10; n++) open(DOCUMENT.repeat(40), { read: false });
    // Answered behind what came before it on the other connections.
    expect((await fetch(`${ingest.url}/live`)).status).toBe(200);
    // Long enough for what the system takes of ten answers to be full.
    for (let n = 0; n < 60; n++) expect((await ingest.post(event(), { key })).status).toBe(201);
  });

  it('end their connection once they were not taken in time, and what waits behind them with it', async () => {
    await start({ responseTimeoutMs: 300, maxPipelined: 100 });
    const { socket, received, closed } = open(DOCUMENT.repeat(60), { read: false });
    const line = await eventually('the answer to be given up', async () => logged('response.not_taken')[0]);
    expect(line).toMatchObject({ level: 'info', fields: { requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) } });
    socket.resume();
    await closed;
    expect(received()).toBe('');
    expect(logged('response.not_taken')).toHaveLength(1);
    expect((await fetch(`${ingest.url}/live`)).status).toBe(200);
  });

  it('are no matter where they are read at any pace within their time', async () => {
    await start({ responseTimeoutMs: 20_000, maxPipelined: 100 });
    const { received } = open(DOCUMENT.repeat(60));
    await eventually('all sixty', async () => statusesOf(received()).filter((status) => status === 200).length === 60);
    expect(logged('response.not_taken')).toEqual([]);
  });
});

describe('requests sent ahead of their answers', () => {
  it('are worked on one after the other, and answered in order', async () => {
    await start({ maxPipelined: 2 });
    const key = await ingest.key(['audit:write']);
    const { release, waiting } = await hold();
    const { received } = open(posts(key, 3));
    await eventually('one write to wait', async () => (await waiting()) === 1);
    // Another connection's comes to the lock: had the others been handed on, they would stand there, too.
    const other = ingest.post(event(), { key });
    await eventually('the other to wait', async () => (await waiting()) === 2);
    await release();
    expect((await other).status).toBe(201);
    await eventually('all answers', async () => statusesOf(received()).length === 3);
    expect(statusesOf(received())).toEqual([201, 201, 201]);
  });

  it('end their connection where too many wait, and none of those is worked on', async () => {
    await start({ maxPipelined: 2 });
    const key = await ingest.key(['audit:write']);
    const { release } = await hold();
    await open(posts(key, 30)).closed;
    expect(logged('connection.ended')).toMatchObject([{ fields: { waiting: 2 } }]);
    await release();
    expect((await ingest.post(event(), { key })).status).toBe(201);
    expect((await ingest.counts()).records).toBeLessThanOrEqual(2);
  });

  it('leave nothing behind where their connection is gone', async () => {
    await start({ maxInFlight: 2, maxInFlightPerKey: 2 });
    const key = await ingest.key(['audit:write']);
    const { release, waiting } = await hold();
    for (let n = 0; n < 2; n++) {
      const { socket, closed } = open(posts(key, 8));
      await eventually('a write to wait', async () => (await waiting()) > n);
      socket.destroy();
      await closed;
    }
    await release();
    await eventually('both places', async () => {
      const both = await Promise.all([ingest.post(event(), { key }), ingest.post(event(), { key })]);
      return both.every(({ status }) => status === 201);
    });
    expect(logged('request.rejected')).toEqual([]); // nobody waits for them, so they are not begun
  });

  it('are not worked on any more where the api closes before their turn', async () => {
    await start({});
    const key = await ingest.key(['audit:write']);
    const { release, waiting } = await hold();
    const { received, closed } = open(posts(key, 3));
    await eventually('a write to wait', async () => (await waiting()) === 1);
    const closing = ingest.closeApi();
    await release();
    await Promise.all([closed, closing]);
    expect(statusesOf(received())).toEqual([201]);
    expect((await ingest.counts()).records).toBe(1);
  });

  it('before one that is no HTTP are answered themselves, and then the connection ends', async () => {
    await start({});
    const key = await ingest.key(['audit:write']);
    const { received, closed } = open(`${posts(key, 1)}NONSENSE\r\n\r\n`);
    await closed;
    expect(statusesOf(received())).toEqual([201]);
    expect(received().toLowerCase()).toContain('connection: close');
    expect(logged('request.rejected')).toMatchObject([{ fields: { code: 'malformed_request', status: 400 } }]);
  });
});

describe('bodies that come byte by byte', () => {
  it('take a share of the places with one key, and the others those that are left', async () => {
    await start({ maxInFlight: 4, maxInFlightPerKey: 2 });
    const [key, other] = [await ingest.key(['audit:write']), await ingest.key(['audit:write'])];
    const slow = Array.from({ length: 4 }, () => open(slowly({ Authorization: `Bearer ${key}` })));
    await eventually('two to be refused', async () => slow.filter(({ received }) => received() !== '').length === 2);
    const refused = await ingest.post(event(), { key });
    expectProblem(refused, 429, 'rate_limited');
    expect([refused.headers.get('retry-after'), refused.body.retryable]).toEqual(['1', true]);
    for (let n = 0; n < 3; n++) expect((await ingest.post(event(), { key: other })).status).toBe(201);
    for (const { socket } of slow) socket.destroy();
    await eventually('the share to be free', async () => (await ingest.post(event(), { key })).status === 201);
    expect((await ingest.post(event(), { key })).status).toBe(201);
  });

  it('are bounded by all places with the key of our own outbox, which has no share', async () => {
    await start({ maxInFlight: 3, maxInFlightPerKey: 1 });
    const key = await ingest.key(['audit:write:any-tenant']);
    const { release, waiting } = await hold();
    const running = Array.from({ length: 3 }, () => ingest.post(event(), { key }));
    await eventually('three writes to wait', async () => (await waiting()) === 3);
    expectProblem(await ingest.post(event(), { key }), 503, 'overloaded');
    await release();
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([201, 201, 201]);
  });

  it('and whose caller is gone before its key is known leave the share as it was', async () => {
    await start({ maxInFlightPerKey: 1 });
    const key = await ingest.key(['audit:write']);
    const { release, waiting } = await hold('audit.api_key IN ACCESS EXCLUSIVE MODE');
    const { socket, closed } = open(slowly({ Authorization: `Bearer ${key}` }));
    await eventually('the look for the key to wait', async () => (await waiting()) === 1);
    socket.resetAndDestroy();
    await closed;
    expect((await fetch(`${ingest.url}/live`)).status).toBe(200); // the server has heard of it
    await release();
    await eventually('the request to be given up', async () =>
      logged('request.rejected').some(({ fields }) => fields.code === 'incomplete_body'),
    );
    expect((await ingest.post(event(), { key })).status).toBe(201);
  });

  it('are answered 401 at once without a key, or with one that does not hold, and take no place', async () => {
    await start({ maxInFlight: 2, maxInFlightPerKey: 2 });
    const wrong = { Authorization: `Bearer tob_abcdefgh_${'A'.repeat(43)}` };
    const slow = [undefined, undefined, undefined, wrong, wrong].map((headers) => open(slowly(headers)));
    await eventually('all to be answered', async () => slow.every(({ received }) => received().endsWith('}')));
    expect(slow.map(({ received }) => statusesOf(received()))).toEqual([[401], [401], [401], [401], [401]]);
    const both = await Promise.all([ingest.post(event()), ingest.post(event())]);
    expect(both.map(({ status }) => status)).toEqual([201, 201]);
  });

  it('with a key whose signature is still to come give way to whoever sends his at once', async () => {
    await start({ maxInFlight: 8, maxInFlightPerKey: 2 });
    const { secret: key, signingSecret } = await ingest.createKey({ signedUnder: SECRET_KEY });
    const slow = Array.from({ length: 3 }, () => open(slowly({ Authorization: `Bearer ${key}` })));
    const ended = () => slow.filter(({ received }) => received() !== '');
    await eventually('one of them to be ended', async () => ended().length === 1);
    const text = JSON.stringify(event());
    const [id, at] = ['msg_1', new Date()];
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(signingSecret ?? '').sign(id, at, text),
    };
    expect((await ingest.post(text, { key, headers })).status).toBe(201);
    await eventually('another one to be ended', async () => ended().length === 2);
    await Promise.all(ended().map(({ closed }) => closed));
    for (const { received } of ended()) {
      expect(statusesOf(received())).toEqual([429]);
      expect(received()).toContain('"code":"rate_limited"');
      expect(received()).toMatch(/\r\nretry-after: 1\r\n/i);
      expect(received()).toMatch(/\r\nconnection: close\r\n/i); // the rest of the body is not kept
    }
    expect((await ingest.post(event())).status).toBe(201);
  });
});

describe('heads that HTTP/1.1 does not allow', () => {
  const GET = 'GET /live HTTP/1.1\r\n';
  it.each([
    ['no Host', `${GET}\r\n`],
    ['two of them', `${GET}Host: x\r\nHost: y\r\n\r\n`],
    ['an unknown Expect', `${GET}Host: x\r\nExpect: foo\r\n\r\n`],
    ['one more beside 100-continue', `${GET}Host: x\r\nExpect: 100-continue, foo\r\n\r\n`],
    ['an unknown Expect, with a body', `${slowly({ Expect: 'foo' })}`],
  ])('%s: a problem of RFC 9457, and a line in the log', async (_, sent) => {
    await start({});
    const { received } = open(sent);
    await eventually('the answer', async () => received().endsWith('}'));
    const last = received().slice(received().lastIndexOf('HTTP/1.1 '));
    const [head = '', text = ''] = last.split('\r\n\r\n');
    const [first = '', ...lines] = head.split('\r\n');
    const headers = new Headers(lines.map((line) => line.split(': ', 2) as [string, string]));
    const status = Number(first.split(' ')[1]);
    expect({ status, code: JSON.parse(text).code }).toEqual({ status: 400, code: 'malformed_request' });
    const [method = '', path = ''] = sent.split(' ');
    createAnswerCheck(describeApi({ ops: false }))({ method, path, status, headers, text });
    expect(logged('request.rejected')).toMatchObject([
      { level: 'info', fields: { code: 'malformed_request', requestId: headers.get('x-request-id') } },
    ]);
  });

  it('what HTTP allows is served: 100-continue, and HTTP/1.0 without a Host', async () => {
    await start({});
    const old = open('GET /live HTTP/1.0\r\n\r\n');
    await old.closed;
    expect(statusesOf(old.received())).toEqual([200]);
    const key = await ingest.key(['audit:write']);
    const { received } = open(posts(key, 1).replace('\r\n\r\n', '\r\nExpect: 100-Continue\r\n\r\n'));
    await eventually('both answers', async () => statusesOf(received()).length === 2);
    expect(statusesOf(received())).toEqual([100, 201]);
  });
});
