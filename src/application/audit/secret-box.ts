import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Of the stored form: another one would be another number. */
const FORM = 1;
const NONCE = 12;
const TAG = 16;

/** What is wrong with AUDIT_SECRET_KEY, in a sentence. Ours to mend, never the caller's fault. */
export class SecretKeyError extends Error {
  override readonly name = 'SecretKeyError';
}

/**
 * Seals a signing secret with AES-256-GCM, bound to its key's id: moved to another key's row it does not open. `secretKey`
 * is 32 bytes. Each nonce is random, which is safe for 2^32 secrets under one key (NIST SP 800-38D, section 8.3).
 */
export function sealSecret(secretKey: Uint8Array, keyId: string, secret: string): Buffer {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', secretKey, nonce).setAAD(Buffer.from(keyId));
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.from([FORM]), nonce, sealed, cipher.getAuthTag()]);
}

/** Throws SecretKeyError where there is no key, or where it, or what was sealed, is another one. */
export function openSecret(
  secretKey: Uint8Array | null,
  key: { readonly id: string; readonly prefix: string },
  sealed: Uint8Array,
): string {
  if (secretKey === null) {
    throw new SecretKeyError(`AUDIT_SECRET_KEY is missing, and the key ${key.prefix} needs signatures`);
  }
  try {
    if (sealed[0] !== FORM || sealed.length <= 1 + NONCE + TAG) throw new Error('expected another form');
    const decipher = createDecipheriv('aes-256-gcm', secretKey, sealed.subarray(1, 1 + NONCE), { authTagLength: TAG });
    decipher.setAAD(Buffer.from(key.id)).setAuthTag(sealed.subarray(-TAG));
    return Buffer.concat([decipher.update(sealed.subarray(1 + NONCE, -TAG)), decipher.final()]).toString('utf8');
  } catch (cause) {
    const message = `AUDIT_SECRET_KEY does not open the signing secret of the key ${key.prefix}: it was sealed under another one`;
    throw new SecretKeyError(message, { cause });
  }
}
