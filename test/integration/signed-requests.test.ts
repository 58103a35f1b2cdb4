/**
 * Keys whose requests must be signed (Standard Webhooks). Real: HTTP, PostgreSQL, the reference library as the sender.
 * Fake: nothing; old requests are signed with an old time, as whoever replays one would have it.
 */
import { gzipSync } from 'node:zlib';
import { Webhook } from 'standardwebhooks';
import { rotateSigningSecret } from '../../src/application/audit/rotate-signing-secret.js';
import { createApiKeyBook } from '../../src/infrastructure/prisma/audit-api-key-book.js';
import { event, expectProblem, SECRET_KEY, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

let ingest: TestIngest;
let key: string;
let secret: string;
beforeAll(async () => {
  ingest = await startIngest();
  ({ key, secret } = await signedKey());
});
afterAll(() => ingest.stop());

const FAILED = '/ops/v1/failed-ingest';

async function signedKey(): Promise<{ key: string; secret: string; id: string; prefix: string }> {
  const created = await ingest.createKey({ signedUnder: SECRET_KEY, scopes: ['audit:write', 'dlq:write'] });
  const { id, prefix } = created.key;
  return { key: created.secret, secret: created.signingSecret ?? '', id, prefix };
}

/** As the reference library signs. */
function sign(body: string, { by = secret, id = 'msg_1', ageSeconds = 0 } = {}): Record<string, string> {
  const at = new Date(Date.now() - ageSeconds * 1_000);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(by).sign(id, at, body),
  };
}

const body = () => JSON.stringify(event({ data: { text: 'né\u{1f600}' } }));
const post = (text: unknown, headers: Record<string, string>, by = key) => ingest.post(text, { key: by, headers });

