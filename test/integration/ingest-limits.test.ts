/**
 * What one caller can take of the process, and how it closes. Real: HTTP down to the bytes, PostgreSQL. Fake: nothing; slow
 * work is a real row lock. Limits are small here; nothing measures time.
 */
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import pg from 'pg';
import { eventually } from '../support/eventually.js';
import { event, expectProblem, type IngestOptions, sendRaw, startIngest, type TestIngest } from './ingest-set-up.js';

const LOGS = '/integration/v1/audit/logs';

async function withIngest(options: IngestOptions, work: (ingest: TestIngest) => Promise<void>): Promise<void> {
  const ingest = await startIngest(options);
  try {
    await work(ingest);
  } finally {
    await ingest.stop();
  }
}

/** Holds every write back until released, by a lock on the table of identities that readers do not feel. */
async function holdWrites(ingest: TestIngest): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: ingest.auditUrl });
  client.on('error', () => undefined); // a test that fails drops the database under it
  await client.connect();
  await client.query('BEGIN; LOCK TABLE audit.record_key IN SHARE MODE');
  return () => client.end();
}

const waitingWrites = (ingest: TestIngest, atLeast: number) =>
  eventually(`${atLeast} writes to wait`, async () => {
    const { rows } = await ingest.pool.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows[0].n >= atLeast;
  });

