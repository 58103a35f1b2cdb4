import { isUtf8 } from 'node:buffer';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

/** What a signature is about: three headers as they came, and the body before any content coding. */
export interface SignedRequest {
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
  readonly body: Buffer;
}

const TOLERANCE_SECONDS = 5 * 60;

/** A new secret by Standard Webhooks 1.0.0: `whsec_` and 32 random bytes in base64. */
export function newSigningSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/**
 * Whether one of the signatures is good under one of the secrets (Standard Webhooks 1.0.0: HMAC-SHA256 over id, timestamp
 * and raw body) and at most five minutes off `now`. The library makes what is expected; its own `verify` reads this
 * process's clock, and takes "12x" for a timestamp. A dot in the id would let the id run over into the timestamp.
 */
export function verifySignature(secrets: readonly string[], request: SignedRequest, now: Date): boolean {
  const { id = '', timestamp = '', signature = '', body } = request;
  if (!/^[\x21-\x2d\x2f-\x7e]{1,255}$/.test(id) || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(Math.floor(now.getTime() / 1_000) - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  if (!isUtf8(body)) return false; // decoded, other bytes would have the same text
  const at = new Date(Number(timestamp) * 1_000);
  const text = body.toString('utf8');
  const presented = signature.split(' ').filter((one) => one.startsWith('v1,'));
  return secrets
    .map((secret) => Buffer.from(new Webhook(secret).sign(id, at, text)))
    .some((expected) => presented.some((one) => isSame(expected, Buffer.from(one))));
}

/** In a time that says nothing of where they differ; the length of a signature is no secret. */
function isSame(expected: Buffer, presented: Buffer): boolean {
  return expected.length === presented.length && timingSafeEqual(expected, presented);
}
