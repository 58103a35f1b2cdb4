// Real: the roles as processes, a Temporal server and a PostgreSQL of this file's own, stopped and started again.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/infrastructure/embedded/embedded-postgres.js';
import { type EmbeddedTemporal, startEmbeddedTemporal } from '../../src/infrastructure/embedded/embedded-temporal.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, outboxCli, untilStarted } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, type TestDeployment } from '../support/roles.js';
import { temporalCli } from '../support/temporal.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-outages-'));
  await chmod(folder, 0o755);
});
afterAll(async () => {
  endLeftoverCli();
  await rm(folder, { recursive: true, force: true });
});

const ready = async (port: number | null) => {
  const answer = await fetch(`http://127.0.0.1:${port}/ready`);
  return { status: answer.status, body: (await answer.json()) as { problems?: Record<string, string> } };
};
const stop = async (process: StartedProcess) => {
  process.kill('SIGTERM');
  return process.ended;
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
    endLeftoverCli();
    await temporal.stop();
    await deployment.drop();
  });

  it('R8: nothing is dead and nothing is spent while it is away; what was appended meanwhile is delivered after', async () => {
    const api = await deployment.start('api');
    const environment = { TEMPORAL_ADDRESS: temporal.address, OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
    const roles = await deployment.start('relay,worker', environment);
    const before = await deployment.append({});
    await deployment.untilStatus(before, 'DELIVERED');

    await temporal.stop();
    const ids = await Promise.all(Array.from({ length: 5 }, () => deployment.append({})));
    await eventually('the relay to say that starts are refused', async () =>
      roles.lines().some(({ msg }) => msg === 'relay.starts_refused'),
    );
    const { rows } = await deployment.outbox.query(
      `SELECT status, start_tries, (SELECT count(*)::int FROM outbox.delivery_attempt) AS attempts,
              (SELECT count(*)::int FROM outbox.dead_letter) AS letters FROM outbox.delivery WHERE event_id = ANY ($1)`,
      [ids],
    );
    expect(rows).toEqual(ids.map(() => ({ status: 'PENDING', start_tries: 0, attempts: 0, letters: 0 })));

    temporal = await start(Number(temporal.address.split(':')[1]));
    for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
    for (const id of ids) expect(await deployment.records(id)).toBe(1);
    expect(await stop(roles)).toBe(0);
    expect(await stop(api)).toBe(0);
  }, 120_000);

  it('a role that starts while nobody answers waits, lives, is not ready, and stops at SIGTERM', async () => {
    const waiting = outboxCli(['relay'], {
      ...deployment.environment,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      OUTBOX_PROBE_PORT: '18190',
    });
    await eventually('it to say so', async () => waiting.lines().some(({ msg }) => msg === 'start.waiting'));
    expect((await fetch('http://127.0.0.1:18190/live')).status).toBe(200);
    expect(await ready(18190)).toMatchObject({ status: 503, body: { problems: { start: expect.any(String) } } });
    waiting.kill('SIGTERM');
    expect(await waiting.ended).toBe(0);
  }, 60_000);
});

describe('the outbox database away', () => {
  it('every role lives, says that it is not ready, and goes on when it is back', async () => {
    const start = (port: number) => startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port });
    let postgres: EmbeddedPostgres = await start(0);
    const deployment = await createTestDeployment();
    try {
      for (const name of ['outbox', 'audit']) await postgres.createDatabase(name);
      const urls = { OUTBOX_DATABASE_URL: postgres.url('outbox'), AUDIT_DATABASE_URL: postgres.url('audit') };
      const all = { ...deployment.environment, ...urls };
      expect(await outboxCli(['migrate', 'deploy', '--deployment', deployment.name], all).ended).toBe(0);
      const roles = outboxCli(['run', '--roles', 'api,relay,worker'], all);
      const { apiPort, probePort } = await untilStarted(roles);
      for (const port of [apiPort, probePort]) expect((await ready(port)).status).toBe(200);

      await postgres.stop();
      for (const port of [apiPort, probePort]) {
        await eventually('not ready', async () => (await ready(port)).status === 503);
        expect((await fetch(`http://127.0.0.1:${port}/live`)).status).toBe(200);
      }
      postgres = await start(postgres.port);
      for (const port of [apiPort, probePort])
        await eventually('ready', async () => (await ready(port)).status === 200);
      roles.kill('SIGTERM');
      expect(await roles.ended).toBe(0);
    } finally {
      endLeftoverCli();
      await postgres.stop();
      await deployment.drop();
    }
  }, 120_000);
});
