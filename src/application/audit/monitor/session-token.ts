import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { FingerprintKeys } from '../fingerprint.js';
import type { SessionClaims } from './ports.js';

export interface SessionTokens {
  /** `v1.<claims>.<HMAC-SHA256>`, both base64url. */
  write(claims: SessionClaims): string;
  /** null where the text is none of ours. Whether the session is over is not looked at. */
  read(text: string): SessionClaims | null;
  /** What only a page of this session knows, and no other page can read. */
  csrf(sessionId: string): string;
  holdsCsrf(sessionId: string, text: string | undefined): boolean;
}

const SESSION_PURPOSE = 'temporal-outbox monitor session 1';
const CSRF_PURPOSE = 'temporal-outbox monitor csrf 1';
const TEXT = /^(v1\.([A-Za-z0-9_-]{1,1000}))\.([A-Za-z0-9_-]{43})$/;

const claimsSchema = z.strictObject({
  id: z.guid(),
  kind: z.enum(['key', 'user']),
  credentialId: z.guid(),
  version: z.string().max(40),
  issuedAt: z.int(),
  endsAt: z.int(),
});

/**
 * Sessions that nobody can make up: what they say with its HMAC. Keys are derived from the fingerprints' (RFC 5869), as those
 * of cursors are, so that all apis take each other's sessions and there is no secret more to keep; the first one signs, all
 * verify.
 */
export function sessionTokens(fingerprintKeys: FingerprintKeys): SessionTokens {
  const derive = (purpose: string) =>
    fingerprintKeys.map(({ secret }) => Buffer.from(hkdfSync('sha256', secret, '', purpose, 32)));
  const sessionKeys = derive(SESSION_PURPOSE);
  const csrfKeys = derive(CSRF_PURPOSE);
  return {
    write: (claims) => {
      const { id, kind, credentialId, version, issuedAt, endsAt } = claims;
      const json = JSON.stringify({ id, kind, credentialId, version, issuedAt, endsAt });
      const text = `v1.${Buffer.from(json).toString('base64url')}`;
      return `${text}.${sign(sessionKeys[0] as Buffer, text)}`;
    },
    read: (text) => {
      const [, signed, payload, signature] = TEXT.exec(text) ?? [];
      if (signed === undefined || payload === undefined || signature === undefined) return null;
      if (!sessionKeys.some((key) => isSame(sign(key, signed), signature))) return null;
      // Genuine, so it is JSON of ours; a later version's may hold something else.
      const parsed = claimsSchema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
      return parsed.success ? parsed.data : null;
    },
    csrf: (sessionId) => sign(csrfKeys[0] as Buffer, sessionId),
    holdsCsrf: (sessionId, text) => text !== undefined && csrfKeys.some((key) => isSame(sign(key, sessionId), text)),
  };
}

function sign(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

/** As text, so that one signature has one form. */
function isSame(expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}
