// What the page makes of answers that come late, not at all or again and again, and what it lets somebody do meanwhile. Real: the
// api as a process of the built command line, PostgreSQL, HTTP, the built page in a Chromium. What is shown is planted as rows.
// Fake: between page and api some answers are held back, lost, or made up, as the test says.
import type { Page, Request } from 'playwright-core';
import { DEAD_LETTERS_PATH, REDRIVE_JOBS_PATH } from '../../src/contract/dead-letters-api.js';
import { DESTINATIONS_PATH } from '../../src/contract/destinations-api.js';
import { EVENTS_PATH } from '../../src/contract/events-api.js';
import { SESSION_PATH, STREAM_PATH } from '../../src/contract/monitor-api.js';
import { FIGURES_PATH } from '../../src/contract/overview-api.js';
import { type TabOptions, withBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { goTo, region, rowOf } from '../support/monitor-page.js';
import {
  createMonitoredDeployment,
  type MonitoredDeployment,
  type StartedApi,
  stopAll,
} from '../support/monitored-deployment.js';
import { PLANTED, plantMonitor } from '../support/plant-monitor.js';

const openTab = withBrowser();
let world: MonitoredDeployment;
let api: StartedApi;

beforeAll(async () => {
  world = await createMonitoredDeployment();
  const { outbox, audit } = world.deployment;
  await plantMonitor({ outbox, audit, now: new Date() });
  api = await world.startApi();
}, 120_000);
afterAll(async () => {
  await stopAll(api);
  await world.drop();
});

async function open(path: string, options: Partial<TabOptions> = {}): Promise<Page> {
  const page = await openTab({ origin: api.origin, as: { key: world.keys.operator }, ...options });
  await page.goto(`/monitor${path}`);
  return page;
}

type Matches = (url: URL) => boolean;
const asks =
  (path: string, more: Record<string, string> = {}): Matches =>
  ({ pathname, searchParams }) =>
    pathname === path && Object.entries(more).every(([name, value]) => searchParams.get(name) === value);

/** Keeps the answers back until what it answers is called. */
async function holdBack(page: Page, matches: Matches): Promise<() => void> {
  const held = Promise.withResolvers<void>();
  await page.route(matches, async (route) => {
    await held.promise;
    await route.continue();
  });
  return held.resolve;
}

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const isHeld = async (page: Page, name: string) => (await button(page, name).getAttribute('aria-disabled')) === 'true';
const letterTable = (page: Page) => page.getByRole('table', { name: 'Dead letters', exact: true });

async function filterByType(page: Page, type: string): Promise<void> {
  const filter = page.getByRole('form', { name: 'Filter: Dead letters' });
  await filter.getByLabel('Event type').fill(type);
  await filter.getByRole('button', { name: 'Filter' }).click();
}

const noAnswer = { expects: (status: number | null) => status === null };

describe('letters of another filter', () => {
  it('are not in sight, nor chosen, while those that were asked for are being read', async () => {
    const page = await open('/dead-letters?type=ORDER');
    await rowOf(page, 'Dead letters', 'ORDER').first().waitFor();
    await button(page, 'Select all shown').click();
    await page.getByRole('button', { name: /^Discard selected \([1-9]\d*\)$/ }).waitFor();

    const letGo = await holdBack(page, asks(DEAD_LETTERS_PATH, { eventType: 'BILLING' }));
    await filterByType(page, 'BILLING');
    await page.getByText('The dead letters: being read').waitFor();
    expect(await letterTable(page).count()).toBe(0);
    expect(await isHeld(page, 'Select all shown')).toBe(true);
    await button(page, 'Select all shown').click({ force: true });
    await button(page, 'Discard selected (0)').waitFor();

    letGo();
    await rowOf(page, 'Dead letters', 'BILLING').first().waitFor();
    await button(page, 'Discard selected (0)').waitFor();
    await button(page, 'Select all shown').click();
    await button(page, 'Discard selected (5)').waitFor();
  });

  it('are not chosen where those that were asked for cannot be read', async () => {
    const page = await open('/dead-letters?type=ORDER', noAnswer);
    await rowOf(page, 'Dead letters', 'ORDER').first().waitFor();
    await button(page, 'Select all shown').click();
    await page.route(asks(DEAD_LETTERS_PATH, { eventType: 'BILLING' }), (route) => route.abort('connectionreset'));
    await filterByType(page, 'BILLING');
    await page.getByRole('alert').filter({ hasText: 'The dead letters could not be read' }).waitFor();
    expect(await isHeld(page, 'Select all shown')).toBe(true);
    await button(page, 'Discard selected (0)').waitFor();
  });
});

it('figures of another window are not those that were asked for', async () => {
  const page = await open('');
  const figures = region(page, 'Delivered over time');
  await figures.getByText('Show as table').first().waitFor();
  const letGo = await holdBack(page, asks(FIGURES_PATH, { window: '24h' }));
  await figures.getByRole('radio', { name: '24 hours' }).check();
  await figures.getByText('The figures: being read').waitFor();
  expect(await figures.getByText('Show as table').count()).toBe(0);
  letGo();
  await figures.getByText('Died a minute').first().waitFor();
});

describe('an answer that was lost', () => {
  const discard = async (page: Page) => {
    await button(page, 'Discard').click();
    const dialog = page.getByRole('dialog', { name: 'Discard this letter' });
    await dialog.getByLabel('Reason').fill('a test order');
    await dialog.getByRole('button', { name: 'Discard', exact: true }).click();
    return dialog.getByRole('alert');
  };
  const openLetter = async () => {
    const { rows } = await world.deployment.outbox.query(
      `SELECT id FROM outbox.dead_letter WHERE state = 'open' AND event_type = 'BILLING' ORDER BY id LIMIT 1`,
    );
    return rows[0].id as string;
  };

  it('says that it may have been done, which it was', async () => {
    const id = await openLetter();
    const page = await open(`/dead-letters/${id}`, noAnswer);
    await page.route(asks(`${DEAD_LETTERS_PATH}/${id}/discard`), async (route) => {
      await route.fetch();
      await route.abort('connectionreset');
    });
    await (await discard(page)).filter({ hasText: 'It may have been done: look before you try again' }).waitFor();
    const { rows } = await world.deployment.outbox.query('SELECT state FROM outbox.dead_letter WHERE id = $1', [id]);
    expect(rows).toEqual([{ state: 'discarded' }]);
    await page.getByRole('button', { name: 'Close' }).click();
    await page
      .getByText(/^It is discarded by api-key:/)
      .first()
      .waitFor();
  });

  it('is not taken for one that refuses', async () => {
    const id = await openLetter();
    const page = await open(`/dead-letters/${id}`, { expects: (status) => status === 403 });
    await page.route(asks(`${DEAD_LETTERS_PATH}/${id}/discard`), (route) =>
      route.fulfill({
        status: 403,
        contentType: 'application/problem+json',
        body: JSON.stringify({ code: 'csrf_missing', detail: 'made up', status: 403, retryable: false }),
      }),
    );
    await (await discard(page)).filter({ hasText: 'It is not discarded by this: made up' }).waitFor();
  });
});

it('a job takes as many as its button says, whatever was counted before', async () => {
  let counted = 10;
  const made: Record<string, unknown>[] = [];
  const page = await open('/dead-letters?type=ORDER');
  await page.route(asks(REDRIVE_JOBS_PATH), async (route) => {
    const asked = route.request().postDataJSON() as Record<string, unknown>;
    if (asked.dryRun !== true) made.push(asked);
    await route.fulfill({ json: { count: asked.dryRun === true ? counted : 0, edited: 0, groups: [] } });
  });
  await button(page, 'Redrive all that fit the filter').click();
  const dialog = page.getByRole('dialog', { name: 'Redrive all that fit the filter' });
  const act = (name: string) => dialog.getByRole('button', { name, exact: true });
  await act('Redrive 10').waitFor();
  counted = 500;
  await act('Count again').click();
  await dialog.getByText('500 open letters').waitFor();
  await dialog.getByLabel('At most').fill('20');
  await act('Redrive 20').waitFor();
  await dialog.getByLabel('At most').fill('');
  await act('Redrive all, 500 now').waitFor();
  await dialog.getByLabel('At most').fill('450');
  await dialog.getByLabel('Reason').fill('mended');
  await dialog.getByLabel('Type 450 to confirm').fill('450');
  await act('Redrive 450').click();
  await eventually('a job', async () => made.length > 0);
  expect(made).toEqual([{ filter: { eventType: 'ORDER' }, reason: 'mended', rate: 50, cap: 450 }]);
});

it('letters are counted for as long as the api may take over it, and once', async () => {
  const page = await open('/dead-letters?type=ORDER', { scripts: [TIME_STANDS] });
  const pass = (ms: number) => page.evaluate(`letPass(${ms})`);
  let asked = 0;
  let held = Promise.withResolvers<void>();
  await page.route(asks(REDRIVE_JOBS_PATH), async (route) => {
    asked += 1;
    await held.promise;
    // Nobody may wait for it any more.
    await route.fulfill({ json: { count: 10, edited: 0, groups: [] } }).catch(() => undefined);
  });
  await button(page, 'Redrive all that fit the filter').click();
  const dialog = page.getByRole('dialog', { name: 'Redrive all that fit the filter' });
  await eventually('the count', async () => asked === 1);
  await pass(30_000);
  held.resolve();
  await dialog.getByText('10 open letters').waitFor();

  held = Promise.withResolvers();
  await dialog.getByLabel('Reason').fill('mended');
  await dialog.getByRole('button', { name: 'Redrive 10', exact: true }).click();
  await eventually('the job', async () => asked === 2);
  await pass(35_000);
  await dialog.getByRole('alert').filter({ hasText: 'It may have been done' }).waitFor();
  await dialog.getByRole('button', { name: 'Count again' }).click();
  await eventually('another count', async () => asked === 3);
  await pass(35_000);
  await dialog
    .getByText('How many they are could not be read again: The api did not answer within 35 seconds')
    .waitFor();
  held.resolve();
  expect(asked).toBe(3);
});

it('a pause whose end is half written is not one without an end; and it may be of events without a tenant', async () => {
  const page = await open('');
  const sent: Request[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') sent.push(request);
  });
  await button(page, 'Pause all destinations').click();
  const dialog = page.getByRole('dialog', { name: 'Pause' });
  const until = dialog.getByLabel('Until');
  await dialog.getByLabel('Reason').fill('a move');
  await until.focus();
  await page.keyboard.type('12');
  await dialog.getByRole('button', { name: 'Pause', exact: true }).click();
  // The browser holds the form back, and goes to what is wrong.
  await eventually('the half-written time', () =>
    page.evaluate<boolean>(
      `document.activeElement.type === 'datetime-local' && document.activeElement.validity.badInput`,
    ),
  );
  expect(sent).toEqual([]);

  await until.fill('2099-01-01T10:00:00');
  await dialog.getByRole('checkbox', { name: 'Without a tenant' }).check();
  await dialog.getByRole('button', { name: 'Pause', exact: true }).click();
  await dialog.waitFor({ state: 'hidden' });
  const { rows } = await world.deployment.outbox.query(
    `SELECT destination, tenant, until FROM outbox.pause WHERE reason = 'a move'`,
  );
  expect(rows).toEqual([{ destination: null, tenant: '', until: new Date('2099-01-01T10:00:00Z') }]);
});

