/** Pure but for clocks: the configuration of channels and routes, and one try through a channel of the user's. */
import { defineConfig } from '../../src/application/delivery/define-config.js';
import { defineNotifier } from '../../src/application/delivery/notify/define-notifier.js';
import { isNotifyError, NotifyError, toNotifyError } from '../../src/application/delivery/notify/notify-error.js';
import type { Notifier } from '../../src/application/delivery/notify/ports.js';
import { routeNotice } from '../../src/application/delivery/notify/route-notice.js';
import { sendNotice } from '../../src/application/delivery/notify/send-notice.js';
import { catalogEntry, ERROR_CODES } from '../../src/domain/delivery/error-catalog.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import {
  createRelay,
  logNotifier,
  sentryNotifier,
  slackNotifier,
  type WebhookNotifierOptions,
  webhookNotifier,
} from '../../src/index.js';
import { verifyNotifiers } from '../../src/main/verify-notifiers.js';
import { NOTICES } from '../support/notices.js';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function problemsOf(config: object): string[] {
  try {
    defineConfig(config);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n').slice(1);
  }
}

describe('notifiers in a configuration', () => {
  it('are taken when they fit', () => {
    const notifiers = [
      slackNotifier({ webhookUrl: 'https://hooks.slack.com/services/T0/B0/XXX' }),
      webhookNotifier({ url: 'http://hooks.internal:8080/x', secret: SECRET, allowHosts: ['hooks.internal'] }),
      sentryNotifier({
        dsn: 'https://abc123@o1.ingest.sentry.io/42',
        release: 'shop@1.4.2',
        environment: 'production',
      }),
      logNotifier(),
      defineNotifier({ name: 'pager', send: async () => {} }),
    ];
    const notify = { BILLING: ['pager', 'slack'], IMPORT: [], '*': ['log'] };
    expect(problemsOf({ notifiers, notify })).toEqual([]);
  });

  it('tell every problem with its path, and no secret', () => {
    const secret = 'whsec_dG9vIHNob3J0';
    const problems = problemsOf({
      notifiers: [
        slackNotifier({
          webhookUrl: 'http://hooks.slack.com/services/T0/B0/XXX',
          allowHosts: ['Hooks.Internal', 'a:80'],
        }),
        webhookNotifier({
          url: 'https://10.0.0.1/',
          secret,
          headers: { 'Webhook-Id': 'x', 'x-a': 'a\r\nx-b: b', 'b c': '' },
        }),
        webhookNotifier({ url: 'https://hooks.example/', secrets: [SECRET, secret] }),
        sentryNotifier({ dsn: 'https://sentry.example/42', release: 'a/b', environment: 'None' }),
        { name: 'BAD NAME', send: async () => {} },
        { name: 'nothing' },
        null,
        slackNotifier({ webhookUrl: 'https://hooks.slack.com/x', name: 'Slack Billing' }),
      ],
      notify: { AUTH: ['slack', 'slack', 'pager'], 'bad type': [], ORDER: 'slack' },
    });
    expect(problems).toEqual([
      'notifiers[0].allowHosts[0]: expected a host as a URL spells it, in lower case, without scheme, port or path',
      'notifiers[0].allowHosts[1]: expected a host as a URL spells it, in lower case, without scheme, port or path',
      'notifiers[0].webhookUrl: expected https; plain http is for hosts that allowHosts names',
      "notifiers[1].url: expected a public host; a private network's must be named in allowHosts: ['10.0.0.1']",
      'notifiers[1].secret: expected "whsec_" and 24 to 64 random bytes in base64',
      'notifiers[1].headers["Webhook-Id"]: expected none of our own headers',
      'notifiers[1].headers["x-a"]: expected a text without line breaks',
      'notifiers[1].headers["b c"]: expected the name of a header',
      'notifiers[2].secrets[1]: expected "whsec_" and 24 to 64 random bytes in base64',
      'notifiers[2].name: a second notifier "webhook"; give one of them a name',
      'notifiers[3].dsn: expected https://<public key>@<host>/<project number>',
      'notifiers[3].release: expected 1 to 200 characters, no slash or line break, not "." or ".."',
      'notifiers[3].environment: expected 1 to 64 characters, no space or slash, not "None"',
      'notifiers[4].name: expected 1 to 40 of a to z, 0 to 9, "_" or "-", beginning with a letter',
      'notifiers[5]: expected what slackNotifier, webhookNotifier, … or defineNotifier returns',
      'notifiers[6]: expected what slackNotifier, webhookNotifier, … or defineNotifier returns',
      'notifiers[7].name: expected 1 to 40 of a to z, 0 to 9, "_" or "-", beginning with a letter',
      'notify["AUTH"][1]: "slack" is there already',
      'notify["AUTH"][2]: expected the name of a notifier; there are: slack, webhook, sentry',
      'notify["bad type"]: expected an event type, or "*" for every other',
      'notify["ORDER"]: expected an array of names of notifiers',
    ]);
    expect(problems.join()).not.toContain('dG9v');
  });

  it.each([
    [{ notifiers: {} }, 'notifiers: expected an array'],
    [{ notify: [] }, 'notify: expected an object'],
    [{ notify: { '*': ['slack'] } }, 'notify["*"][0]: expected the name of a notifier; there are: none'],
  ])('refuse %j', (config, problem) => expect(problemsOf(config)).toEqual([problem]));

  it.each([
    [{}, 'secret: expected "whsec_" and 24 to 64 random bytes in base64'],
    [{ secret: SECRET, secrets: [SECRET] }, 'secret: expected either secret or secrets'],
    [{ secrets: [] }, 'secrets: expected an array of 1 to 5 secrets'],
    [{ secret: `${SECRET}!` }, 'secret: expected "whsec_" and 24 to 64 random bytes in base64'],
    [{ secret: Buffer.alloc(65).toString('base64') }, 'secret: expected "whsec_" and 24 to 64 random bytes in base64'],
  ])('refuse the secrets of %j', (more: Partial<WebhookNotifierOptions>, problem) => {
    const notifier = webhookNotifier({ url: 'https://hooks.example/', ...more });
    expect(problemsOf({ notifiers: [notifier] })).toEqual([`notifiers[0].${problem}`]);
  });

  it('send nothing while a problem stands', async () => {
    const notifier = webhookNotifier({ url: 'https://127.0.0.1:1/', secret: SECRET });
    const context = { signal: new AbortController().signal, idempotencyKey: 'k', log: silent };
    await expect(notifier.send(NOTICES.dead_letters, context)).rejects.toMatchObject({
      name: 'NotifyError',
      retryable: false,
      message: expect.stringMatching(/^webhook: url: expected a public host/),
    });
  });

  it('defineNotifier refuses what cannot work', () => {
    expect(() => defineNotifier({ name: 'A', send: async () => {} })).toThrow(/defineNotifier: name: expected 1 to 40/);
    expect(() => defineNotifier({ name: 'a' } as unknown as Notifier)).toThrow(/expected a function in send/);
  });
});

