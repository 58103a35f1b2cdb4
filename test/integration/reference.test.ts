/** GET /openapi.json and GET /docs on real HTTP: asked for without a key, cacheable, and no script may ever run there. */
import { createHash } from 'node:crypto';
import { request } from 'undici';
import { describeApi } from '../../src/http/openapi/operations.js';
import { startIngest, type TestIngest } from './ingest-set-up.js';

let ingest: TestIngest;
beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());

it('serves the document that the answers are held against', async () => {
  const answer = await ingest.post(null, { method: 'GET', path: '/openapi.json', key: null });
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual(JSON.parse(JSON.stringify(describeApi({ ops: false }))));
  expect(Object.keys(answer.body.paths).filter((path) => path.startsWith('/ops/v1/dead-letters'))).toEqual([]);
});

it.each(['/openapi.json', '/docs'])('%s is asked for without a key, and again only when it changed', async (path) => {
  const first = await fetch(`${ingest.url}${path}`);
  const etag = first.headers.get('etag') as string;
  expect([first.status, first.headers.get('cache-control')]).toEqual([200, 'public, max-age=300']);
  await first.text();
  // fetch would add Cache-Control: no-cache, which asks for the whole.
  const again = await request(`${ingest.url}${path}`, { headers: { 'If-None-Match': etag } });
  expect([again.statusCode, again.headers.etag, await again.body.text()]).toEqual([304, etag, '']);
  const head = await ingest.post(null, { method: 'HEAD', path, key: null });
  expect([head.status, head.headers.get('etag')]).toEqual([200, etag]);
  expect((await ingest.post({}, { path })).headers.get('allow')).toBe('GET, HEAD');
});

it('lets the page run no script and fetch nothing, and knows its style by its hash', async () => {
  const page = await fetch(`${ingest.url}/docs`);
  const html = await page.text();
  const style = /<style>([\s\S]*?)<\/style>/.exec(html)?.[1] as string;
  const hash = createHash('sha256').update(style).digest('base64');
  expect(page.headers.get('content-security-policy')).toBe(
    `default-src 'none';style-src 'sha256-${hash}';base-uri 'none';form-action 'none';frame-ancestors 'none'`,
  );
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
});
