// What a person does with the monitor, in a real Chromium. Real: api, relay and worker as processes of the built command
// line, PostgreSQL, Temporal, HTTP between them, the built page. Fake: the partner, a scripted HTTP server behind httpHandler.
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { AUDIT_EXPORT_PATH } from '../../src/contract/audit-records-api.js';
import { DEAD_LETTERS_PATH } from '../../src/contract/dead-letters-api.js';
import { SESSION_PATH } from '../../src/contract/monitor-api.js';
import { withBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { addPerson } from '../support/monitor.js';
import { fact, giveReason, goTo, region, rowOf, tile, untilListed, untilText } from '../support/monitor-page.js';
import {
  createMonitoredDeployment,
  type MonitoredDeployment,
  type StartedApi,
  stopAll,
} from '../support/monitored-deployment.js';
import type { StartedProcess } from '../support/roles.js';
import { accept } from '../support/scripted-destination.js';

const PASSWORD = 'correct horse battery staple';

const openTab = withBrowser();
let world: MonitoredDeployment;
let api: StartedApi;
let line: StartedProcess;

beforeAll(async () => {
  world = await createMonitoredDeployment();
  await addPerson(world.deployment.audit, 'alice', 'operator', PASSWORD);
  api = await world.startApi();
  line = await world.startLine(api.origin);
}, 120_000);
beforeEach(() => world.partner.answer(accept));
afterAll(async () => {
  await stopAll(line, api);
  await world.drop();
});

/** Signed in as somebody who may act, at an address below the monitor. */
async function open(path: string): Promise<Page> {
  const page = await openTab({ origin: api.origin, as: { key: world.keys.operator } });
  await page.goto(`/monitor${path}`);
  return page;
}
const refuse = () => world.partner.answer((_, response) => response.writeHead(422).end('{"why":"no iban"}'));
const append = (event: object) => world.deployment.append(event);
const appendToPartner = (type: string, payload: object = {}) =>
  append({ routingKey: 'test.partner', eventType: type, tenantId: 'acme', payload });
/** Dead, as the partner refused them. */
async function dead(type: string, count: number): Promise<string[]> {
  refuse();
  const ids = await Promise.all(Array.from({ length: count }, () => appendToPartner(type)));
  for (const id of ids) await world.deployment.untilStatus(id, 'DEAD');
  return ids;
}
const takenKeys = () => world.partner.seen.map(({ key }) => key);

describe('signing in', () => {
  const signInButton = (page: Page) => page.getByRole('button', { name: 'Sign in', exact: true });
  const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true, level: 1 });
  const refused = (status: number | null, path: string) => status === 401 && path === SESSION_PATH;

  it('by a key, which is kept nowhere; lasts over a reload, and ends when somebody signs out', async () => {
    const page = await openTab({ origin: api.origin, expects: refused });
    await page.goto('/monitor');
    await heading(page, 'Sign in').waitFor();
    const field = page.getByLabel('API key');
    await field.fill('ak_none.of-ours');
    await signInButton(page).click();
    await page.getByRole('alert').filter({ hasText: 'You are not signed in' }).waitFor();
    expect(await field.inputValue()).toBe('');

    await field.fill(world.keys.operator);
    await signInButton(page).click();
    await heading(page, 'Overview').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    const kept = await page.evaluate<string>(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.body.innerHTML])',
    );
    expect(kept).not.toContain(world.keys.operator);
    expect(await page.evaluate<string>('document.cookie')).toBe('');
    expect(await page.context().cookies()).toMatchObject([{ httpOnly: true, sameSite: 'Strict' }]);

    await page.reload();
    await heading(page, 'Overview').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await heading(page, 'Sign in').waitFor();
    await page.reload();
    await heading(page, 'Sign in').waitFor();
  });

  it('by name and password, at the address that was asked for', async () => {
    const page = await openTab({ origin: api.origin, expects: refused });
    await page.goto('/monitor/dead-letters?type=ORDER');
    await page.getByRole('radio', { name: 'Use an account' }).check();
    await page.getByLabel('Name').fill('alice');
    await page.getByLabel('Password').first().fill('wrong horse');
    await signInButton(page).click();
    await page.getByRole('alert').filter({ hasText: 'You are not signed in' }).waitFor();
    await page.getByLabel('Password').first().fill(PASSWORD);
    await signInButton(page).click();
    await heading(page, 'Dead letters').waitFor();
    expect(new URL(page.url()).search).toBe('?type=ORDER');
    await page.getByText('alice (operator)').waitFor();
  });
});