describe('the check at the start of a role', () => {
  const signal = new AbortController().signal;
  const channel = (verify: NonNullable<Notifier['verify']>) =>
    defineNotifier({ name: 'a', send: async () => {}, verify });

  it('refuses by path what a channel finds outside', async () => {
    const notifiers = [logNotifier(), channel(async () => [{ option: 'url', message: 'expected a public host' }])];
    await expect(verifyNotifiers({ notifiers }, signal)).rejects.toMatchObject({
      name: 'ConfigurationError',
      problems: ['notifiers[1].url: expected a public host'],
    });
  });

  it('comes before anything else is started', async () => {
    const notifiers = [channel(async () => [{ option: 'url', message: 'expected a public host' }])];
    const environment = { OUTBOX_DATABASE_URL: 'postgres://127.0.0.1:1/nobody', OUTBOX_LOG_LEVEL: 'silent' };
    await expect(createRelay({ notifiers }, { environment })).rejects.toMatchObject({ name: 'ConfigurationError' });
  });

  it('goes on when a channel cannot tell: it throws, or says nothing in time', async () => {
    const throws = channel(() => Promise.reject(new Error('away')));
    const hangs = channel(() => new Promise(() => {}));
    await verifyNotifiers({ notifiers: [throws, hangs] }, signal, 20);
    await verifyNotifiers({}, signal);
  });
});

describe('routes', () => {
  const [slack, log, pager] = ['slack', 'log', 'pager'].map((name) => defineNotifier({ name, send: async () => {} }));
  const notifiers = [slack, log, pager] as Notifier[];
  const names = (notify: Record<string, string[]> | undefined, eventType?: string) =>
    routeNotice(
      { notifiers, ...(notify === undefined ? {} : { notify }) },
      eventType === undefined ? NOTICES.worker_missing : { ...NOTICES.dead_letters, eventType },
    ).map(({ name }) => name);

  it('lead to the channels of the event type, else of *, else to all', () => {
    const notify = { BILLING: ['pager', 'slack'], IMPORT: [], '*': ['log'] };
    expect(names(notify, 'BILLING')).toEqual(['slack', 'pager']);
    expect(names(notify, 'IMPORT')).toEqual([]);
    expect(names(notify, 'AUTH')).toEqual(['log']);
    expect(names(notify)).toEqual(['log']);
    expect(names({ BILLING: ['pager'] }, 'AUTH')).toEqual(['slack', 'log', 'pager']);
    expect(names(undefined)).toEqual(['slack', 'log', 'pager']);
  });

  it('know no event type that is only a name of the language', () => {
    expect(names({ '*': ['log'] }, 'constructor')).toEqual(['log']);
  });
});

