import { NotifyError } from '../../application/delivery/notify/notify-error.js';
import type { Notifier, NotifierProblem } from '../../application/delivery/notify/ports.js';
import { toWebhookBody } from '../../application/delivery/notify/webhook-body.js';
import { findSecretProblem, isWebhookId, signWebhook } from '../http/sign-webhook.js';
import { type ChannelOptions, OUTSIDE, openChannel, postNotice, refuseProblems } from './channel.js';

export interface WebhookNotifierOptions extends ChannelOptions {
  readonly url: string;
  /** `whsec_` and 24 to 64 random bytes in base64. */
  readonly secret?: string;
  /** Instead of `secret`, while it is changed: 1 to 5, every one signs. */
  readonly secrets?: readonly string[];
  /** Sent with every notice, credentials for instance. The signature's and the body's headers are ours. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Posts notices as signed JSON, by Standard Webhooks; docs/notifications.md shows the bodies. */
export function webhookNotifier(options: WebhookNotifierOptions, outside = OUTSIDE): Notifier {
  const { url, headers = {} } = options;
  const channel = openChannel('webhook', options, { url, urlOption: 'url', outside });
  const { name, verify } = channel;
  const problems = [...channel.problems, ...secretProblems(options), ...headerProblems(headers)];
  const secrets = options.secrets ?? [options.secret ?? ''];
  return {
    name,
    problems,
    verify,
    send: async (notice, { signal, idempotencyKey: id }) => {
      refuseProblems(name, problems);
      if (!isWebhookId(id)) {
        const message = `${name}: idempotencyKey: expected 1 to 255 letters, digits, "_", ":" or "-"`;
        throw new NotifyError(message, { retryable: false });
      }
      const body = toWebhookBody(notice);
      const signed = signWebhook(secrets, { id, at: new Date(), body });
      await postNotice(channel, { url, headers: { ...headers, ...JSON_BODY, ...signed }, body }, signal);
    },
  };
}

const JSON_BODY = { 'content-type': 'application/json' };
const MOST_SECRETS = 5;

function secretProblems({ secret, secrets }: WebhookNotifierOptions): NotifierProblem[] {
  if (secret !== undefined && secrets !== undefined) {
    return [{ option: 'secret', message: 'expected either secret or secrets' }];
  }
  if (secrets === undefined) return toProblem('secret', findSecretProblem(secret));
  if (!Array.isArray(secrets) || secrets.length < 1 || secrets.length > MOST_SECRETS) {
    return [{ option: 'secrets', message: `expected an array of 1 to ${MOST_SECRETS} secrets` }];
  }
  return secrets.flatMap((each, index) => toProblem(`secrets[${index}]`, findSecretProblem(each)));
}

function toProblem(option: string, message: string | null): NotifierProblem[] {
  return message === null ? [] : [{ option, message }];
}

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const OURS = ['connection', 'content-length', 'content-type', 'expect', 'host', 'transfer-encoding', 'upgrade'];

function headerProblems(headers: unknown): NotifierProblem[] {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    return [{ option: 'headers', message: 'expected an object' }];
  }
  return Object.entries(headers).flatMap(([name, value]: [string, unknown]) => {
    const option = `headers[${JSON.stringify(name)}]`;
    const lower = name.toLowerCase();
    if (!HEADER_NAME.test(name)) return toProblem(option, 'expected the name of a header');
    if (OURS.includes(lower) || lower.startsWith('webhook-'))
      return toProblem(option, 'expected none of our own headers');
    const fits = typeof value === 'string' && HEADER_VALUE.test(value);
    return toProblem(option, fits ? null : 'expected a text without line breaks');
  });
}