it('a pause of a name that nothing has says that it holds nothing; one that stands gives way knowingly, and is not ended for another', async () => {
  const page = await open('', { expects: (status) => status === 409 });
  const pause = async (type: string, reason: string, act = 'Pause') => {
    await button(page, 'Pause all destinations').click();
    const dialog = page.getByRole('dialog', { name: 'Pause' });
    await dialog.getByLabel('Only of the event type').fill(type);
    await dialog.getByLabel('Reason').fill(reason);
    await dialog.getByRole('button', { name: act, exact: true }).click();
    return dialog;
  };
  const slip = await pause('BILING', 'a slip');
  await slip.getByRole('alert').filter({ hasText: 'nothing there is has the event type BILING' }).waitFor();
  await slip.getByRole('button', { name: 'Close' }).click();
  await rowOf(page, 'Pauses in force', 'a slip').waitFor();

  const known = await pause('BILLING', 'wrong amounts');
  await known.waitFor({ state: 'hidden' });
  await rowOf(page, 'Pauses in force', 'wrong amounts').waitFor();
  await button(page, 'Pause all destinations').click();
  await known.getByLabel('Only of the event type').fill('BILLING');
  await known.getByText(/^This is paused already, by api-key:.*: wrong amounts, until it is resumed\./).waitFor();
  await known.getByLabel('Reason').fill('until it is known why');
  await known.getByRole('button', { name: 'Replace the pause' }).click();
  await known.waitFor({ state: 'hidden' });

  const row = rowOf(page, 'Pauses in force', 'until it is known why');
  await row.getByRole('button', { name: /^Resume/ }).click();
  // Somebody puts another one in its place while the form is open.
  await fetch(`${api.origin}${DESTINATIONS_PATH}/*/pause`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${world.keys.operator}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ eventType: 'BILLING', reason: 'do not resume' }),
  });
  const resume = page.getByRole('dialog', { name: 'Resume' });
  await resume.getByLabel('Reason').fill('over');
  await resume.getByRole('button', { name: 'Resume', exact: true }).click();
  await resume
    .getByRole('alert')
    .filter({ hasText: /^It is not resumed by this: Another pause of this was made meanwhile by api-key:/ })
    .waitFor();
  const { rows } = await world.deployment.outbox.query(
    `SELECT reason FROM outbox.pause WHERE event_type = 'BILLING' AND destination IS NULL`,
  );
  expect(rows).toEqual([{ reason: 'do not resume' }]);
});

