// WCAG 2.2 AA, by axe-core, of every view, dialog and state, light and dark, wide and as narrow as it has it (1.4.10: 320 px); and
// a redrive by the keyboard alone. Real: the api as a process of the built command line, PostgreSQL, HTTP, the built page in a Chromium. What is
// shown is planted as rows.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { EVENTS_PATH } from '../../src/contract/events-api.js';
import { SESSION_PATH, STREAM_PATH } from '../../src/contract/monitor-api.js';
import { overviewSchema } from '../../src/contract/overview-api.js';
import { withBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { openAll } from '../support/monitor-page.js';
import {
  createMonitoredDeployment,
  type MonitoredDeployment,
  type StartedApi,
  stopAll,
} from '../support/monitored-deployment.js';
import { PLANTED, plantMonitor } from '../support/plant-monitor.js';

const openTab = withBrowser();
/** As a script of the browser's, not of the page: the page's policy takes none that is not its own. */
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let world: MonitoredDeployment;
let api: StartedApi;
let record: string;

beforeAll(async () => {
  world = await createMonitoredDeployment();
  const { outbox, audit } = world.deployment;
  ({ record } = await plantMonitor({ outbox, audit, now: new Date() }));
  api = await world.startApi();
}, 120_000);
afterAll(async () => {
  await stopAll(api);
  await world.drop();
});

async function open(path: string, as: 'operator' | 'viewer' = 'operator'): Promise<Page> {
  const page = await openTab({ origin: api.origin, as: { key: world.keys[as] }, scripts: [AXE] });
  await page.goto(`/monitor${path}`);
  return page;
}

type Rules = 'all' | 'of colours' | 'all but of colours';
/** Those that look at colours. */
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];

const runAxe = (rules: Rules) => `axe.run({
  runOnly: ${
    rules === 'of colours'
      ? JSON.stringify({ type: 'rule', values: OF_COLOURS })
      : `{ type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }`
  },
  rules: ${JSON.stringify(
    rules === 'all but of colours' ? Object.fromEntries(OF_COLOURS.map((id) => [id, { enabled: false }])) : {},
  )},
  resultTypes: ['violations'],
  // It would load the page's own style sheet again, and write it into a document of its own.
  preload: false,
}).then(({ violations }) => violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .flatMap(({ id, impact, nodes }) => nodes.slice(0, 3).map(({ target, failureSummary }) =>
    [impact, id, target.join(' '), failureSummary].join(': '))))`;

/**
 * A scheme is other colours, and a width another layout: neither is the other (test/unit/monitor-styles.test.ts), so not each
 * is looked at with each.
 */
const LOOKS = [
  { width: 1_280, colorScheme: 'light', rules: 'all' },
  { width: 1_280, colorScheme: 'dark', rules: 'of colours' },
  { width: 320, colorScheme: 'dark', rules: 'all but of colours' },
] as const;

async function expectAccessible(page: Page): Promise<void> {
  const found: string[] = [];
  for (const { width, colorScheme, rules } of LOOKS) {
    await page.setViewportSize({ width, height: 800 });
    // WCAG 2.2, 1.4.10: at 320 CSS px nobody has to scroll sideways.
    const tooWide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    if (tooWide > 0) found.push(`${width} px: ${tooWide} px too wide`);
    await page.emulateMedia({ colorScheme });
    await eventually(`it ${colorScheme}`, () =>
      page.evaluate<boolean>(`document.documentElement.dataset.mantineColorScheme === '${colorScheme}'`),
    );
    // Colours on their way from one to the other are none of either.
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    await eventually('it still', () => page.evaluate<boolean>('document.getAnimations().length === 0'));
    const violations = await page.evaluate<string[]>(runAxe(rules));
    found.push(...violations.map((text) => `${width} px, ${colorScheme}: ${text}`));
  }
  expect(found).toEqual([]);
}

const answered = (page: Page) =>
  eventually('what was asked for', async () => (await page.getByText(': being read').count()) === 0);
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const dialog = (page: Page) => page.getByRole('dialog').waitFor();

type State = readonly [state: string, path: () => string, come: (page: Page) => Promise<unknown>];

