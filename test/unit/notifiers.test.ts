/**
 * Real: the channels, undici, @sentry/node, standardwebhooks, pino, HTTP on loopback (a host allowed by name). Fake: Slack,
 * Sentry and the receiver, one server that keeps what it is sent.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as Sentry from '@sentry/node';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { NotifyError } from '../../src/application/delivery/notify/notify-error.js';
import type { Notice, Notifier } from '../../src/application/delivery/notify/ports.js';
import { sendNotice } from '../../src/application/delivery/notify/send-notice.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { logNotifier, sentryNotifier, slackNotifier, webhookNotifier } from '../../src/index.js';
import { createLogger } from '../../src/infrastructure/log/create-logger.js';
import { HOSTILE_TEXTS, NOTICES, withText } from '../support/notices.js';
import { type RecordingServer, startRecordingServer } from '../support/recording-server.js';

const allowHosts = ['127.0.0.1'];
const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const OLD_SECRET = `whsec_${Buffer.alloc(32, 2).toString('base64')}`;
const KEY = 'main:notify:0199aaaa-0000-7000-8000-000000000001';
const HOSTILE = Object.values(HOSTILE_TEXTS).slice(0, 13).join(' ').slice(0, 450);
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let server: RecordingServer;
const servers: RecordingServer[] = [];
const startServer = async () => {
  const started = await startRecordingServer();
  servers.push(started);
  return started;
};
beforeEach(async () => {
  server = await startServer();
});
afterEach(async () => {
  for (const each of servers.splice(0)) await each.close();
});

const CHANNELS: Record<string, () => Notifier> = {
  slack: () => slackNotifier({ webhookUrl: `${server.origin}/services/T0/B0/XXX`, allowHosts }),
  webhook: () => webhookNotifier({ url: `${server.origin}/hook`, secret: SECRET, allowHosts }),
  sentry: () => sentryNotifier({ dsn: `http://abc123@127.0.0.1:${server.port}/42`, release: 'shop@1', allowHosts }),
};

interface Try {
  readonly idempotencyKey?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

function send(notifier: Notifier, notice: Notice = NOTICES.dead_letters, more: Try = {}): Promise<void> {
  const signal = more.signal ?? new AbortController().signal;
  return sendNotice(notice, { notifier, idempotencyKey: KEY, log: silent, ...more, signal });
}

async function failure(call: Promise<void>): Promise<NotifyError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof NotifyError) return error;
  throw new Error(`Expected a NotifyError, got ${String(error)}`);
}

describe.each(Object.keys(CHANNELS))('%s', (name) => {
  const channel = () => (CHANNELS[name] as () => Notifier)();

  it('fits its configuration, is named for its kind and sends one POST', async () => {
    expect(channel()).toMatchObject({ name, problems: [] });
    await send(channel());
    expect(server.requests).toMatchObject([{ method: 'POST' }]);
  });

  it.each([
    [429, { 'retry-after': '30' }, { code: 'HTTP.RATE_LIMITED', retryable: true, retryAfterMs: 30_000 }],
    [429, { 'retry-after': '100000' }, { code: 'HTTP.RATE_LIMITED', retryable: true, retryAfterMs: 3_600_000 }],
    [503, { 'retry-after': '0' }, { code: 'HTTP.RATE_LIMITED', retryable: true, retryAfterMs: 1_000 }],
    [500, {}, { code: 'HTTP.SERVER_ERROR', retryable: true, retryAfterMs: null }],
    [403, {}, { code: 'HTTP.UNAUTHORIZED', retryable: true, retryAfterMs: null }],
    [400, { 'retry-after': '30' }, { code: 'HTTP.CLIENT_ERROR', retryable: false, retryAfterMs: null }],
    [410, {}, { code: 'HTTP.CLIENT_ERROR', retryable: false, retryAfterMs: null }],
  ])('F28: reads a %i with %j by the error table, without its URL and its body', async (status, headers, expected) => {
    server.answer = (response) => void response.writeHead(status, headers).end('<p>private page of anna</p>');
    const error = await failure(send(channel()));
    expect(error).toMatchObject({ ...expected, message: expect.stringContaining(`status ${status}`) });
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      expect(`${at.message} ${JSON.stringify(at)}`).not.toMatch(/XXX|abc123|private|anna/);
    }
  });

  it('F28: ends at the deadline when nothing answers, and closes the connection', async () => {
    const closed = new Promise<void>((resolve) => {
      server.answer = (response) => void response.on('close', resolve);
    });
    expect(await failure(send(channel(), NOTICES.dead_letters, { timeoutMs: 3_000 }))).toMatchObject({
      code: 'HTTP.TIMEOUT',
      retryable: true,
    });
    await closed;
  });

  it('ends with a shutdown, and closes the connection', async () => {
    const shutdown = new AbortController();
    const closed = new Promise<void>((resolve) => {
      server.answer = (response) => {
        response.on('close', resolve);
        shutdown.abort();
      };
    });
    const error = await failure(send(channel(), NOTICES.dead_letters, { signal: shutdown.signal }));
    expect(error).toMatchObject({ code: 'DELIVERY.CANCELLED', retryable: true });
    await closed;
  });

  it('F28: reports a closed port as one to retry', async () => {
    const closed = channel();
    await server.close();
    expect(await failure(send(closed))).toMatchObject({ code: 'HTTP.NETWORK', retryable: true, retryAfterMs: null });
  });

  it('follows no redirect', async () => {
    const other = await startServer();
    server.answer = (response) => void response.writeHead(307, { location: `${other.origin}/` }).end();
    expect(await failure(send(channel()))).toMatchObject({ code: 'HTTP.BAD_RESPONSE', retryable: false });
    expect(other.connections()).toBe(0);
  });

  it('takes a 2xx of any length for taken, and reads no more of it than it must', async () => {
    server.answer = (response) => void response.writeHead(202).end('x'.repeat(1024 * 1024));
    await send(channel());
  });
});

describe('the Slack channel', () => {
  it('posts Block Kit as JSON', async () => {
    await send(slackNotifier({ webhookUrl: `${server.origin}/services/T0/B0/XXX`, allowHosts }));
    const [request] = server.requests;
    expect(request).toMatchObject({
      path: '/services/T0/B0/XXX',
      headers: { 'content-type': 'application/json; charset=utf-8' },
    });
    const message = JSON.parse(request?.body ?? '');
    expect(message).toMatchObject({ text: '🔴 1000 dead letters: AUTH, HTTP.TIMEOUT', unfurl_links: false });
    expect(message.blocks.map(({ type }: { type: string }) => type)).toEqual([
      'header',
      'section',
      'section',
      'section',
      'section',
    ]);
  });

  it("tells Slack's own word for a refusal", async () => {
    server.answer = (response) => void response.writeHead(404).end('no_service');
    const notifier = slackNotifier({ webhookUrl: server.origin, allowHosts });
    const { message } = await failure(send(notifier));
    expect(message).toBe('slack: The destination refused the request (HTTP.CLIENT_ERROR, status 404): no_service');
  });

  it('B18: calls nobody, whatever an event is named', async () => {
    await send(slackNotifier({ webhookUrl: server.origin, allowHosts }), withText(NOTICES.dead_letters, HOSTILE));
    const body = server.requests[0]?.body ?? '';
    expect(body.replaceAll(/<https:[^<>]+\|Open in (the monitor|Temporal)>/g, '')).not.toMatch(/[<>]/);
    expect(body).toContain('&lt;!channel&gt;');
    expect(body).not.toMatch(/\p{Cc}|\p{Cf}|\\u|\\[rn]/u);
  });
});

describe('the webhook channel', () => {
  it('signs so that the reference library verifies it, with the idempotency key as its id', async () => {
    await send(
      webhookNotifier({ url: `${server.origin}/hook`, secret: SECRET, headers: { 'x-team': 'ops' }, allowHosts }),
    );
    const { headers, body } = server.requests[0] as (typeof server.requests)[number];
    expect(headers).toMatchObject({ 'webhook-id': KEY, 'x-team': 'ops', 'content-type': 'application/json' });
    expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({
      type: 'temporal-outbox.dead_letters.v1',
      data: { eventType: 'AUTH', code: 'HTTP.TIMEOUT', count: 1_000 },
    });
    expect(() => new Webhook(OLD_SECRET).verify(body, headers)).toThrow(WebhookVerificationError);
    expect(() => new Webhook(SECRET).verify(`${body} `, headers)).toThrow(WebhookVerificationError);
    expect(() => new Webhook(SECRET).verify(body, { ...headers, 'webhook-id': 'other' })).toThrow(
      WebhookVerificationError,
    );
  });

  it('signs with the new and the old secret while it is changed', async () => {
    await send(webhookNotifier({ url: server.origin, secrets: [SECRET, OLD_SECRET], allowHosts }));
    const { headers, body } = server.requests[0] as (typeof server.requests)[number];
    for (const secret of [SECRET, OLD_SECRET]) new Webhook(secret).verify(body, headers);
    expect(headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
  });

  it('keeps the id and the body over tries, so that the receiver can collapse them', async () => {
    const notifier = webhookNotifier({ url: server.origin, secret: SECRET, allowHosts });
    server.answer = (response) => void response.writeHead(500).end();
    await failure(send(notifier));
    await failure(send(notifier));
    const [first, second] = server.requests;
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second?.body).toBe(first?.body);
  });

  it('sends no id that could run over into what is signed after it', async () => {
    const notifier = webhookNotifier({ url: server.origin, secret: SECRET, allowHosts });
    for (const idempotencyKey of ['a.1', '', 'a\r\nb', 'x'.repeat(256)]) {
      expect(await failure(send(notifier, NOTICES.dead_letters, { idempotencyKey }))).toMatchObject({
        retryable: false,
      });
    }
    expect(server.requests).toEqual([]);
  });

  it('B18: is exact for whoever parses it and printable for whoever shows it', async () => {
    await send(
      webhookNotifier({ url: server.origin, secret: SECRET, allowHosts }),
      withText(NOTICES.dead_letters, HOSTILE),
    );
    const { headers, body } = server.requests[0] as (typeof server.requests)[number];
    expect(body).toMatch(/^[ -~]+$/);
    expect(body).not.toMatch(/[<>&]/);
    expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({ data: { samples: [{ eventName: HOSTILE }] } });
  });
});

describe('the Sentry channel', () => {
  const notifier = (more = {}) =>
    sentryNotifier({ dsn: `http://abc123@127.0.0.1:${server.port}/42`, allowHosts, ...more });
  const received = () =>
    server.requests.map(({ body }) => {
      const [header, item, event, ...rest] = body.split('\n').map((line) => JSON.parse(line));
      return { header, item, event, rest };
    });

  it('sends one event with fingerprint, level, release, environment and tags to the project', async () => {
    await send(notifier({ release: 'shop@1.4.2', environment: 'production' }));
    const url = new URL(server.requests[0]?.path ?? '', server.origin);
    expect(url.pathname).toBe('/api/42/envelope/');
    expect(url.searchParams.get('sentry_key')).toBe('abc123');
    const [{ item, event, rest } = { item: null, event: null, rest: null }] = received();
    expect(item).toMatchObject({ type: 'event' });
    expect(rest).toEqual([]);
    expect(event).toEqual({
      event_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      timestamp: Date.parse(NOTICES.dead_letters.at) / 1_000,
      platform: 'node',
      level: 'error',
      message: '1000 dead letters: AUTH, HTTP.TIMEOUT',
      fingerprint: ['temporal-outbox', 'dead_letters', 'AUTH', 'HTTP.TIMEOUT'],
      release: 'shop@1.4.2',
      environment: 'production',
      tags: {
        kind: 'dead_letters',
        deployment: 'main',
        event_type: 'AUTH',
        error_code: 'HTTP.TIMEOUT',
        destination: 'audit.log',
      },
      extra: expect.objectContaining({ Count: '1000', Samples: [expect.stringContaining('auth.user.signed_in.v1')] }),
      sdk: expect.anything(),
    });
  });

  it('keeps the id of the event over tries, so that Sentry can collapse them', async () => {
    await send(notifier());
    await send(notifier());
    await send(notifier(), NOTICES.dead_letters, { idempotencyKey: 'main:notify:other' });
    const [first, second, other] = received().map(({ event }) => event.event_id);
    expect(second).toBe(first);
    expect(other).not.toBe(first);
  });

  it("leaves the process alone: no global client, no listener, no patch, and nothing of the application's own scopes", async () => {
    // They are this file's: jest loads the package anew for every file.
    const scopes = [Sentry.getGlobalScope(), Sentry.getIsolationScope(), Sentry.getCurrentScope()];
    for (const scope of scopes) {
      scope.setUser({ email: 'anna@example.org' }).setTag('customer', 'anna').setExtra('basket', 'anna');
      scope.addBreadcrumb({ message: 'anna clicked' });
      scope.addAttachment({ filename: 'a.txt', data: 'anna' });
      scope.addEventProcessor(() => null);
    }
    const before = { listeners: listeners(), request: http.request, fetch: globalThis.fetch, log: console.log };
    await send(notifier());
    expect(server.requests).toHaveLength(1);
    expect(JSON.stringify(server.requests)).not.toContain('anna');
    expect(Sentry.getClient()).toBeUndefined();
    // Where @sentry/node 11 notes the module hooks that a client installs by default.
    expect(Object.keys(globalThis)).not.toContain('__SENTRY_ORCHESTRION__');
    expect({ listeners: listeners(), request: http.request, fetch: globalThis.fetch, log: console.log }).toEqual(
      before,
    );
  });

  it('B18: shows texts of events as one line of printable characters', async () => {
    await send(notifier(), withText(NOTICES.dead_letters, HOSTILE));
    expect(server.requests[0]?.body).not.toMatch(/\\[nr]|\\u0|[\u202e\u2066\u009b\u2028]/);
  });
});

describe('the log channel', () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-notifier-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('B18: writes one line for each notice, at its level, whatever an event is named', async () => {
    const file = join(folder, 'log.ndjson');
    const log = createLogger({ level: 'info', base: {}, file, redactor: createRedactor() });
    const notifier = logNotifier();
    const context = { signal: new AbortController().signal, idempotencyKey: KEY, log };
    for (const notice of Object.values(NOTICES)) await notifier.send(withText(notice, HOSTILE), context);
    const text = readFileSync(file, 'utf8');
    expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}|[\u2028\u2029]|\\[nr]|\\u0/u);
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ msg }) => msg)).toEqual(Object.keys(NOTICES).map((kind) => `notice.${kind}`));
    expect(lines[0]).toMatchObject({ level: 'error', notice: { code: 'HTTP.TIMEOUT', count: 1_000 } });
    expect(lines.map(({ level }) => level)).toEqual(expect.arrayContaining(['error', 'warn', 'info']));
  });
});

function listeners(): Record<string, number> {
  return Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));
}
