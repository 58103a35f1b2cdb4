/**
 * A real Chromium for a test file, and tabs of it that fail their test for what the monitor's page never does: a dialog of
 * the browser, a report of its Content-Security-Policy, an error of a script or on the console, a request to another
 * origin, a window that it opens, a `<style>` element, and an answer that is none of the good ones and was not expected.
 */

import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { SESSION_PATH, type SignIn } from '../../src/contract/monitor-api.js';
import { PATIENCE } from './patience.js';

export interface TabOptions {
  /** Of the api: `http://127.0.0.1:<port>`. */
  readonly origin: string;
  /** Signs in before the page is opened; left out: nobody is signed in. */
  readonly as?: SignIn;
  /** How wide, how dark, and so on. Default: 1280 × 800, light, English, UTC. */
  readonly context?: BrowserContextOptions;
  /**
   * Which answers of 400 and above, and which requests without an answer (status null), belong to the test: all others fail
   * it. Default: none; of a tab that nobody is signed in to, that it is told so.
   */
  readonly expects?: (status: number | null, path: string) => boolean;
  /** Windows are opened on purpose. */
  readonly popups?: boolean;
  /** Scripts of the test's own that run before the page's. */
  readonly scripts?: readonly string[];
}

/** A page of a context of its own, whose relative addresses are below the origin. Closed when the test is over. */
export type OpenTab = (options: TabOptions) => Promise<Page>;

const ACTS_WITHIN_MS = 20_000 * PATIENCE;
const LOADS_WITHIN_MS = 30_000 * PATIENCE;

interface Tab {
  readonly context: BrowserContext;
  /** What its page never does, and did. */
  readonly trouble: string[];
  /** Answers whose bodies say whether they are trouble. */
  readonly unread: Promise<void>[];
}

/** One browser for all tests of the file that calls it. */
export function withBrowser(): OpenTab {
  let browser: Browser | null = null;
  let tabs: Tab[] = [];
  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);
  afterEach(async () => {
    const opened = tabs;
    tabs = [];
    for (const { unread } of opened) await Promise.all(unread);
    // As it is now: what closing makes of requests under way is no trouble.
    const trouble = opened.flatMap((tab) => tab.trouble);
    for (const { context } of opened) await context.close();
    expect(trouble).toEqual([]);
  });
  afterAll(() => browser?.close());
  return async (options) => {
    if (browser === null) throw new Error('expected a browser: call withBrowser at the top of the file');
    const context = await browser.newContext({ ...LOOK, baseURL: options.origin, ...options.context });
    const tab: Tab = { context, trouble: [], unread: [] };
    tabs.push(tab);
    context.setDefaultTimeout(ACTS_WITHIN_MS);
    context.setDefaultNavigationTimeout(LOADS_WITHIN_MS);
    if (options.as !== undefined) await signInTo(context, options.origin, options.as);
    const page = await context.newPage();
    await page.addInitScript({ content: WATCH });
    for (const content of options.scripts ?? []) await page.addInitScript({ content });
    listen(page, options, tab);
    return page;
  };
}

/** As it runs where nobody sees it. */
export function launchChromium(): Promise<Browser> {
  const executablePath = process.env.TEST_CHROMIUM;
  if (executablePath === undefined) throw new Error('no Chromium: run this file in the jest project "browser"');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
}

const LOOK: BrowserContextOptions = {
  viewport: { width: 1280, height: 800 },
  colorScheme: 'light',
  reducedMotion: 'reduce',
  locale: 'en-GB',
  timezoneId: 'UTC',
};

/** What the page itself cannot be asked about later: it may have gone to another address by then. */
const WATCH = `
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) =>
  console.error('a report of the Content-Security-Policy:', violatedDirective, blockedURI, sample));
new MutationObserver((changes) => {
  for (const { addedNodes } of changes)
    for (const node of addedNodes)
      if (node.localName === 'style' || node.querySelector?.('style')) console.error('a <style> element');
}).observe(document, { childList: true, subtree: true });
`;

/** The browser says it of answers and connections; those are judged below. */
const OF_THE_NETWORK = /^Failed to load resource/;

function listen(page: Page, { origin, as, expects, popups }: TabOptions, { trouble, unread }: Tab): void {
  const tell = (what: string) => void trouble.push(what);
  const notSignedIn = (status: number | null, path: string) =>
    as === undefined && status === 401 && path === SESSION_PATH;
  const isExpected = (status: number | null, url: string) => {
    const path = new URL(url).pathname;
    return notSignedIn(status, path) || expects?.(status, path) === true;
  };
  page.on('dialog', (dialog) => {
    tell(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => tell(`an error of a script: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    if (message.type() !== 'error' || OF_THE_NETWORK.test(message.text())) return;
    tell(`on the console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) tell(`a request to ${request.url()}`);
  });
  page.on('websocket', (socket) => tell(`a web socket to ${socket.url()}`));
  page.on('popup', (popup) => {
    if (popups !== true) tell(`a window: ${popup.url()}`);
  });
  page.on('response', (response) => {
    const status = response.status();
    if (status < 400 || isExpected(status, response.url())) return;
    const what = `${status} of ${response.url()}`;
    if (status !== 503) return tell(what);
    // A session is looked up within a second, or the page asks again: a machine that stands still is no trouble of the page.
    unread.push(
      response.text().then(
        (text) => {
          if (!text.includes('session_not_known')) tell(what);
        },
        () => tell(what),
      ),
    );
  });
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? 'no reason';
    // The page has left, or no longer wants to know.
    if (why === 'net::ERR_ABORTED' || isExpected(null, request.url())) return;
    tell(`no answer of ${request.url()}: ${why}`);
  });
}

/** As the page does it, but without the page: its context has the cookie then. */
async function signInTo(context: BrowserContext, origin: string, word: SignIn): Promise<void> {
  const answer = await context.request.post(`${origin}${SESSION_PATH}`, { data: word, headers: { Origin: origin } });
  if (!answer.ok()) throw new Error(`not signed in: ${answer.status()} ${await answer.text()}`);
}
