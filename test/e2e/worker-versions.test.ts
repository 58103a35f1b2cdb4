// Real: workers of two builds with Worker Versioning on, relay, api, PostgreSQL, the Temporal development server and its
// command line, by the commands of docs/upgrades.md. Fake: the second destination, and whoever takes the spans.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { eventually } from '../support/eventually.js';
import { buildWithKeptWorkflows, type OtherBuild } from '../support/kept-releases.js';
import { startOtlpReceiver } from '../support/otlp-receiver.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { readValue, scrape } from '../support/scrape.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalAddress, temporalCli } from '../support/temporal.js';
import { failedWorkflowTasks } from '../support/workflow-tasks.js';

const KEY = 'test.partner';
let deployment: TestDeployment;
let destination: ScriptedDestination;
let configFile: string;
let before: OtherBuild;
let connection: Connection;
let environment: Record<string, string>;
/** In Temporal. */
let name: string;

beforeAll(async () => {
  deployment = await createTestDeployment();
  name = `workers-of-${deployment.name}`;
  destination = await startScriptedDestination();
  configFile = await deployment.configFile(`httpHandler({ routingKey: '${KEY}', url: '${destination.url}' })`);
  before = await buildWithKeptWorkflows();
  connection = await Connection.connect({ address: temporalAddress() });
  environment = { OUTBOX_WORKER_DEPLOYMENT: name, OUTBOX_BREAKER_OPEN_MS: '1000' };
  await deployment.start('relay', environment);
}, 90_000);

afterAll(async () => {
  await endLeftoverCli();
  await destination.close();
  await connection.close();
  await deployment.drop();
  await before.remove();
});

const startWorker = (cli?: string, more = {}) =>
  deployment.start('worker', { ...environment, ...more }, ['--config', configFile], cli);
const append = (n: number) => Promise.all(Array.from({ length: n }, () => deployment.append({ routingKey: KEY })));
const identityOf = ({ pid }: StartedProcess) => expect.stringMatching(new RegExp(`:${pid}\\b`));

/** `temporal worker deployment …`, as docs/upgrades.md has it. */
async function temporal(...args: string[]): Promise<Record<string, unknown>> {
  const command = ['worker', 'deployment', ...args, '--address', temporalAddress(), '--output', 'json'];
  const { stdout } = await promisify(execFile)(temporalCli(), command);
  return stdout.trim() === '' ? {} : JSON.parse(stdout);
}
interface Ready {
  readonly problems: { readonly worker?: string };
  readonly warnings?: readonly string[];
}
async function askReady({ probePort }: StartedProcess): Promise<Ready & { status: number }> {
  const answer = await fetch(`http://127.0.0.1:${probePort}/ready`);
  return { ...((await answer.json()) as Ready), status: answer.status };
}
/** Of its version; the audit log's own are another matter. */
async function warningsOf(worker: StartedProcess): Promise<string[]> {
  const { warnings = [] } = await askReady(worker);
  return warnings.filter((warning) => warning.includes('worker deployment'));
}
/** Whether it may take another's place, as an orchestrator asks and as an alert does. */
async function inPlaceOf(worker: StartedProcess) {
  const { status, problems } = await askReady(worker);
  const gauge = readValue(await scrape(worker.probePort), 'outbox_worker_version_routed');
  return { status, gauge, why: problems.worker };
}
const IN_PLACE = { status: 200, gauge: 1, why: undefined };
const waits = (why: string) => ({ status: 503, gauge: 0, why: expect.stringContaining(why) });
const buildOf = (worker: StartedProcess) =>
  eventually('the worker to name its build', async () => {
    const line = worker.lines().find(({ msg }) => String(msg).startsWith('worker_version.'));
    return line?.buildId as string | undefined;
  });
const idle = (worker: StartedProcess) =>
  eventually('the worker to say that it is idle', async () => (await warningsOf(worker))[0]);
const routed = (worker: StartedProcess) =>
  eventually('the worker to get runs', async () => (await warningsOf(worker)).length === 0);