const letterPath = () => `/dead-letters/${PLANTED.letter}`;
const STATES: readonly State[] = [
  ['the overview', () => '', (page) => page.getByText('Relays and workers').first().waitFor()],
  [
    'the overview, all of it open',
    () => '',
    async (page) => {
      const figures = page.getByRole('columnheader', { name: 'Minutes' }).first();
      await openAll(page, figures, page.getByText('delivered, and not in the audit log'));
      await page.getByRole('tab', { name: 'Tenant' }).click();
    },
  ],
  [
    'a pause that is asked for',
    () => '',
    async (page) => {
      await press(page, 'Pause all destinations');
      await dialog(page);
    },
  ],
  [
    'the keys',
    () => '',
    async (page) => {
      await press(page, 'Keys');
      await dialog(page);
    },
  ],
  ['the events', () => '/events?eventType=BILLING', (page) => page.getByRole('table', { name: 'Events' }).waitFor()],
  [
    'events, none found',
    () => '/events?eventType=NONE&since=2026-01-01T00:00:00Z',
    (page) => page.getByText('None.', { exact: true }).waitFor(),
  ],
  ['events, by a wrong id', () => '/events?eventType=NONE', (page) => press(page, 'Open')],
  [
    'an event that died, all of it open',
    () => `/events/${PLANTED.deadEvent}`,
    async (page) => {
      await page.getByRole('list', { name: 'The way of the event' }).waitFor();
      await openAll(page, page.getByText('"orderId"'));
    },
  ],
  [
    'an event in the audit log',
    () => `/events/${PLANTED.deliveredEvent}`,
    (page) => page.getByText('As in the receipt').waitFor(),
  ],
  [
    'the dead letters',
    () => '/dead-letters?type=BILLING',
    (page) => page.getByRole('table', { name: 'Dead letters', exact: true }).waitFor(),
  ],
  [
    'a dead letter, all of it open',
    letterPath,
    async (page) => {
      await page.getByRole('heading', { name: 'Who did what' }).waitFor();
      await openAll(page, page.getByText('"orderId"'));
    },
  ],
  [
    'a redrive that is asked for',
    letterPath,
    async (page) => {
      await press(page, 'Redrive');
      await dialog(page);
    },
  ],
  [
    'a discard that is asked for',
    letterPath,
    async (page) => {
      await press(page, 'Discard');
      await dialog(page);
    },
  ],
  [
    'a payload that is compared',
    letterPath,
    async (page) => {
      await press(page, 'Edit the payload');
      await page.getByRole('textbox', { name: 'Payload' }).fill('{"orderId": "10071", "items": 4}');
      await press(page, 'Compare and check');
      await page.getByRole('table', { name: 'Where the payloads differ' }).waitFor();
    },
  ],
  [
    'letters that are chosen',
    () => '/dead-letters?type=BILLING',
    async (page) => {
      await press(page, 'Select all shown');
      await press(page, 'Discard selected (5)');
      await dialog(page);
    },
  ],
  [
    'a job that is asked for',
    () => '/dead-letters?type=BILLING',
    async (page) => {
      await press(page, 'Redrive all that fit the filter');
      await page.getByRole('table', { name: 'What they are' }).waitFor();
    },
  ],
  ['the jobs', () => '/dead-letters/jobs', (page) => page.getByRole('table', { name: 'Redrive jobs' }).waitFor()],
  ['a job', () => `/dead-letters/jobs/${PLANTED.runningJob}`, (page) => page.getByRole('progressbar').waitFor()],
  [
    'the records',
    () => '/audit',
    async (page) => {
      await page.getByRole('table', { name: 'Records' }).waitFor();
      await openAll(page, page.getByText('Signed', { exact: true }).first());
    },
  ],
  [
    'a record',
    () => `/audit/${record}`,
    async (page) => {
      await page.getByRole('table', { name: 'Old and new, field by field' }).waitFor();
      await openAll(page, page.getByText(/hashes to its root/));
    },
  ],
  ['the log', () => '/audit/log', (page) => openAll(page, page.getByRole('table', { name: 'Where it is broken' }))],
  [
    'what was not stored',
    () => '/audit/not-stored',
    (page) => page.getByRole('table', { name: 'Not stored' }).waitFor(),
  ],
  [
    'one that was not stored',
    () => `/audit/not-stored/${PLANTED.failedIngest}`,
    (page) => page.getByText('What was sent').waitFor(),
  ],
  ['the policies', () => '/policies', (page) => page.getByRole('table', { name: 'Configured policies' }).waitFor()],
  [
    'policies, why',
    () => '/policies?tab=why',
    (page) => openAll(page, page.getByRole('table', { name: 'What follows each code' })),
  ],
  [
    'policies, simulated',
    () => '/policies?tab=simulation',
    async (page) => {
      await press(page, 'Simulate');
      await page.getByRole('table', { name: 'Simulated attempts' }).waitFor();
    },
  ],
  [
    'policies, ordering',
    () => '/policies?tab=ordering',
    (page) => page.getByRole('table', { name: 'Blocked aggregates' }).waitFor(),
  ],
  [
    'policies, coalescing',
    () => '/policies?tab=coalescing',
    (page) => page.getByRole('table', { name: 'Coalescing by event type' }).waitFor(),
  ],
  [
    'an address of nothing',
    () => '/nowhere',
    (page) => page.getByText('The monitor has no view of that address.').waitFor(),
  ],
];

