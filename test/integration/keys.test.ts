/**
 * What API keys may do, when they were last used and how much they may send. Real: HTTP, PostgreSQL, a row lock. Fake:
 * nothing; the rates are small, and times are moved in the database or waited out by what the answers say.
 */
import pg from 'pg';
import { eventually } from '../support/eventually.js';
import { event, expectProblem, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

const LOOKUP = '/integration/v1/audit/lookup';
const FAILED = '/ops/v1/failed-ingest';

let ingest: TestIngest;
beforeAll(async () => {
  ingest = await startIngest({ limits: { maxFailedKeysPerMinute: 5 } });
});
afterAll(() => ingest.stop());

const lookUp = (key: string, tenantId?: string, api = ingest) =>
  api.post(
    { identities: [{ source: 's', eventId: 'e', ...(tenantId === undefined ? {} : { tenantId }) }] },
    { path: LOOKUP, key },
  );
const rowOf = async (key: string) => {
  const { rows } = await ingest.pool.query('SELECT * FROM audit.api_key WHERE prefix = $1', [key.slice(4, 12)]);
  return rows[0];
};

describe('scopes', () => {
  it('B2: admin writes, looks up and works on what failed; it is of no tenant but its own', async () => {
    const admin = await ingest.key(['admin'], 'acme');
    expect((await ingest.post(event({ tenantId: 'acme' }), { key: admin })).status).toBe(201);
    expect((await lookUp(admin)).status).toBe(200);
    expect((await ingest.post(null, { method: 'GET', path: FAILED, key: admin })).status).toBe(200);
    expectProblem(await ingest.post(event({ tenantId: 'other' }), { key: admin }), 403, 'tenant_forbidden');
    expectProblem(await lookUp(admin, 'other'), 403, 'tenant_forbidden');
    const unbound = await ingest.key(['admin']);
    expectProblem(await ingest.post(event({ tenantId: 'acme' }), { key: unbound }), 403, 'tenant_forbidden');
    expectProblem(await lookUp(unbound, 'acme'), 403, 'tenant_forbidden');
  });

  it('B2: audit:read:any-tenant looks up in every tenant, and writes in none', async () => {
    const reader = await ingest.key(['audit:read:any-tenant']);
    for (const tenant of [undefined, 'acme', 'other']) expect((await lookUp(reader, tenant)).status).toBe(200);
    expectProblem(await ingest.post(event(), { key: reader }), 403, 'scope_missing');
    const both = await ingest.key(['audit:read:any-tenant', 'audit:write']);
    expectProblem(await ingest.post(event({ tenantId: 'acme' }), { key: both }), 403, 'tenant_forbidden');
  });

  it('B2: no any-tenant scope goes with a tenant', async () => {
    for (const scope of ['audit:read:any-tenant', 'audit:write:any-tenant'] as const) {
      await expect(ingest.key([scope], 'acme')).rejects.toThrow('expected either a tenant or the scope');
    }
  });

  it('B1: a scope that this version does not know grants nothing', async () => {
    const key = await ingest.key(['audit:write']);
    await ingest.pool.query(`UPDATE audit.api_key SET scopes = '{audit:everything}' WHERE prefix = $1`, [
      key.slice(4, 12),
    ]);
    expectProblem(await ingest.post(event(), { key }), 403, 'scope_missing');
  });
});

describe('the last use of a key', () => {
  it('is written at most once a minute, over all apis', async () => {
    const key = await ingest.key(['audit:write']);
    await ingest.pool.query(`
      CREATE TABLE public.uses (key_id uuid);
      CREATE FUNCTION public.count_use() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.uses VALUES (NEW.id); RETURN NEW; END $$;
      CREATE TRIGGER count_use AFTER UPDATE OF last_used_at ON audit.api_key FOR EACH ROW EXECUTE FUNCTION public.count_use()`);
    const uses = async () =>
      (await ingest.pool.query('SELECT FROM public.uses WHERE key_id = $1', [(await rowOf(key)).id])).rowCount;
    const second = await startIngestOn(ingest.auditUrl);
    try {
      for (let i = 0; i < 5; i++) expect((await ingest.post(event(), { key })).status).toBe(201);
      await eventually('the use to be written', async () => (await rowOf(key)).last_used_at !== null);
      for (let i = 0; i < 5; i++) expect((await second.post(event(), { key })).status).toBe(201);
    } finally {
      await second.stop(); // ends its pool, and so what was still on its way
    }
    expect(await uses()).toBe(1);
    await ingest.pool.query(`UPDATE audit.api_key SET last_used_at = last_used_at - interval '2 minutes'`);
    const third = await startIngestOn(ingest.auditUrl);
    expect((await third.post(event(), { key })).status).toBe(201);
    await third.stop();
    expect(await uses()).toBe(3); // ours, moving the time, is the second
    await ingest.pool.query('DROP TABLE public.uses CASCADE; DROP FUNCTION public.count_use() CASCADE');
  });

  it('is never waited for, and a failure is counted and harms no request', async () => {
    const key = await ingest.key(['audit:write']);
    const holder = new pg.Client({ connectionString: ingest.auditUrl });
    await holder.connect();
    await holder.query(`BEGIN; SELECT FROM audit.api_key WHERE prefix = '${key.slice(4, 12)}' FOR UPDATE`);
    expect((await ingest.post(event(), { key })).status).toBe(201);
    await eventually('the failure to be counted', async () =>
      ingest.logs.some(
        ({ level, fields }) => level === 'warn' && fields.event === 'key.use_not_noted' && fields.failures === 1,
      ),
    );
    await holder.query('ROLLBACK');
    await holder.end();
    expect((await ingest.post(event(), { key })).status).toBe(201);
  });

  it('is not that of a key that does not hold', async () => {
    const key = await ingest.key(['audit:write'], null, new Date(Date.now() - 1_000));
    expectProblem(await ingest.post(event(), { key }), 401, 'unauthorized');
    expect((await rowOf(key)).last_used_at).toBeNull();
  });
});

describe('the rate of a key', () => {
  const limitsOf = ({ headers }: { headers: Headers }) => [headers.get('ratelimit-policy'), headers.get('ratelimit')];
  const batch = (length: number) => Array.from({ length }, () => event());

  it('B25: a batch counts its events, whole and into debt; then 429 with Retry-After and RateLimit', async () => {
    const { secret: key } = await ingest.createKey({ ratePerMinute: 600 });
    const first = await ingest.post(event(), { key });
    expect(limitsOf(first)).toEqual(['"events";q=600;w=60', '"events";r=599;t=60']);
    const second = await ingest.post(batch(500), { key });
    expect(second.status).toBe(207);
    expect(limitsOf(second)[1]).toMatch(/^"events";r=99;t=(5\d|60)$/);
    const third = await ingest.post(batch(500), { key });
    expect(third.status).toBe(207);
    // 401 too many at ten a second: 40.1 s beside what is left of the minute.
    const [, t] = /^"events";r=0;t=(\d+)$/.exec(limitsOf(third)[1] ?? '') ?? [];
    expect(Number(t)).toBeGreaterThan(90);
    expect(Number(t)).toBeLessThanOrEqual(101);
    const before = await ingest.counts();
    const refused = await ingest.post(event(), { key });
    expectProblem(refused, 429, 'rate_limited');
    expect(refused.body.retryable).toBe(true);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(90);
    expect(limitsOf(refused)).toEqual(['"events";q=600;w=60', `"events";r=0;t=${refused.headers.get('retry-after')}`]);
    expect(await ingest.counts()).toEqual(before);
  });

  it('B25: a spoofed X-Forwarded-For, another connection or another path is no new bucket', async () => {
    const { secret: key } = await ingest.createKey({ ratePerMinute: 500 });
    expect((await ingest.post(batch(500), { key })).status).toBe(207);
    for (const headers of [
      { 'X-Forwarded-For': '203.0.113.7' },
      { 'X-Forwarded-For': '198.51.100.1, 203.0.113.8', Connection: 'close' },
      { Forwarded: 'for=203.0.113.9', 'X-Real-IP': '203.0.113.9' },
    ] as Record<string, string>[]) {
      expectProblem(await ingest.post(event(), { key, headers }), 429, 'rate_limited');
    }
    expectProblem(await lookUp(key), 429, 'rate_limited');
    const { secret: other } = await ingest.createKey({ ratePerMinute: 500 });
    expect((await ingest.post(event(), { key: other })).status).toBe(201);
  });

  it('B25: whoever has one event left may send a batch; many at once take no more than one of them', async () => {
    const { secret: key } = await ingest.createKey({ ratePerMinute: 100 }); // 500 in five minutes
    const first = await ingest.post(batch(499), { key });
    expect(limitsOf(first)).toEqual(['"events";q=500;w=300', expect.stringMatching(/^"events";r=1;t=(299|300)$/)]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => ingest.post(batch(100), { key })));
    expect(answers.map(({ status }) => status).sort()).toEqual([207, 429, 429, 429, 429, 429, 429, 429]);
  });

  it('every request counts, refused ones and other routes too', async () => {
    const { secret: key } = await ingest.createKey({ ratePerMinute: 600, scopes: ['audit:read', 'audit:write'] });
    await lookUp(key);
    expectProblem(await ingest.post('{', { key }), 400, 'invalid_json');
    expectProblem(await ingest.post(null, { key, method: 'GET', path: FAILED }), 403, 'scope_missing');
    expect(limitsOf(await lookUp(key))[1]).toMatch(/^"events";r=596;/);
  });

  it('is the usual one where a key has none; our own outbox has none unless it was given one', async () => {
    const limited = await startIngestOn(ingest.auditUrl, { ratePerMinute: 500 });
    try {
      const usual = await ingest.key(['audit:write']);
      expect(limitsOf(await limited.post(event(), { key: usual }))[0]).toBe('"events";q=500;w=60');
      const { secret: own } = await ingest.createKey({ ratePerMinute: 6_000 });
      expect(limitsOf(await limited.post(event(), { key: own }))[0]).toBe('"events";q=6000;w=60');
      const outbox = await ingest.key(['audit:write:any-tenant']);
      expect(limitsOf(await limited.post(event(), { key: outbox }))).toEqual([null, null]);
      const { secret: bound } = await ingest.createKey({ scopes: ['audit:write:any-tenant'], ratePerMinute: 1_000 });
      expect(limitsOf(await limited.post(event(), { key: bound }))[0]).toBe('"events";q=1000;w=60');
      expect(limitsOf(await ingest.post(event(), { key: usual }))).toEqual([null, null]); // an api without a usual rate
    } finally {
      await limited.stop();
    }
  });
});