it('a search goes on by itself until it finds something, and can be stopped', async () => {
  const page = await open('/audit');
  let found = false;
  let fresh = false;
  let pages = 0;
  await page.route(asks(EVENTS_PATH, { eventType: 'RARE' }), async (route) => {
    const at = Number(new URL(route.request().url()).searchParams.get('cursor') ?? '0');
    pages = Math.max(pages, at);
    const there = (found && at > 0) || (fresh && at === 0);
    const searched = { events: 20_000, backTo: new Date(Date.UTC(2026, 0, 28 - Math.min(at, 27))).toISOString() };
    const items = there
      ? [{ ...(await anEvent()), ...(at === 0 && { id: NEW_EVENT, eventName: 'order.new.v1' }) }]
      : [];
    await route.fulfill({ json: { items, next: there ? null : String(at + 1), searched } });
  });
  await page.goto('/monitor/events?eventType=RARE');
  const list = region(page, 'Found');
  await list.getByText(/^Looked at [\d,]{5,} events, back to /).waitFor();
  await eventually('further pages', async () => pages > 2);
  await list.getByRole('button', { name: 'Stop' }).click();
  await list.getByRole('button', { name: 'Go on' }).waitFor();
  await list.getByText('None among those that were looked at.').waitFor();
  const stoppedAt = pages;
  found = true;
  await list.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('table', { name: 'Events', exact: true }).getByRole('row').nth(1).waitFor();
  expect(pages).toBe(stoppedAt + 1);
  // It is no page that is read again.
  await list.getByText(/^As of .*, not read again by itself$/).waitFor();
  expect(new URL(page.url()).search).toBe('?eventType=RARE');

  // Something new takes no row from whoever reads: it is counted, and shown when that is asked for.
  const rows = page.getByRole('table', { name: 'Events', exact: true }).getByRole('row');
  const link = rows.nth(1).getByRole('link');
  const before = await link.getAttribute('href');
  fresh = true;
  const show = list.getByRole('button', { name: '1 new: show' });
  await show.waitFor();
  expect(await link.getAttribute('href')).toBe(before);
  await show.click();
  await rows.nth(1).getByText('order.new.v1').waitFor();
  await show.waitFor({ state: 'hidden' });
});