describe('a NotifyError', () => {
  it('follows the error table: final is final, Retry-After counts where it is honoured, within its bounds', () => {
    for (const code of ERROR_CODES) {
      const { rule } = catalogEntry(code);
      const error = toNotifyError('slack', new IntegrationError(code, { retryAfterMs: 5_000 }));
      expect(error.retryable).toBe(rule.kind !== 'final' && code !== 'HANDLER.FAILED');
      expect(error.retryAfterMs).toBe(rule.kind === 'retry' && rule.honoursRetryAfter ? 5_000 : null);
    }
    const asked = (retryAfterMs: number) =>
      toNotifyError('slack', new IntegrationError('HTTP.RATE_LIMITED', { retryAfterMs })).retryAfterMs;
    expect([asked(-5), asked(Number.NaN), asked(1e12)]).toEqual([1_000, 1_000, 3_600_000]);
  });

  it('is known by its shape, and keeps no part of an answer', () => {
    const response = { status: 404, headers: {}, body: 'mail to anna@example.org' };
    const error = toNotifyError(
      'slack',
      new IntegrationError('HTTP.CLIENT_ERROR', { response, message: response.body }),
    );
    expect(JSON.stringify([error, error.message, error.cause])).not.toContain('anna');
    expect(error.message).toBe('slack: The destination refused the request (HTTP.CLIENT_ERROR, status 404)');
    expect(isNotifyError({ name: 'NotifyError', message: 'x', retryable: true, retryAfterMs: null })).toBe(true);
    for (const other of [null, 'NotifyError', new Error('x'), { name: 'NotifyError' }])
      expect(isNotifyError(other)).toBe(false);
  });
});

describe('one try through a channel', () => {
  const tryOnce = (send: Notifier['send'], more: { signal?: AbortSignal; timeoutMs?: number } = {}) =>
    sendNotice(NOTICES.dead_letters, {
      notifier: defineNotifier({ name: 'mine', send }),
      idempotencyKey: 'main:notify:1',
      signal: more.signal ?? new AbortController().signal,
      log: silent,
      ...(more.timeoutMs === undefined ? {} : { timeoutMs: more.timeoutMs }),
    });

  it('gives the notice, the key and a live signal', async () => {
    const seen: unknown[] = [];
    await tryOnce(
      async (notice, { signal, idempotencyKey }) => void seen.push(notice.kind, signal.aborted, idempotencyKey),
    );
    expect(seen).toEqual(['dead_letters', false, 'main:notify:1']);
  });

  it('ends at its deadline and aborts the signal, although the channel listens to nothing', async () => {
    let signal: AbortSignal | undefined;
    const hang: Notifier['send'] = (_, context) => {
      signal = context.signal;
      return new Promise(() => {});
    };
    await expect(tryOnce(hang, { timeoutMs: 20 })).rejects.toMatchObject({ retryable: true, code: 'HTTP.TIMEOUT' });
    expect(signal?.aborted).toBe(true);
  });

  it('ends with a shutdown, also one that came before', async () => {
    const shutdown = new AbortController();
    const hang: Notifier['send'] = () => {
      setImmediate(() => shutdown.abort());
      return new Promise(() => {});
    };
    await expect(tryOnce(hang, { signal: shutdown.signal })).rejects.toMatchObject({ code: 'DELIVERY.CANCELLED' });
    const before = tryOnce(() => Promise.reject(new Error('must not be asked')), { signal: shutdown.signal });
    await expect(before).rejects.toMatchObject({ code: 'DELIVERY.CANCELLED', retryable: true });
  });

  it.each([
    [
      'its own NotifyError',
      () => Promise.reject(new NotifyError('gone', { retryable: false })),
      { message: 'gone', retryable: false },
    ],
    [
      "another copy's",
      () => Promise.reject({ name: 'NotifyError', message: 'later', retryable: true, retryAfterMs: 1 }),
      { message: 'later', retryable: true, retryAfterMs: 1_000 },
    ],
    [
      'anything else',
      () => {
        throw new RangeError('with anna@example.org in it');
      },
      { message: 'mine: RangeError was thrown', retryable: true, code: 'HANDLER.FAILED' },
    ],
    ['no error at all', () => Promise.reject(undefined), { retryable: true }],
  ])('throws a NotifyError whatever the channel throws: %s', async (_, send: () => Promise<void>, expected) => {
    await expect(tryOnce(send)).rejects.toMatchObject({ name: 'NotifyError', ...expected });
  });
});