describe('a key made with a signature', () => {
  it('is served with a good one, over the body before it was compressed, and beside signatures of other kinds', async () => {
    for (const text of [body(), JSON.stringify([event(), event()])]) {
      expect((await post(text, sign(text))).status).toBeLessThan(300);
    }
    const text = body();
    const zipped = await post(gzipSync(text), { ...sign(text), 'Content-Encoding': 'gzip' });
    expect(zipped.status).toBe(201);
    const other = body();
    const signed = sign(other);
    const several = `v1a,hnO3f9T8Ytu9 v1,AAAA ${signed['webhook-signature']}`;
    expect((await post(other, { ...signed, 'webhook-signature': several })).status).toBe(201);
  });

  it('must sign what has no body too', async () => {
    const get = (headers: Record<string, string>) => ingest.post(null, { method: 'GET', path: FAILED, key, headers });
    expectProblem(await get({}), 401, 'unauthorized');
    expect((await get(sign(''))).status).toBe(200);
  });

  it('B3: a missing, wrong, longer, shorter, empty or malformed signature is answered 401, and nothing is stored', async () => {
    const before = await ingest.counts();
    const text = body();
    const good = sign(text);
    const signature = good['webhook-signature'] ?? '';
    const flipped = `v1,${signature[3] === 'A' ? 'B' : 'A'}${signature.slice(4)}`;
    const wrong: Record<string, string>[] = [
      {},
      ...Object.keys(good).map((name) => Object.fromEntries(Object.entries(good).filter(([other]) => other !== name))),
      ...[
        flipped,
        `${signature}A`,
        signature.slice(0, -1),
        'v1,',
        'v1',
        '',
        signature.slice(3),
        `v2${signature.slice(2)}`,
      ].map((one) => ({ ...good, 'webhook-signature': one })),
      sign(text, { by: `whsec_${Buffer.alloc(32, 9).toString('base64')}` }),
      { ...good, 'webhook-id': 'msg_2' },
      { ...good, 'webhook-id': '' },
      { ...good, 'webhook-timestamp': `${good['webhook-timestamp']}x` },
      { ...good, 'webhook-timestamp': String(Number(good['webhook-timestamp']) + 1) },
      { ...good, 'webhook-timestamp': 'now' },
    ];
    for (const headers of wrong) expectProblem(await post(text, headers), 401, 'unauthorized');
    expect(await ingest.counts()).toEqual(before);
  });

  it('B3: an altered body is answered 401, one byte of it, or other bytes for the same text', async () => {
    const before = await ingest.counts();
    const text = body();
    expectProblem(await post(text.replace('/services/auth', '/services/autH'), sign(text)), 401, 'unauthorized');
    expectProblem(await post(`${text} `, sign(text)), 401, 'unauthorized');
    const replaced = JSON.stringify(event({ data: { text: '\ufffd' } }));
    const bytes = Buffer.from(replaced);
    const at = bytes.indexOf(Buffer.from('\ufffd'));
    const other = Buffer.concat([bytes.subarray(0, at), Buffer.from([0xff]), bytes.subarray(at + 3)]);
    expect(other.toString('utf8')).toBe(replaced);
    expectProblem(await post(other, sign(replaced)), 401, 'unauthorized');
    expect(await ingest.counts()).toEqual(before);
    expect((await post(text, sign(text))).status).toBe(201);
  });

  it('B3: a stale one, or one from the future, is answered 401; five minutes are not', async () => {
    for (const ageSeconds of [310, 3_600, -310]) {
      const text = body();
      expectProblem(await post(text, sign(text, { ageSeconds })), 401, 'unauthorized');
    }
    for (const ageSeconds of [290, -290]) {
      const text = body();
      expect((await post(text, sign(text, { ageSeconds }))).status).toBe(201);
    }
  });

  it('B3: an id with a dot runs over into the timestamp, and is refused', async () => {
    const text = body();
    const headers = sign(text);
    const { 'webhook-timestamp': time = '' } = headers;
    // Signed for id "a", time t and the body; presented as id "a.t" with a body that lost its beginning.
    const forged = { ...sign(`${time}.${text}`, { id: 'a' }), 'webhook-id': `a.${time}`, 'webhook-timestamp': time };
    expectProblem(await post(text, forged), 401, 'unauthorized');
  });

  it('says no more than of an unknown key; and a signature does not open what has no key', async () => {
    const text = body();
    const wrong = await post(text, { ...sign(text), 'webhook-signature': 'v1,AAAA' });
    const unknown = await post(text, sign(text), `tob_abcdefgh_${'A'.repeat(43)}`);
    const without = ({ requestId: _, ...problem }: { requestId: string }) => problem;
    expect(without(wrong.body)).toEqual(without(unknown.body));
  });

  it('a key in use goes on while whoever has it without its secret sends wrong signatures from the same address', async () => {
    const made = await signedKey();
    const api = await startIngestOn(ingest.auditUrl, { limits: { maxFailedKeysPerMinute: 3 } });
    try {
      const send = (headers: (text: string) => Record<string, string>) => {
        const text = body();
        return api.post(text, { key: made.key, headers: headers(text) });
      };
      const rightly = (text: string) => sign(text, { by: made.secret });
      expect((await send(rightly)).status).toBe(201);
      for (let n = 0; n < 5; n++) {
        expectProblem(await send(() => ({})), 401, 'unauthorized');
        expectProblem(await send((text) => sign(`${text} `, { by: made.secret })), 401, 'unauthorized');
      }
      expect((await send(rightly)).status).toBe(201);
      const other = await signedKey();
      expectProblem(await api.post(body(), { key: other.key }), 429, 'rate_limited');
    } finally {
      await api.stop();
    }
  });

  it('a body that is too large is refused before its signature is looked at', async () => {
    expectProblem(await post('x'.repeat(4 * 1024 * 1024 + 1), sign('x')), 413, 'body_too_large');
  });
});

