import { hashNode, type Sha256 } from '../../../domain/audit/merkle-hash.js';
import {
  consistencySubtrees,
  inclusionSubtrees,
  joinSubtrees,
  rootSubtrees,
  type Subtree,
} from '../../../domain/audit/merkle-tree.js';
import { type LeafStore, LogBrokenError } from './ports.js';

/** Each tile is the root over 2^8 nodes of the level below. */
const TILE_HEIGHT = 8;
export const TILE_WIDTH = 2 ** TILE_HEIGHT;
/** Slices kept, some 100 KiB each: those on the right edge and those of records that are asked for now. */
const CACHED_SLICES = 128;

/**
 * A slice is the nodes of a level that lie below one tile, as far as they were read from the first on, by height: they
 * themselves, then the roots over two of them, over four …, each hashed once.
 */
type Slice = readonly (readonly Uint8Array[])[];

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
 * computed from the level below. Slices are read as a whole, as far as the greatest size that was asked for says that they
 * are sealed: the next proof mostly finds its nodes there. What is sealed never changes; after a restore it may have, so
 * whoever signs, or looks for such a thing, makes a tree anew.
 */
export function createLogTree({ store, sha256 }: { readonly store: LeafStore; readonly sha256: Sha256 }): LogTree {
  /** By level and index. The one used last stands last. */
  const cache = new Map<string, Slice>();
  let sealed = 0;

  async function subtree({ level, index }: Subtree): Promise<Uint8Array> {
    sealed = Math.max(sealed, (index + 1) * 2 ** level);
    const stage = Math.floor(level / TILE_HEIGHT);
    const height = level - stage * TILE_HEIGHT;
    const width = 2 ** height;
    const at = Math.floor((index * width) / TILE_WIDTH);
    const offset = index * width - at * TILE_WIDTH;
    try {
      return (await slice(stage, at, offset + width))[height]?.[offset / width] as Uint8Array;
    } catch (error) {
      // Leaves beside those asked for may be missing: that they are, is no reason to be silent on these.
      if (!(error instanceof LogBrokenError)) throw error;
      return heightsOf(await read(stage, index * width, { needed: width, most: width }))[height]?.[0] as Uint8Array;
    }
  }

  /** At least the first `needed` nodes of it. */
  async function slice(stage: number, at: number, needed: number): Promise<Slice> {
    const key = `${stage}/${at}`;
    const known = cache.get(key);
    cache.delete(key);
    const first = at * TILE_WIDTH;
    const full = Math.floor(sealed / TILE_WIDTH ** stage) - first;
    const most = Math.max(needed, Math.min(full, TILE_WIDTH));
    const found =
      known !== undefined && (known[0]?.length ?? 0) >= needed
        ? known
        : heightsOf(await read(stage, first, { needed, most }));
    cache.set(key, found);
    const [oldest] = cache.keys();
    if (cache.size > CACHED_SLICES && oldest !== undefined) cache.delete(oldest);
    return found;
  }

  /** Nodes from `first` on of the level that tiles stand on; level 0 is that of the leaves. */
  async function read(
    stage: number,
    first: number,
    { needed, most }: { readonly needed: number; readonly most: number },
  ): Promise<readonly Uint8Array[]> {
    if (stage === 0) return store.readHashes(first, most);
    const tiles = await store.readTiles(stage - 1, first, most);
    const nodes: Uint8Array[] = [];
    for (let index = first; index < first + most; index++) {
      const tile = tiles.get(index);
      if (tile === undefined && nodes.length >= needed) break;
      nodes.push(tile ?? ((await slice(stage - 1, index, TILE_WIDTH))[TILE_HEIGHT]?.[0] as Uint8Array));
    }
    return nodes;
  }

  function heightsOf(nodes: readonly Uint8Array[]): Slice {
    const heights = [nodes];
    for (let below = nodes; below.length > 1; ) {
      const pairs = Math.floor(below.length / 2);
      below = Array.from({ length: pairs }, (_, at) =>
        hashNode(sha256, below[at * 2] as Uint8Array, below[at * 2 + 1] as Uint8Array),
      );
      heights.push(below);
    }
    return heights;
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

  const upTo = (size: number): void => {
    sealed = Math.max(sealed, size);
  };
  return {
    async root(size) {
      const subtrees = rootSubtrees(size);
      upTo(size);
      return join(subtrees);
    },
    async inclusionProof(index, size) {
      const path = inclusionSubtrees(index, size);
      upTo(size);
      return joinEach(path);
    },
    async consistencyProof(from, to) {
      const path = consistencySubtrees(from, to);
      upTo(to);
      return joinEach(path);
    },
    subtree,
  };
}
