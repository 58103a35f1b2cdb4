// B18: whatever others write stays text, in every field of every view. Real: the api as a process of the built command line,
// PostgreSQL, HTTP, the built page in a Chromium. What is shown is planted as rows, and sent as events where those take it;
// no relay and no worker runs, so that it stays as it is.
import type { Page } from 'playwright-core';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import { DEAD_LETTERS_PATH } from '../../src/contract/dead-letters-api.js';
import { EVENTS_PATH } from '../../src/contract/events-api.js';
import { FAILED_INGEST_PATH } from '../../src/contract/failed-ingest-api.js';
import { POLICIES_PATH } from '../../src/contract/policies-api.js';
import { withBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import {
  createMonitoredDeployment,
  type MonitoredDeployment,
  type StartedApi,
  stopAll,
} from '../support/monitored-deployment.js';
import { PLANTED, plantMonitor, plantRecent } from '../support/plant-monitor.js';

/** Script, an attribute's end, what turns the text around, what nobody sees, a terminal's and a spreadsheet's commands. */
const PAYLOAD = `<img src=x onerror=alert(1)>\u202e<script>alert(1)</script><svg onload=alert(1)>\u200b\u2066{{7*7}}\${7*7}javascript:alert(1)=cmd()|' /C calc'!A0"'>`;
const CONTROLS = '\u0007\u001b[31m\r\nX-Injected: 1\u0085\u2028';
/** How the beginning of it is shown. */
const SHOWN = /«([\w.]+)»<img src=x onerror=alert\(1\)>\\u202E/g;

const planted = new Set<string>();
const seen = new Set<string>();
const hostile = (field: string) => `«${field}»${PAYLOAD}`;
const plantedText = (field: string) => {
  planted.add(field);
  return hostile(field) + CONTROLS;
};

const openTab = withBrowser();
let world: MonitoredDeployment;
let api: StartedApi;
let record: string;

beforeAll(async () => {
  world = await createMonitoredDeployment();
  const { outbox, audit } = world.deployment;
  await audit.query('UPDATE audit.api_key SET name = $1 WHERE scopes @> $2', [
    plantedText('session.name'),
    ['dlq:write'],
  ]);
  ({ record } = await plantMonitor({ outbox, audit, now: new Date(), text: plantedText }));
  api = await world.startApi();
}, 120_000);
afterAll(async () => {
  await stopAll(api);
  await world.drop();
});

async function open(path: string): Promise<Page> {
  // A record that was posted just now may not be signed yet: the page says so and asks again.
  const expects = (status: number | null, asked: string) => status === 409 && asked.endsWith('/proof');
  const page = await openTab({ origin: api.origin, as: { key: world.keys.operator }, expects });
  await page.goto(`/monitor${path}`);
  return page;
}

/**
 * In the page: the text of it, and whatever is there that no text of others may become. A field for editing holds the text as
 * it is, and an address in percent signs.
 */
const INSPECT = String.raw`(() => {
  const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/u;
  const hidden = (text) => unseen.test(text.replaceAll(/[\n\t]/g, ''));
  const wrong = [];
  for (const element of document.querySelectorAll('*')) {
    for (const { name, value } of element.attributes) {
      if (name.startsWith('on')) wrong.push(element.localName + ' ' + name + '=' + value);
      if (name !== 'value' && hidden(value)) wrong.push('unseen in ' + element.localName + ' ' + name + '=' + value);
    }
    const { protocol } = element;
    if (element.localName === 'a' && protocol !== 'http:' && protocol !== 'https:') wrong.push('a link to ' + element.href);
  }
  for (const { localName } of document.querySelectorAll('body :is(script, style, img, iframe, object, embed, audio, video, link, meta, base)')) {
    wrong.push('an element ' + localName);
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode;
    if (parentElement.closest('textarea') === null && hidden(data)) wrong.push('unseen in ' + parentElement.localName + ': ' + data);
  }
  return { text: document.body.textContent + document.title, wrong };
})()`;

const OPEN_DETAILS = `for (const details of document.querySelectorAll('details')) details.open = true`;

/** Until all of these are on the page; then nothing of it may be anything but text. */
async function expectInert(page: Page, fields: readonly string[]): Promise<void> {
  let missing: readonly string[] = fields;
  let wrong: readonly string[] = [];
  const look = async () => {
    await page.evaluate(OPEN_DETAILS);
    const found = await page.evaluate<{ text: string; wrong: string[] }>(INSPECT);
    const shown = new Set(Array.from(found.text.matchAll(SHOWN), ([, field = '']) => field));
    missing = fields.filter((field) => !shown.has(field));
    wrong = found.wrong;
    for (const field of shown) seen.add(field);
    return missing.length === 0;
  };
  await eventually('what was planted on the page', look).catch((cause: unknown) => {
    throw new Error(`not on the page: ${missing.join(', ')}`, { cause });
  });
  expect(wrong).toEqual([]);
}

const EVENT = ['event.name', 'event.type', 'event.routingKey', 'event.aggregateType', 'event.tenant'];
const LETTER = ['letter.code', 'letter.message', 'letter.eventType', 'letter.destination', 'letter.tenant'];
const VIEWS: readonly (readonly [view: string, path: string, fields: readonly string[]])[] = [
  ['the events', '/events?state=dead', ['session.name', ...EVENT]],
  [
    'an event that died',
    `/events/${PLANTED.deadEvent}`,
    [
      ...EVENT,
      ...[
        'event.source',
        'event.contentHash',
        'event.traceparent',
        'attempt.code',
        'attempt.message',
        'attempt.worker',
      ],
      ...['letter.earlierCode', 'letter.actor', 'letter.reason', 'revision.actor', 'revision.reason'],
      ...['edited.key', 'edited.value'],
    ],
  ],
  [
    'an event that a batch carried',
    `/events/${PLANTED.carriedEvent}`,
    ['delivery.carrier', 'receipt.id', 'payload.key', 'payload.value'],
  ],
  ['an event in the audit log', `/events/${PLANTED.deliveredEvent}`, ['delivery.policyHash']],
  ['an event under way', `/events/${PLANTED.runningEvent}`, ['run.policyHash']],
  ['the dead letters', '/dead-letters', LETTER],
  [
    'letters that were redriven',
    '/dead-letters?state=redriven',
    ['letter.earlierCode', 'letter.actor', 'letter.reason'],
  ],
  [
    'a dead letter',
    `/dead-letters/${PLANTED.letter}`,
    [
      ...LETTER,
      ...['letter.stack', 'letter.cause', 'letter.field', 'letter.traceparent', 'letter.policyHash', 'attempt.carrier'],
      ...['response.header', 'response.value', 'response.body', 'revision.actor', 'edited.value'],
    ],
  ],
  ['the redrive jobs', '/dead-letters/jobs', ['job.actor', 'job.reason']],
  ['a redrive job', `/dead-letters/jobs/${PLANTED.runningJob}`, ['job.filter', 'job.error', 'job.actor', 'job.reason']],
  ['a cancelled job', `/dead-letters/jobs/${PLANTED.cancelledJob}`, ['job.endedBy']],
  [
    'the records',
    '/audit',
    ['record.action', 'record.actorId', 'record.actorName', 'record.targetType', 'record.tenant', 'record.source'],
  ],
  [
    'the log',
    '/audit/log',
    [
      ...['checkpoint.anchor', 'verification.askedBy', 'verification.kind', 'verification.error'],
      ...['break.kind', 'break.recordId', 'break.what'],
    ],
  ],
  ['what was not stored', '/audit/not-stored', ['ingest.code', 'ingest.message', 'ingest.source', 'ingest.eventId']],
  [
    'one that was not stored',
    `/audit/not-stored/${PLANTED.failedIngest}`,
    ['ingest.tenant', 'ingest.actor', 'ingest.reason', 'ingest.key', 'ingest.value'],
  ],
  ['the policies', '/policies', ['process.host', 'process.policyType', 'run.policyHash', 'run.eventType']],
  [
    'the ordering',
    '/policies?tab=ordering',
    [
      ...['ordering.eventType', 'blocked.destination', 'blocked.tenant', 'blocked.code'],
      ...['blocked.aggregateType', 'blocked.aggregateId'],
    ],
  ],
  ['the coalescing', '/policies?tab=coalescing', ['lane.destination', 'lane.eventType']],
];

it.each(VIEWS)('B18: %s', async (_, path, fields) => {
  await expectInert(await open(path), fields);
});

it('B18: a record, its changes and its proof', async () => {
  const fields = ['eventId', 'source', 'action', 'outcomeReason', 'category', 'operation', 'severity', 'actorId'];
  const more = ['actorName', 'targetType', 'targetId', 'contextKey', 'contextValue', 'tenant'];
  await expectInert(await open(`/audit/${record}`), [
    ...[...fields, ...more].map((name) => `record.${name}`),
    ...['change.field', 'change.old', 'change.new', 'checkpoint.note'],
  ]);
});

it('B18: the overview, each of its breakdowns', async () => {
  const page = await open('');
  await expectInert(page, [
    ...['destination.name', 'destination.reasonCode', 'blocked.destination', 'books.waitsFor'],
    ...['destination', 'eventType', 'tenant', 'reason', 'actor'].map((name) => `pause.${name}`),
    ...['kind', 'subject', 'field', 'value'].map((name) => `alert.${name}`),
    ...['host', 'version', 'temporal', 'auditApi'].map((name) => `process.${name}`),
  ]);
  for (const [tab, field] of [
    ['Event type', 'eventType'],
    ['Routing key', 'destination'],
    ['Tenant', 'tenant'],
  ] as const) {
    await page.getByRole('tab', { name: tab, exact: true }).click();
    // Of now they are for a minute.
    await plantRecent({ outbox: world.deployment.outbox, now: new Date(), text: plantedText });
    await expectInert(page, [`figure.${field}`, `rate.${field}`]);
  }
});

it('B18: dialogs, what they count and what they compare', async () => {
  const page = await open('/dead-letters');
  await page.getByRole('button', { name: 'Redrive all that fit the filter' }).click();
  await page.getByRole('table', { name: 'What they are' }).waitFor();
  await expectInert(page, ['letter.code', 'letter.destination', 'letter.eventType']);
  await page.keyboard.press('Escape');

  await page.goto('/monitor');
  await page.getByRole('button', { name: /^Resume «pause\.destination»/ }).click();
  await page.getByRole('dialog', { name: 'Resume' }).waitFor();
  await expectInert(page, ['pause.actor', 'pause.reason']);

  // The names of the event that died are none that the outbox itself would take, so its payload is not edited.
  await page.goto(`/monitor/dead-letters/${PLANTED.plainLetter}`);
  await page.getByRole('button', { name: 'Edit the payload' }).click();
  await page
    .getByRole('textbox', { name: 'Payload' })
    .fill(JSON.stringify({ [hostile('changed.key')]: hostile('changed.value') }));
  await page.getByRole('button', { name: 'Compare and check' }).click();
  await page.getByRole('table', { name: 'Where the payloads differ' }).waitFor();
  await expectInert(page, ['changed.key', 'changed.value']);
});

it('B18: what somebody filters by, and what the api says of it', async () => {
  // What the api takes in an address: no control characters, and not all of the above eleven times.
  const asked = encodeURIComponent(`"'><img src=x onerror=alert(1)>\u202e\u200b\u2028`);
  const views = {
    '/events': EVENTS_PATH,
    '/dead-letters': DEAD_LETTERS_PATH,
    '/audit': AUDIT_LOGS_PATH,
    '/audit/not-stored': FAILED_INGEST_PATH,
    '/policies': POLICIES_PATH,
  };
  for (const [path, asks] of Object.entries(views)) {
    const page = await openTab({
      origin: api.origin,
      as: { key: world.keys.operator },
      expects: (status) => status === 400 || status === 422,
    });
    const names = [
      'state',
      'eventType',
      'type',
      'code',
      'destination',
      'action',
      'text',
      'since',
      'tab',
      'cursor',
      'before',
    ];
    // Before the answer is there nothing of it is on the page, and nothing is being read.
    const answer = page.waitForResponse((response) => new URL(response.url()).pathname === asks);
    await page.goto(`/monitor${path}?${names.map((name) => `${name}=${asked}`).join('&')}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await answer;
    await eventually('the answer shown', async () => !(await page.getByText(': being read').first().isVisible()));
    await expectInert(page, []);
  }
});

it('B18: sent as an event, and as a record, by whoever may', async () => {
  // What an event's names may be its own table says; these may be any text without control characters.
  const id = await world.deployment.append({
    tenantId: hostile('sent.t').slice(0, 64),
    aggregate: { type: hostile('sent.a').slice(0, 64), id: hostile('sent.id').slice(0, 128) },
    source: hostile('sent.source').slice(0, 256),
    payload: { [hostile('sent.key')]: hostile('sent.value') + CONTROLS },
  });
  await expectInert(await open(`/events/${id}`), [
    'sent.t',
    'sent.a',
    'sent.id',
    'sent.source',
    'sent.key',
    'sent.value',
  ]);

  const response = await fetch(`${api.origin}${AUDIT_LOGS_PATH}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${world.deployment.auditApiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      specVersion: '1.0',
      eventId: 'hostile-1',
      source: '/hostile',
      action: 'hostile.text.sent',
      actionVersion: 1,
      category: 'other',
      operation: 'other',
      outcome: 'failure',
      outcomeReason: hostile('posted.reason') + CONTROLS,
      occurredAt: new Date().toISOString(),
      actor: { type: 'user', id: 'u-1', name: hostile('posted.actor') + CONTROLS },
      targets: [{ type: 'row', id: '1', name: hostile('posted.target') + CONTROLS }],
      changes: [{ field: '/text', old: hostile('posted.old') + CONTROLS, new: hostile('posted.new') + CONTROLS }],
      data: { [hostile('posted.key')]: hostile('posted.value') + CONTROLS },
    }),
  });
  expect({ status: response.status, body: await response.clone().text() }).toMatchObject({ status: 201 });
  const { recordId } = (await response.json()) as { recordId: string };
  const names = ['reason', 'actor', 'target', 'old', 'new', 'key', 'value'];
  await expectInert(
    await open(`/audit/${recordId}`),
    names.map((name) => `posted.${name}`),
  );
});

it('B18: every field that was planted was shown in a view', () => {
  // These stand in addresses of Temporal's Web UI only.
  const inLinks = ['attempt.runId', 'letter.runId', 'letter.workflowId', 'process.namespace'];
  expect([...planted].filter((field) => !seen.has(field) && !inLinks.includes(field))).toEqual([]);
});
