// Usage: npm run screenshots [-- FOLDER]: makes the pictures of the monitor that stand in README.md and docs, into docs/images
// unless it is told another folder. Real: PostgreSQL, the api as a process of the built command line, the built page in a
// Chromium. Seeded: what is shown, as rows. The clock of the page stands still, so that two runs make the same pictures, but
// for what the api measures itself.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { chromium } from 'playwright-core';
import { createPasswordHasher } from '../../dist/src/application/audit/monitor/hash-password.js';
import { addOperator } from '../../dist/src/application/audit/monitor/operators.js';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { createOperatorBook } from '../../dist/src/infrastructure/prisma/operator-store.js';
import { findChromium } from '../support/find-chromium.mjs';
import { PLANTED, plantMonitor, plantRecent } from '../support/plant-monitor.ts';

/** What the page takes for now. */
const SHOWN_NOW = Date.UTC(2026, 3, 15, 9, 30);
const LARGEST_BYTES = 200_000;
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };
const ADA = { name: 'ada', password: 'correct horse battery staple' };
const CLI = fileURLToPath(new URL('../../dist/src/cli/outbox.js', import.meta.url));

const folder = process.argv[2] ?? fileURLToPath(new URL('../../docs/images', import.meta.url));
const note = (line) => process.stderr.write(`${line}\n`);
/** Undone in the order opposite to that in which they were done. */
const undo = [];
try {
  await takePictures();
} finally {
  for (const step of undo.reverse()) await step();
}

async function takePictures() {
  const executablePath = await findChromium({ note });
  const environment = await startDatabases();
  await untilMinuteIsYoung();
  const now = new Date();
  const { record } = await plant(environment, now);
  const origin = await startApi(environment);
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
  undo.push(() => browser.close());
  await mkdir(folder, { recursive: true });
  const pictures = [
    ['overview-light', '', 'Relays and workers', {}],
    ['overview-dark', '', 'Relays and workers', { colorScheme: 'dark' }],
    ['overview-phone', '', 'Relays and workers', { viewport: PHONE }],
    ['events-light', '/events', 'Events', {}],
    ['event-light', `/events/${PLANTED.deadEvent}`, 'Its way', {}],
    ['dead-letters-light', '/dead-letters', 'Open letters by kind', {}],
    ['dead-letter-light', `/dead-letters/${PLANTED.letter}`, 'Why it died', {}],
    ['audit-light', `/audit/${record}`, 'What changed', {}],
    ['policies-light', '/policies?tab=why', 'What follows a failure, and why', {}],
  ];
  const tooLarge = [];
  for (const [name, path, heading, look] of pictures) {
    const file = join(folder, `${name}.png`);
    await takePicture({ browser, origin, now, environment, file, path, heading, look });
    const { size } = await stat(file);
    note(`${(size / 1_000).toFixed(0).padStart(5)} kB  ${file}`);
    if (size > LARGEST_BYTES) tooLarge.push(name);
  }
  if (tooLarge.length > 0) {
    note(`expected at most ${LARGEST_BYTES / 1_000} kB each: ${tooLarge.join(', ')}`);
    process.exitCode = 1;
  }
}

async function takePicture({ browser, origin, now, environment, file, path, heading, look }) {
  const context = await browser.newContext({
    baseURL: origin,
    viewport: WIDE,
    colorScheme: 'light',
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
    // A picture is taken without a caret, which is hidden by a style that the page's own policy refuses.
    bypassCSP: true,
    ...look,
  });
  await context.request.post('/monitor/session', { data: ADA, headers: { Origin: origin } });
  const page = await context.newPage();
  await page.clock.setFixedTime(now);
  await page.addInitScript({ content: standStill(now) });
  const outbox = poolOf(environment.OUTBOX_DATABASE_URL);
  // Of now it is for less than a minute.
  if (path === '') await plantRecent({ outbox, now: new Date() });
  await outbox.end();
  await page.goto(`/monitor${path}`);
  await page.getByRole('heading', { name: heading, exact: true }).first().waitFor();
  await page.getByText(': being read').first().waitFor({ state: 'detached' });
  await page.getByText('being looked up').first().waitFor({ state: 'detached' });
  await page.getByText('Live', { exact: true }).waitFor();
  await page.screenshot({ path: file, animations: 'disabled', caret: 'hide' });
  await context.close();
}