it('an older page says of when it is', async () => {
  const page = await open(`/dead-letters?before=${PLANTED.plainLetter}`);
  await page.getByText(/^As of .*, not read again by itself$/).waitFor();
  await page.getByRole('link', { name: 'Newest' }).click();
  await page.getByText(/^As of /).waitFor({ state: 'hidden' });
});

it('a kind leads to as many letters as it counts, whatever else is filtered by', async () => {
  const page = await open('/dead-letters?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z');
  await page.getByText('None is open and fits.').waitFor();
  await page.getByText(/^Of all times: of the filter only /).waitFor();
  await rowOf(page, 'Open dead letters by kind', 'BILLING × HTTP.UNAUTHORIZED').getByRole('link').click();
  await rowOf(page, 'Dead letters', 'BILLING').first().waitFor();
  expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({
    type: 'BILLING',
    code: 'HTTP.UNAUTHORIZED',
  });
});

it('what is watched is said when it has changed', async () => {
  const page = await open(`/dead-letters/jobs/${PLANTED.runningJob}`);
  await page.getByRole('progressbar').waitFor();
  await world.deployment.outbox.query(`UPDATE outbox.redrive_job SET state = 'done', ended_at = now() WHERE id = $1`, [
    PLANTED.runningJob,
  ]);
  await page.locator('[aria-live="polite"]').getByText('The redrive job: Done').waitFor({ state: 'attached' });
  const link = page.getByRole('link', { name: 'What has died since' });
  // It was a job by a text: what died again may say something else.
  expect(new URL((await link.getAttribute('href')) ?? '', api.origin).searchParams.get('text')).toBeNull();
});

