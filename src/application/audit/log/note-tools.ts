import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Sha256 } from '../../../domain/audit/merkle-hash.js';
import type { NoteTools } from '../../../domain/audit/note-key.js';

export const sha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest();

/** Ed25519 (RFC 8032) and SHA-256 by Node's own OpenSSL. */
export const NOTE_TOOLS: NoteTools = {
  sha256,
  ed25519: {
    sign: (seed, message) => sign(null, message, privateKey(seed)),
    verify: (publicKey, message, signature) => verify(null, message, publicKeyObject(publicKey), signature),
    publicKey: (seed) => createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' }).subarray(-32),
  },
};

// Node reads keys in their containers only; those of Ed25519 are these bytes before the key itself (RFC 8410 §7 and §4).
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
}

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' });
}
