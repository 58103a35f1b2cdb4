/**
 * Real: the guard, undici, sockets on loopback, and DNS for `localhost`. Fake: what other names lead to, which a test has to
 * say for itself. Whether anybody was let in is read off the server: the TCP connections that it took.
 */
import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import fc from 'fast-check';
import type { Notifier } from '../../src/application/delivery/notify/ports.js';
import { createHttpClient } from '../../src/infrastructure/http/create-http-client.js';
import { findUrlProblem, REFUSED_CODE } from '../../src/infrastructure/notifiers/guard.js';
import { guardedConnect } from '../../src/infrastructure/notifiers/guarded-connect.js';
import { isPublicAddress } from '../../src/infrastructure/notifiers/public-address.js';
import { sentryNotifier } from '../../src/infrastructure/notifiers/sentry-notifier.js';
import { slackNotifier } from '../../src/infrastructure/notifiers/slack-notifier.js';
import { webhookNotifier } from '../../src/infrastructure/notifiers/webhook-notifier.js';
import { NOTICES } from '../support/notices.js';
import { type RecordingServer, startRecordingServer } from '../support/recording-server.js';

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('a public address', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001::1',
    '64:ff9b::8.8.8.8',
  ])('is %s', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:a00:1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    '2606:4700::1%eth0',
    'fec0::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    '100::1',
    '',
    'localhost',
    '127.1',
    '1.1.1.1.1',
  ])('is not %j', (address) => expect(isPublicAddress(address)).toBe(false));

  it('property: is never a mapped one, whatever it maps', () => {
    fc.assert(fc.property(fc.ipV4(), (address) => expect(isPublicAddress(`::ffff:${address}`)).toBe(false)));
  });

  it('property: of NAT64 is one when the address inside is', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(isPublicAddress(`64:ff9b::${address}`)).toBe(isPublicAddress(address));
      }),
    );
  });
});

describe('the URL of a channel, as it is configured', () => {
  it.each([
    'https://hooks.slack.com/services/x',
    'https://1.1.1.1/',
    'https://[2606:4700:4700::1111]:8443/',
    'https://a.example./',
  ])('may be %s', (url) => expect(findUrlProblem(url, [])).toBeNull());

  it.each([
    ['http://hooks.slack.com/', /^expected https/],
    ['ftp://hooks.slack.com/', /^expected https/],
    ['file:///etc/passwd', /^expected https/],
    ['/services/x', /absolute https URL/],
    ['', /absolute https URL/],
    [undefined, /absolute https URL/],
    [7, /absolute https URL/],
    ['https://user:secret@hooks.example/', /no user or password/],
    ['https://127.0.0.1/', /public host/],
    ['https://2130706433/', /public host/],
    ['https://0x7f.1/', /public host/],
    ['https://017700000001/', /public host/],
    ['https://169.254.169.254/latest/meta-data/', /public host/],
    ['https://[::1]/', /public host/],
    ['https://[::ffff:169.254.169.254]/', /public host/],
    ['https://localhost/', /public host/],
    ['https://LOCALHOST./', /public host/],
    ['https://api.localhost:8443/', /public host/],
  ])('may not be %j', (url, problem) => expect(findUrlProblem(url, [])).toMatch(problem));

  it('may be anything on exactly a host that is allowed by name, and still http or https only', () => {
    const allowed = ['hooks.internal', '127.0.0.1', '[::1]', 'localhost'];
    for (const host of allowed) expect(findUrlProblem(`http://${host}:8080/x`, allowed)).toBeNull();
    expect(findUrlProblem('https://hooks.internal/', allowed)).toBeNull();
    expect(findUrlProblem('ftp://hooks.internal/', allowed)).toMatch(/^expected https/);
    expect(findUrlProblem('http://x.hooks.internal/', allowed)).toMatch(/^expected https/);
    expect(findUrlProblem('https://127.0.0.2/', allowed)).toMatch(/public host/);
  });
});

/** What names lead to, one answer after the other, the last for ever. */
function leadTo(...answers: (string[] | Error)[]): LookupFunction & { asked: string[] } {
  const asked: string[] = [];
  const find: LookupFunction = (hostname, options, callback) => {
    asked.push(hostname);
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? [];
    if (answer instanceof Error) return callback(answer, []);
    const found = answer.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (options.all === true) return callback(null, found);
    callback(null, found[0]?.address ?? '', found[0]?.family);
  };
  return Object.assign(find, { asked });
}

const CHANNELS: Record<string, (port: number, find: LookupFunction) => Notifier> = {
  slack: (port, find) => slackNotifier({ webhookUrl: `https://rebind.example:${port}/x` }, { lookup: find }),
  webhook: (port, find) =>
    webhookNotifier({ url: `https://rebind.example:${port}/x`, secret: SECRET }, { lookup: find }),
  sentry: (port, find) => sentryNotifier({ dsn: `https://key@rebind.example:${port}/42` }, { lookup: find }),
};

