import { compactRange } from '../../../domain/audit/compact-range.js';
import type { Sha256 } from '../../../domain/audit/merkle-hash.js';
import { TILE_WIDTH } from './log-tree.js';
import { type LeafStore, LogBrokenError, type Tile } from './ports.js';

/** Tiles made from one read: half a megabyte of hashes. */
const AT_ONCE = 64;

/**
 * Writes the roots of the subtrees that are full at `size` and not written yet, level by level upwards. Again does nothing,
 * and several at once write the same. Throws StoreUnavailableError, LogBrokenError.
 */
export async function fillTiles(
  { store, sha256 }: { readonly store: LeafStore; readonly sha256: Sha256 },
  size: number,
): Promise<void> {
  for (let [level, full] = [0, wholes(size)]; full > 0; [level, full] = [level + 1, wholes(full)]) {
    let next = await store.countTiles(level);
    while (next < full) {
      const count = Math.min(AT_ONCE, full - next);
      const nodes = await readBelow(store, level, next * TILE_WIDTH, count * TILE_WIDTH);
      const tiles: Tile[] = [];
      const range = compactRange(sha256, undefined, (subtree, root) => {
        // Of the subtrees of this read those that are whole tiles.
        if (2 ** subtree.level === TILE_WIDTH) tiles.push({ level, index: next + subtree.index, root });
      });
      for (const node of nodes) range.append(node);
      await store.insertTiles(tiles);
      next += count;
    }
  }
}

const wholes = (nodes: number): number => Math.floor(nodes / TILE_WIDTH);

async function readBelow(store: LeafStore, level: number, first: number, count: number): Promise<Uint8Array[]> {
  if (level === 0) return store.readHashes(first, count);
  const tiles = await store.readTiles(level - 1, first, count);
  return Array.from({ length: count }, (_, offset) => {
    const root = tiles.get(first + offset);
    if (root === undefined)
      throw new LogBrokenError(`expected the tile ${first + offset} of level ${level - 1}, found none`);
    return root;
  });
}