it.each(STATES)('%s', async (_, path, come) => {
  const page = await open(path());
  await come(page);
  await answered(page);
  await expectAccessible(page);
});

it('a dead letter, as a viewer sees it', async () => {
  const page = await open(letterPath(), 'viewer');
  await page.getByText('You are signed in to look').first().waitFor();
  await expectAccessible(page);
});

it('what is not there, and what is refused', async () => {
  const page = await openTab({
    origin: api.origin,
    as: { key: world.keys.operator },
    scripts: [AXE],
    expects: (status) => status === 404 || status === 422,
  });
  await page.goto('/monitor/dead-letters/0198c0de-0000-7000-8000-00000000dead');
  await page.getByRole('alert').waitFor();
  await expectAccessible(page);
  await page.goto('/monitor/audit?action=NO%20ACTION');
  await page.getByRole('alert').waitFor();
  await expectAccessible(page);
});

describe('while something is away', () => {
  const OVERVIEW_PATH = '/ops/v1/overview';
  const openWithout = async (path: string) => {
    const page = await openTab({
      origin: api.origin,
      as: { key: world.keys.operator },
      scripts: [AXE],
      expects: (status) => status === null,
    });
    await page.goto(`/monitor${path}`);
    return page;
  };

  it('parts that are away, and an overview that is stale', async () => {
    const page = await openWithout('/events');
    await page.getByRole('table', { name: 'Events' }).waitFor();
    const now = overviewSchema.parse(await (await page.request.get(OVERVIEW_PATH)).json());
    const reason = 'the outbox database does not answer since 2026-11-29T10:00:00.000Z';
    const parts = now.parts.map((part) => ({ ...part, state: 'away', reason }));
    const snapshot = { type: 'snapshot', at: now.at, version: '0.1.0', parts };
    let said = false;
    await page.route(
      ({ pathname }) => pathname === STREAM_PATH,
      (route) => {
        if (said) return route.abort('connectionrefused');
        said = true;
        return route.fulfill({ contentType: 'text/event-stream', body: `data: ${JSON.stringify(snapshot)}\n\n` });
      },
    );
    await page.goto('/monitor');
    await page.getByText('Stale', { exact: true }).waitFor();
    await page
      .getByText(/^What is shown is of /)
      .first()
      .waitFor();
    // Times of the server's sentences are of one zone with all others.
    expect(await page.getByRole('main').textContent()).not.toContain('2026-11-29T10:00');
    await answered(page);
    await expectAccessible(page);
  });

  it('a list that cannot be read again, beside what was read', async () => {
    const page = await openWithout('/events');
    await page.getByRole('table', { name: 'Events' }).waitFor();
    await page.route(
      ({ pathname }) => pathname === EVENTS_PATH,
      (route) => route.abort('connectionrefused'),
    );
    await page.getByText(/^The events could not be read again/).waitFor();
    await expectAccessible(page);
  });
});

