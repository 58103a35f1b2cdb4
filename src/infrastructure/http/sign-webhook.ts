import { Webhook } from 'standardwebhooks';

export interface WebhookMessage {
  /** The same for every try of one message. */
  readonly id: string;
  /** Of this try. */
  readonly at: Date;
  readonly body: string;
}

/**
 * The headers of Standard Webhooks 1.0.0, signed with every secret, space delimited, so that a receiver may hold the old
 * or the new one while a secret is changed.
 */
export function signWebhook(secrets: readonly string[], { id, at, body }: WebhookMessage): Record<string, string> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The specification asks for 24 to 64 random bytes, in base64 after `whsec_`. Never tells the secret. */
export function findSecretProblem(secret: unknown): string | null {
  const encoded = typeof secret === 'string' ? secret.replace(/^whsec_/, '') : '';
  const bytes = BASE64.test(encoded) ? Buffer.from(encoded, 'base64').length : 0;
  return bytes >= 24 && bytes <= 64 ? null : 'expected "whsec_" and 24 to 64 random bytes in base64';
}

/** A dot would let an id run over into the timestamp that is signed after it. */
export function isWebhookId(id: string): boolean {
  return /^[A-Za-z0-9_:-]{1,255}$/.test(id);
}
