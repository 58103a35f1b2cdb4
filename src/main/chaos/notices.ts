/** Slack, Sentry and a webhook, as far as the notifiers speak to them. What each got is kept, whatever it answered. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer } from './close-server.js';
import type { ChaosWorld } from './ports.js';

export type Notices = ChaosWorld['notices'];
export type NoticeChannel = Notices['received'][number]['channel'];

export interface RunningNotices extends Notices {
  readonly port: number;
  /** The settings of the three notifiers, which reach this host by `host:port`: a proxy's, or ours. */
  at(host: string): { readonly slackWebhookUrl: string; readonly sentryDsn: string; readonly webhookUrl: string };
  close(): Promise<void>;
}

const PATHS: Readonly<Record<NoticeChannel, string>> = {
  slack: '/services/T0/B0/chaos',
  // Where a DSN `http://key@host/1` makes the client post its envelopes to.
  sentry: '/api/1/envelope/',
  webhook: '/webhook',
};

/** A notice is some KiB; what is longer is kept cut. */
const KEPT_CHARACTERS = 65_536;

export async function startNotices(port = 0): Promise<RunningNotices> {
  const received: Notices['received'][number][] = [];
  const times = new Map<string, number>();
  let decide: Parameters<Notices['mode']>[0] = () => ({ status: 200 });

  const server = createServer(async (request, response) => {
    try {
      const path = new URL(request.url ?? '/', 'http://notices').pathname;
      const channel = (Object.keys(PATHS) as NoticeChannel[]).find((name) => PATHS[name] === path);
      const body = await readBody(request);
      if (channel === undefined) {
        response.writeHead(404).end();
        return;
      }
      const n = (times.get(channel) ?? 0) + 1;
      times.set(channel, n);
      const { status, headers, delayMs = 0 } = decide(channel, n);
      received.push({ at: Date.now(), channel, body, status });
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      response.writeHead(status, { 'content-type': 'text/plain', ...headers });
      response.end(status < 300 ? 'ok' : 'not_now');
    } catch {
      response.destroy(); // cut on the way
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
  return {
    received,
    port: (server.address() as AddressInfo).port,
    mode(wanted) {
      decide = wanted;
    },
    at: (host) => ({
      slackWebhookUrl: `http://${host}${PATHS.slack}`,
      sentryDsn: `http://chaos@${host}/1`,
      webhookUrl: `http://${host}${PATHS.webhook}`,
    }),
    close: () => closeServer(server),
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const part of request) if (body.length < KEPT_CHARACTERS) body += String(part);
  return body.slice(0, KEPT_CHARACTERS);
}
