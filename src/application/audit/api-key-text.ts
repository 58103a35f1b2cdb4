import { createHash, randomBytes, randomInt } from 'node:crypto';

const PATTERN = /^tob_([a-z0-9]{8})_[A-Za-z0-9_-]{43}$/;
const PREFIX_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** A new key: `tob_`, a public prefix of 8, `_`, 256 random bits in base64url. */
export function newApiKeyText(): string {
  const prefix = Array.from({ length: 8 }, () => PREFIX_ALPHABET[randomInt(PREFIX_ALPHABET.length)]).join('');
  return `tob_${prefix}_${randomBytes(32).toString('base64url')}`;
}

/** The public prefix, or null where the text is no key of ours. */
export function apiKeyPrefix(text: string): string | null {
  return PATTERN.exec(text)?.[1] ?? null;
}

export function hashApiKey(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