it('copying works over plain http, too, by the keyboard, and as it is shown', async () => {
  const page = await open(`/events/${PLANTED.deliveredEvent}`, {
    scripts: [`Object.defineProperty(window, 'isSecureContext', { value: false })`],
    context: { permissions: ['clipboard-read', 'clipboard-write'] },
  });
  const copy = button(page, "Copy the event's id");
  await copy.focus();
  await page.keyboard.press('Enter');
  await page.locator('[aria-live="polite"]').getByText("Copied: the event's id").waitFor({ state: 'attached' });
  expect(await page.evaluate<string>('navigator.clipboard.readText()')).toBe(PLANTED.deliveredEvent);
  expect(await page.evaluate<string>('document.activeElement.ariaLabel')).toBe("Copy the event's id");
  await page.getByText('The receipt as it came').click();
  await button(page, 'Copy receipt').click();
  await page.locator('[aria-live="polite"]').getByText('Copied: receipt').waitFor({ state: 'attached' });
  const copied = await page.evaluate<string>('navigator.clipboard.readText()');
  expect(copied).toBe(JSON.stringify(JSON.parse(copied), null, 2));
  expect(JSON.parse(copied)).toMatchObject({ status: 201 });
});

it("a key that reads no tenant's records is told so, and not that there are none", async () => {
  const key = await world.createKey(['dlq:read', 'audit:read']);
  const page = await openTab({ origin: api.origin, as: { key } });
  await page.goto(`/monitor/events/${PLANTED.deliveredEvent}`);
  await region(page, 'Receipt, record, proof')
    .getByText(/^Your key reads records without a tenant only/)
    .waitFor();
  await page.goto('/monitor/audit');
  await page.getByText(/^Your key reads records without a tenant only/).waitFor();
});

it('while nobody can be looked up, whoever has a session is let in as soon as that can be, and is told what works now', async () => {
  const page = await openTab({
    origin: api.origin,
    as: { key: world.keys.operator },
    expects: (status, path) => status === 503 && path === SESSION_PATH,
  });
  let away = true;
  let code = 'session_not_known';
  await page.route(asks(SESSION_PATH), (route) =>
    away
      ? route.fulfill({
          status: 503,
          contentType: 'application/problem+json',
          body: JSON.stringify({ code, detail: 'nobody can be looked up', status: 503, retryable: true }),
        })
      : route.continue(),
  );
  await page.goto('/monitor');
  await page.getByText('nobody can be looked up').waitFor();
  await page.getByText('It is asked again by itself.').waitFor();
  // The api's own sentence says it; where that is not its own, the page does.
  expect(await page.getByText('outbox status').count()).toBe(0);
  code = 'unreadable';
  await page.getByText('outbox status').waitFor();
  away = false;
  await page.getByRole('heading', { name: 'Overview', exact: true, level: 1 }).waitFor();
});

