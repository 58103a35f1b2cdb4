import { HASH_BYTES } from '../../../domain/audit/merkle-hash.js';
import type { LogTree } from '../log/log-tree.js';
import { LogBrokenError } from '../log/ports.js';
import type { ProvableRecord, ProvableStore } from './ports.js';

export interface Proof {
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
}

/**
 * The seam between an export and the log: for a page of records, whoever read it, each one's index and proof against one
 * size; null: not in a tree of that size. Records that stand near each other find most of their proofs in what the tree has
 * in its memory. Throws StoreUnavailableError, LogBrokenError.
 */
export type ProveRecords = (
  records: readonly Pick<ProvableRecord, 'recordId' | 'place' | 'leafHash'>[],
) => Promise<readonly (Proof | null)[]>;

/** Of 160 KB each: the one that records of one time are in, and its neighbours. */
const SEALS_KEPT = 8;

export function proveRecords(
  { store, tree }: { readonly store: Pick<ProvableStore, 'findSeals' | 'readSeal'>; readonly tree: LogTree },
  size: number,
): ProveRecords {
  const kept = new Map<number, Uint8Array | null>();
  const readSeal = async (first: number): Promise<Uint8Array | null> => {
    const hashes = kept.get(first) ?? (await store.readSeal(first));
    kept.delete(first);
    kept.set(first, hashes);
    const [oldest] = kept.keys();
    if (kept.size > SEALS_KEPT && oldest !== undefined) kept.delete(oldest);
    return hashes;
  };
  return async (records) => {
    const seals = await store.findSeals(records.map(({ place }) => place));
    const proofs: (Proof | null)[] = [];
    for (const [at, { recordId, leafHash }] of records.entries()) {
      const first = seals[at] ?? null;
      if (first === null || first >= size) {
        proofs.push(null);
        continue;
      }
      const offset = offsetOf((await readSeal(first)) ?? new Uint8Array(0), leafHash);
      if (offset === -1) {
        throw new LogBrokenError(`expected the leaf of record ${recordId} in the seal at ${first}, found none`);
      }
      const index = first + offset;
      proofs.push(index >= size ? null : { index, hashes: await tree.inclusionProof(index, size) });
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
