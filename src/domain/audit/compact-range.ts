import { HASH_BYTES, hashNode, type Sha256 } from './merkle-hash.js';
import { joinSubtrees, rootSubtrees, type Subtree } from './merkle-tree.js';

/** A tree's left part as it is read, leaf by leaf: what it keeps grows with the logarithm of the size only. */
export interface CompactRange {
  size(): number;
  /** The root of the tree so far; that of the empty tree at size 0. */
  root(): Uint8Array;
  /** The roots of the complete subtrees so far, as `rootSubtrees(size())` names them. */
  roots(): readonly Uint8Array[];
  append(leafHash: Uint8Array): void;
  /** A whole subtree at once, its root believed. Throws a RangeError where it does not begin behind the last leaf. */
  appendSubtree(subtree: Subtree, root: Uint8Array): void;
}

export interface CompactRangeStart {
  readonly size: number;
  /** Of `rootSubtrees(size)`, believed as they are given. */
  readonly roots: readonly Uint8Array[];
}

/**
 * Starts empty, or after `start`. `onComplete` is called for each subtree above the leaves at the moment that it is full,
 * the lower before the higher.
 */
export function compactRange(
  sha256: Sha256,
  start: CompactRangeStart = { size: 0, roots: [] },
  onComplete: (subtree: Subtree, root: Uint8Array) => void = () => undefined,
): CompactRange {
  const expected = rootSubtrees(start.size).length;
  if (start.roots.length !== expected) {
    throw new RangeError(`expected ${expected} roots for a tree of ${start.size} leaves, got ${start.roots.length}`);
  }
  let { size } = start;
  const roots = [...start.roots];
  const range: CompactRange = {
    size: () => size,
    root: () => joinSubtrees(sha256, roots),
    roots: () => [...roots],
    append: (leafHash) => range.appendSubtree({ level: 0, index: size }, leafHash),
    appendSubtree(subtree, root) {
      if (root.length !== HASH_BYTES)
        throw new RangeError(`expected a hash of ${HASH_BYTES} bytes, got ${root.length}`);
      let { level, index } = subtree;
      const leaves = 2 ** level;
      if (index * leaves !== size)
        throw new RangeError(`expected a subtree that begins at ${size}, got ${index * leaves}`);
      roots.push(root);
      // Each trailing one bit of its index is a complete subtree that it completes one level higher.
      while (index % 2 === 1) {
        const right = roots.pop() as Uint8Array;
        const left = roots.pop() as Uint8Array;
        const joined = hashNode(sha256, left, right);
        roots.push(joined);
        [level, index] = [level + 1, (index - 1) / 2];
        onComplete({ level, index }, joined);
      }
      size += leaves;
    },
  };
  return range;
}
