/**
 * The published vectors of Standard Webhooks, which stand beside the project (shared/data/vectors); without them these tests
 * say so and pass by. Real: our signature, our check of one and the reference library. Fake: its clock, since the vectors are old.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { verifySignature } from '../../src/application/audit/verify-signature.js';
import { findSecretProblem, signWebhook } from '../../src/infrastructure/http/sign-webhook.js';

interface Vector {
  readonly name: string;
  readonly secret: string;
  readonly id: string;
  readonly timestamp: number;
  readonly payload: string;
  readonly signature: string;
}

interface Vectors {
  readonly sign: readonly Vector[];
  readonly reject: readonly (Omit<Vector, 'timestamp'> & { readonly secrets?: readonly string[] })[];
  readonly spec_example: {
    readonly headers: Readonly<Record<string, string>>;
    readonly signed_content_minified: string;
  };
}

const folder =
  process.env.OUTBOX_VECTORS_DIR ?? fileURLToPath(new URL('../../../shared/data/vectors', import.meta.url));
const file = `${folder}/standard-webhooks/vectors.json`;
const present = existsSync(file);
if (!present) console.warn(`SKIPPED: no vectors at ${file}; OUTBOX_VECTORS_DIR names another folder`);
const vectors: Vectors = present
  ? JSON.parse(readFileSync(file, 'utf8'))
  : { sign: [], reject: [], spec_example: { headers: {}, signed_content_minified: '' } };

(present ? describe : describe.skip)('Standard Webhooks', () => {
  afterEach(() => void jest.useRealTimers());

  it('has two vectors to sign, three to refuse and an example', () => {
    expect([vectors.sign.length, vectors.reject.length]).toEqual([2, 3]);
  });

  it('signs every vector as published, and the reference library verifies it', () => {
    for (const { secret, id, timestamp, payload, signature } of vectors.sign) {
      const at = new Date(timestamp * 1_000 + 999);
      const headers = signWebhook([secret], { id, at, body: payload });
      expect(headers).toEqual({
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signature,
      });
      jest.useFakeTimers({ now: at });
      expect(new Webhook(secret).verify(payload, headers)).toEqual(JSON.parse(payload));
      expect(findSecretProblem(secret)).toBeNull();
      const request = { id, timestamp: String(timestamp), signature, body: Buffer.from(payload) };
      expect(verifySignature([secret], request, at)).toBe(true);
      expect(verifySignature([`whsec_${'A'.repeat(32)}`, secret], request, at)).toBe(true);
      expect(verifySignature([`whsec_${'A'.repeat(32)}`], request, at)).toBe(false);
    }
  });

  it('makes none of the signatures that must be refused, and the library refuses them beside ours', () => {
    const forged = vectors.reject.filter(({ signature }) => signature !== undefined);
    expect(forged).toHaveLength(2);
    for (const { secret, id, payload, signature } of forged) {
      const headers = signWebhook([secret], { id, at: new Date(), body: payload });
      for (const one of signature.split(' ')) expect(headers['webhook-signature']).not.toContain(one);
      expect(() => new Webhook(secret).verify(payload, { ...headers, 'webhook-signature': signature })).toThrow(
        WebhookVerificationError,
      );
      const timestamp = headers['webhook-timestamp'];
      const request = { id, timestamp, signature, body: Buffer.from(payload) };
      expect(verifySignature([secret], request, new Date())).toBe(false);
      const both = `${signature} ${headers['webhook-signature']}`;
      expect(verifySignature([secret], { ...request, signature: both }, new Date())).toBe(true);
      expect(new Webhook(secret).verify(payload, { ...headers, 'webhook-signature': both })).toEqual(
        JSON.parse(payload),
      );
    }
  });

  it('takes none of the empty secrets', () => {
    const secrets = vectors.reject.flatMap((vector) => vector.secrets ?? []);
    expect(secrets).toEqual(['', 'whsec_']);
    for (const secret of secrets) expect(findSecretProblem(secret)).not.toBeNull();
  });

  it('has headers of the form that the specification shows', () => {
    const { headers, signed_content_minified: content } = vectors.spec_example;
    const [id = '', timestamp = '', ...rest] = content.split('.');
    const ours = signWebhook([vectors.sign[0]?.secret ?? ''], {
      id,
      at: new Date(Number(timestamp) * 1_000),
      body: rest.join('.'),
    });
    expect(Object.keys(ours)).toEqual(Object.keys(headers));
    expect(ours).toMatchObject({
      'webhook-id': headers['webhook-id'],
      'webhook-timestamp': headers['webhook-timestamp'],
    });
    const form = /^v1,[A-Za-z0-9+/]{43}=( v1a,\S+)?$/;
    expect(headers['webhook-signature']).toMatch(form);
    expect(ours['webhook-signature']).toMatch(form);
  });
});