it('an event travels: held, delivered, its record, its proof, all of it on the page that is open', async () => {
  const page = await open('/events');
  const other = await open('');
  await other.getByRole('button', { name: 'Pause all destinations' }).click();
  await giveReason(other, 'Pause', 'a look at one event', 'Pause');
  await rowOf(other, 'Pauses in force', 'a look at one event').waitFor();

  const id = await append({
    tenantId: 'acme',
    aggregate: { type: 'order', id: 'travel-1' },
    payload: { changes: [{ field: '/status', old: 'placed', new: 'paid' }] },
  });
  const row = rowOf(page, 'Events', id);
  await untilListed(page, row);
  await row.getByText('Waiting', { exact: true }).waitFor();
  await row.getByRole('link', { name: 'order.order.placed.v1' }).click();
  await page.getByRole('heading', { name: `Event ${id.slice(0, 13)}…` }).waitFor();
  const way = page.getByRole('list', { name: 'The way of the event' });
  await way.getByText('Held by a pause').waitFor();
  await way.getByText('a look at one event').waitFor();
  expect(await way.getByRole('listitem').first().textContent()).toMatch(/^Recorded/);

  await other.getByRole('button', { name: 'Resume all destinations' }).click();
  await giveReason(other, 'Resume', 'seen', 'Resume');
  await way.getByText('Delivered', { exact: true }).waitFor();
  const receipt = region(page, 'Receipt, record, proof');
  await receipt.getByText('As in the receipt').waitFor();
  await receipt.getByText('Signed', { exact: true }).waitFor();

  await fact(receipt, 'Record').getByRole('link').click();
  await page.getByRole('heading', { name: /^Record / }).waitFor();
  const changed = rowOf(page, 'Old and new, field by field', '/status');
  await changed.waitFor();
  expect(await changed.getByRole('cell').allTextContents()).toEqual(['/status', '"placed"', '"paid"']);
  // Found by its id from elsewhere, too.
  await goTo(page, 'Events');
  await page.getByRole('textbox', { name: 'Id of an event or of a dead letter' }).fill(id);
  await page.getByRole('form', { name: 'Find by id' }).getByRole('button', { name: 'Open' }).click();
  await page.getByRole('heading', { name: `Event ${id.slice(0, 13)}…` }).waitFor();
}, 120_000);

it('an event is found by what it is filtered by, and the filter stands in the address', async () => {
  const id = await append({ tenantId: 'acme', eventType: 'FILTERED', aggregate: { type: 'order', id: 'filter-1' } });
  await append({ tenantId: 'acme', eventType: 'OTHER', aggregate: { type: 'order', id: 'filter-2' } });
  await world.deployment.untilStatus(id, 'DELIVERED');
  const page = await open('/events');
  const filter = page.getByRole('form', { name: 'Filter: Events' });
  await filter.getByLabel('Event type').fill('FILTERED');
  await filter.getByLabel('State').selectOption('Delivered');
  await filter.getByRole('button', { name: 'Filter' }).click();
  await rowOf(page, 'Events', id).waitFor();
  const table = page.getByRole('table', { name: 'Events', exact: true });
  await eventually('it alone', async () => (await table.getByRole('row').count()) === 2);
  expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({ eventType: 'FILTERED', state: 'delivered' });
  await filter.getByRole('button', { name: 'Clear' }).click();
  await rowOf(page, 'Events', 'order filter-2').waitFor();
  await page.goBack();
  await eventually('it alone again', async () => (await table.getByRole('row').count()) === 2);
});