/** Runs in the page: times are shown as of then, and what the api measures is as of one moment. */
function standStill(now) {
  return `
const shift = ${SHOWN_NOW - now.getTime()};
const { get } = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, 'format');
Object.defineProperty(Intl.DateTimeFormat.prototype, 'format', {
  get() { const format = get.call(this); return (at) => format(at + shift); },
});
const measured = { tookMs: 1.2, lagSeconds: 7200, ageSeconds: 8 };
const told = (text) => text.replace(/has waited \\d+ s/, 'has waited 7200 s');
const { parse } = JSON;
JSON.parse = (text, reviver) => {
  const value = parse(text, (key, of) => 
    key in measured && typeof of === 'number' ? measured[key] : typeof of === 'string' ? told(of) : of);
  if (value?.type === 'tick' || value?.type === 'snapshot') value.at = '${now.toISOString()}';
  return value;
};`;
}

async function startDatabases() {
  const data = await mkdtemp(join(tmpdir(), 'outbox-screenshots-'));
  undo.push(() => rm(data, { recursive: true, force: true }));
  const postgres = await startEmbeddedPostgres({ dataDir: join(data, 'postgres'), port: 0, fsync: false, note });
  undo.push(() => postgres.stop());
  for (const name of ['outbox', 'audit']) await postgres.createDatabase(name);
  const environment = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    OUTBOX_DATABASE_URL: postgres.url('outbox'),
    AUDIT_DATABASE_URL: postgres.url('audit'),
    AUDIT_FINGERPRINT_KEYS: `shots:${'ab'.repeat(32)}`,
    OUTBOX_DEPLOYMENT: 'shop',
    OUTBOX_API_PORT: '0',
    OUTBOX_OPS: 'on',
    OUTBOX_TEMPORAL_UI_URL: 'http://127.0.0.1:8233',
  };
  const migrated = spawn(process.execPath, [CLI, 'migrate', 'deploy', '--deployment', 'shop'], {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise((resolve) => migrated.once('close', resolve));
  if (code !== 0) throw new Error('the databases could not be migrated');
  return environment;
}

async function plant(environment, now) {
  const outbox = poolOf(environment.OUTBOX_DATABASE_URL);
  const audit = poolOf(environment.AUDIT_DATABASE_URL);
  try {
    await addOperator(
      { book: createOperatorBook(audit), hasher: createPasswordHasher() },
      { ...ADA, role: 'operator' },
    );
    return await plantMonitor({ outbox, audit, now, trouble: 'some' });
  } finally {
    await outbox.end();
    await audit.end();
  }
}

async function startApi(environment) {
  const api = spawn(process.execPath, [CLI, 'api'], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => api.once('close', resolve));
  undo.push(() => {
    api.kill('SIGTERM');
    return ended;
  });
  for await (const line of createInterface({ input: api.stdout })) {
    const said = line.startsWith('{') ? JSON.parse(line) : {};
    if (said.msg === 'process.started') return `http://127.0.0.1:${said.apiPort}`;
  }
  throw new Error('the api ended before it had started');
}

/** The minutes of the figures are the same ones in every picture. */
async function untilMinuteIsYoung() {
  const msInto = Date.now() % 60_000;
  if (msInto > 20_000) note('waiting for the next minute');
  if (msInto > 20_000) await new Promise((resolve) => setTimeout(resolve, 60_000 - msInto));
}

function poolOf(connectionString) {
  return new pg.Pool({ connectionString, max: 2 });
}
