import { HASH_BYTES, type Sha256 } from '../../../domain/audit/merkle-hash.js';
import { inclusionSubtrees, joinSubtrees, type Subtree } from '../../../domain/audit/merkle-tree.js';
import type { LogTree } from '../log/log-tree.js';
import { LogBrokenError } from '../log/ports.js';
import type { ProvableRecord, ProvableStore } from './ports.js';

export interface Proof {
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
}

/**
 * The seam between an export and the log: for a page of records, whoever read it, each one's index and proof against one
 * size; null: not in a tree of that size. Records that stand near each other share most of their proofs, so subtrees are
 * kept, at most `MOST_KEPT` of them. Throws StoreUnavailableError, LogBrokenError.
 */
export type ProveRecords = (
  records: readonly Pick<ProvableRecord, 'recordId' | 'place' | 'leafHash'>[],
) => Promise<readonly (Proof | null)[]>;

const MOST_KEPT = 20_000;

export function proveRecords(
  {
    store,
    tree,
    sha256,
  }: { readonly store: Pick<ProvableStore, 'findSeals'>; readonly tree: LogTree; readonly sha256: Sha256 },
  size: number,
): ProveRecords {
  const kept = new Map<string, Uint8Array>();
  const rootOf = async (subtree: Subtree): Promise<Uint8Array> => {
    const key = `${subtree.level}/${subtree.index}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const root = await tree.subtree(subtree);
    if (kept.size >= MOST_KEPT) kept.clear();
    kept.set(key, root);
    return root;
  };
  return async (records) => {
    const seals = await store.findSeals(records.map(({ place }) => place));
    const proofs: (Proof | null)[] = [];
    for (const [at, { recordId, leafHash }] of records.entries()) {
      const seal = seals[at] ?? null;
      const offset = seal === null ? 0 : offsetOf(seal.hashes, leafHash);
      if (seal !== null && offset === -1) {
        throw new LogBrokenError(
          `expected the leaf of record ${recordId} in the seal at ${seal.firstIndex}, found none`,
        );
      }
      const index = (seal?.firstIndex ?? 0) + offset;
      if (seal === null || index >= size) proofs.push(null);
      else {
        const hashes: Uint8Array[] = [];
        for (const part of inclusionSubtrees(index, size)) {
          const roots: Uint8Array[] = [];
          for (const subtree of part) roots.push(await rootOf(subtree));
          hashes.push(joinSubtrees(sha256, roots));
        }
        proofs.push({ index, hashes });
      }
    }
    return proofs;
  };
}

/** Of the leaf among hashes end to end; -1: it is none of them. */
function offsetOf(hashes: Uint8Array, leafHash: Uint8Array): number {
  const bytes = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
  for (let at = bytes.indexOf(leafHash); at !== -1; at = bytes.indexOf(leafHash, at + 1)) {
    if (at % HASH_BYTES === 0) return at / HASH_BYTES;
  }
  return -1;
}