describe.each(Object.keys(CHANNELS))('the %s channel', (name) => {
  let server: RecordingServer;
  beforeEach(async () => {
    server = await startRecordingServer();
  });
  afterEach(() => server.close());
  const channel = (find: LookupFunction) => (CHANNELS[name] as (typeof CHANNELS)[string])(server.port, find);
  const option = { slack: 'webhookUrl', webhook: 'url', sentry: 'dsn' }[name];
  const send = (notifier: Notifier) =>
    notifier.send(NOTICES.dead_letters, { signal: AbortSignal.timeout(5_000), idempotencyKey: 'k', log: silent });

  it.each([
    [['127.0.0.1']],
    [['10.0.0.1']],
    [['169.254.169.254']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['1.1.1.1', '127.0.0.1']],
  ])('is refused at start when its name leads to %j', async (addresses) => {
    const notifier = channel(leadTo(addresses));
    expect(notifier.problems).toEqual([]);
    expect(await notifier.verify?.(new AbortController().signal)).toEqual([
      { option, message: expect.stringMatching(/^expected a public host: rebind\.example leads into a network/) },
    ]);
  });

  it('is not refused at start when its name is public, or nobody knows it now', async () => {
    const away = Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' });
    for (const find of [leadTo(['1.1.1.1']), leadTo(away)]) {
      expect(await channel(find).verify?.(new AbortController().signal)).toEqual([]);
    }
    const never: LookupFunction = () => {};
    expect(await channel(never).verify?.(AbortSignal.abort())).toEqual([]);
  });

  it('is let in nowhere when its name leads elsewhere by the time it connects (DNS rebinding)', async () => {
    const find = leadTo(['1.1.1.1'], ['127.0.0.1']);
    const notifier = channel(find);
    expect(await notifier.verify?.(new AbortController().signal)).toEqual([]);
    await expect(send(notifier)).rejects.toMatchObject({
      name: 'NotifyError',
      retryable: false,
      message: expect.stringContaining('rebind.example leads into a network that is not public'),
    });
    expect(find.asked).toEqual(['rebind.example', 'rebind.example']);
    expect(server.connections()).toBe(0);
  });

  it.each([[['1.1.1.1', '127.0.0.1']], [['::ffff:127.0.0.1']], [['::1', '127.0.0.1']]])(
    'is let in nowhere when one of its addresses is not public: %j',
    async (addresses) => {
      await expect(send(channel(leadTo(addresses)))).rejects.toMatchObject({ retryable: false });
      expect(server.connections()).toBe(0);
    },
  );

  it('may be tried again when its name is not known now', async () => {
    const away = Object.assign(new Error('getaddrinfo EAI_AGAIN rebind.example'), { code: 'EAI_AGAIN' });
    await expect(send(channel(leadTo(away)))).rejects.toMatchObject({ retryable: true, code: 'HTTP.NETWORK' });
  });
});

describe('a guarded connection', () => {
  let server: RecordingServer;
  beforeEach(async () => {
    server = await startRecordingServer();
  });
  afterEach(() => server.close());

  async function get(
    url: string,
    allowHosts: string[],
    find: LookupFunction = lookup as LookupFunction,
  ): Promise<unknown> {
    const http = createHttpClient({ connect: guardedConnect({ allowHosts, lookup: find }, 5_000) });
    try {
      return (await http.send({ method: 'GET', url, timeoutMs: 5_000 })).status;
    } catch (error) {
      return ((error as Error).cause as { code?: string }).code;
    } finally {
      await http.close();
    }
  }

  it('is refused to a literal address that is not public, and to a name whose real DNS leads there', async () => {
    expect(await get(server.origin, [])).toBe(REFUSED_CODE);
    expect(await get(`http://localhost:${server.port}/`, [])).toBe(REFUSED_CODE);
    expect(await get(`http://[::1]:${server.port}/`, [])).toBe(REFUSED_CODE);
    expect(await get(`http://[::ffff:127.0.0.1]:${server.port}/`, [])).toBe(REFUSED_CODE);
    expect(server.connections()).toBe(0);
  });

  it('comes up with exactly a host that is allowed by name', async () => {
    expect(await get(server.origin, ['127.0.0.1'])).toBe(200);
    expect(await get(`http://localhost:${server.port}/`, ['localhost'])).toBe(200);
    expect(await get(`http://hooks.internal:${server.port}/`, ['hooks.internal'], leadTo(['127.0.0.1']))).toBe(200);
    expect(await get(`http://other.internal:${server.port}/`, ['hooks.internal'], leadTo(['127.0.0.1']))).toBe(
      REFUSED_CODE,
    );
    expect(await get(server.origin, ['localhost'])).toBe(REFUSED_CODE);
    expect(server.connections()).toBe(3);
  });
});