it('a failure arrives by itself on the page that is open, and a redrive heals it', async () => {
  const { rows } = await world.deployment.outbox.query(
    `SELECT count(*)::int AS open FROM outbox.dead_letter WHERE state = 'open'`,
  );
  const open0 = rows[0].open as number;
  const page = await open('');
  const letters = tile(page, 'Dead letters');
  await untilText(letters, String(open0));
  refuse();
  const id = await appendToPartner('HEAL');
  await untilText(letters, String(open0 + 1));
  await region(page, 'How it stands').getByText('dead letter').first().waitFor();

  await page.getByRole('link', { name: 'look at them' }).click();
  const kind = rowOf(page, 'Open dead letters by kind', 'HEAL × HTTP.CLIENT_ERROR');
  await kind.getByRole('link').click();
  await rowOf(page, 'Dead letters', 'HEAL').getByRole('link', { name: 'HTTP.CLIENT_ERROR' }).click();
  await page.getByRole('heading', { name: /^Dead letter / }).waitFor();
  await region(page, 'Last response and stack').getByText('no iban').waitFor();
  await rowOf(page, 'Attempts', 'HTTP.CLIENT_ERROR').getByText('422', { exact: true }).waitFor();

  world.partner.answer(accept);
  await page.getByRole('button', { name: 'Redrive', exact: true }).click();
  await giveReason(page, 'Redrive this letter', 'the partner is mended', 'Redrive');
  await page.getByRole('heading', { name: `Event ${id.slice(0, 13)}…` }).waitFor();
  const way = page.getByRole('list', { name: 'The way of the event' });
  await way.getByText(/^Delivered/).waitFor();
  await way.getByText('Dead letter redriven').waitFor();
  await way.getByText('the partner is mended').waitFor();
  expect(takenKeys().filter((key) => key === id)).toHaveLength(2);

  await goTo(page, 'Overview');
  await untilText(letters, String(open0));
}, 120_000);

it('a payload is edited: compared first, saved with a reason, and sent by the redrive', async () => {
  world.partner.answer(({ key, body }, response) =>
    JSON.parse(body).payload.amount < 0
      ? response.writeHead(422).end('{"why":"negative"}')
      : accept({ key, body }, response),
  );
  const id = await appendToPartner('EDIT', { amount: -1, currency: 'EUR' });
  await world.deployment.untilStatus(id, 'DEAD');
  const page = await open(`/dead-letters/${id}`);
  await page.getByRole('button', { name: 'Edit the payload' }).click();
  const dialog = page.getByRole('dialog', { name: 'Edit the payload' });
  const payload = dialog.getByRole('textbox', { name: 'Payload' });
  const before = await payload.inputValue();
  expect(JSON.parse(before)).toEqual({ amount: -1, currency: 'EUR' });

  const compare = dialog.getByRole('button', { name: 'Compare and check' });
  await payload.fill(before.replace('-1', '-1,'));
  await dialog
    .getByText(/^Expected JSON: /)
    .first()
    .waitFor();
  expect(await compare.getAttribute('aria-disabled')).toBe('true');
  await payload.fill(before.replace('-1', '100'));
  await compare.click();
  const row = rowOf(page, 'Where the payloads differ', '/amount');
  await row.waitFor();
  expect(await row.getByRole('cell').allTextContents()).toEqual(['/amount', '-1', '100']);
  // What is saved is what was compared, and nothing that was written after it.
  const save = dialog.getByRole('button', { name: 'Save the payload' });
  await save.waitFor();
  await payload.fill(before.replace('-1', '7'));
  await save.waitFor({ state: 'detached' });
  await payload.fill(before.replace('-1', '100'));
  await dialog.getByLabel('Reason').fill('the sign was wrong');
  await save.click();
  await dialog.getByText('Saved as revision 1').waitFor();
  await dialog.getByRole('button', { name: 'Redrive now' }).click();
  await giveReason(page, 'Redrive this letter', 'with the right sign', 'Redrive');

  const way = page.getByRole('list', { name: 'The way of the event' });
  await way.getByText('Payload edited').waitFor();
  await way.getByText(/^Delivered/).waitFor();
  const sent = world.partner.seen.filter(({ key }) => key === id).map(({ body }) => JSON.parse(body).payload);
  expect(sent).toEqual([
    { amount: -1, currency: 'EUR' },
    { amount: 100, currency: 'EUR' },
  ]);
}, 120_000);