describe('B24: huge and slow requests', () => {
  const limits = { headersTimeoutMs: 1_500, requestTimeoutMs: 3_000 };
  let ingest: TestIngest;
  beforeAll(async () => {
    ingest = await startIngest({ limits });
  });
  afterAll(() => ingest.stop());
  afterEach(async () => {
    expect((await ingest.post('', { path: '/live', method: 'GET' })).status).toBe(200);
    expect(await ingest.counts()).toEqual({ records: 0, keys: 0 });
  });

  const expectRaw = (answer: string, status: number, code: string) => {
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.toLowerCase()).toContain('content-type: application/problem+json');
    expect(answer).toContain(`"code":"${code}"`);
  };

  it('B24: huge headers are answered 431, one or many', async () => {
    const one = `POST ${LOGS} HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(40_000)}\r\n\r\n`;
    const many = `POST ${LOGS} HTTP/1.1\r\nHost: x\r\n${'X-A: b\r\n'.repeat(5_000)}\r\n`;
    for (const sent of [one, many]) expectRaw(await sendRaw(ingest.port, sent), 431, 'headers_too_large');
  });

  it('B24: a huge URL is answered 414, over the header limit too', async () => {
    const answer = await ingest.post(event(), { path: `${LOGS}?a=${'b'.repeat(3_000)}` });
    expectProblem(answer, 414, 'url_too_long');
    const beyond = await sendRaw(ingest.port, `POST /${'a'.repeat(60_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expectRaw(beyond, 414, 'url_too_long');
  });

  it('B24: headers that do not end are answered 408', async () => {
    expectRaw(await sendRaw(ingest.port, `POST ${LOGS} HTTP/1.1\r\nHost: x\r\n`), 408, 'request_timeout');
  });

  it('B24: a body that comes byte by byte is answered 408', async () => {
    const key = await ingest.key(['audit:write']);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(ingest.port, '127.0.0.1');
      let received = '';
      const drip = setInterval(() => socket.writable && socket.write(' '), 100);
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
        if (received.endsWith('}')) socket.destroy();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearInterval(drip);
        resolve(received);
      });
      socket.write(
        `POST ${LOGS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{`,
      );
    });
    expectRaw(answer, 408, 'request_timeout');
  });

  it('what is no HTTP is answered 400', async () => {
    for (const sent of [
      '\u0016\u0003\u0001\u0002\u0000',
      'NONSENSE\r\n\r\n',
      `POST ${LOGS} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n`,
    ]) {
      expectRaw(await sendRaw(ingest.port, sent), 400, 'malformed_request');
    }
  });

  it('a caller that leaves in the middle of its body stores nothing', async () => {
    const key = await ingest.key(['audit:write']);
    const socket = connect(ingest.port, '127.0.0.1');
    const body = JSON.stringify(event());
    socket.write(
      `POST ${LOGS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length + 1}\r\n\r\n${body}`,
      () => socket.destroy(),
    );
    await eventually('the request to be given up', async () =>
      ingest.logs.some(({ fields }) => fields.code === 'incomplete_body'),
    );
  });
});

describe('many at once', () => {
  it('beyond the bound requests are answered 503 with Retry-After, and served again after', async () => {
    await withIngest({ limits: { maxInFlight: 3 } }, async (ingest) => {
      const release = await holdWrites(ingest);
      const running = Array.from({ length: 3 }, () => ingest.post(event()));
      await waitingWrites(ingest, 3);
      const refused = await ingest.post(event());
      expectProblem(refused, 503, 'overloaded');
      expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(refused.body.retryable).toBe(true);
      const probe = (path: string) => ingest.post('', { path, method: 'GET' });
      expect((await probe('/live')).status).toBe(200);
      await eventually('ready', async () => (await probe('/ready')).status === 200);
      await release();
      expect((await Promise.all(running)).map(({ status }) => status)).toEqual([201, 201, 201]);
      expect((await ingest.post(event())).status).toBe(201);
      expect(await ingest.counts()).toEqual({ records: 4, keys: 4 });
    });
  });
});

describe('closing', () => {
  it('accepts nothing new, finishes what runs and ends idle connections', async () => {
    await withIngest({}, async (ingest) => {
      const agent = new Agent({ keepAlive: true });
      await new Promise<void>((resolve, reject) => {
        request({ port: ingest.port, path: '/live', agent }, (res) => res.resume().on('end', resolve))
          .on('error', reject)
          .end();
      });
      const release = await holdWrites(ingest);
      const running = ingest.post(event());
      await waitingWrites(ingest, 1);
      let closed = false;
      const closing = ingest.closeApi().then(() => {
        closed = true;
      });
      await eventually('connections to be refused', () =>
        sendRaw(ingest.port, '').then(
          () => false,
          (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
        ),
      );
      expect(closed).toBe(false);
      await release();
      const answer = await running;
      expect(answer.status).toBe(201);
      expect(answer.headers.get('connection')).toBe('close');
      await closing;
      expect(await ingest.counts()).toEqual({ records: 1, keys: 1 });
      agent.destroy();
    });
  });

  it('answers a request whose headers were still coming, and then ends its connection', async () => {
    await withIngest({}, async (ingest) => {
      let answer = '';
      const socket = connect(ingest.port, '127.0.0.1').on('data', (chunk) => {
        answer += chunk.toString('latin1');
      });
      const ended = new Promise((resolve) => socket.once('close', resolve));
      // The first answer says that the server has read the begin of the second request, sent with it.
      socket.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\nGET /live HTTP/1.1\r\n');
      await eventually('the first answer', async () => answer.endsWith('}'));
      answer = '';
      const closing = ingest.closeApi();
      socket.write('Host: x\r\n\r\n');
      await Promise.all([ended, closing]);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).toMatch(/connection: close/i);
    });
  });

  it('answers a request that an idle connection was carrying as the closing began, and says that it was the last', async () => {
    await withIngest({}, async (ingest) => {
      let answer = '';
      const socket = connect(ingest.port, '127.0.0.1').on('data', (chunk) => {
        answer += chunk.toString('latin1');
      });
      const ended = new Promise((resolve) => socket.once('close', resolve));
      socket.on('error', () => {}); // a connection that was cut has no answer: asserted below
      socket.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually('the first answer', async () => answer.endsWith('}'));
      answer = '';
      const closing = ingest.closeApi();
      socket.write('GET /live HTTP/1.1\r\nHost: x\r\n\r\n');
      await Promise.all([ended, closing]);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).toMatch(/connection: close/i);
    });
  });

  it('ends what does not finish within its grace', async () => {
    await withIngest({ limits: { closeGraceMs: 50 } }, async (ingest) => {
      const release = await holdWrites(ingest);
      const cut = ingest.post(event()).catch((error: unknown) => error);
      await waitingWrites(ingest, 1);
      await ingest.closeApi();
      expect(await cut).toMatchObject({ message: 'fetch failed' });
      await release();
    });
  });
});

describe('starting', () => {
  it('a taken port is an error that names it, and nothing runs', async () => {
    await withIngest({}, async (ingest) => {
      await expect(startIngest({ port: ingest.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    });
  });
});
