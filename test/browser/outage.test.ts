// What the monitor says while something it shows is away: that it is, why, and of when the rest is; never a number that nobody
// has counted. Real: api, relay and worker as processes of the built command line, two PostgreSQL servers of this file's own,
// which are stopped and started, Temporal, HTTP, the built page in a Chromium. Fake: the partner, which is killed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/infrastructure/embedded/embedded-postgres.js';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { withBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { goTo, region, rowOf, tile, untilText } from '../support/monitor-page.js';
import {
  createMonitoredDeployment,
  type MonitoredDeployment,
  type StartedApi,
  stopAll,
} from '../support/monitored-deployment.js';
import { type StartedProcess, stop } from '../support/roles.js';
import { startScriptedDestination } from '../support/scripted-destination.js';

/** Below those that the system gives to connections: what is stopped here comes back at the same port. */
const PORTS = 23_000 + 100 * Number(process.env.JEST_WORKER_ID);
/** Nothing dies while its destination is away for a while, and it is tried again at once. */
const PATIENT = `policies: { '*': { maxAttempts: 1000, backoff: { kind: 'fixed', intervalMs: 300 } } }`;
const TILES = ['Throughput', 'Append to delivered, p95', 'Lag', 'In flight', 'Retrying', 'Dead letters'];

const openTab = withBrowser();
let folder: string;
let servers: { outbox: EmbeddedPostgres; audit: EmbeddedPostgres };
let world: MonitoredDeployment;
let ports: { partner: number; api: number };
let api: StartedApi;
let line: StartedProcess;

const startServer = (name: 'outbox' | 'audit', port: number) =>
  startEmbeddedPostgres({ dataDir: join(folder, name), port, fsync: false });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-outage-'));
  servers = { outbox: await startServer('outbox', PORTS), audit: await startServer('audit', PORTS + 20) };
  await servers.outbox.createDatabase('outbox');
  await servers.audit.createDatabase('audit');
  ports = { partner: await freePort(PORTS + 40), api: await freePort(PORTS + 60) };
  world = await createMonitoredDeployment({
    config: PATIENT,
    partnerPort: ports.partner,
    databases: {
      outboxUrl: servers.outbox.url('outbox'),
      auditUrl: servers.audit.url('audit'),
      drop: async () => {
        await servers.outbox.stop();
        await servers.audit.stop();
      },
    },
  });
  await startApi();
  line = await world.startLine(api.origin, { OUTBOX_BREAKER_OPEN_MS: '300' });
}, 120_000);
afterAll(async () => {
  await stopAll(line, api);
  await world.drop();
  await rm(folder, { recursive: true, force: true });
});

async function startApi(): Promise<void> {
  api = await world.startApi({ OUTBOX_API_PORT: String(ports.api) });
}

/** Signed in, while something is away: what is asked for then has no answer, or is refused for now. */
async function open(path = '', origin = api.origin): Promise<Page> {
  const page = await openTab({
    origin,
    as: { key: world.keys.operator },
    expects: (status) => status === null || status >= 500,
  });
  await page.goto(`/monitor${path}`);
  return page;
}
const headline = (page: Page) => region(page, 'How it stands');
const isWell = (page: Page) => untilText(headline(page), /All is well/, 60_000);
/** Of the partner, in a row. */
const failuresOf = (page: Page) => rowOf(page, 'Destinations', 'test.partner').getByRole('cell').nth(3);
const partOf = (page: Page, label: string) =>
  region(page, 'What it stands on').getByRole('listitem').filter({ hasText: label });

it('a destination that is killed: the page says so within five seconds, and that it is back, by itself', async () => {
  const page = await open();
  await isWell(page);
  const saidAfterMs: number[] = [];
  let partner = world.partner;
  // A machine that stands still for a moment is no fault of the page: of three the middle one has to be in time.
  for (let n = 0; n < 3; n++) {
    await partner.close();
    const id = await world.deployment.append({ routingKey: 'test.partner' });
    const downAt = performance.now();
    await headline(page)
      .getByText(/destination test\.partner/i)
      .first()
      .waitFor({ timeout: 40_000 });
    saidAfterMs.push(performance.now() - downAt);
    await rowOf(page, 'Destinations', 'test.partner')
      .getByText(/in a row, HTTP\.NETWORK/)
      .waitFor();

    partner = await startScriptedDestination(ports.partner);
    await world.deployment.untilStatus(id, 'DELIVERED');
    await isWell(page);
    await untilText(failuresOf(page), 'none');
  }
  await partner.close();
  expect(saidAfterMs.toSorted((a, b) => a - b)[1]).toBeLessThan(5_000);
}, 180_000);

