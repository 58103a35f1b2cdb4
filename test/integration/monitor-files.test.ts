/**
 * The page's files over HTTP: what is served, how it is cached, and what a browser is told. Real: HTTP, the files that this
 * makes in a folder. The page itself is tested in a browser.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { makePageFolder, SCRIPT, testMonitor } from '../support/monitor.js';
import { expectProblem, sendRaw, startIngestOn, type TestIngest } from './ingest-set-up.js';

const { folder, remove } = makePageFolder();
let databases: TestDatabases;
let ingest: TestIngest;
beforeAll(async () => {
  databases = await createTestDatabases();
  ingest = await startIngestOn(databases.auditUrl, { monitor: testMonitor(folder) });
});
afterAll(async () => {
  await ingest.stop();
  await databases.drop();
  remove();
});

/** Without what `fetch` does by itself: inflating, asking for more. */
async function get(path: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') {
  const answer = await request(`${ingest.url}${path}`, { method, headers });
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.from(await answer.body.arrayBuffer()) };
}
const SCRIPT_PATH = '/monitor/assets/index-1a2b3c4d.js';
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

it.each([
  '/monitor',
  '/monitor/',
  '/monitor/events',
  '/monitor/events/0197d3a0',
  '/monitor/dead-letters?type=A&code=B',
])('%s is the shell, and nobody keeps it', async (path) => {
  const { status, headers, body } = await get(path);
  expect([status, headers['content-type'], headers['cache-control']]).toEqual([
    200,
    'text/html; charset=utf-8',
    'no-store',
  ]);
  expect(body.toString()).toBe('<!doctype html><title>the shell</title>');
});

it('tells the browser that nothing but this server has anything to say there', async () => {
  for (const path of ['/monitor', SCRIPT_PATH, '/monitor/gone.js']) {
    const { headers } = await get(path);
    expect(headers).toMatchObject({
      'content-security-policy': POLICY,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'permissions-policy': expect.stringMatching(/^camera=\(\), .*usb=\(\)$/),
    });
    expect(headers['x-powered-by']).toBeUndefined();
  }
});

it('keeps for a year what has a hash in its name, and asks again for what has none', async () => {
  const hashed = await get(SCRIPT_PATH);
  expect([hashed.status, hashed.headers['content-type'], hashed.headers['cache-control']]).toEqual([
    200,
    'text/javascript; charset=utf-8',
    'public, max-age=31536000, immutable',
  ]);
  expect(hashed.body.toString()).toBe(SCRIPT);
  expect((await get('/monitor/assets/index-5e6f7a8b.css')).headers['content-type']).toBe('text/css; charset=utf-8');
  const plain = await get('/monitor/color-scheme.js');
  expect([plain.status, plain.headers['cache-control']]).toEqual([200, 'no-cache']);
  const again = await get('/monitor/color-scheme.js', { 'If-None-Match': String(plain.headers.etag) });
  expect([again.status, again.body.length]).toEqual([304, 0]);
});

it.each([
  ['br, gzip', 'br'],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip', 'gzip'],
  ['br;q=0, gzip;q=0.5', 'gzip'],
  ['deflate', undefined],
  ['*', undefined],
  ['', undefined],
])('of "%s" takes %s', async (accepted, encoding) => {
  const { headers, body } = await get(SCRIPT_PATH, { 'Accept-Encoding': accepted });
  expect([headers['content-encoding'], headers.vary]).toEqual([encoding, 'Accept-Encoding']);
  expect(body.length < SCRIPT.length).toBe(encoding !== undefined);
  // What was not compressed at build time is sent as it is.
  expect((await get('/monitor', { 'Accept-Encoding': accepted })).headers['content-encoding']).toBeUndefined();
});

it('of two encodings makes two things: a cache does not take one for the other', async () => {
  const [one, other] = [await get(SCRIPT_PATH, { 'Accept-Encoding': 'br' }), await get(SCRIPT_PATH)];
  expect(one.headers.etag).not.toBe(other.headers.etag);
});

it('answers HEAD without a body, and another method 405', async () => {
  const head = await get(SCRIPT_PATH, {}, 'HEAD');
  expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, String(SCRIPT.length), 0]);
  const { headers, ...answer } = await ingest.post({}, { path: '/monitor', key: null });
  expectProblem({ ...answer, headers }, 405, 'method_not_allowed');
  expect(headers.get('allow')).toBe('GET, HEAD');
});

it.each([
  '/monitor/assets/index-0ld0ld0l.js',
  '/monitor/assets/not-in-the-manifest.js',
  '/monitor/secret.map',
  '/monitor/.vite/manifest.json',
  '/monitor/assets/index-1a2b3c4d.js.br',
  '/monitor/index.html',
  '/monitor/assets/%69ndex-1a2b3c4d.js',
  '/monitor/constructor.name',
])('%s is 404 as text, never the shell', async (path) => {
  const { status, headers, body } = await get(path);
  expect([status, headers['content-type'], headers['cache-control']]).toEqual([
    404,
    'text/plain; charset=utf-8',
    'no-store',
  ]);
  expect(body.toString()).not.toContain('<');
});

it('B16: no path leads out of the folder', async () => {
  for (const path of ['/monitor/../package.json', '/monitor/%2e%2e/package.json', '/monitor/..%5cpackage.json']) {
    const answer = await sendRaw(ingest.port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).not.toContain('devDependencies');
  }
});

it('is not there where no monitor is served, and nobody signs in', async () => {
  const without = await startIngestOn(databases.auditUrl);
  try {
    for (const path of ['/monitor', '/monitor/session', '/monitor/stream']) {
      expectProblem(await without.post(null, { method: 'GET', path, key: null }), 404, 'not_found');
    }
    // Nor does a cookie stand in for a key.
    const headers = { Cookie: 'outbox_monitor=v1.x.y' };
    expectProblem(await without.post(null, { method: 'GET', key: null, headers }), 401, 'unauthorized');
  } finally {
    await without.stop();
  }
});

it('does not start with half a page, and says what to do', async () => {
  const half = makePageFolder();
  try {
    writeFileSync(join(half.folder, '.vite/manifest.json'), '{"index.html": {"file": "assets/index-gone.js"}}');
    const started = startIngestOn(databases.auditUrl, { monitor: testMonitor(half.folder) });
    await expect(started).rejects.toThrow(/index-gone\.js is missing.*npm run build.*OUTBOX_MONITOR=off/);
  } finally {
    half.remove();
  }
  const nowhere = startIngestOn(databases.auditUrl, { monitor: testMonitor(half.folder) });
  await expect(nowhere).rejects.toThrow(/manifest\.json is missing/);
});