describe('keys that do not hold', () => {
  it('B25: are answered 429 beyond the bound of their address, whatever X-Forwarded-For says; keys in use go on', async () => {
    const guessed = await startIngestOn(ingest.auditUrl, { limits: { maxFailedKeysPerMinute: 3 } });
    try {
      const inUse = await ingest.key(['audit:write']);
      const idle = await ingest.key(['audit:write']);
      expect((await guessed.post(event(), { key: inUse })).status).toBe(201);
      const guess = (n: number) => `tob_abcdefgh_${String(n).padEnd(43, 'A')}`;
      for (let n = 0; n < 3; n++) expectProblem(await guessed.post(event(), { key: guess(n) }), 401, 'unauthorized');
      for (const headers of [{}, { 'X-Forwarded-For': '203.0.113.7' }]) {
        const refused = await guessed.post(event(), { key: guess(9), headers });
        expectProblem(refused, 429, 'rate_limited');
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      }
      // The right prefix is public; it opens nothing.
      expectProblem(
        await guessed.post(event(), { key: `${inUse.slice(0, 13)}${'A'.repeat(43)}` }),
        429,
        'rate_limited',
      );
      expect((await guessed.post(event(), { key: inUse })).status).toBe(201);
      expectProblem(await guessed.post(event(), { key: idle }), 429, 'rate_limited');
      expectProblem(await guessed.post(event(), { key: null }), 401, 'unauthorized');
      await ingest.pool.query('UPDATE audit.api_key SET revoked_at = now() WHERE prefix = $1', [inUse.slice(4, 12)]);
      expectProblem(await guessed.post(event(), { key: inUse }), 401, 'unauthorized');
      expectProblem(await guessed.post(event(), { key: inUse }), 429, 'rate_limited');
    } finally {
      await guessed.stop();
    }
  });
});