async function doctor() {
  const { stdout } = await runOutboxCli(['doctor', '--json', '--config', configFile], {
    ...deployment.environment,
    ...environment,
  });
  const { checks } = JSON.parse(stdout) as {
    checks: { id: string; state: string; detail: string; todo: string }[];
  };
  return checks.find(({ id }) => id === 'temporal.versions');
}
/** Who made the attempts, the last one last. Of one that was lost, as on a busy machine a local one may be, nobody is known. */
async function workersOf(id: string): Promise<string[]> {
  const text = 'SELECT worker FROM outbox.delivery_attempt WHERE event_id = $1 AND worker IS NOT NULL ORDER BY n';
  return (await deployment.outbox.query<{ worker: string }>(text, [id])).rows.map(({ worker }) => worker);
}

it('a build that is not current gets nothing and says so; made current it delivers; the next ramps and takes over open runs', async () => {
  const first = await startWorker(before.cli);
  const a = await buildOf(first);
  expect(await idle(first)).toContain(
    `temporal worker deployment set-current-version --deployment-name ${name} --build-id ${a}`,
  );
  expect(await doctor()).toMatchObject({ state: 'wrong', detail: expect.stringContaining('no build is current') });
  expect(await inPlaceOf(first)).toEqual(waits('no build is current'));
  const early = await deployment.append({ routingKey: KEY });
  await deployment.untilStatus(early, 'STARTED');
  expect(destination.seen).toEqual([]);

  await temporal('set-current-version', '--deployment-name', name, '--build-id', a, '--yes');
  await deployment.untilStatus(early, 'DELIVERED');
  await routed(first);
  expect(first.lines()).toContainEqual(expect.objectContaining({ msg: 'worker_version.routed', buildId: a }));
  expect(await doctor()).toMatchObject({ state: 'ok', detail: expect.stringContaining(`current is ${a}`) });
  expect(await inPlaceOf(first)).toEqual(IN_PLACE);

  // Open runs, begun by the first build.
  destination.answer((_, response) => void response.writeHead(500).end());
  const open = await append(5);
  for (const id of open) await eventually('a failed attempt', async () => (await workersOf(id)).length > 0);

  const second = await startWorker();
  const b = await buildOf(second);
  expect(b).not.toBe(a);
  expect(await idle(second)).toContain(`current is ${a}`);
  expect(await inPlaceOf(second)).toEqual(waits(`current is ${a}`));
  await temporal('set-ramping-version', '--deployment-name', name, '--build-id', b, '--percentage', '50', '--yes');
  await routed(second);
  // A rolling update that went on now would leave half of the runs to nobody.
  expect(await inPlaceOf(second)).toEqual(waits('gets a share of the runs alone'));
  expect(await inPlaceOf(first)).toEqual(IN_PLACE);
  await temporal('set-ramping-version', '--deployment-name', name, '--build-id', b, '--delete', '--yes');
  await idle(second);
  await temporal('set-current-version', '--deployment-name', name, '--build-id', b, '--yes');
  expect(await idle(first)).toContain(`current is ${b}`);
  expect(await inPlaceOf(first)).toEqual(waits(`current is ${b}`));
  await routed(second);
  expect(await inPlaceOf(second)).toEqual(IN_PLACE);
  // Drained: nothing that is pinned to it, and AUTO_UPGRADE moves the rest; it can go.
  expect(await stop(first)).toBe(0);
  destination.answer(accept);
  for (const id of open) await deployment.untilStatus(id, 'DELIVERED');
  for (const id of open) {
    const workers = await workersOf(id);
    expect(workers[0]).toEqual(identityOf(first));
    expect(workers.at(-1)).toEqual(identityOf(second));
  }
  const runs = [early, ...open].map((id) => `${deployment.name}:${id}:0`);
  expect(await failedWorkflowTasks(new Client({ connection }), runs)).toEqual([]);
  const described = JSON.stringify(await temporal('describe', '--name', name));
  expect(described).toContain(a);
  expect(described).toContain(b);
  const version = await temporal('describe-version', '--deployment-name', name, '--build-id', a);
  expect(JSON.stringify(version)).toMatch(/drain/i);

  const receiver = await startOtlpReceiver();
  try {
    const traced = await startWorker(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint });
    expect(await buildOf(traced)).toBe(b);
    expect(await stop(traced)).toBe(0);
  } finally {
    await receiver.close();
  }

  await temporal('set-current-version', '--deployment-name', name, '--unversioned', '--yes');
  expect(await idle(second)).toContain('no build is current');
  expect(await stop(second)).toBe(0);
}, 90_000);