it('relay and worker killed: the page says that nobody delivers, and since when', async () => {
  const page = await open();
  await isWell(page);
  await stop(line, 'SIGKILL');
  // As if the time were over after which they count as silent.
  await world.deployment.outbox.query(`UPDATE outbox.process SET seen_at = seen_at - interval '1 minute'`);
  await headline(page)
    .getByText(/^No relay tells of itself: the last one was seen at \d/)
    .first()
    .waitFor();
  await rowOf(page, 'Relays and workers', 'relay, worker').getByText('Silent').waitFor();
  // What only they tell of is not known; it is not well.
  await partOf(page, 'Temporal').getByText('Not known').waitFor();
  await partOf(page, 'Audit API').getByText('Not known').waitFor();

  line = await world.startLine(api.origin, { OUTBOX_BREAKER_OPEN_MS: '300' });
  await partOf(page, 'Temporal').getByText('Well', { exact: true }).waitFor();
}, 120_000);

it('the api stopped: what is shown is stale since then; another one, and it goes on by itself', async () => {
  const page = await open();
  await page.getByText('Live', { exact: true }).waitFor();
  await stop(api);
  await page.getByText('Stale', { exact: true }).waitFor();
  const alert = page.getByRole('alert').filter({ hasText: /^Stale since/ });
  await alert.waitFor();
  await untilText(headline(page), /^Not known.*Not known now; last: /);

  await startApi();
  await page.getByText('Live', { exact: true }).waitFor({ timeout: 40_000 });
  await alert.waitFor({ state: 'hidden' });
  await untilText(headline(page), /^(?!Not known)/);
}, 120_000);

it('the audit database away: its part says why, reading goes on, and changes are refused with a sentence', async () => {
  world.partner.answer((_, response) => response.writeHead(422).end());
  const partner = await startScriptedDestination(ports.partner);
  partner.answer((_, response) => response.writeHead(422).end('{"why":"no iban"}'));
  const id = await world.deployment.append({ routingKey: 'test.partner', eventType: 'AWAY' });
  await world.deployment.untilStatus(id, 'DEAD');
  await partner.close();
  const page = await open();
  await partOf(page, 'Audit database').getByText('Well', { exact: true }).waitFor();

  const { port } = servers.audit;
  await servers.audit.stop();
  const part = partOf(page, 'Audit database');
  await part.getByText('Away', { exact: true }).waitFor();
  await part.getByText(/^The audit database does not answer/).waitFor();
  await part.getByText(/^What is shown is of /).waitFor();
  await headline(page)
    .getByText(/the audit database does not answer/i)
    .first()
    .waitFor();
  // What the outbox tells is as of now.
  await untilText(tile(page, 'Dead letters'), '1');

  await goTo(page, 'Dead letters');
  await rowOf(page, 'Dead letters', 'AWAY').getByRole('link').click();
  await page.getByText(/^Your sign-in cannot be looked up now/).waitFor();
  await page.getByRole('button', { name: 'Discard', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Discard this letter' });
  await dialog.getByLabel('Reason').fill('not now');
  await dialog.getByRole('button', { name: 'Discard', exact: true }).click();
  await dialog.getByRole('alert').filter({ hasText: 'It is not discarded by this' }).waitFor();
  expect(await world.deployment.status(id)).toBe('DEAD');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await goTo(page, 'Audit log');
  await page.getByRole('alert').filter({ hasText: 'The records could not be read' }).waitFor();

  servers.audit = await startServer('audit', port);
  await goTo(page, 'Overview');
  await partOf(page, 'Audit database').getByText('Well', { exact: true }).waitFor();
  await goTo(page, 'Dead letters');
  await page.getByText(/^Your sign-in cannot be looked up now/).waitFor({ state: 'hidden' });
}, 180_000);

it('the outbox database away: every part says why and of when it is, none is a zero that nobody counted', async () => {
  const page = await open();
  await untilText(tile(page, 'Dead letters'), '1');
  const { port } = servers.outbox;
  await servers.outbox.stop();
  const part = partOf(page, 'Outbox database');
  await part.getByText('Away', { exact: true }).waitFor();
  await part.getByText(/^The outbox database does not answer/).waitFor();
  await untilText(headline(page), /the outbox database does not answer/i);
  // The last numbers stand, and are told to be old.
  for (const label of TILES) {
    const box = page.locator('#now > div').filter({ has: page.getByText(label, { exact: true }) });
    await untilText(box.getByRole('definition').last(), /^as of .* ago: .*does not answer/);
  }
  await untilText(tile(page, 'Dead letters'), '1');
  await partOf(page, 'Temporal').getByText('Not known').waitFor();
  await goTo(page, 'Events');
  await page.getByRole('alert').filter({ hasText: 'The events could not be read' }).waitFor();

  // One that has never seen it knows nothing, and says that.
  const blind = await world.startApi();
  const other = await open('', blind.origin);
  for (const label of TILES) await untilText(tile(other, label), '—not known');
  await untilText(headline(other), /the outbox database does not answer/i);

  servers.outbox = await startServer('outbox', port);
  await untilText(tile(other, 'Dead letters'), '1', 40_000);
  await goTo(page, 'Overview');
  await partOf(page, 'Outbox database').getByText('Well', { exact: true }).waitFor();
  await eventually('numbers of now', async () => (await page.getByText(/^as of /).count()) === 0);
  await stop(blind);
}, 180_000);
