import { HASH_BYTES, hashNode, type Sha256, sameBytes } from './merkle-hash.js';

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/**
 * Whether the proof shows that the leaf stands at this index of the tree with this root (RFC 9162 §2.1.3.2). False, never
 * an error, for whatever does not fit: a place outside of the tree, a proof too long or too short, a hash of another length.
 */
export function verifyInclusion(sha256: Sha256, { index, size, leafHash, proof, root }: InclusionClaim): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  if (![leafHash, ...proof].every(isHash)) return false;
  let [at, last, hash] = [index, size - 1, leafHash];
  for (const neighbour of proof) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      hash = hashNode(sha256, neighbour, hash);
      // The last of a level with an odd number of nodes has no neighbour there: it moves up until it has one.
      while (!isOdd(at) && at > 0) [at, last] = [half(at), half(last)];
    } else {
      hash = hashNode(sha256, hash, neighbour);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && sameBytes(hash, root);
}

export interface ConsistencyClaim {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Uint8Array;
  readonly toRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * Whether the proof shows that the larger tree begins with the smaller one (RFC 9162 §2.1.4.2). A claim from size 0 is
 * refused: every tree extends the empty one, so it would say nothing, and must not look as if it did.
 */
export function verifyConsistency(sha256: Sha256, claim: ConsistencyClaim): boolean {
  const { from, to, fromRoot, toRoot, proof } = claim;
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 1 || from > to) return false;
  if (from === to) return proof.length === 0 && sameBytes(fromRoot, toRoot);
  // A complete old tree is a node of the new one: its root begins the path, and the proof leaves it out.
  const path = isPowerOfTwo(from) ? [fromRoot, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined || !path.every(isHash)) return false;
  let [at, last] = [from - 1, to - 1];
  while (isOdd(at)) [at, last] = [half(at), half(last)];
  let [old, grown] = [first, first];
  for (const hash of rest) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      old = hashNode(sha256, hash, old);
      grown = hashNode(sha256, hash, grown);
      while (!isOdd(at) && at > 0) [at, last] = [half(at), half(last)];
    } else {
      grown = hashNode(sha256, grown, hash);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && sameBytes(old, fromRoot) && sameBytes(grown, toRoot);
}

const isHash = (bytes: Uint8Array): boolean => bytes.length === HASH_BYTES;
// Not by bits: they are 32 only.
const isOdd = (n: number): boolean => n % 2 === 1;
const half = (n: number): number => Math.floor(n / 2);

function isPowerOfTwo(n: number): boolean {
  let power = 1;
  while (power < n) power *= 2;
  return power === n;
}
