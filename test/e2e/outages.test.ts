// Real: the roles as processes, a Temporal server and a PostgreSQL of this file's own, killed or stopped and started
// again. Fake: a second destination, a scripted HTTP server behind httpHandler.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/infrastructure/embedded/embedded-postgres.js';
import { type EmbeddedTemporal, startEmbeddedTemporal } from '../../src/infrastructure/embedded/embedded-temporal.js';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, outboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';
import { accept, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalCli } from '../support/temporal.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-outages-'));
  await chmod(folder, 0o755);
});
afterEach(() => endLeftoverCli());
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const ready = async (port: number | null) => {
  const answer = await fetch(`http://127.0.0.1:${port}/ready`);
  return { status: answer.status, body: (await answer.json()) as { problems?: Record<string, string> } };
};

describe('Temporal away', () => {
  let deployment: TestDeployment;
  let temporal: EmbeddedTemporal;
  const start = (port: number) =>
    startEmbeddedTemporal({
      cli: temporalCli(),
      dbFile: join(folder, 'temporal.db'),
      pidFile: join(folder, 'temporal.pid'),
      port,
      uiPort: null,
      searchAttributes: ['OutboxEventName', 'OutboxEventType', 'OutboxTenantId', 'OutboxErrorCode'],
    });

  beforeAll(async () => {
    deployment = await createTestDeployment();
    temporal = await start(0);
  }, 90_000);
  afterAll(async () => {
    await temporal.stop();
    await deployment.drop();
  });

  it('R8: killed under running roles: nothing is dead, nothing spent; after its next start everything goes on', async () => {
    const api = await deployment.start('api');
    const partner = await startScriptedDestination();
    const config = await deployment.configFile(`httpHandler({ routingKey: 'test.partner', url: '${partner.url}' })`);
    const environment = { TEMPORAL_ADDRESS: temporal.address, OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
    const roles = await deployment.start('relay,worker', environment, ['--config', config]);
    const before = await deployment.append({});
    await deployment.untilStatus(before, 'DELIVERED');
    // One run is in the middle of its backoff.
    partner.answer((_, response) => response.writeHead(503, { 'retry-after': '5' }).end());
    const asleep = await deployment.append({ routingKey: 'test.partner' });
    const failedOnce = async () => {
      const { rows } = await deployment.outbox.query('SELECT code FROM outbox.delivery_attempt WHERE event_id = $1', [
        asleep,
      ]);
      return rows.some(({ code }) => code === 'HTTP.RATE_LIMITED');
    };
    await eventually('a first attempt that failed, of a run that is marked', async () =>
      (await failedOnce()) ? (await deployment.status(asleep)) === 'STARTED' : false,
    );
    partner.answer(accept);

    process.kill(temporal.pid, 'SIGKILL');
    await temporal.stop();
    await eventually('B28: ready no more, for Temporal', async () => {
      const { status, body } = await ready(roles.probePort);
      return status === 503 && body.problems?.temporal !== undefined;
    });
    expect((await fetch(`http://127.0.0.1:${roles.probePort}/live`)).status).toBe(200);
    const ids = await Promise.all(Array.from({ length: 5 }, () => deployment.append({})));
    await eventually('the relay to say that starts are refused', async () =>
      roles.lines().some(({ msg }) => msg === 'relay.starts_refused'),
    );
    const { rows } = await deployment.outbox.query(
      `SELECT status, start_tries, (SELECT count(*)::int FROM outbox.delivery_attempt WHERE event_id = ANY ($1)) AS attempts,
              (SELECT count(*)::int FROM outbox.dead_letter) AS letters FROM outbox.delivery WHERE event_id = ANY ($1)`,
      [ids],
    );
    expect(rows).toEqual(ids.map(() => ({ status: 'PENDING', start_tries: 0, attempts: 0, letters: 0 })));

    temporal = await start(Number(temporal.address.split(':')[1]));
    for (const id of [...ids, asleep]) await deployment.untilStatus(id, 'DELIVERED');
    for (const id of ids) expect(await deployment.records(id)).toBe(1);
    await eventually('ready again', async () => (await ready(roles.probePort)).status === 200);
    expect(await stop(roles)).toBe(0);
    expect(await stop(api)).toBe(0);
    await partner.close();
  }, 120_000);

  it.each([
    ['relay', { TEMPORAL_ADDRESS: '127.0.0.1:1' }],
    ['worker', { OUTBOX_DATABASE_URL: 'postgresql://postgres@127.0.0.1:1/nothing' }],
  ])(
    'a %s that starts while nobody answers waits, lives, is not ready, and stops at SIGTERM',
    async (role, away) => {
      const port = await freePort(0);
      const waiting = outboxCli([role], { ...deployment.environment, ...away, OUTBOX_PROBE_PORT: String(port) });
      await eventually('it to say so', async () => waiting.lines().some(({ msg }) => msg === 'start.waiting'));
      expect((await fetch(`http://127.0.0.1:${port}/live`)).status).toBe(200);
      expect(await ready(port)).toMatchObject({ status: 503, body: { problems: { start: expect.any(String) } } });
      expect(await stop(waiting)).toBe(0);
    },
    60_000,
  );

  it('a SIGTERM in the middle of connecting is not waited for: the try is not heard to fail any more', async () => {
    let knock = () => {};
    const knocked = new Promise<void>((resolve) => {
      knock = resolve;
    });
    // Read, or the end of the other side is never seen and the server never closed.
    const silent = createServer((socket) => {
      socket.on('error', () => {}).resume();
      knock();
    });
    await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
    try {
      const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const probePort = String(await freePort(0));
      const environment = { ...deployment.environment, TEMPORAL_ADDRESS: address, OUTBOX_PROBE_PORT: probePort };
      const waiting = outboxCli(['relay'], environment);
      await knocked;
      expect(await stop(waiting)).toBe(0);
      expect(waiting.lines().filter(({ msg }) => msg === 'start.waiting')).toEqual([]);
    } finally {
      await endLeftoverCli();
      await new Promise((resolve) => silent.close(resolve));
    }
  });
});

describe('PostgreSQL away', () => {
  it('a server that falls silent in the middle of a start is told, and a SIGTERM ends the start', async () => {
    const deployment = await createTestDeployment();
    const target = new URL(deployment.databases.outboxUrl);
    // Passes everything on, until the policy is to be written: then nothing comes back any more.
    const proxy = createServer((client) => {
      const server = connect(Number(target.port), target.hostname);
      let silent = false;
      client.on('data', (chunk) => {
        silent ||= chunk.includes('INSERT INTO "outbox"."policy"');
        if (!silent) server.write(chunk);
      });
      server.on('data', (chunk) => client.write(chunk));
      for (const socket of [client, server]) {
        socket.on('error', () => {});
        socket.on('close', () => {
          client.destroy();
          server.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
    try {
      const through = new URL(target);
      through.hostname = '127.0.0.1';
      through.port = String((proxy.address() as AddressInfo).port);
      const waiting = outboxCli(['relay'], { ...deployment.environment, OUTBOX_DATABASE_URL: through.href });
      await eventually('it to say so', async () => waiting.lines().some(({ msg }) => msg === 'start.waiting'));
      expect(await stop(waiting)).toBe(0);
    } finally {
      await endLeftoverCli();
      await new Promise((resolve) => proxy.close(resolve));
      await deployment.drop();
    }
  }, 60_000);

  it('every role lives, says that it is not ready, and goes on when it is back; nothing is lost or dead', async () => {
    const start = (port: number) => startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port });
    let postgres: EmbeddedPostgres = await start(0);
    let deployment: TestDeployment | undefined;
    try {
      for (const name of ['outbox', 'audit']) await postgres.createDatabase(name);
      const urls = { outboxUrl: postgres.url('outbox'), auditUrl: postgres.url('audit') };
      deployment = await createTestDeployment({ ...urls, drop: async () => {} });
      const api = await deployment.start('api');
      const environment = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
      const relay = await deployment.start('relay', environment);
      const worker = await deployment.start('worker', environment);
      const ports = [api.apiPort, relay.probePort, worker.probePort];
      for (const port of ports) expect((await ready(port)).status).toBe(200);
      const append = deployment.append;
      const ids = await Promise.all(Array.from({ length: 40 }, () => append({})));

      await postgres.stop();
      for (const port of ports) {
        await eventually('not ready', async () => (await ready(port)).status === 503);
        expect((await fetch(`http://127.0.0.1:${port}/live`)).status).toBe(200);
      }
      postgres = await start(postgres.port);
      for (const port of ports) await eventually('ready', async () => (await ready(port)).status === 200);
      for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
      for (const id of ids) expect(await deployment.records(id)).toBe(1);
      const { rows } = await deployment.outbox.query('SELECT code FROM outbox.dead_letter');
      expect(rows).toEqual([]);
      for (const role of [relay, worker, api]) expect(await stop(role)).toBe(0);
    } finally {
      await endLeftoverCli();
      await deployment?.drop();
      await postgres.stop();
    }
  }, 120_000);
});
