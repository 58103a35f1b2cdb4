/**
 * Keys of signed notes in the text forms of C2SP signed-note and Go's golang.org/x/mod/sumdb/note:
 * `PRIVATE+KEY+<name>+<id>+<base64>` to sign, `<name>+<id>+<base64>` to verify. Ed25519 only.
 */
import { fromBase64, toBase64 } from './base64.js';
import type { Sha256 } from './merkle-hash.js';

/** What signs and verifies; given by the caller, since the domain has no Node. */
export interface Ed25519 {
  /** 64 bytes. */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** 32 bytes. */
  publicKey(seed: Uint8Array): Uint8Array;
}

/** What notes need of the outside. */
export interface NoteTools {
  readonly sha256: Sha256;
  readonly ed25519: Ed25519;
}

export interface VerifierKey {
  readonly name: string;
  /** Eight hex digits: the first bytes of SHA-256 over the name and the public key. */
  readonly id: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface SignerKey extends VerifierKey {
  /** 32 bytes. Secret. */
  readonly seed: Uint8Array;
}

/** A key that does not fit. Holds nothing of a secret one. */
export class NoteKeyError extends Error {
  override readonly name = 'NoteKeyError';
}

const ED25519 = 1;
const PRIVATE = 'PRIVATE+KEY+';
/** C2SP signed-note allows any name without spaces and plus signs; ours are narrower, and fit into a URL's path. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._~/-]{0,199}$/;

export function isKeyName(text: string): boolean {
  return NAME.test(text);
}

/** @throws NoteKeyError */
export function parseSignerKey(tools: NoteTools, text: string): SignerKey {
  if (!text.startsWith(PRIVATE)) throw new NoteKeyError(`expected a signing key that begins with ${PRIVATE}`);
  const { name, id, key: seed } = split(text.slice(PRIVATE.length), 'signing key');
  const made = signerKey(tools, name, seed);
  if (made.id !== id) throw new NoteKeyError(`signing key of ${name}: its id is not that of its name and key`);
  return made;
}

/** @throws NoteKeyError */
export function parseVerifierKey({ sha256 }: Pick<NoteTools, 'sha256'>, text: string): VerifierKey {
  if (text.startsWith(PRIVATE)) throw new NoteKeyError('expected a public key, got one to sign with');
  const { name, id, key: publicKey } = split(text, 'public key');
  const made = verifierKey(sha256, name, publicKey);
  if (made.id !== id) throw new NoteKeyError(`public key of ${name}: its id is not that of its name and key`);
  return made;
}

export function signerKey({ sha256, ed25519 }: NoteTools, name: string, seed: Uint8Array): SignerKey {
  return { ...verifierKey(sha256, name, ed25519.publicKey(seed)), seed };
}

/** The same key under another name is another one to whoever reads notes: its id differs. */
export function renameVerifier(sha256: Sha256, key: VerifierKey, name: string): VerifierKey {
  return verifierKey(sha256, name, key.publicKey);
}

export function formatSignerKey({ name, id, seed }: SignerKey): string {
  return `${PRIVATE}${name}+${id}+${toBase64(Uint8Array.of(ED25519, ...seed))}`;
}

export function formatVerifierKey({ name, id, publicKey }: VerifierKey): string {
  return `${name}+${id}+${toBase64(Uint8Array.of(ED25519, ...publicKey))}`;
}

function verifierKey(sha256: Sha256, name: string, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name)) {
    throw new NoteKeyError(
      `key name ${JSON.stringify(name)}: expected up to 200 of letters, digits and . _ ~ / -, a letter or digit first`,
    );
  }
  const digest = sha256(Uint8Array.of(...new TextEncoder().encode(name), 0x0a, ED25519, ...publicKey));
  const id = Array.from(digest.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { name, id, publicKey };
}

function split(text: string, what: string): { name: string; id: string; key: Uint8Array } {
  // Base64 may hold plus signs, so no more than the first two divide.
  const [, name = '', id = '', base64 = ''] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/.exec(text) ?? [];
  const bytes = fromBase64(base64);
  if (bytes?.length !== 33 || bytes[0] !== ED25519) {
    throw new NoteKeyError(`${what}: expected <name>+<8 hex digits>+<base64 of an Ed25519 key>`);
  }
  return { name, id, key: bytes.subarray(1) };
}