describe('rotation', () => {
  const rotate = (ref: { prefix: string }, oldUntil: Date) =>
    rotateSigningSecret({ book: createApiKeyBook(ingest.pool), secretKey: SECRET_KEY }, ref, oldUntil);
  const works = async (by: { key: string }, withSecret: string) => {
    const text = body();
    return (await post(text, sign(text, { by: withSecret }), by.key)).status === 201;
  };

  it('both secrets hold until the old one is retired; of three the oldest ends', async () => {
    const made = await signedKey();
    const inAnHour = new Date(Date.now() + 3_600_000);
    const second = await rotate(made, inAnHour);
    if (second.kind !== 'rotated') throw new Error(second.kind);
    expect([await works(made, made.secret), await works(made, second.signingSecret)]).toEqual([true, true]);
    const third = await rotate(made, inAnHour);
    if (third.kind !== 'rotated') throw new Error(third.kind);
    const held = [made.secret, second.signingSecret, third.signingSecret];
    expect(await Promise.all(held.map((one) => works(made, one)))).toEqual([false, true, true]);
    const now = await rotate(made, new Date());
    if (now.kind !== 'rotated') throw new Error(now.kind);
    expect([await works(made, third.signingSecret), await works(made, now.signingSecret)]).toEqual([false, true]);
  });

  it('is refused for keys that are revoked, need no signature, or are not there', async () => {
    const made = await signedKey();
    await createApiKeyBook(ingest.pool).revoke(made);
    expect(await rotate(made, new Date())).toEqual({ kind: 'revoked' });
    const plain = await ingest.createKey({});
    expect(await rotate(plain.key, new Date())).toEqual({ kind: 'unsigned' });
    expect(await rotate({ prefix: 'nobodys0' }, new Date())).toEqual({ kind: 'missing' });
  });
});

describe('the stored secret', () => {
  it('is sealed: neither its text nor its bytes stand anywhere in the database', async () => {
    const made = await signedKey();
    const { rows } = await ingest.pool.query(
      'SELECT k::text AS row, signing_secret FROM audit.api_key k WHERE id = $1',
      [made.id],
    );
    const bytes = Buffer.from(made.secret.slice('whsec_'.length), 'base64');
    expect(rows[0].row).not.toContain(made.secret.slice(6, 20));
    expect(rows[0].signing_secret.includes(bytes) || rows[0].signing_secret.includes(made.secret)).toBe(false);
  });

  it('altered, or moved to another key, does not open: 503, and the log says which key', async () => {
    const [one, two] = [await signedKey(), await signedKey()];
    const text = body();
    const move =
      'UPDATE audit.api_key SET signing_secret = (SELECT signing_secret FROM audit.api_key WHERE id = $2) WHERE id = $1';
    await ingest.pool.query(move, [one.id, two.id]);
    expectProblem(await post(text, sign(text, { by: two.secret }), one.key), 503, 'store_unavailable');
    expect(String(ingest.logs.at(-1)?.fields.err)).toContain(`the key ${one.prefix}`);
    const flip =
      'UPDATE audit.api_key SET signing_secret = set_byte(signing_secret, 20, 255 - get_byte(signing_secret, 20)) WHERE id = $1';
    await ingest.pool.query(flip, [two.id]);
    expectProblem(await post(text, sign(text, { by: two.secret }), two.key), 503, 'store_unavailable');
  });

  it('without AUDIT_SECRET_KEY, or with another one, a signed key is answered 503 and all others are served', async () => {
    const plain = await ingest.key(['audit:write']);
    for (const secretKey of [null, new Uint8Array(32).fill(8)]) {
      const api = await startIngestOn(ingest.auditUrl, { secretKey });
      try {
        const text = body();
        expectProblem(await api.post(text, { key, headers: sign(text) }), 503, 'store_unavailable');
        expect(String(api.logs.at(-1)?.fields.err)).toContain('AUDIT_SECRET_KEY');
        expect((await api.post(event(), { key: plain })).status).toBe(201);
      } finally {
        await api.stop();
      }
    }
  });
});
