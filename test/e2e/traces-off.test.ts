// What tracing does not do: load anything while it is off, or harm what it traces. Real: all three roles in one process of the
// built command line, PostgreSQL, Temporal, HTTP. Fake: a collector that is away, and one that never answers.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { eventually } from '../support/eventually.js';
import { startOtlpReceiver } from '../support/otlp-receiver.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';
import { temporalAddress } from '../support/temporal.js';

const LIST_MODULES = pathToFileURL(fileURLToPath(new URL('../support/list-modules.mjs', import.meta.url))).href;

let deployment: TestDeployment;
let folder: string;
beforeAll(async () => {
  deployment = await createTestDeployment();
  folder = await mkdtemp(join(tmpdir(), 'outbox-modules-'));
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await deployment.drop();
});

/** All roles in one process, whose worker needs to know the port of its api before it has one. */
async function startAll(more: Record<string, string>) {
  const port = await freePort(0);
  const own = { OUTBOX_API_PORT: String(port), OUTBOX_AUDIT_URL: `http://127.0.0.1:${port}` };
  return deployment.start('api,relay,worker', { ...own, ...more });
}

async function loadedBy(name: string, more: Record<string, string>) {
  const file = join(folder, name);
  const hooked = { NODE_OPTIONS: `--import=${LIST_MODULES}`, TEST_MODULE_LIST: file };
  const roles = await startAll({ ...hooked, ...more });
  const id = await deployment.append({ headers: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } });
  await deployment.untilStatus(id, 'DELIVERED');
  expect(await stop(roles)).toBe(0);
  return { id, loaded: (await readFile(file, 'utf8')).trim().split('\n') };
}

/** As a platform may put them into every container: each of the last three is refused where tracing is on. */
const OF_OTHERS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317',
  OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
  OTEL_TRACES_EXPORTER: 'console',
  OTEL_TRACES_SAMPLER: 'xray',
};

it("off, which is the default whatever others' variables say, nothing of the SDK is loaded, and runs carry no header", async () => {
  const { id, loaded } = await loadedBy('off', OF_OTHERS);
  expect(loaded).toEqual(['@opentelemetry/api']);
  const connection = await Connection.connect({ address: temporalAddress() });
  const history = await new Client({ connection }).workflow.getHandle(`${deployment.name}:${id}:0`).fetchHistory();
  await connection.close();
  expect(JSON.stringify(history)).not.toContain('_tracer-data');

  // The same look at a process that traces finds what is looked for.
  const receiver = await startOtlpReceiver();
  const on = await loadedBy('on', { OUTBOX_TRACES: 'on', OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint });
  await receiver.close();
  expect(on.loaded).toEqual(
    expect.arrayContaining([
      '@opentelemetry/sdk-trace-base',
      '@temporalio/interceptors-opentelemetry-v2',
      'infrastructure/tracing',
    ]),
  );
}, 120_000);

it('with the collector away events are delivered, a line says so once, and the stop takes its time no longer', async () => {
  const endpoint = `http://127.0.0.1:${await freePort(0)}`;
  const roles = await startAll({
    OUTBOX_TRACES: 'on',
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_TIMEOUT: '300',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_BSP_MAX_QUEUE_SIZE: '10',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '5',
  });
  const ids = [];
  for (let n = 0; n < 20; n += 1) ids.push(await deployment.append({}));
  for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
  const failures = () => roles.lines().filter(({ msg }) => msg === 'tracing.export_failed');
  await eventually('the line', async () => failures().length > 0);
  const later = await deployment.append({});
  await deployment.untilStatus(later, 'DELIVERED');
  expect(await stop(roles)).toBe(0);
  expect(failures()).toHaveLength(1);
  expect(failures()[0]).toMatchObject({ level: 'warn', lostSpans: expect.any(Number) });
}, 90_000);

it('a collector that never answers holds neither the delivery nor the stop, and the log says what is lost', async () => {
  const receiver = await startOtlpReceiver();
  receiver.hang();
  const roles = await startAll({
    OUTBOX_TRACES: 'on',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_BSP_MAX_QUEUE_SIZE: '5',
  });
  for (let n = 0; n < 3; n += 1) await deployment.untilStatus(await deployment.append({}), 'DELIVERED');
  await eventually('spans at the collector', async () => receiver.requests.length > 0);
  await eventually('the full queue', async () => roles.lines().some(({ msg }) => msg === 'tracing.queue_full'));
  // The grace is 30 s, and what is waited for the collector at most two of them.
  expect(await stop(roles)).toBe(0);
  expect(roles.lines().find(({ msg }) => msg === 'process.stopped')).toMatchObject({ ended: 'stopped' });
  const lost = roles.lines().find(({ msg }) => msg === 'tracing.lost_at_stop');
  expect(lost).toMatchObject({ level: 'warn', lostSpans: expect.any(Number) });
  await receiver.close();
}, 90_000);

it('off, too, a refused request and an attempt are found by the trace that they came with', async () => {
  const roles = await startAll({ OUTBOX_LOG_LEVEL: 'debug' });
  const traceId = 'ab'.repeat(16);
  const traceparent = `00-${traceId}-${'cd'.repeat(8)}-01`;
  const refused = await fetch(`http://127.0.0.1:${roles.apiPort}/integration/v1/audit/logs`, {
    method: 'POST',
    headers: { authorization: 'Bearer nobody', traceparent },
  });
  expect(await refused.json()).toMatchObject({ code: 'unauthorized', traceId });
  const bare = await fetch(`http://127.0.0.1:${roles.apiPort}/nowhere`, { headers: { traceparent: '00-x' } });
  expect(await bare.json()).not.toHaveProperty('traceId');
  const id = await deployment.append({ headers: { traceparent } });
  await deployment.untilStatus(id, 'DELIVERED');
  expect(await stop(roles)).toBe(0);
  const traced = roles.lines().filter(({ trace_id }) => trace_id === traceId);
  expect(traced.map(({ event, msg }) => event ?? msg)).toEqual(['request.rejected', 'delivery.attempted']);
}, 90_000);

it('switched on, variables that do not fit end the start with a sentence for each, before anything is opened', async () => {
  const environment = { ...deployment.environment, ...OF_OTHERS, OUTBOX_TRACES: 'on' };
  const { code, printed } = await runOutboxCli(['api'], environment);
  expect(code).toBe(78);
  for (const name of ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_TRACES_EXPORTER', 'OTEL_TRACES_SAMPLER']) {
    expect(printed).toContain(`${name}: expected`);
  }
  expect(printed).toContain('OUTBOX_TRACES=off');
}, 60_000);
