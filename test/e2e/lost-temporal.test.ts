// R3, F16: Temporal's data lost. Real: the roles as processes, the command line, PostgreSQL, and a Temporal server of this
// file's own that keeps nothing, ended and started again at the same address. Nothing is fake.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedTemporal, startEmbeddedTemporal } from '../../src/infrastructure/embedded/embedded-temporal.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';
import { temporalCli } from '../support/temporal.js';

let folder: string;
let deployment: TestDeployment;
let temporal: EmbeddedTemporal;

const start = (port: number) =>
  startEmbeddedTemporal({
    cli: temporalCli(),
    pidFile: join(folder, 'temporal.pid'),
    port,
    uiPort: null,
    searchAttributes: ['OutboxEventName', 'OutboxEventType', 'OutboxTenantId', 'OutboxErrorCode'],
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-lost-'));
  deployment = await createTestDeployment();
  temporal = await start(0);
}, 90_000);
afterAll(async () => {
  await endLeftoverCli();
  await temporal?.stop();
  await deployment.drop();
  await rm(folder, { recursive: true, force: true });
});

it('R3, F16: every role refuses, nothing dies; adopted as lost, everything open is dispatched again, one record each', async () => {
  const own = { TEMPORAL_ADDRESS: temporal.address };
  const environment = { ...deployment.environment, ...own };
  const outbox = (...args: string[]) => runOutboxCli(args, environment);
  const relay = await deployment.start('relay', own);
  const api = await deployment.start('api');
  const ids = await Promise.all(Array.from({ length: 8 }, () => deployment.append({})));
  for (const id of ids) await deployment.untilStatus(id, 'STARTED');
  expect(await outbox('temporal', 'adopt')).toMatchObject({
    code: 0,
    printed: expect.stringContaining('"default" is'),
  });

  process.kill(temporal.pid, 'SIGKILL');
  await temporal.stop();
  temporal = await start(Number(temporal.address.split(':')[1]));

  await eventually('the relay that runs to say so, and not to be ready', async () => {
    const answer = await fetch(`http://127.0.0.1:${relay.probePort}/ready`);
    const { problems = {} } = (await answer.json()) as { problems?: Record<string, string> };
    return answer.status === 503 && problems.relay?.includes('namespace');
  });
  for (const role of ['relay', 'worker']) {
    expect(await outbox(role)).toEqual({
      code: 78,
      stdout: expect.anything(),
      printed: expect.stringMatching(/is not the one that this outbox's runs are in .*`outbox temporal adopt --lost`/),
    });
  }
  const waiting = await deployment.append({});
  await eventually('the relay to start nothing there', async () =>
    relay.lines().some(({ msg, reason }) => msg === 'relay.starts_refused' && reason === 'NAMESPACE_CHANGED'),
  );
  const { rows } = await deployment.outbox.query(
    `SELECT status, epoch, count(*)::int, (SELECT count(*)::int FROM outbox.dead_letter) AS letters
     FROM outbox.delivery GROUP BY 1, 2 ORDER BY 1`,
  );
  expect(rows).toEqual([
    { status: 'PENDING', epoch: 0, count: 1, letters: 0 },
    { status: 'STARTED', epoch: 0, count: 8, letters: 0 },
  ]);

  const looked = await outbox('temporal', 'adopt', '--json');
  expect([looked.code, JSON.parse(looked.stdout)]).toMatchObject([1, { started: 8, adopted: false, adopting: false }]);
  const adopted = await outbox('temporal', 'adopt', '--lost', '--json');
  expect([adopted.code, JSON.parse(adopted.stdout)]).toMatchObject([0, { started: 8, adopted: true }]);

  const worker = await deployment.start('worker', { ...own, OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` });
  for (const id of [...ids, waiting]) await deployment.untilStatus(id, 'DELIVERED');
  for (const id of [...ids, waiting]) expect(await deployment.records(id)).toBe(1);
  const after = await deployment.outbox.query(
    'SELECT epoch, redispatches, count(*)::int FROM outbox.delivery GROUP BY 1, 2 ORDER BY 1',
  );
  expect(after.rows).toEqual([
    { epoch: 0, redispatches: 0, count: 1 },
    { epoch: 1, redispatches: 0, count: 8 },
  ]);
  expect(await outbox('temporal', 'adopt')).toMatchObject({ code: 0 });
  for (const role of [relay, worker, api]) expect(await stop(role)).toBe(0);
}, 180_000);

it('refuses another deployment, and a server that is away, each in a sentence', async () => {
  const away = { ...deployment.environment, TEMPORAL_ADDRESS: '127.0.0.1:1' };
  expect(await runOutboxCli(['temporal', 'adopt', '--lost'], away)).toMatchObject({
    code: 69,
    printed: expect.stringContaining('expected a Temporal server at 127.0.0.1:1'),
  });
  const other = { ...deployment.environment, TEMPORAL_ADDRESS: temporal.address, OUTBOX_DEPLOYMENT: 'other' };
  expect(await runOutboxCli(['temporal', 'adopt', '--lost'], other)).toMatchObject({
    code: 78,
    printed: expect.stringContaining(`belongs to deployment "${deployment.name}"`),
  });
}, 60_000);