it('two people at one letter: neither an edit nor a redrive goes out that was made from what is not there any more', async () => {
  refuse();
  const id = await appendToPartner('TWO', { amount: -1 });
  await world.deployment.untilStatus(id, 'DEAD');
  const gone = (status: number | null) => status === 409;
  const openLetter = async () => {
    const page = await openTab({ origin: api.origin, as: { key: world.keys.operator }, expects: gone });
    await page.goto(`/monitor/dead-letters/${id}`);
    return page;
  };
  const [ann, bob] = [await openLetter(), await openLetter()];
  const edit = async (page: Page, amount: string) => {
    const dialog = page.getByRole('dialog', { name: 'Edit the payload' });
    const payload = dialog.getByRole('textbox', { name: 'Payload' });
    await payload.fill((await payload.inputValue()).replace('-1', amount));
    await dialog.getByRole('button', { name: 'Compare and check' }).click();
    await dialog.getByLabel('Reason').fill(`it is ${amount}`);
    return dialog;
  };
  const save = { name: 'Save the payload' };
  await ann.getByRole('button', { name: 'Edit the payload' }).click();
  const anns = await edit(ann, '100');
  // Asked for before anybody has edited it.
  await bob.getByRole('button', { name: 'Redrive', exact: true }).click();
  const redrive = bob.getByRole('dialog', { name: 'Redrive this letter' });
  await redrive.getByText('With the payload that was recorded.').waitFor();
  const other = await openLetter();
  await other.getByRole('button', { name: 'Edit the payload' }).click();
  const others = await edit(other, '7');
  await others.getByRole('button', save).click();
  await others.getByText('Saved as revision 1').waitFor();

  await anns.getByRole('button', save).click();
  await anns
    .getByRole('alert')
    .filter({ hasText: /^It is not saved: Its payload was edited meanwhile by api-key:/ })
    .waitFor();
  await redrive.getByLabel('Reason').fill('mended');
  await redrive.getByRole('button', { name: 'Redrive', exact: true }).click();
  await redrive
    .getByRole('alert')
    .filter({ hasText: /^It is not redriven by this: Its payload was edited meanwhile by api-key:/ })
    .waitFor();
  expect(await world.deployment.status(id)).toBe('DEAD');

  // Asked for anew it says what it sends.
  await redrive.getByRole('button', { name: 'Close' }).click();
  await region(bob, 'Who did what').getByText('it is 7').waitFor();
  world.partner.answer(accept);
  await bob.getByRole('button', { name: 'Redrive', exact: true }).click();
  await redrive.getByText(/^With the edited payload, revision 1, by api-key:/).waitFor();
  await giveReason(bob, 'Redrive this letter', 'mended', 'Redrive');
  await world.deployment.untilStatus(id, 'DELIVERED');
  const sent = world.partner.seen.filter(({ key }) => key === id).map(({ body }) => JSON.parse(body).payload);
  expect(sent).toEqual([{ amount: -1 }, { amount: 7 }]);
}, 120_000);

