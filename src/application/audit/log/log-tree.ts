import { compactRange } from '../../../domain/audit/compact-range.js';
import type { Sha256 } from '../../../domain/audit/merkle-hash.js';
import {
  consistencySubtrees,
  inclusionSubtrees,
  joinSubtrees,
  rootSubtrees,
  type Subtree,
} from '../../../domain/audit/merkle-tree.js';
import type { LeafStore } from './ports.js';

/** Each tile is the root over 2^8 nodes of the level below. */
const TILE_HEIGHT = 8;
export const TILE_WIDTH = 2 ** TILE_HEIGHT;
/** Slices kept, 8 KiB each: those on the right edge and those of records that are asked for now. */
const CACHED_SLICES = 256;

/**
 * Roots and proofs of the sealed leaves for any size that is sealed, at the cost of a few slices of 256 hashes. Throws
 * StoreUnavailableError, LogBrokenError; RangeError for places outside of the tree.
 */
export interface LogTree {
  root(size: number): Promise<Uint8Array>;
  inclusionProof(index: number, size: number): Promise<Uint8Array[]>;
  consistencyProof(from: number, to: number): Promise<Uint8Array[]>;
  /** The root of one full subtree, which must be sealed. */
  subtree(subtree: Subtree): Promise<Uint8Array>;
}

/**
 * Tiles are believed, as are the seals: to compare them with the records is verification's part. What no tile says yet is
 * computed from the level below.
 */
export function createLogTree({ store, sha256 }: { readonly store: LeafStore; readonly sha256: Sha256 }): LogTree {
  /** Full slices by level and index: they never change. The one used last stands last. */
  const cache = new Map<string, readonly Uint8Array[]>();

  /** `count` nodes from `first` on of the level that tiles stand on; level 0 is that of the leaves. */
  async function nodes(level: number, first: number, count: number): Promise<readonly Uint8Array[]> {
    const at = Math.floor(first / TILE_WIDTH);
    const key = `${level}/${at}`;
    const known = cache.get(key);
    const from = first - at * TILE_WIDTH;
    if (known !== undefined) {
      cache.delete(key);
      cache.set(key, known);
      return known.slice(from, from + count);
    }
    if (level === 0) {
      const found = await store.readHashes(first, count);
      if (count === TILE_WIDTH) keep(key, found);
      return found;
    }
    const tiles = await store.readTiles(level - 1, first, count);
    const found: Uint8Array[] = [];
    for (let index = first; index < first + count; index++) {
      found.push(tiles.get(index) ?? joined(sha256, await nodes(level - 1, index * TILE_WIDTH, TILE_WIDTH)));
    }
    if (count === TILE_WIDTH) keep(key, found);
    return found;
  }

  function keep(key: string, slice: readonly Uint8Array[]): void {
    cache.set(key, slice);
    const [oldest] = cache.keys();
    if (cache.size > CACHED_SLICES && oldest !== undefined) cache.delete(oldest);
  }

  async function subtree({ level, index }: Subtree): Promise<Uint8Array> {
    const stage = Math.floor(level / TILE_HEIGHT);
    const width = 2 ** (level - stage * TILE_HEIGHT);
    return joined(sha256, await nodes(stage, index * width, width));
  }

  async function join(subtrees: readonly Subtree[]): Promise<Uint8Array> {
    const roots: Uint8Array[] = [];
    for (const one of subtrees) roots.push(await subtree(one));
    return joinSubtrees(sha256, roots);
  }

  async function joinEach(path: readonly (readonly Subtree[])[]): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    for (const subtrees of path) hashes.push(await join(subtrees));
    return hashes;
  }

  return {
    root: (size) => join(rootSubtrees(size)),
    inclusionProof: (index, size) => joinEach(inclusionSubtrees(index, size)),
    consistencyProof: (from, to) => joinEach(consistencySubtrees(from, to)),
    subtree,
  };
}

/** The root over a power of two of nodes. */
function joined(sha256: Sha256, nodes: readonly Uint8Array[]): Uint8Array {
  const range = compactRange(sha256);
  for (const node of nodes) range.append(node);
  return range.root();
}
