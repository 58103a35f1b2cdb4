import { createHash } from 'node:crypto';
import { NotifyError } from '../../application/delivery/notify/notify-error.js';
import type { Notice, Notifier, NotifierProblem, NotifyContext } from '../../application/delivery/notify/ports.js';
import { NOTICE_TIMEOUT_MS } from '../../application/delivery/notify/send-notice.js';
import { SENTRY_LIMITS, toSentryEvent } from '../../application/delivery/notify/sentry-event.js';
import { type Channel, type ChannelOptions, OUTSIDE, openChannel, postNotice, refuseProblems } from './channel.js';

export interface SentryNotifierOptions extends ChannelOptions {
  /** `https://<public key>@<host>/<project>`. */
  readonly dsn: string;
  /** Default: none. */
  readonly release?: string;
  /** Default: none, which Sentry calls `production`. */
  readonly environment?: string;
}

/**
 * Sends notices to a Sentry project, through a client of its own: nothing global is set up, nothing in the process is
 * patched, no integration runs, and what the application's own Sentry keeps on its scopes (users, tags, breadcrumbs) stays
 * out. The event's id comes from the idempotency key, so that Sentry collapses a second try.
 */
export function sentryNotifier(options: SentryNotifierOptions, outside = OUTSIDE): Notifier {
  const { dsn } = options;
  const channel = openChannel('sentry', options, { url: withoutKey(dsn), urlOption: 'dsn', outside });
  const problems = [...channel.problems, ...dsnProblems(dsn), ...labelProblems(options)];
  return {
    name: channel.name,
    problems,
    verify: channel.verify,
    send: async (notice, context) => {
      refuseProblems(channel.name, problems);
      await capture(notice, { channel, options, context });
    },
  };
}

interface Capture {
  readonly channel: Channel;
  readonly options: SentryNotifierOptions;
  readonly context: Pick<NotifyContext, 'signal' | 'idempotencyKey'>;
}

async function capture(notice: Notice, { channel, options, context }: Capture): Promise<void> {
  // Loaded here: some 60 MB, only for who sends to Sentry.
  const { NodeClient, createTransport, defaultStackParser } = await import('@sentry/node');
  const { dsn, release, environment } = options;
  const outcome: { sent: boolean; error: unknown } = { sent: false, error: null };
  const client = new NodeClient({
    dsn,
    integrations: [],
    stackParser: defaultStackParser,
    includeServerName: false,
    enableRuntimeChannelInjection: false,
    sendClientReports: false,
    traceLifecycle: 'static', // the other one brings an integration
    // Its own transport reads proxies from the environment and has no deadline; the client swallows what a transport throws.
    transport: (settings) =>
      createTransport(settings, async ({ body }) => {
        try {
          const headers = { ...settings.headers, 'content-type': 'application/x-sentry-envelope' };
          await postNotice(channel, { url: settings.url, headers, body: String(body) }, context.signal);
          outcome.sent = true;
        } catch (error) {
          outcome.error = error;
        }
        return {};
      }),
  });
  try {
    const { fingerprint, tags, ...event } = toSentryEvent(notice);
    // `sendEvent` and not `captureEvent`, which would add what the global scopes of the process hold.
    client.sendEvent({
      ...event,
      fingerprint: [...fingerprint],
      tags: { ...tags },
      event_id: eventId(context.idempotencyKey),
      platform: 'node',
      ...(release === undefined ? {} : { release }),
      ...(environment === undefined ? {} : { environment }),
    });
    // The request has the same deadline, so this one is only for a client that hangs.
    await client.close(NOTICE_TIMEOUT_MS);
  } finally {
    client.dispose();
  }
  if (outcome.error !== null) throw outcome.error;
  if (!outcome.sent) throw new NotifyError(`${channel.name}: the event was not sent`, { retryable: true });
}

/** 32 hexadecimal digits, as Sentry wants them. */
function eventId(idempotencyKey: string): string {
  return createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 32);
}

/** Its host is what the guard judges; the key is no password (it is in every browser that reports errors). */
function withoutKey(dsn: unknown): unknown {
  if (typeof dsn !== 'string' || !URL.canParse(dsn)) return dsn;
  const url = new URL(dsn);
  url.username = '';
  return url.href;
}

function dsnProblems(dsn: unknown): NotifierProblem[] {
  if (typeof dsn !== 'string' || !URL.canParse(dsn)) return []; // told as no URL already
  const { username, pathname } = new URL(dsn);
  const fits = /^\w+$/.test(username) && /^(\/[\w-]+)*\/\d+$/.test(pathname);
  return fits ? [] : [{ option: 'dsn', message: 'expected https://<public key>@<host>/<project number>' }];
}

/** https://docs.sentry.io/product/releases/naming-releases/ */
function labelProblems({ release, environment }: SentryNotifierOptions): NotifierProblem[] {
  const fits = (value: unknown, pattern: RegExp, longest: number) =>
    value === undefined || (typeof value === 'string' && value.length <= longest && pattern.test(value));
  const { release: releaseLength, environment: environmentLength } = SENTRY_LIMITS;
  return [
    ...(fits(release, /^(?!\.{1,2}$)[^\s/\\](?:[^\r\n\t/\\]*[^\s/\\])?$/, releaseLength)
      ? []
      : [
          {
            option: 'release',
            message: `expected 1 to ${releaseLength} characters, no slash or line break, not "." or ".."`,
          },
        ]),
    ...(fits(environment, /^(?!None$)[^\s/]+$/, environmentLength)
      ? []
      : [
          {
            option: 'environment',
            message: `expected 1 to ${environmentLength} characters, no space or slash, not "None"`,
          },
        ]),
  ];
}