describe('a payload that somebody else edits meanwhile', () => {
  /** Over HTTP, as another person. */
  const editElsewhere = async (id: string, amount: number) => {
    const answer = await fetch(`${api.origin}${DEAD_LETTERS_PATH}/${id}/payload`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${world.keys.operator}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ payload: { amount }, reason: `it is ${amount}`, dryRun: false }),
    });
    expect(answer.status).toBe(200);
  };
  const deadOne = async (type: string) => {
    refuse();
    const id = await appendToPartner(type, { amount: -1 });
    await world.deployment.untilStatus(id, 'DEAD');
    return id;
  };
  const editor = (page: Page) => {
    const dialog = page.getByRole('dialog', { name: 'Edit the payload' });
    const payload = dialog.getByRole('textbox', { name: 'Payload' });
    const change = async (from: string, to: string) => {
      await payload.fill((await payload.inputValue()).replace(from, to));
      await dialog.getByRole('button', { name: 'Compare and check' }).click();
      await dialog.getByLabel('Reason').fill(`it is ${to}`);
      await dialog.getByRole('button', { name: 'Save the payload' }).click();
    };
    return { dialog, payload, change };
  };
  const amounts = async (id: string) => {
    const { rows } = await world.deployment.outbox.query(
      'SELECT payload FROM outbox.event_revision WHERE event_id = $1 ORDER BY epoch, seq',
      [id],
    );
    return rows.map(({ payload }) => payload.amount);
  };

  it('is the one that an editor opens with, however old the letter is that the page has', async () => {
    const id = await deadOne('OLD');
    const page = await openTab({ origin: api.origin, as: { key: world.keys.operator } });
    let first: Promise<string> | null = null;
    await page.route(`**${DEAD_LETTERS_PATH}/${id}`, async (route) => {
      first ??= route.fetch().then((answer) => answer.text());
      await route.fulfill({ body: await first, contentType: 'application/json' });
    });
    await page.goto(`/monitor/dead-letters/${id}`);
    await page.getByRole('button', { name: 'Edit the payload' }).waitFor();
    await editElsewhere(id, 7);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.getByRole('button', { name: 'Edit the payload' }).click();
    const { dialog, payload, change } = editor(page);
    await payload.waitFor();
    expect(JSON.parse(await payload.inputValue())).toEqual({ amount: 7 });
    await change('7', '8');
    await dialog.getByText('Saved as revision 2').waitFor();
    expect(await amounts(id)).toEqual([7, 8]);
  }, 120_000);

  it('is told of in the editor that is open, which takes it when it is asked to', async () => {
    const id = await deadOne('OPEN');
    const page = await open(`/dead-letters/${id}`);
    await page.getByRole('button', { name: 'Edit the payload' }).click();
    const { dialog, payload, change } = editor(page);
    await payload.fill((await payload.inputValue()).replace('-1', '100'));
    await editElsewhere(id, 7);
    await dialog
      .getByRole('alert')
      .filter({ hasText: /^Its payload has been edited meanwhile by api-key:/ })
      .waitFor();
    // Not before somebody says so: it would take away what is being written.
    expect(JSON.parse(await payload.inputValue())).toEqual({ amount: 100 });
    await dialog.getByRole('button', { name: 'Take the payload as it is now' }).click();
    await dialog.getByRole('alert').waitFor({ state: 'hidden' });
    expect(JSON.parse(await payload.inputValue())).toEqual({ amount: 7 });
    await change('7', '8');
    await dialog.getByText('Saved as revision 2').waitFor();
    expect(await amounts(id)).toEqual([7, 8]);
  }, 120_000);

  it('is told of in the form of a redrive, and so is a letter that is closed by then', async () => {
    const id = await deadOne('CLOSED');
    const page = await open(`/dead-letters/${id}`);
    await page.getByRole('button', { name: 'Redrive', exact: true }).click();
    const alert = page.getByRole('dialog', { name: 'Redrive this letter' }).getByRole('alert');
    await page.getByText('With the payload that was recorded.').waitFor();
    await editElsewhere(id, 7);
    await alert.filter({ hasText: /^Its payload has been edited meanwhile by api-key:/ }).waitFor();
    const other = await open(`/dead-letters/${id}`);
    await other.getByRole('button', { name: 'Discard', exact: true }).click();
    await giveReason(other, 'Discard this letter', 'a test order', 'Discard');
    await alert.filter({ hasText: /^It is discarded by api-key:/ }).waitFor();
  }, 120_000);
});

it('a letter is discarded by a name and for a reason, which stand in the audit log then', async () => {
  const [id] = (await dead('DISCARD', 1)) as [string];
  const page = await open(`/dead-letters/${id}`);
  await page.getByRole('button', { name: 'Discard', exact: true }).click();
  await giveReason(page, 'Discard this letter', 'a test order', 'Discard');
  await page.getByRole('main').getByText('Discarded', { exact: true }).waitFor();
  const history = region(page, 'Who did what');
  await history.getByText(/discarded by api-key:[0-9a-f-]{36}: a test order/).waitFor();
  expect(await page.getByRole('button', { name: 'Redrive', exact: true }).getAttribute('aria-disabled')).toBe('true');

  await history.getByRole('link', { name: 'In the audit log' }).click();
  // By its tenant, too: without that no index knows the target.
  await page.waitForURL(/[?&]tenantId=acme(&|$)/);
  const record = rowOf(page, 'Records', 'outbox.dead_letter.discarded');
  await untilListed(page, record);
  await record.getByRole('link').click();
  await fact(region(page, 'What happened'), 'Why').getByText('a test order').waitFor();
}, 120_000);

