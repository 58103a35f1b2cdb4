/**
 * Who signs in to the monitor, for how long, and what a session may do. Real: HTTP, PostgreSQL, scrypt, cookies as a browser
 * keeps them. Fake: the page, a few files; where the text says so, a store of sessions that does not answer.
 */
import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import type { SessionStore } from '../../src/application/audit/monitor/ports.js';
import { createSignInLinks } from '../../src/application/audit/monitor/sign-in-links.js';
import { StoreUnavailableError } from '../../src/application/audit/ports.js';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import { AUDIT_EXPORT_PATH } from '../../src/contract/audit-records-api.js';
import { FAILED_INGEST_PATH } from '../../src/contract/failed-ingest-api.js';
import { CSRF_HEADER, SESSION_CHECKED_HEADER, SESSION_PATH } from '../../src/contract/monitor-api.js';
import { createOperatorBook, createOperatorStore } from '../../src/infrastructure/prisma/operator-store.js';
import { createSessionStore } from '../../src/infrastructure/prisma/session-store.js';
import { askAgain } from '../support/ask-again.js';
import { eventually } from '../support/eventually.js';
import { addPerson, cookieOf, makePageFolder, openPage, type Page, signIn, testMonitor } from '../support/monitor.js';
import { type Answer, event, expectProblem, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

const { folder, remove } = makePageFolder();
const links = createSignInLinks();
const PASSWORD = 'correct horse battery staple';
const WORD = { reason: 'tried by a test' };

let ingest: TestIngest;
beforeAll(async () => {
  ingest = await startIngest({ monitor: testMonitor(folder, { links }) });
  await addPerson(ingest.pool, 'alice', 'operator', PASSWORD);
  await addPerson(ingest.pool, 'vera', 'viewer', PASSWORD);
});
afterAll(async () => {
  await ingest.stop();
  remove();
});

const rowOf = async (key: string) =>
  (await ingest.pool.query('SELECT id FROM audit.api_key WHERE prefix = $1', [key.slice(4, 12)])).rows[0].id as string;
/** Not there, so nothing changes; whoever may not change it is told that first. */
const discard = (page: Page, headers = {}) =>
  page.send('POST', `${FAILED_INGEST_PATH}/${randomUUID()}/discard`, WORD, headers);
const readsNoMore = (page: Page) =>
  eventually('the session to be over', async () => (await page.get(SESSION_PATH)).body?.code === 'session_ended');

describe('by an API key', () => {
  it('gives its own scopes, without the right to write records', async () => {
    const key = await ingest.key(['audit:write', 'audit:read:any-tenant', 'dlq:write']);
    const page = await openPage(ingest, { key });
    expect(page.session).toEqual({
      actor: `api-key:${await rowOf(key)}`,
      name: 'test',
      role: 'operator',
      may: { readDelivery: true, changeDelivery: true, readRecords: true, readAnyTenant: true },
      tenantId: null,
      endsAt: expect.any(String),
      checked: true,
      csrf: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      links: { temporalUi: 'http://temporal.test:8233', namespace: 'shop' },
      version: '1.2.3',
    });
    expect((await page.get(SESSION_PATH)).body).toEqual(page.session);
    expect((await page.get(AUDIT_LOGS_PATH)).status).toBe(200);
    expectProblem(await discard(page), 404, 'not_found');
    expectProblem(await page.send('POST', AUDIT_LOGS_PATH, event()), 403, 'scope_missing');
  });

  it('gives a reader a view, an admin all but what is asked for by name, and a tenant its own', async () => {
    const reader = await openPage(ingest, { key: await ingest.key(['audit:read']) });
    expect(reader.session).toMatchObject({
      role: 'viewer',
      may: { readDelivery: false, changeDelivery: false, readRecords: true, readAnyTenant: false },
    });
    expectProblem(await discard(reader), 403, 'scope_missing');
    const admin = await openPage(ingest, { key: await ingest.key(['admin'], 'acme') });
    expect(admin.session).toMatchObject({
      role: 'operator',
      may: { readDelivery: true, changeDelivery: true, readRecords: true, readAnyTenant: false },
      tenantId: 'acme',
    });
    expectProblem(await admin.get(`${AUDIT_LOGS_PATH}?tenantId=other`), 403, 'tenant_forbidden');
    expectProblem(await admin.send('POST', AUDIT_LOGS_PATH, event({ tenantId: 'acme' })), 403, 'scope_missing');
  });

  it('is refused to a key with nothing to see, and to one that must sign', async () => {
    const writer = await ingest.key(['audit:write', 'audit:write:any-tenant']);
    expectProblem(await signIn(ingest, { key: writer }), 403, 'scope_missing');
    const { secret } = await ingest.createKey({ scopes: ['audit:read'], signedUnder: new Uint8Array(32).fill(7) });
    const signed = await signIn(ingest, { key: secret });
    expectProblem(signed, 403, 'scope_missing');
    expect(signed.body.detail).toContain('need no signature');
  });

  it('notes that the key is used', async () => {
    const key = await ingest.key(['audit:read']);
    const page = await openPage(ingest, { key });
    await page.get(SESSION_PATH);
    await eventually('the use to be written', async () => {
      const { rows } = await ingest.pool.query('SELECT last_used_at FROM audit.api_key WHERE id = $1', [
        await rowOf(key),
      ]);
      return rows[0].last_used_at !== null;
    });
  });
});

describe('by name and password', () => {
  it('gives an operator what operators do, and a viewer a view of all tenants', async () => {
    const alice = await openPage(ingest, { name: 'alice', password: PASSWORD });
    expect(alice.session).toMatchObject({
      actor: 'user:alice',
      name: 'alice',
      role: 'operator',
      may: { readDelivery: true, changeDelivery: true, readRecords: true },
      tenantId: null,
    });
    expectProblem(await discard(alice), 404, 'not_found');
    const vera = await openPage(ingest, { name: 'vera', password: PASSWORD });
    expect(vera.session).toMatchObject({
      actor: 'user:vera',
      role: 'viewer',
      may: { readDelivery: true, changeDelivery: false, readRecords: true, readAnyTenant: true },
    });
    expect((await vera.get(`${AUDIT_LOGS_PATH}?tenantId=acme`)).status).toBe(200);
    expectProblem(await discard(vera), 403, 'scope_missing');
  });

  it('gives a watcher the delivery to look at, and no record', async () => {
    await addPerson(ingest.pool, 'wall-screen', 'watcher', PASSWORD);
    const wall = await openPage(ingest, { name: 'wall-screen', password: PASSWORD });
    expect(wall.session).toMatchObject({
      role: 'watcher',
      may: { readDelivery: true, changeDelivery: false, readRecords: false, readAnyTenant: false },
      tenantId: null,
    });
    expectProblem(await wall.get(AUDIT_LOGS_PATH), 403, 'scope_missing');
    expectProblem(await wall.get(AUDIT_EXPORT_PATH), 403, 'scope_missing');
    expectProblem(await discard(wall), 403, 'scope_missing');
    expect((await wall.get(FAILED_INGEST_PATH)).status).toBe(200);
  });

  it('follows another role within seconds, and ends with another password and with being disabled', async () => {
    const book = createOperatorBook(ingest.pool);
    await addPerson(ingest.pool, 'carol', 'operator', PASSWORD);
    const page = await openPage(ingest, { name: 'carol', password: PASSWORD });
    await book.setRole('carol', 'viewer');
    // A change is looked up each time.
    expectProblem(await discard(page), 403, 'scope_missing');
    await book.setPassword('carol', 'x'.repeat(20));
    expectProblem(await discard(page), 401, 'session_ended');
    await readsNoMore(page);
    await book.disable('carol');
    expectProblem(await signIn(ingest, { name: 'carol', password: PASSWORD }), 401, 'unauthorized');
    await addPerson(ingest.pool, 'carol', 'operator', PASSWORD);
    const again = await openPage(ingest, { name: 'carol', password: PASSWORD });
    await book.disable('carol');
    await readsNoMore(again);
  });
});

describe('by a link', () => {
  it('works once, as the key that it was made of', async () => {
    const key = await ingest.key(['dlq:read']);
    const link = links.make(await rowOf(key));
    const page = await openPage(ingest, { link });
    expect(page.session).toMatchObject({ actor: `api-key:${await rowOf(key)}`, role: 'viewer' });
    expectProblem(await signIn(ingest, { link }), 401, 'unauthorized');
  });

  it('works for one of many who come at once', async () => {
    const link = links.make(await rowOf(await ingest.key(['dlq:read'])));
    const answers = await Promise.all(Array.from({ length: 5 }, () => signIn(ingest, { link })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
  });

  it('holds for an hour, and no longer than its key', async () => {
    let now = 0;
    const early = createSignInLinks(() => now);
    const link = early.make('k');
    now = 3_600_000;
    expect([early.find(link), early.use(link)]).toEqual([null, false]);
    const key = await ingest.key(['dlq:read']);
    const revoked = links.make(await rowOf(key));
    await ingest.pool.query('UPDATE audit.api_key SET revoked_at = now() WHERE id = $1', [await rowOf(key)]);
    expectProblem(await signIn(ingest, { link: revoked }), 401, 'unauthorized');
  });
});

describe('B1: what does not hold', () => {
  it('is told one and the same, whatever it was', async () => {
    const key = await ingest.key(['dlq:read']);
    const revoked = await ingest.key(['dlq:read']);
    await ingest.pool.query('UPDATE audit.api_key SET revoked_at = now() WHERE id = $1', [await rowOf(revoked)]);
    const expired = await ingest.key(['dlq:read'], null, new Date(Date.now() - 1_000));
    const answers: Answer[] = [];
    for (const body of [
      { key: `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}` },
      { key: 'tob_' },
      { key: revoked },
      { key: expired },
      { name: 'alice', password: `${PASSWORD}.` },
      { name: 'nobody', password: PASSWORD },
      { name: 'ALICE', password: PASSWORD },
      { name: "alice' OR '1'='1", password: PASSWORD },
      { link: 'A'.repeat(43) },
    ]) {
      answers.push(await signIn(ingest, body));
    }
    for (const answer of answers) {
      expectProblem(answer, 401, 'unauthorized');
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="audit"');
    }
    expect(new Set(answers.map(({ body }) => body.detail)).size).toBe(1);
  });

  it.each([
    ['nothing', {}],
    ['two ways at once', { key: 'tob_x', link: 'x' }],
    ['a name alone', { name: 'alice' }],
    ['more than there is', { key: 'tob_x', role: 'operator' }],
    ['an empty password', { name: 'alice', password: '' }],
    ['a password that is a list', { name: 'alice', password: [PASSWORD] }],
    ['half a character', { name: 'alice', password: '\ud800'.repeat(12) }],
  ])('is 422 where it is %s', async (_, body) => {
    expectProblem(await signIn(ingest, body), 422, 'invalid_request');
  });

  it('is 413 beyond what a password can be, 415 for a form, and nothing is kept of it', async () => {
    expectProblem(await signIn(ingest, { key: 'x'.repeat(10_000) }), 413, 'body_too_large');
    const form = await signIn(ingest, 'key=tob_x', { 'Content-Type': 'application/x-www-form-urlencoded' });
    expectProblem(form, 415, 'unsupported_media_type');
  });

  it('of a cookie is answered 401, and no key is asked for in its place', async () => {
    const page = await openPage(ingest, { name: 'vera', password: PASSWORD });
    const [name, value = ''] = page.cookie.split('=');
    const forged = value.replace(/^v1\.(.)/, (_, first: string) => `v1.${first === 'A' ? 'B' : 'A'}`);
    for (const cookie of [`${name}=${forged}`, `${name}=v1.x.y`, `${name}=${value}x`, 'other=1', '']) {
      const answer = await ingest.post(null, {
        method: 'GET',
        path: SESSION_PATH,
        key: null,
        headers: { Cookie: cookie },
      });
      expectProblem(answer, 401, 'session_ended');
    }
    // Of several with the name the one that is ours counts.
    const both = { Cookie: `${name}=v1.x.y; theme=dark; ${page.cookie}` };
    expect((await ingest.post(null, { method: 'GET', path: SESSION_PATH, key: null, headers: both })).status).toBe(200);
    // A key beside it is looked at alone; what a browser sends for a proxy's own sign-in is none.
    for (const authorization of ['Bearer wrong', 'Bearer', 'bearer wrong']) {
      const headers = { Cookie: page.cookie, Authorization: authorization };
      expectProblem(await ingest.post(null, { method: 'GET', key: null, headers }), 401, 'unauthorized');
    }
    const proxied = { Cookie: page.cookie, Authorization: 'Basic dmVyYTpwYXNz' };
    expect((await ingest.post(null, { method: 'GET', key: null, headers: proxied })).status).toBe(200);
    const alone = { Authorization: 'Basic dmVyYTpwYXNz' };
    expectProblem(await ingest.post(null, { method: 'GET', key: null, headers: alone }), 401, 'unauthorized');
  });
});

describe('limits', () => {
  it('B25: after ten wrong passwords of a name the right one is not looked at either, from that network', async () => {
    await addPerson(ingest.pool, 'dave', 'viewer', PASSWORD);
    for (let n = 0; n < 9; n++) {
      expectProblem(await signIn(ingest, { name: 'dave', password: `wrong ${n} wrong wrong` }), 401, 'unauthorized');
    }
    // The right one does not count.
    await openPage(ingest, { name: 'dave', password: PASSWORD });
    expectProblem(await signIn(ingest, { name: 'dave', password: 'wrong' }), 401, 'unauthorized');
    const spoofed = { 'X-Forwarded-For': '10.0.0.9' };
    const refused = await signIn(ingest, { name: 'dave', password: PASSWORD }, spoofed);
    expectProblem(refused, 429, 'rate_limited');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60);
    await openPage(ingest, { name: 'alice', password: PASSWORD });
  });

  it('B25: a browser that has come before is kept out by nobody else, whose tries come from the same address', async () => {
    const other = await startIngestOn(ingest.auditUrl, {
      limits: { maxFailedSignInsPerMinute: 12 },
      monitor: testMonitor(folder),
    });
    try {
      await addPerson(ingest.pool, 'erin', 'viewer', PASSWORD);
      const page = await openPage(other, { name: 'erin', password: PASSWORD });
      for (let n = 0; n < 14; n++) await signIn(other, { name: 'erin', password: `wrong ${n} wrong wrong` });
      const erin = { name: 'erin', password: PASSWORD };
      expectProblem(await signIn(other, erin), 429, 'rate_limited');
      // Hers, also where its session is over; nobody can make one up.
      await page.send('DELETE', SESSION_PATH);
      const own = { Cookie: page.cookie };
      expect((await signIn(other, erin, own)).status).toBe(200);
      expectProblem(await signIn(other, erin, { Cookie: page.cookie.replace(/.$/, '!') }), 429, 'rate_limited');
      // With it no more can be guessed than without.
      for (let n = 0; n < 10; n++) {
        expectProblem(
          await signIn(other, { name: 'erin', password: `wrong ${n} wrong wrong` }, own),
          401,
          'unauthorized',
        );
      }
      expectProblem(await signIn(other, erin, own), 429, 'rate_limited');
    } finally {
      await other.stop();
    }
  });

  it('B25: who fails to sign in keeps no key of the API out', async () => {
    const other = await startIngestOn(ingest.auditUrl, {
      limits: { maxFailedKeysPerMinute: 3, maxFailedSignInsPerMinute: 3 },
      monitor: testMonitor(folder),
    });
    try {
      for (let n = 0; n < 3; n++) expectProblem(await signIn(other, { key: 'tob_x' }), 401, 'unauthorized');
      expectProblem(await signIn(other, { key: 'tob_x' }), 429, 'rate_limited');
      const fresh = await other.key(['audit:write']);
      expect((await other.post(event(), { key: fresh })).status).toBe(201);
    } finally {
      await other.stop();
    }
  });

  it('B25: after many failures of one address all is refused there, but for a key that has held', async () => {
    const other = await startIngestOn(ingest.auditUrl, {
      limits: { maxFailedSignInsPerMinute: 3 },
      monitor: testMonitor(folder),
    });
    try {
      const key = await other.key(['dlq:read']);
      await openPage(other, { key });
      expectProblem(await signIn(other, { key: 'tob_x' }), 401, 'unauthorized');
      expectProblem(await signIn(other, { name: 'alice', password: 'wrong' }), 401, 'unauthorized');
      expectProblem(await signIn(other, { link: 'wrong' }), 401, 'unauthorized');
      expectProblem(await signIn(other, { name: 'alice', password: PASSWORD }), 429, 'rate_limited');
      expectProblem(await signIn(other, { key: await other.key(['dlq:read']) }), 429, 'rate_limited');
      await openPage(other, { key });
    } finally {
      await other.stop();
    }
  });

  it('says what happened in one line each, and nothing of any secret', async () => {
    const key = await ingest.key(['dlq:read']);
    await openPage(ingest, { key });
    await signIn(ingest, { name: 'alice', password: 'hunter2 hunter2' });
    await signIn(ingest, { name: 'my password by mistake', password: 'hunter2 hunter2' });
    const lines = ingest.logs.filter(({ fields }) => fields.event === 'monitor.sign_in').slice(-3);
    expect(lines.map(({ fields }) => [fields.kind, fields.outcome, fields.name, fields.address])).toEqual([
      ['key', 'signed-in', 'test', '127.0.0.1'],
      ['password', 'unauthorized', 'alice', '127.0.0.1'],
      ['password', 'unauthorized', null, '127.0.0.1'],
    ]);
    const all = JSON.stringify(ingest.logs);
    for (const secret of [key, 'hunter2', PASSWORD, 'by mistake']) expect(all).not.toContain(secret);
  });
});

describe('the cookie', () => {
  it('is out of reach of scripts and of other sites; over https also of other hosts and of networks', async () => {
    const plain = await signIn(ingest, { name: 'vera', password: PASSWORD });
    expect(plain.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^outbox_monitor=v1\.[\w-]+\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
    ]);
    expect(plain.headers.get('cache-control')).toBe('no-store');
    const secure = await startIngestOn(ingest.auditUrl, {
      monitor: testMonitor(folder, { url: 'https://outbox.test/monitor/' }),
    });
    try {
      const own = { Origin: 'https://outbox.test' };
      const answer = await signIn(secure, { name: 'vera', password: PASSWORD }, own);
      expect(answer.headers.getSetCookie()).toEqual([
        expect.stringMatching(/^__Host-outbox=v1\.[\w-]+\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/),
      ]);
      // Without the setting the browser says that it came over TLS: what it got goes over nothing else.
      const behind = await ingest.post(
        { name: 'vera', password: PASSWORD },
        { path: SESSION_PATH, key: null, headers: { Origin: `https://127.0.0.1:${ingest.port}` } },
      );
      expect(behind.headers.getSetCookie()).toEqual([
        expect.stringMatching(/^outbox_monitor=v1\.[\w-]+\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/),
      ]);
      // That of the plain address is none here.
      const headers = { Cookie: cookieOf(plain) };
      const answered = await secure.post(null, { method: 'GET', path: SESSION_PATH, key: null, headers });
      expectProblem(answered, 401, 'session_ended');
    } finally {
      await secure.stop();
    }
  });
});

describe('the end', () => {
  it('comes by itself, and with the end of the key', async () => {
    const short = await startIngestOn(ingest.auditUrl, { monitor: testMonitor(folder, { lifeMs: 300 }) });
    try {
      await readsNoMore(await openPage(short, { name: 'vera', password: PASSWORD }));
    } finally {
      await short.stop();
    }
    const ends = new Date(Date.now() + 60_000);
    const bounded = await openPage(ingest, { key: await ingest.key(['dlq:read'], null, ends) });
    expect(bounded.session.endsAt).toBe(ends.toISOString());
  });

  it('comes with a revocation: to changes at once, to reading within seconds', async () => {
    const key = await ingest.key(['dlq:write']);
    const page = await openPage(ingest, { key });
    expect((await page.get(SESSION_PATH)).status).toBe(200);
    await ingest.pool.query('UPDATE audit.api_key SET revoked_at = now() WHERE id = $1', [await rowOf(key)]);
    expectProblem(await discard(page), 401, 'session_ended');
    await readsNoMore(page);
  });

  it('comes with signing out, here at once and at every other api, and the cookie goes', async () => {
    const other = await startIngestOn(ingest.auditUrl, { monitor: testMonitor(folder) });
    try {
      const page = await openPage(ingest, { name: 'alice', password: PASSWORD });
      const stays = await openPage(ingest, { name: 'alice', password: PASSWORD });
      const out = await page.send('DELETE', SESSION_PATH);
      expect([out.status, out.body]).toEqual([204, null]);
      expect(out.headers.getSetCookie()).toEqual(['outbox_monitor=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0']);
      expectProblem(await page.get(SESSION_PATH), 401, 'session_ended');
      const headers = { Cookie: page.cookie };
      expectProblem(
        await other.post(null, { method: 'GET', path: SESSION_PATH, key: null, headers }),
        401,
        'session_ended',
      );
      // Another tab, or another machine, has a session of its own.
      expect((await stays.get(SESSION_PATH)).status).toBe(200);
    } finally {
      await other.stop();
    }
  });

  it('is forgotten once the session would be over by itself', async () => {
    await ingest.pool.query(
      `INSERT INTO audit.session_end
       SELECT gen_random_uuid(), now() - interval '1 minute' FROM generate_series(1, 150)`,
    );
    const left = async () =>
      Number((await ingest.pool.query('SELECT count(*) FROM audit.session_end WHERE ends_at < now()')).rows[0].count);
    const store = createSessionStore(ingest.pool);
    await store.forgetEnded();
    expect(await left()).toBe(50);
    const page = await openPage(ingest, { name: 'alice', password: PASSWORD });
    await page.send('DELETE', SESSION_PATH);
    await eventually('the rest to be forgotten', async () => (await left()) === 0);
    // That of the session itself stands.
    const { rowCount } = await ingest.pool.query('SELECT FROM audit.session_end WHERE ends_at > now()');
    expect(rowCount).toBeGreaterThan(0);
  });
});

describe('B28: while the audit database does not say whether a session stands', () => {
  it('one that was seen a moment ago goes on reading and says so; nobody changes anything', async () => {
    let away = false;
    const unlessAway =
      <Args extends unknown[], T>(method: (...args: Args) => Promise<T>) =>
      async (...args: Args): Promise<T> => {
        if (away) throw new StoreUnavailableError(new Error('cut off by the test'));
        return method(...args);
      };
    const other = await startIngestOn(ingest.auditUrl, {
      monitor: (pool) => {
        const real = createSessionStore(pool);
        const sessions: SessionStore = {
          find: unlessAway(askAgain(real.find)),
          end: unlessAway(real.end),
          forgetEnded: unlessAway(real.forgetEnded),
        };
        const operators = { findByName: unlessAway(askAgain(createOperatorStore(pool).findByName)) };
        return testMonitor(folder, { sessions, operators })(pool);
      },
    });
    try {
      const page = await openPage(other, { name: 'alice', password: PASSWORD });
      const unseen = await openPage(other, { name: 'alice', password: PASSWORD });
      expect((await page.get(AUDIT_LOGS_PATH)).headers.get(SESSION_CHECKED_HEADER)).toBeNull();
      away = true;
      const read = await eventually('the session to be an old one', async () => {
        const answer = await page.get(SESSION_PATH);
        return answer.headers.get(SESSION_CHECKED_HEADER) === 'no' && answer;
      });
      expect(read).toMatchObject({ status: 200, body: { checked: false, actor: 'user:alice' } });
      expect((await page.get(AUDIT_LOGS_PATH)).status).toBe(200);
      const refused = await discard(page);
      expectProblem(refused, 503, 'session_not_known');
      expect(refused.body.detail).toMatch(
        /^The audit database does not answer, .*: nothing was done\..*`outbox status`/,
      );
      expectProblem(await unseen.get(SESSION_PATH), 503, 'session_not_known');
      // Signing in asks the same database: what it answers is about that, and about no record.
      expectProblem(await signIn(other, { name: 'alice', password: PASSWORD }), 503, 'session_not_known');

      const out = await page.send('DELETE', SESSION_PATH);
      expect([out.status, out.body]).toEqual([200, { ended: false }]);
      expect(out.headers.getSetCookie()).toEqual([expect.stringMatching(/^outbox_monitor=;.*Max-Age=0$/)]);
      expectProblem(await page.get(SESSION_PATH), 401, 'session_ended');

      away = false;
      await eventually('the sessions to be known again', async () => (await unseen.get(SESSION_PATH)).status === 200);
      expect((await unseen.get(SESSION_PATH)).headers.get(SESSION_CHECKED_HEADER)).toBeNull();
      // Signed out is signed out in this process, whatever the database has heard.
      expectProblem(await page.get(SESSION_PATH), 401, 'session_ended');
    } finally {
      await other.stop();
    }
  });
});

describe('where nobody signs in', () => {
  let open: TestIngest;
  beforeAll(async () => {
    open = await startIngestOn(ingest.auditUrl, { monitor: testMonitor(folder, { signIn: false }) });
  });
  afterAll(() => open.stop());

  it('everybody is a viewer, and changes nothing', async () => {
    const session = await open.post(null, { method: 'GET', path: SESSION_PATH, key: null });
    expect(session.body).toMatchObject({
      actor: 'user:anybody',
      role: 'viewer',
      may: { readDelivery: true, changeDelivery: false, readRecords: true },
    });
    expect((await open.post(null, { method: 'GET', path: AUDIT_LOGS_PATH, key: null })).status).toBe(200);
    const headers = { Origin: open.url, [CSRF_HEADER]: session.body.csrf };
    const path = `${FAILED_INGEST_PATH}/${randomUUID()}/discard`;
    expectProblem(await open.post(WORD, { path, key: null, headers }), 403, 'scope_missing');
    expectProblem(await open.post(WORD, { path, key: null }), 401, 'unauthorized');
    expectProblem(await open.post(event(), { key: null, headers }), 403, 'scope_missing');
    expectProblem(await signIn(open, { name: 'alice', password: PASSWORD }), 404, 'not_found');
    // Keys are as ever.
    expect((await open.post(event())).status).toBe(201);
  });

  it('a name that was turned to this machine sees nothing', async () => {
    for (const host of ['evil.example', `evil.example:${open.port}`, '127.0.0.1.evil.example']) {
      const { statusCode, body } = await request(`${open.url}${AUDIT_LOGS_PATH}`, { headers: { host } });
      expect([statusCode, ((await body.json()) as { code: string }).code]).toEqual([403, 'foreign_origin']);
    }
    const { statusCode, body } = await request(`${open.url}${AUDIT_LOGS_PATH}`, { headers: { host: 'localhost' } });
    await body.dump();
    expect(statusCode).toBe(200);
  });
});
