/**
 * The configuration file of the roles of a chaos run: the audit log and one destination past the process boundary, three
 * channels past it, policies by which an outage of minutes ends in no letter unless a fault wants one.
 */
import { writeFile } from 'node:fs/promises';
import type { OutboxConfig } from '../../application/delivery/define-config.js';

export const LEDGER_KEY = 'chaos.ledger';

/** Of the webhook's channel; not a secret of anybody's. */
const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** Settings of the roles in place of the defaults: a person waits for the run, and faults last seconds. */
export const CHAOS_SETTINGS = {
  OUTBOX_NOTICE_WINDOW_MS: '2000',
  OUTBOX_BREAKER_OPEN_MS: '2000',
  OUTBOX_OPS: 'on',
  // What is removed could not be compared.
  OUTBOX_RETENTION_DAYS: '0',
};

const BACKOFF = { kind: 'full-jitter', initialMs: 200, coefficient: 2, maximumMs: 5_000 } as const;
/** Ended by its deadline alone: sixty attempts of this backoff would be over after two and a half minutes away. */
const ATTEMPTS = 1_000;
/** By default these wait a minute between attempts: a fault that is over must show. */
const SHORT = { attempts: ATTEMPTS, backoff: { kind: 'fixed', intervalMs: 1_000 } } as const;

export const CHAOS_POLICIES = {
  '*': {
    maxAttempts: ATTEMPTS,
    deadlineMs: 3_600_000,
    backoff: BACKOFF,
    codes: {
      'HTTP.UNAUTHORIZED': SHORT,
      'HTTP.TLS': SHORT,
      'DISPATCH.HANDLER_NOT_FOUND': SHORT,
      'HANDLER.FAILED': { attempts: ATTEMPTS, backoff: BACKOFF },
    },
  },
  CHAOS_ORDERED: { ordering: { by: 'aggregate', whenHeadDead: 'skip' } },
  CHAOS_STRICT: { maxAttempts: 3 },
} as const satisfies NonNullable<OutboxConfig['policies']>;

/** What a run may want otherwise. */
export interface ChaosConfigChoices {
  /** How long a request to the ledger may take. Default 5,000. */
  readonly ledgerTimeoutMs?: number;
  /** Of all types, for destinations that take batches. Default: off. */
  readonly coalescing?: 'always' | 'adaptive';
}

export interface ChaosConfigOptions extends ChaosConfigChoices {
  readonly file: string;
  /** Through the proxy; `findUrl` with `{id}` in it. */
  readonly ledgerUrl: string;
  readonly findUrl: string;
  readonly notices: { readonly slackWebhookUrl: string; readonly sentryDsn: string; readonly webhookUrl: string };
}

/** Writes the file and returns its path. */
export async function writeChaosConfig({ file, notices, ...options }: ChaosConfigOptions): Promise<string> {
  const entry = new URL('../../index.js', import.meta.url).href;
  const allowHosts = ['127.0.0.1'];
  const { ledgerUrl, findUrl, ledgerTimeoutMs = 5_000, coalescing } = options;
  const ledger = { routingKey: LEDGER_KEY, url: ledgerUrl, findUrl, timeoutMs: ledgerTimeoutMs };
  const policies = { ...CHAOS_POLICIES, '*': { ...CHAOS_POLICIES['*'], ...(coalescing && { coalescing }) } };
  const slack = { webhookUrl: notices.slackWebhookUrl, allowHosts };
  const sentry = { dsn: notices.sentryDsn, allowHosts };
  const webhook = { url: notices.webhookUrl, secret: WEBHOOK_SECRET, allowHosts };
  const text = `import { defineConfig, httpHandler, sentryNotifier, slackNotifier, webhookNotifier } from ${JSON.stringify(entry)};

export default defineConfig({
  handlers: [httpHandler(${JSON.stringify(ledger)})],
  notifiers: [
    slackNotifier(${JSON.stringify(slack)}),
    sentryNotifier(${JSON.stringify(sentry)}),
    webhookNotifier(${JSON.stringify(webhook)}),
  ],
  policies: ${JSON.stringify(policies, null, 2)},
});
`;
  await writeFile(file, text, { mode: 0o600 });
  return file;
}