it('a table stays one where it is laid out as cards', async () => {
  const page = await open('/events?eventType=BILLING');
  await page.setViewportSize({ width: 360, height: 800 });
  const table = page.getByRole('table', { name: 'Events' });
  await table.waitFor();
  // Their layout makes some browsers forget what these elements are, so it is written down.
  const roles = await table.evaluate((element) =>
    [element, ...element.querySelectorAll('thead, tbody, tr, th, td')].map(
      (part) => `${part.localName} ${part.getAttribute('role')}`,
    ),
  );
  expect([...new Set(roles)].sort()).toEqual([
    'table table',
    'tbody rowgroup',
    'td cell',
    'th columnheader',
    'thead rowgroup',
    'tr row',
  ]);
});

it('the sign-in, by both ways, and refused', async () => {
  const page = await openTab({
    origin: api.origin,
    scripts: [AXE],
    expects: (status, path) => status === 401 && path === SESSION_PATH,
  });
  await page.goto('/monitor');
  await page.getByLabel('API key').waitFor();
  await expectAccessible(page);
  await page.getByRole('radio', { name: 'Use an account' }).check();
  await page.getByLabel('Name').fill('nobody');
  await page.getByLabel('Password').first().fill('nothing that is');
  await press(page, 'Sign in');
  await page.getByRole('alert').waitFor();
  await expectAccessible(page);
});

describe('the keyboard alone', () => {
  const focused = (page: Page) => page.locator(':focus');

  it('skips to the content, and goes from view to view', async () => {
    const page = await open('');
    // Something in the content to come to.
    await page.getByRole('link', { name: 'look at them' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await focused(page).textContent()).toBe('Skip to the content');
    expect(await focused(page).boundingBox()).toMatchObject({ x: expect.any(Number) });
    await page.keyboard.press('Enter');
    expect(new URL(page.url()).hash).toBe('#main');
    await page.keyboard.press('Tab');
    expect(await page.locator('main :focus').count()).toBe(1);
    for (const [key, name] of [
      ['e', 'Events'],
      ['d', 'Dead letters'],
      ['a', 'Audit log'],
      ['p', 'Policies'],
      ['o', 'Overview'],
    ] as const) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();
      await eventually(`the heading ${name} focused`, async () => (await focused(page).textContent()) === name);
    }
  });

  it('redrives a letter: found, opened, a reason given', async () => {
    const page = await open('');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('d');
    const row = page.locator(`main a[data-row][href$="/dead-letters/${PLANTED.plainLetter}"]`);
    await row.waitFor();
    const rows = await page.locator('main a[data-row]').count();
    for (let pressed = 0; pressed < rows; pressed++) {
      await page.keyboard.press('j');
      if ((await focused(page).getAttribute('href'))?.endsWith(PLANTED.plainLetter)) break;
    }
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /^Dead letter / }).waitFor();
    await page.getByRole('button', { name: 'Redrive', exact: true }).waitFor();

    // What it was opened by has the focus again when it is given up.
    await page.getByRole('button', { name: 'Discard', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Discard this letter' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    expect(await focused(page).textContent()).toBe('Discard');

    await page.keyboard.press('r');
    await page.getByRole('dialog', { name: 'Redrive this letter' }).waitFor();
    // In a field the keys are letters.
    await page.keyboard.type('right again');
    await page.keyboard.press('Tab');
    expect(await focused(page).textContent()).toBe('Redrive');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /^Event / }).waitFor();
    const { rows: letters } = await world.deployment.outbox.query(
      'SELECT state, state_reason AS reason FROM outbox.dead_letter WHERE id = $1',
      [PLANTED.plainLetter],
    );
    expect(letters).toEqual([{ state: 'redriven', reason: 'right again' }]);
  });

  it.each([
    ['/events', 'State'],
    ['/dead-letters', 'Event type'],
    ['/audit', 'With the text'],
  ])('goes to the first field of the filter by /: %s', async (path, label) => {
    const page = await open(path);
    await page.getByRole('form', { name: /^Filter: / }).waitFor();
    await page.keyboard.press('/');
    const field = page.getByRole('form', { name: /^Filter: / }).getByLabel(label, { exact: true });
    expect(await field.evaluate((element) => element.matches(':focus'))).toBe(true);
  });

  it('keys can be switched off for good', async () => {
    const page = await open('');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('checkbox', { name: 'These keys are on' }).uncheck();
    await page.keyboard.press('Escape');
    await page.reload();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.keyboard.press('?');
    expect(await page.getByRole('dialog').count()).toBe(0);
  });
});
