/**
 * The tree of RFC 9162 §2.1 as arithmetic over places: which complete subtrees make up a root, an inclusion proof and a
 * consistency proof. A complete subtree never changes once it is full, so whoever keeps their roots can answer all three
 * without the rest of the leaves.
 *
 * Sizes and indexes are safe integers; a function given anything else, or places outside of the tree, throws a RangeError.
 */
import { emptyRoot, hashNode, type Sha256 } from './merkle-hash.js';

/** The 2^level leaves from `index * 2^level` on. Level 0: one leaf. */
export interface Subtree {
  readonly level: number;
  readonly index: number;
}

/** The subtrees whose joined root is that of a tree of `size`, the largest and leftmost first. None for size 0. */
export function rootSubtrees(size: number): Subtree[] {
  check(size >= 0, size);
  return subtreesBetween(0, size);
}

/** The largest subtrees between a size and a later one, from left to right: what must be added to a tree of the first. */
export function subtreesBehind(from: number, to: number): Subtree[] {
  check(from >= 0 && from <= to, from, to);
  const subtrees: Subtree[] = [];
  for (let at = from; at < to; ) {
    let [level, leaves] = [0, 1];
    while (at % (leaves * 2) === 0 && leaves * 2 <= to - at) [level, leaves] = [level + 1, leaves * 2];
    subtrees.push({ level, index: at / leaves });
    at += leaves;
  }
  return subtrees;
}

/**
 * The inclusion proof of a leaf (RFC 9162 §2.1.3.1), from the leaf's neighbour upwards: each entry is one hash of the
 * proof, given as the subtrees to join.
 */
export function inclusionSubtrees(index: number, size: number): Subtree[][] {
  check(index >= 0 && index < size, index, size);
  const path: Subtree[][] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    const middle = begin + splitOf(end - begin);
    if (index < middle) {
      path.unshift(subtreesBetween(middle, end));
      end = middle;
    } else {
      path.unshift(subtreesBetween(begin, middle));
      begin = middle;
    }
  }
  return path;
}

/**
 * The consistency proof between two sizes (RFC 9162 §2.1.4.1), in its order: each entry is one hash of the proof. Empty
 * where the sizes are equal. There is none from size 0, which every tree extends.
 */
export function consistencySubtrees(from: number, to: number): Subtree[][] {
  check(from >= 1 && from <= to, from, to);
  const path: Subtree[][] = [];
  let [begin, end] = [0, to];
  // While the old tree ends inside of the part looked at, its root is not one of the proof's hashes.
  while (from < end) {
    const middle = begin + splitOf(end - begin);
    if (from <= middle) {
      path.unshift(subtreesBetween(middle, end));
      end = middle;
    } else {
      path.unshift(subtreesBetween(begin, middle));
      begin = middle;
    }
  }
  // The part that the old tree ends with, unless that is the whole old tree, whose root the verifier has.
  if (begin > 0) path.unshift(subtreesBetween(begin, end));
  return path;
}

/** The root over subtrees that lie side by side as `rootSubtrees` and its kin give them. */
export function joinSubtrees(sha256: Sha256, roots: readonly Uint8Array[]): Uint8Array {
  const last = roots.at(-1);
  if (last === undefined) return emptyRoot(sha256);
  return roots.slice(0, -1).reduceRight((right, left) => hashNode(sha256, left, right), last);
}

/** The largest power of two below n: where RFC 9162 §2.1.1 splits. Not by bits: they are 32 only. */
function splitOf(n: number): number {
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}

/** `begin` is a multiple of the power of two that covers the rest, as it is wherever the tree splits. */
function subtreesBetween(begin: number, end: number): Subtree[] {
  const subtrees: Subtree[] = [];
  let at = begin;
  while (at < end) {
    let [level, leaves] = [0, 1];
    while (leaves * 2 <= end - at) [level, leaves] = [level + 1, leaves * 2];
    subtrees.push({ level, index: at / leaves });
    at += leaves;
  }
  return subtrees;
}

function check(fits: boolean, ...numbers: number[]): void {
  if (fits && numbers.every(Number.isSafeInteger)) return;
  throw new RangeError(`expected places inside of the tree, got ${numbers.join(', ')}`);
}
