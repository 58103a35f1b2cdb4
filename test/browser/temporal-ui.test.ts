// From an event's page to its run in Temporal's own Web UI. Real: a Temporal server of this file's own with its Web UI, api, relay
// and worker as processes of the built command line, PostgreSQL, HTTP, both pages in a Chromium. Fake: the partner, a
// scripted HTTP server behind httpHandler.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { DEAD_LETTERS_PATH } from '../../src/contract/dead-letters-api.js';
import { type EmbeddedTemporal, startEmbeddedTemporal } from '../../src/infrastructure/embedded/embedded-temporal.js';
import { withBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { region } from '../support/monitor-page.js';
import {
  createMonitoredDeployment,
  type MonitoredDeployment,
  type StartedApi,
  stopAll,
} from '../support/monitored-deployment.js';
import type { StartedProcess } from '../support/roles.js';
import { temporalCli } from '../support/temporal.js';

/** None that a link would have by itself. */
const NAMESPACE = 'shop';

const openTab = withBrowser();
let folder: string;
let temporal: EmbeddedTemporal;
let world: MonitoredDeployment;
let api: StartedApi;
let line: StartedProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-temporal-ui-'));
  temporal = await startEmbeddedTemporal({
    cli: temporalCli(),
    pidFile: join(folder, 'temporal.pid'),
    port: 0,
    uiPort: 0,
    searchAttributes: ['OutboxEventName', 'OutboxEventType', 'OutboxTenantId', 'OutboxErrorCode'],
  });
  const cli = (...args: string[]) =>
    promisify(execFile)(temporalCli(), [...args, '--namespace', NAMESPACE, '--address', temporal.address]);
  await cli('operator', 'namespace', 'create', '--retention', '24h');
  // The server gets to know it a moment later.
  await eventually('the namespace', () =>
    cli('workflow', 'list').then(
      () => true,
      () => false,
    ),
  );
  world = await createMonitoredDeployment();
  api = await world.startApi({ OUTBOX_TEMPORAL_UI_URL: temporal.uiUrl as string });
  line = await world.startLine(api.origin, { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: NAMESPACE });
}, 120_000);
afterAll(async () => {
  await stopAll(line, api);
  await temporal?.stop();
  await world.drop();
  await rm(folder, { recursive: true, force: true });
});

/** What the link opens. */
async function openRun(page: Page): Promise<Page> {
  const link = page.getByRole('link', { name: 'Open the run in Temporal' }).first();
  const [opened] = await Promise.all([page.context().waitForEvent('page'), link.click()]);
  return opened;
}

it('the link of an event that died opens its run, which is Failed with the code and a summary', async () => {
  world.partner.answer((_, response) => response.writeHead(422).end('{"why":"no iban"}'));
  const id = await world.deployment.append({ routingKey: 'test.partner', eventType: 'ORDER', tenantId: 'acme' });
  await world.deployment.untilStatus(id, 'DEAD');
  const page = await openTab({ origin: api.origin, as: { key: world.keys.operator }, popups: true });
  await page.goto(`/monitor/events/${id}`);
  await page.getByText('Dead letter written').waitFor();
  const run = await openRun(page);
  expect(run.url()).toMatch(new RegExp(`^${temporal.uiUrl}/namespaces/${NAMESPACE}/workflows/`));
  expect(decodeURIComponent(run.url())).toContain(`${world.deployment.name}:${id}:0`);
  await run.getByText('Failed', { exact: true }).first().waitFor();
  await run.getByText('HTTP.CLIENT_ERROR').first().waitFor();
  await run.getByText('order.order.placed.v1 → test.partner').first().waitFor();

  // The letter leads there, too.
  await page.goto(`/monitor/dead-letters/${id}`);
  await region(page, 'What it is').waitFor();
  const again = await openRun(page);
  await again.getByText('HTTP.CLIENT_ERROR').first().waitFor();
  expect(new URL(again.url()).pathname.split('/').slice(0, 6)).toEqual(
    new URL(run.url()).pathname.split('/').slice(0, 6),
  );

  // A redrive is a run of its own, and so is where its letter leads.
  await fetch(`${api.origin}${DEAD_LETTERS_PATH}/${id}/redrive`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${world.keys.operator}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ reason: 'once more' }),
  });
  const letters = `SELECT FROM outbox.dead_letter WHERE event_id = $1`;
  await eventually('another letter', async () => (await world.deployment.outbox.query(letters, [id])).rowCount === 2);
  await page.goto(`/monitor/dead-letters/${id}`);
  await region(page, 'What it is').waitFor();
  const redriven = await openRun(page);
  expect(decodeURIComponent(redriven.url())).toContain(`${world.deployment.name}:${id}:1`);
  await redriven.getByText('HTTP.CLIENT_ERROR').first().waitFor();
}, 180_000);

it('the link of an event that is under way opens the run that carries it', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  world.partner.answer(async ({ key }, response) => {
    await held;
    response.writeHead(201).end(JSON.stringify({ id: `r-${key}` }));
  });
  const id = await world.deployment.append({ routingKey: 'test.partner' });
  const page = await openTab({ origin: api.origin, as: { key: world.keys.operator }, popups: true });
  await page.goto(`/monitor/events/${id}`);
  await page.getByText('Running', { exact: true }).waitFor();
  const run = await openRun(page);
  await run.getByText('Running', { exact: true }).first().waitFor();
  release();
  await page.getByText('Delivered', { exact: true }).first().waitFor();
  await run.getByText('Completed', { exact: true }).first().waitFor();
}, 120_000);
