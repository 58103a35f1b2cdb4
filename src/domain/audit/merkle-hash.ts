/** SHA-256 of some bytes: 32 bytes. Given by the caller, since the domain has no Node. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

export const HASH_BYTES = 32;

/** The root of a tree without leaves: SHA-256 of the empty string (RFC 9162 §2.1.1). Nothing is ever signed over it. */
export function emptyRoot(sha256: Sha256): Uint8Array {
  return sha256(new Uint8Array(0));
}

/** SHA-256(0x00 || leaf): RFC 9162 §2.1.1. */
export function hashLeaf(sha256: Sha256, leaf: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + leaf.length);
  bytes.set(leaf, 1);
  return sha256(bytes);
}

/**
 * SHA-256(0x01 || left || right): RFC 9162 §2.1.1. The prefix differs from a leaf's, so that nobody can show an inner node
 * as a leaf.
 */
export function hashNode(sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + left.length + right.length);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + left.length);
  return sha256(bytes);
}

/** Of public values: in no constant time. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