it('a limit of something between, and an api that says no, are no outage to whoever signs in', async () => {
  const page = await openTab({ origin: api.origin, expects: (_, path) => path === SESSION_PATH });
  let asked = 0;
  await page.route(asks(SESSION_PATH), (route) => {
    if (route.request().method() === 'POST') return route.fulfill({ status: 429, body: '<html>429</html>' });
    asked += 1;
    return route.fulfill({
      status: 403,
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: 'foreign_origin', detail: 'another origin', status: 403, retryable: false }),
    });
  });
  await page.goto('/monitor');
  await page.getByText('another origin').waitFor();
  await page.getByLabel('API key').fill('tob_x');
  await button(page, 'Sign in').click();
  await page.getByRole('alert').filter({ hasText: 'Too many requests come from here' }).waitFor();
  expect(await page.getByText(/It is asked again|outbox status/).count()).toBe(0);
  expect(asked).toBe(1);
});

it('a letter leads to its run as soon as a relay has told its namespace, which may be after the sign-in', async () => {
  const page = await openTab({ origin: api.origin, as: { key: world.keys.operator } });
  await page.route(asks(SESSION_PATH), async (route) => {
    const answer = await route.fetch();
    const session = (await answer.json()) as { links: object };
    await route.fulfill({ response: answer, json: { ...session, links: { ...session.links, namespace: null } } });
  });
  await page.goto(`/monitor/dead-letters/${PLANTED.letter}`);
  await region(page, 'What it is').waitFor();
  const link = page.getByRole('link', { name: 'Open the run in Temporal' });
  await link.waitFor();
  expect(await link.getAttribute('href')).toContain('/namespaces/shop/workflows/');
});

it('a stream alone that does not come is no silence of the api: that is said, and lists are as of now', async () => {
  const page = await open('', { expects: (status, path) => status === 429 && path === STREAM_PATH });
  await page.getByText('Live', { exact: true }).waitFor();
  const stream = asks(STREAM_PATH);
  await page.route(stream, (route) => route.fulfill({ status: 429, body: 'too many' }));
  await page.reload();
  const alert = page.getByRole('alert');
  await alert
    .filter({ hasText: /^The overview is not known: The api answers, and its stream does not come/ })
    .waitFor();
  await region(page, 'How it stands').getByText('Not known: the overview does not come').waitFor();
  await goTo(page, 'Dead letters');
  await rowOf(page, 'Dead letters', 'ORDER').first().waitFor();

  await page.unroute(stream);
  await page.getByText('Live', { exact: true }).waitFor({ timeout: 40_000 });
  await alert.waitFor({ state: 'hidden' });
});

/** No deadline of a request passes, but those of so many milliseconds at most when that is said. */
const TIME_STANDS = `
const deadlines = [];
AbortSignal.timeout = (ms) => {
  const ends = new AbortController();
  deadlines.push({ ms, ends });
  return ends.signal;
};
window.letPass = (most) => {
  for (const { ms, ends } of deadlines) if (ms <= most) ends.abort(new DOMException('passed', 'TimeoutError'));
};
`;

const NEW_EVENT = '0199c000-0000-7000-8000-000000000001';

/** As a list has it. */
async function anEvent(): Promise<Record<string, unknown>> {
  const answer = await fetch(`${api.origin}${EVENTS_PATH}?limit=1`, {
    headers: { Authorization: `Bearer ${world.keys.operator}` },
  });
  const [first] = ((await answer.json()) as { items: Record<string, unknown>[] }).items;
  return first ?? {};
}