it('letters are redriven and discarded by choosing them', async () => {
  const ids = await dead('CHOSEN', 3);
  const page = await open('/dead-letters?type=CHOSEN');
  world.partner.answer(accept);
  await page.getByRole('button', { name: 'Select all shown' }).click();
  const boxes = page.getByRole('checkbox', { name: /^Select the letter / });
  await page.getByRole('button', { name: 'Redrive selected (3)' }).waitFor();
  await boxes.first().uncheck();
  await page.getByRole('button', { name: 'Redrive selected (2)' }).click();
  const redrive = page.getByRole('dialog', { name: 'Redrive 2 dead letters' });
  await redrive.getByLabel('Reason').fill('mended');
  await redrive.getByRole('button', { name: 'Redrive 2', exact: true }).click();
  await redrive.getByText('2 redriven').waitFor();
  await redrive.getByRole('button', { name: 'Close' }).click();
  await redrive.waitFor({ state: 'hidden' });

  await page.getByRole('button', { name: 'Show the list as it is now' }).click();
  await eventually('one that is left', async () => (await boxes.count()) === 1);
  await boxes.first().check();
  await page.getByRole('button', { name: 'Discard selected (1)' }).click();
  const discard = page.getByRole('dialog', { name: 'Discard 1 dead letter' });
  await discard.getByLabel('Reason').fill('a test order');
  await discard.getByRole('button', { name: 'Discard 1', exact: true }).click();
  await discard.getByText('1 discarded').waitFor();
  const ended = await eventually('all settled', async () => {
    const statuses = await Promise.all(ids.map((id) => world.deployment.status(id)));
    return !statuses.some((status) => status === 'PENDING' || status === 'STARTED') && statuses;
  });
  expect(ended.sort()).toEqual(['DELIVERED', 'DELIVERED', 'DISCARDED']);
}, 120_000);

describe('a redrive of all that fit a filter', () => {
  it('is counted first, shows how far it is, and ends when somebody cancels it', async () => {
    const ids = await dead('SLOW', 30);
    world.partner.answer(accept);
    const page = await open('/dead-letters?type=SLOW');
    await page.getByRole('button', { name: 'Redrive all that fit the filter' }).click();
    const dialog = page.getByRole('dialog', { name: 'Redrive all that fit the filter' });
    await dialog.getByText('30 open letters').waitFor();
    await rowOf(page, 'What they are', 'SLOW').getByText('HTTP.CLIENT_ERROR').waitFor();
    await dialog.getByLabel('Letters a second').fill('0');
    await dialog.getByLabel('Reason').fill('mended');
    const act = dialog.getByRole('button', { name: 'Redrive 30', exact: true });
    expect(await act.getAttribute('title')).toBe('Expected 1 to 1000 letters a second');
    await dialog.getByLabel('Letters a second').fill('1');
    await act.click();

    await page.getByRole('heading', { name: /^Redrive job / }).waitFor();
    const bar = page.getByRole('progressbar', { name: 'Letters that are through' });
    expect(await bar.getAttribute('max')).toBe('30');
    await eventually('some of them', async () => Number(await bar.getAttribute('value')) > 0);
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByRole('main').getByText('Cancelled', { exact: true }).waitFor();
    const through = Number(await bar.getAttribute('value'));
    expect(through).toBeLessThan(30);
    const { rows } = await world.deployment.outbox.query(
      `SELECT count(*)::int AS n FROM outbox.dead_letter WHERE event_id = ANY ($1) AND state = 'open'`,
      [ids],
    );
    expect(rows).toEqual([{ n: 30 - through }]);
  }, 120_000);

  it('redrives every one of them', async () => {
    const ids = await dead('JOB', 12);
    world.partner.answer(accept);
    const page = await open('/dead-letters?type=JOB');
    await page.getByRole('button', { name: 'Redrive all that fit the filter' }).click();
    const dialog = page.getByRole('dialog', { name: 'Redrive all that fit the filter' });
    await dialog.getByText('12 open letters').waitFor();
    await dialog.getByLabel('Reason').fill('mended');
    await dialog.getByRole('button', { name: 'Redrive 12', exact: true }).click();
    await page.getByText('12 of 12: 12 redriven').waitFor();
    for (const id of ids) await world.deployment.untilStatus(id, 'DELIVERED');
    await page.getByRole('link', { name: 'All jobs' }).click();
    await rowOf(page, 'Redrive jobs', '12 of 12').getByText('mended').waitFor();
  }, 120_000);
});

