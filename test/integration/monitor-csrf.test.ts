/**
 * B27: what only the monitor's own page may ask for. Real: HTTP, PostgreSQL, sessions, dead letters and what is recorded of
 * those who act on them. Fake: the page, a few files; no browser: its headers are sent by hand.
 */
import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import { DEAD_LETTERS_PATH } from '../../src/contract/dead-letters-api.js';
import { DESTINATIONS_PATH } from '../../src/contract/destinations-api.js';
import { CSRF_HEADER, SESSION_PATH } from '../../src/contract/monitor-api.js';
import { createDeliveryStore, type DeliveryStore } from '../support/delivery-line.js';
import { addPerson, makePageFolder, openPage, type Page, signIn, testMonitor } from '../support/monitor.js';
import { openTestOps } from '../support/ops.js';
import { expectProblem, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

const { folder, remove } = makePageFolder();
const PASSWORD = 'correct horse battery staple';
const WORD = { reason: 'mended' };

let store: DeliveryStore;
let audit: TestIngest;
let ingest: TestIngest;
let ops: ReturnType<typeof openTestOps>;
let operator: Page;
let viewer: Page;
let other: Page;

beforeAll(async () => {
  store = await createDeliveryStore();
  ops = openTestOps(store.pool);
  audit = await startIngest(); // its database only
  ingest = await startIngestOn(audit.auditUrl, { ops, monitor: testMonitor(folder) });
  await addPerson(ingest.pool, 'alice', 'operator', PASSWORD);
  await addPerson(ingest.pool, 'vera', 'viewer', PASSWORD);
  operator = await openPage(ingest, { name: 'alice', password: PASSWORD });
  viewer = await openPage(ingest, { name: 'vera', password: PASSWORD });
  other = await openPage(ingest, { name: 'alice', password: PASSWORD });
});
afterAll(async () => {
  await ingest.stop();
  await audit.stop();
  await ops.deadLetters.close();
  await store.close();
  remove();
});

async function die(): Promise<string> {
  const eventId = await store.append({});
  const end = { code: 'HTTP.TIMEOUT' as const, message: 'refused', attempt: null, workflowId: 'wf', runId: 'run' };
  const recorded = await store.deadLetters.recordDeadLetter(
    { run: { eventId, epoch: 0, carrier: null }, ...end },
    5_000,
  );
  return 'id' in recorded ? recorded.id : '';
}
const redrivePath = (id: string) => `${DEAD_LETTERS_PATH}/${id}/redrive`;
const stateOf = async (id: string) =>
  (await store.pool.query('SELECT state, state_actor AS actor FROM outbox.dead_letter WHERE id = $1', [id])).rows[0];

describe('B27: a redrive from the page', () => {
  it.each<[string, Record<string, string>, string]>([
    ['of a foreign Origin', { Origin: 'https://evil.example' }, 'foreign_origin'],
    ['of another port of the same host', { Origin: 'http://127.0.0.1:3000' }, 'foreign_origin'],
    ['of a sandbox', { Origin: 'null' }, 'foreign_origin'],
    ['without Origin', { Origin: '' }, 'foreign_origin'],
    ['of another site, by Sec-Fetch-Site', { 'Sec-Fetch-Site': 'cross-site' }, 'foreign_origin'],
    ['of a sibling, by Sec-Fetch-Site', { 'Sec-Fetch-Site': 'same-site' }, 'foreign_origin'],
    ['without the token', { [CSRF_HEADER]: '' }, 'csrf_missing'],
    ['with a token that is none', { [CSRF_HEADER]: 'A'.repeat(43) }, 'csrf_missing'],
  ])('%s is 403, and nothing is changed', async (_, headers, code) => {
    const id = await die();
    expectProblem(await operator.send('POST', redrivePath(id), WORD, headers), 403, code);
    expect(await stateOf(id)).toEqual({ state: 'open', actor: null });
  });

  it("with another session's token is 403, be it of the same person", async () => {
    const headers = { [CSRF_HEADER]: other.session.csrf };
    expectProblem(await operator.send('POST', redrivePath(await die()), WORD, headers), 403, 'csrf_missing');
  });

  it('as a viewer is 403', async () => {
    const id = await die();
    expectProblem(await viewer.send('POST', redrivePath(id), WORD), 403, 'scope_missing');
    expect(await stateOf(id)).toMatchObject({ state: 'open' });
  });

  it('of a closed letter is 409, of a missing one 404', async () => {
    const id = await die();
    expect((await operator.send('POST', `${DEAD_LETTERS_PATH}/${id}/discard`, WORD)).status).toBe(200);
    expectProblem(await operator.send('POST', redrivePath(id), WORD), 409, 'not_open');
    expectProblem(await operator.send('POST', redrivePath(randomUUID()), WORD), 404, 'not_found');
  });

  it('twice is 409, and at once by two tabs one of them; it is recorded as the person who did it', async () => {
    const id = await die();
    const answers = await Promise.all([operator, other].map((page) => page.send('POST', redrivePath(id), WORD)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expectProblem(await operator.send('POST', redrivePath(id), WORD), 409, 'not_open');
    expect(await stateOf(id)).toEqual({ state: 'redriven', actor: 'user:alice' });
    const { rows } = await store.pool.query(
      `SELECT headers->'actor' AS actor FROM outbox.event WHERE event_type = 'OUTBOX' ORDER BY id DESC LIMIT 1`,
    );
    expect(rows).toEqual([{ actor: { type: 'user', id: 'user:alice' } }]);
  });

  it('by a session of an API key is recorded as that key', async () => {
    const page = await openPage(ingest, { key: await ingest.key(['dlq:write']) });
    const id = await die();
    expect((await page.send('POST', redrivePath(id), WORD)).status).toBe(200);
    expect((await stateOf(id)).actor).toBe(page.session.actor);
    expect(page.session.actor).toMatch(/^api-key:[0-9a-f-]{36}$/);
  });
});

it('B27: every other change is refused in the same way: pausing, jobs, editing, signing out', async () => {
  const id = await die();
  const changes: [string, string, unknown][] = [
    ['POST', `${DESTINATIONS_PATH}/audit.log/pause`, WORD],
    ['POST', `${DEAD_LETTERS_PATH}/redrive`, { ids: [id], ...WORD }],
    ['POST', `${DEAD_LETTERS_PATH}/${id}/payload`, { payload: { total: 1 }, ...WORD }],
    ['POST', '/ops/v1/redrive-jobs', { filter: {}, ...WORD }],
    ['POST', '/ops/v1/books/again', { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' }],
    ['POST', '/ops/v1/failed-ingest/retry', { filter: {}, ...WORD }],
    ['DELETE', SESSION_PATH, {}],
  ];
  for (const [method, path, body] of changes) {
    expectProblem(await operator.send(method, path, body, { Origin: 'https://evil.example' }), 403, 'foreign_origin');
    expectProblem(await operator.send(method, path, body, { [CSRF_HEADER]: '' }), 403, 'csrf_missing');
  }
  for (const [method, path, body] of changes.slice(0, -1)) {
    expectProblem(await viewer.send(method, path, body), 403, 'scope_missing');
  }
  expect((await operator.get(SESSION_PATH)).status).toBe(200);
});

it('B27: nobody is signed in by another page', async () => {
  const body = { name: 'alice', password: PASSWORD };
  expectProblem(await signIn(ingest, body, { Origin: 'https://evil.example' }), 403, 'foreign_origin');
  expectProblem(await signIn(ingest, body, { 'Sec-Fetch-Site': 'cross-site' }), 403, 'foreign_origin');
  const { statusCode, headers } = await request(`${ingest.url}${SESSION_PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).then(async (answer) => {
    await answer.body.dump();
    return answer;
  });
  expect([statusCode, headers['set-cookie']]).toEqual([403, undefined]);
});

it('B27: a page of a sibling reads nothing by the cookie that its browser sends along', async () => {
  const read = await operator.send('GET', DEAD_LETTERS_PATH, null, { 'Sec-Fetch-Site': 'same-site' });
  expectProblem(read, 403, 'foreign_origin');
  // A key is no browser's to send along: it needs none of this.
  const key = await ingest.key(['dlq:write']);
  const headers = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site', Cookie: operator.cookie };
  expect((await ingest.post(WORD, { path: redrivePath(await die()), key, headers })).status).toBe(200);
});
