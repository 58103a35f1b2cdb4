// A viewer sees everything and changes nothing: on the page, which says why, and at the server, which does not take the page's
// word for it. Real: the api as a process of the built command line, PostgreSQL, HTTP, the built page in a Chromium. What is
// shown is planted as rows.
import type { Page } from 'playwright-core';
import { AUDIT_LOOKUP_PATH } from '../../src/contract/audit-api.js';
import { DEAD_LETTERS_PATH } from '../../src/contract/dead-letters-api.js';
import { CSRF_HEADER, SESSION_PATH, type SignIn } from '../../src/contract/monitor-api.js';
import { PROOF_STATES_PATH } from '../../src/contract/verifications-api.js';
import { withBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { addPerson } from '../support/monitor.js';
import {
  createMonitoredDeployment,
  type MonitoredDeployment,
  type StartedApi,
  stopAll,
} from '../support/monitored-deployment.js';
import { PLANTED, plantMonitor } from '../support/plant-monitor.js';

const PASSWORD = 'correct horse battery staple';

const openTab = withBrowser();
let world: MonitoredDeployment;
let api: StartedApi;
let record: string;
/** A key that only looks, and a person who does. */
let viewers: Readonly<Record<'key' | 'person', SignIn>>;

beforeAll(async () => {
  world = await createMonitoredDeployment();
  const { outbox, audit } = world.deployment;
  await addPerson(audit, 'vera', 'viewer', PASSWORD);
  ({ record } = await plantMonitor({ outbox, audit, now: new Date() }));
  api = await world.startApi();
  viewers = { key: { key: world.keys.viewer }, person: { name: 'vera', password: PASSWORD } };
}, 120_000);
afterAll(async () => {
  await stopAll(api);
  await world.drop();
});

async function open(path: string): Promise<Page> {
  const page = await openTab({ origin: api.origin, as: viewers.key });
  await page.goto(`/monitor${path}`);
  return page;
}

/** Buttons that show something, and change nothing. */
const SHOWS = /^(Filter|Clear|Open|Simulate|Copy |Try again|… show |\d+ new: show|Show |Hide )/;

const ACTIONS: readonly (readonly [view: string, path: () => string, actions: readonly RegExp[]])[] = [
  ['the overview', () => '', [/^Pause audit\.log$/, /^Pause all destinations$/, /^Resume crm\.contacts$/]],
  [
    'the dead letters',
    () => '/dead-letters',
    [/^Select all shown$/, /^Redrive selected/, /^Discard selected/, /^Redrive all that fit the filter$/],
  ],
  ['a dead letter', () => `/dead-letters/${PLANTED.letter}`, [/^Redrive$/, /^Edit the payload$/, /^Discard$/]],
  ['a redrive job', () => `/dead-letters/jobs/${PLANTED.runningJob}`, [/^Cancel the job$/]],
  ['a record', () => `/audit/${record}`, [/^Verify its part of the log$/]],
  ['the log', () => '/audit/log', [/^Verify the whole log$/]],
  ['what was not stored', () => `/audit/not-stored/${PLANTED.failedIngest}`, [/^Store it now$/, /^Discard$/]],
];

it.each(ACTIONS)('on the page: %s', async (_, path, actions) => {
  const page = await open(path());
  for (const name of actions) {
    const button = page.getByRole('main').getByRole('button', { name }).first();
    await button.waitFor();
    expect(await button.getAttribute('aria-disabled')).toBe('true');
    expect(await button.getAttribute('title')).toMatch(/^You are signed in to look, /);
    // It can be come to, and does nothing.
    await button.focus();
    await page.keyboard.press('Enter');
    await button.click({ force: true });
  }
  await page.keyboard.press('r');
  expect(await page.getByRole('dialog').count()).toBe(0);
  // There is no other button that could do something.
  const buttons = await page.getByRole('main').getByRole('button').all();
  const enabled = await Promise.all(
    buttons.map(async (button) => {
      const name = (await button.getAttribute('aria-label')) ?? (await button.textContent()) ?? '';
      return (await button.getAttribute('aria-disabled')) === 'true' || SHOWS.test(name.trim()) ? [] : [name];
    }),
  );
  expect(enabled.flat()).toEqual([]);
});

interface Change {
  readonly method: string;
  readonly path: string;
}

/** Asked by POST, and read all the same; who is signed in. */
const READS: readonly string[] = [AUDIT_LOOKUP_PATH, PROOF_STATES_PATH, SESSION_PATH];

/** Every operation of the api that is no GET, as its own document tells of them. */
async function listChanges(): Promise<Change[]> {
  const document = (await (await fetch(`${api.origin}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  return Object.entries(document.paths).flatMap(([template, operations]) => {
    const path = template.replaceAll(/\{[^}]+\}/g, PLANTED.letter);
    const methods = Object.keys(operations).filter((name) => name === 'post' || name === 'delete' || name === 'put');
    return READS.includes(path) ? [] : methods.map((method) => ({ method: method.toUpperCase(), path }));
  });
}

it.each(['key', 'person'] as const)('at the server: every change that the api knows is refused (%s)', async (who) => {
  const page = await openTab({ origin: api.origin, as: viewers[who], expects: (status) => status === 403 });
  await page.goto('/monitor');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  const changes = await listChanges();
  expect(changes.length).toBeGreaterThan(12);
  const sent = { changes, session: SESSION_PATH, header: CSRF_HEADER };
  const answers = await page.evaluate(async ({ changes: asked, session, header }) => {
    const { csrf } = (await (await fetch(session)).json()) as { csrf: string };
    const answered: unknown[] = [];
    for (const { method, path } of asked) {
      const headers = { 'Content-Type': 'application/json', [header]: csrf };
      const response = await fetch(path, { method, headers, body: '{"reason":"as a viewer"}' });
      const { code } = (await response.json()) as { code: string };
      answered.push({ method, path, status: response.status, code });
    }
    return answered;
  }, sent);
  expect(answers).toEqual(changes.map((change) => ({ ...change, status: 403, code: 'scope_missing' })));
});

it('at the server: a payload is not to be had whole, and is without what is personal or secret', async () => {
  const page = await openTab({ origin: api.origin, as: viewers.person, expects: (status) => status === 403 });
  await page.goto('/monitor');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  const read = (query: string) =>
    page.evaluate(async (path) => (await fetch(path)).status, `${DEAD_LETTERS_PATH}/${PLANTED.letter}/payload${query}`);
  expect(await read('')).toBe(403);
  expect(await read('?redacted=false')).toBe(403);
  expect(await read('?redacted=true')).toBe(200);
});

it('nothing has changed by all of that', async () => {
  const { outbox, audit } = world.deployment;
  const letters = await outbox.query(`SELECT count(*)::int AS n FROM outbox.dead_letter WHERE state = 'open'`);
  const pauses = await outbox.query('SELECT reason FROM outbox.pause');
  const jobs = await outbox.query('SELECT state FROM outbox.redrive_job ORDER BY id');
  const verifications = await audit.query('SELECT count(*)::int AS n FROM audit.verification');
  expect(letters.rows).toEqual([{ n: 18 }]);
  expect(pauses.rows).toEqual([{ reason: 'the CRM is being moved' }]);
  expect(jobs.rows).toEqual([{ state: 'running' }, { state: 'cancelled' }]);
  expect(verifications.rows).toEqual([{ n: 3 }]);
});

it('whoever reads no records sees that something could not be stored, and no record', async () => {
  const key = await world.createKey(['dlq:read']);
  const page = await openTab({ origin: api.origin, as: { key } });
  await page.goto('/monitor/dead-letters');
  await page.getByRole('link', { name: 'Not stored in the audit log' }).click();
  await page.getByRole('table', { name: 'Not stored' }).getByRole('link').first().click();
  await page.getByRole('heading', { name: /^Not stored / }).waitFor();
  await page.goto('/monitor/audit');
  await page.getByText(/^You may not read records: /).waitFor();
});

it('is told so in words, and sees all of it', async () => {
  const page = await open(`/dead-letters/${PLANTED.letter}`);
  await page.getByText('You are signed in to look, and can change nothing.').waitFor();
  await page.getByText('(viewer)').waitFor();
  await page.getByText('Show it, without what is personal or secret').click();
  await page.getByText('"orderId"').waitFor();
  await page.goto('/monitor');
  await eventually('the numbers', async () => (await page.locator('#now').textContent())?.includes('18'));
});
