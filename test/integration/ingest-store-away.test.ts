/**
 * The audit database really away: a PostgreSQL of this file's own is stopped, started again, and made unreachable in the
 * middle of a statement. Real: PostgreSQL, HTTP, the TCP proxy. Fake: nothing.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/infrastructure/embedded/embedded-postgres.js';
import { deployMigrations } from '../../src/infrastructure/prisma/migrations.js';
import { anyPort } from '../../src/main/chaos/toxiproxy.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { type Answer, event, expectProblem, startIngestOn, type TestIngest } from './ingest-set-up.js';

const probe = (ingest: TestIngest, path: string) => ingest.post('', { path, method: 'GET', key: null });

function expectAway(answer: Answer): void {
  expectProblem(answer, 503, 'store_unavailable');
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(answer.body.retryable).toBe(true);
}

describe('B28: the server is down', () => {
  let folder: string;
  let postgres: EmbeddedPostgres;

  const start = (port: number) =>
    startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port, fsync: false, maxConnections: 100 });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ingest-away-'));
    await chmod(folder, 0o755); // PostgreSQL runs as another user under root
    postgres = await start(anyPort()); // which it takes again
    await postgres.createDatabase('audit');
    await deployMigrations({ databaseUrl: postgres.url('audit'), target: 'audit', log: () => undefined });
  });
  afterAll(async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('B28: is answered 503 with Retry-After, live but not ready, and served again when it is back', async () => {
    const ingest = await startIngestOn(postgres.url('audit'));
    try {
      const one = event();
      expect((await ingest.post(one)).status).toBe(201);
      await eventually('ready', async () => (await probe(ingest, '/ready')).status === 200);

      const { port } = postgres;
      await postgres.stop();
      expectAway(await ingest.post(event()));
      expectAway(await ingest.post([event()]));
      expect((await probe(ingest, '/live')).status).toBe(200);
      const notReady = await probe(ingest, '/ready');
      expect({ status: notReady.status, body: notReady.body }).toEqual({
        status: 503,
        body: { status: 'not ready', waitingFor: ['database'] },
      });
      // A request that needs no database is judged all the same.
      expectProblem(await ingest.post(event(), { key: 'malformed' }), 401, 'unauthorized');

      postgres = await start(port);
      await eventually('ready again', async () => (await probe(ingest, '/ready')).status === 200);
      expect((await ingest.post(one)).status).toBe(200);
      expect(await ingest.counts()).toEqual({ records: 1, keys: 1 });
      const lines = ingest.logs.filter(({ fields }) => fields.code === 'store_unavailable');
      expect(lines.map(({ level }) => level)).toEqual(['warn', 'warn']);
    } finally {
      await ingest.stop();
    }
  });
});

describe('B28: the way to the server is gone', () => {
  let databases: TestDatabases;
  beforeAll(async () => {
    databases = await createTestDatabases();
  });
  afterAll(() => databases.drop());

  it('B28: cut in the middle of the write: 503, and the same request again finds out what stands', async () => {
    const proxy = await startProxy(databases.auditUrl);
    const ingest = await startIngestOn(proxy.url);
    const direct = await startIngestOn(databases.auditUrl);
    const lock = await direct.pool.connect();
    try {
      await lock.query('BEGIN; LOCK TABLE audit.record_key IN SHARE MODE');
      const one = event();
      const answer = ingest.post(one);
      await eventually('the write to wait', async () => {
        const { rows } = await lock.query(
          `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'audit.record_key'::regclass`,
        );
        return rows.length > 0;
      });
      proxy.cut();
      expectAway(await answer);
      await lock.query('ROLLBACK');
      const again = await ingest.post(one);
      expect([200, 201]).toContain(again.status);
      expect(await direct.counts()).toEqual({ records: 1, keys: 1 });
    } finally {
      lock.release();
      await ingest.stop();
      await direct.stop();
      await proxy.close();
    }
  });

  it('B28: a server that accepts and never answers does not hold callers: 503', async () => {
    const proxy = await startProxy(databases.auditUrl);
    const ingest = await startIngestOn(proxy.url);
    try {
      proxy.silence();
      expectAway(await ingest.post(event()));
      expect((await probe(ingest, '/ready')).status).toBe(503);
    } finally {
      proxy.cut();
      await ingest.stop();
      await proxy.close();
    }
  });
});

interface Proxy {
  readonly url: string;
  /** Ends every connection; new ones work. */
  cut(): void;
  /** Passes nothing on any more. */
  silence(): void;
  close(): Promise<void>;
}

async function startProxy(target: string): Promise<Proxy> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let silent = false;
  const server: Server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => {
        if (!silent) to.write(chunk);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as { port: number }).port);
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.toString(),
    cut,
    silence: () => {
      silent = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}
