// Real: workers of two builds as processes of the command line (this one, and one with the workflow bundle that is kept of
// the release before), relay, api, PostgreSQL, Temporal. Fake: the second destination. Activities are this release's in
// both: of a release its workflows are kept, which is what may not fit the runs of another.
import { Client, Connection } from '@temporalio/client';
import { eventually } from '../support/eventually.js';
import { buildWithKeptWorkflows, type OtherBuild } from '../support/kept-releases.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalAddress } from '../support/temporal.js';
import { failedWorkflowTasks } from '../support/workflow-tasks.js';

const KEY = 'test.partner';
let deployment: TestDeployment;
let destination: ScriptedDestination;
let configFile: string;
let before: OtherBuild;
let connection: Connection;
let client: Client;
let environment: Record<string, string>;
let relay: StartedProcess;

beforeAll(async () => {
  deployment = await createTestDeployment();
  destination = await startScriptedDestination();
  configFile = await deployment.configFile(`httpHandler({ routingKey: '${KEY}', url: '${destination.url}' })`);
  before = await buildWithKeptWorkflows();
  connection = await Connection.connect({ address: temporalAddress() });
  client = new Client({ connection });
  const api = await deployment.start('api');
  environment = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}`, OUTBOX_BREAKER_OPEN_MS: '1000' };
  relay = await deployment.start('relay', environment);
}, 90_000);

afterAll(async () => {
  await endLeftoverCli();
  await destination.close();
  await connection.close();
  await deployment.drop();
  await before.remove();
});

const startWorker = (build: 'now' | 'before') =>
  deployment.start('worker', environment, ['--config', configFile], build === 'before' ? before.cli : undefined);
const append = (n: number, event: object = { routingKey: KEY }) =>
  Promise.all(Array.from({ length: n }, () => deployment.append(event)));
const count = async (text: string, ...values: unknown[]): Promise<number> =>
  (await deployment.outbox.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${text}`, values)).rows[0]?.n ?? 0;
const attempted = (ids: string[]) =>
  count('(SELECT DISTINCT event_id FROM outbox.delivery_attempt WHERE event_id = ANY ($1)) AS a', ids);

async function expectDelivered(ids: string[]): Promise<void> {
  for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
  expect(await count('outbox.dead_letter WHERE event_id = ANY ($1)', ids)).toBe(0);
  const runs = ids.map((id) => `${deployment.name}:${id}:0`);
  expect(await failedWorkflowTasks(client, runs)).toEqual([]);
}

it.each([
  ['an upgrade', 'before', 'now'],
  ['a roll-back', 'now', 'before'],
] as const)(
  '%s takes over the runs that the other build has begun and not ended',
  async (_, from, to) => {
    destination.answer((__, response) => void response.writeHead(500).end());
    const first = await startWorker(from);
    // So few that each has failed twice, and is in the tables, before the breaker opens.
    const ids = await append(3);
    await eventually('each to have failed once', async () => (await attempted(ids)) === ids.length);
    expect(await stop(first)).toBe(0);
    destination.answer(accept);
    const second = await startWorker(to);
    await expectDelivered(ids);
    expect(await stop(second)).toBe(0);
    expect(second.printed()).not.toMatch(/TMPRL1100|Nondeterminism/i);
  },
  90_000,
);

it('both share one queue under load: a run goes on with whichever takes its next task, and nothing is lost', async () => {
  // Each fails at first, so that it lives for more than one task.
  const failedOnce = new Set<string>();
  destination.answer((request, response) => {
    if (failedOnce.has(request.key)) return accept(request, response);
    failedOnce.add(request.key);
    response.writeHead(429, { 'retry-after': '1' }).end();
  });
  const workers = await Promise.all([startWorker('before'), startWorker('now')]);
  const partnered = await append(30);
  const audited = await append(60, {});
  await expectDelivered([...partnered, ...audited]);
  for (const id of audited) expect(await deployment.records(id)).toBe(1);
  const { rows } = await deployment.outbox.query<{ worker: string | null }>(
    'SELECT DISTINCT worker FROM outbox.delivery_attempt WHERE event_id = ANY ($1)',
    [partnered],
  );
  const by = rows.map(({ worker }) => worker ?? '').join(' ');
  for (const { pid } of workers) expect(by).toMatch(new RegExp(`:${pid}\\b`));
  for (const worker of workers) expect(await stop(worker)).toBe(0);
  for (const worker of workers) expect(worker.printed()).not.toMatch(/TMPRL1100|Nondeterminism/i);
  expect(await stop(relay)).toBe(0);
}, 90_000);