describe('the audit log', () => {
  it('is searched, and exported as it was searched', async () => {
    const ids = await Promise.all(
      ['a', 'b'].map((n) => append({ tenantId: 'acme', aggregate: { type: 'order', id: `export-${n}` } })),
    );
    for (const id of ids) await world.deployment.untilStatus(id, 'DELIVERED');
    const page = await open('/audit');
    const filter = page.getByRole('form', { name: 'Filter: Records' });
    await filter.getByLabel('With the text').fill('export-a');
    await filter.getByRole('button', { name: 'Filter' }).click();
    const row = rowOf(page, 'Records', 'order export-a');
    await row.waitFor();
    await eventually('it alone', async () => {
      const rows = page.getByRole('table', { name: 'Records', exact: true }).getByRole('row');
      return (await rows.count()) === 2;
    });
    await row.getByText('Signed', { exact: true }).waitFor();

    const exported = async (format: string) => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: format, exact: true }).click(),
      ]);
      expect(new URL(download.url()).pathname).toBe(AUDIT_EXPORT_PATH);
      return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
    };
    const ndjson = await exported('NDJSON');
    expect(ndjson.name).toBe('audit-records.ndjson');
    const lines = ndjson.text
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(lines.filter((one) => JSON.stringify(one).includes('export-a'))).toHaveLength(1);
    expect(ndjson.text).not.toContain('export-b');
    const csv = await exported('CSV');
    expect(csv.name).toBe('audit-records.csv');
    expect(csv.text.trim().split('\n')).toHaveLength(2);
    const ocsf = await exported('OCSF');
    expect(ocsf.name).toBe('audit-records.ocsf.ndjson');
    expect(ocsf.text).toContain('class_uid');
  }, 120_000);

  it('is verified: the part of a record, and the whole of it', async () => {
    const id = await append({ tenantId: 'acme', aggregate: { type: 'order', id: 'verify-1' } });
    await world.deployment.untilStatus(id, 'DELIVERED');
    const page = await open('/audit?text=verify-1');
    await rowOf(page, 'Records', 'order verify-1').getByRole('link').click();
    const proof = region(page, 'Proof');
    await proof.getByText('Signed', { exact: true }).waitFor();
    await proof.getByText('Show the proof').click();
    await proof.getByText(/hashes to its root \(RFC 9162\)/).waitFor();
    await proof.getByRole('button', { name: 'Verify its part of the log' }).click();
    const part = rowOf(page, 'Verifications', /the part of/).first();
    await part.getByText('Whole', { exact: true }).waitFor();

    await page.getByRole('button', { name: 'Verify the whole log' }).click();
    const whole = rowOf(page, 'Verifications', 'the whole log').first();
    await whole.getByText('Whole', { exact: true }).waitFor();
    await whole.getByText(/records were looked at/).waitFor();
    await page.goto('/monitor');
    await fact(region(page, 'The audit log'), 'Verified').getByText('Whole', { exact: true }).waitFor();
  }, 120_000);
});

it('policies: which is in force, what follows a code and why, and what it would do', async () => {
  const page = await open('/policies');
  await rowOf(page, 'Configured policies', 'all others (*)').getByText('10 attempts').waitFor();
  await rowOf(page, 'Relays and their policies', 'The same').waitFor();
  await page.getByRole('tab', { name: 'Why' }).click();
  await rowOf(page, 'What follows each code', 'HTTP.CLIENT_ERROR').getByText('ends it').waitFor();
  await page.getByRole('tab', { name: 'Simulation' }).click();
  const form = page.getByRole('form', { name: 'Simulation' });
  await form.getByLabel('It fails by').selectOption('HTTP.UNAUTHORIZED');
  await form.getByRole('button', { name: 'Simulate' }).click();
  await page.getByText(/^5 attempts in 4 min/).waitFor();
  await page.getByRole('tab', { name: 'Ordering' }).click();
  await page.getByText('None: nothing waits behind a dead event.').waitFor();
  await page.getByRole('tab', { name: 'Coalescing' }).click();
  await rowOf(page, 'Coalescing by event type', 'off: a workflow for each event').waitFor();
});

it('the first view loads less than 200 kB of script, all of it from the api', async () => {
  const page = await openTab({ origin: api.origin, as: { key: world.keys.operator } });
  const sizes: Promise<number>[] = [];
  page.on('requestfinished', (request) => {
    if (request.resourceType() === 'script') sizes.push(request.sizes().then((size) => size.responseBodySize));
  });
  await page.goto('/monitor');
  await page.getByText('Live', { exact: true }).waitFor();
  await region(page, 'Delivered over time').waitFor();
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  expect(sizes.length).toBeGreaterThan(1);
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThan(200_000);
});
