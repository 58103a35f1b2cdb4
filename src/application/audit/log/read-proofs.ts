import { type ApiKey, tenantToRead } from '../../../domain/audit/api-key.js';
import { sameBytes } from '../../../domain/audit/merkle-hash.js';
import type { LogTree } from './log-tree.js';
import { type CheckpointStore, LogBrokenError, type PlaceStore, type StoredCheckpoint } from './ports.js';

export interface ReadProofsDeps {
  /** A tree for one answer: what one has kept of a log before a restore would make proofs that are none. */
  readonly newTree: () => LogTree;
  readonly checkpoints: Pick<CheckpointStore, 'readNewest'>;
  readonly places: PlaceStore;
}

export type ConsistencyAnswer =
  | { readonly kind: 'proof'; readonly hashes: readonly Uint8Array[] }
  /** Not 1 ≤ from ≤ to ≤ the size of the newest checkpoint, which is told; 0: there is none yet. */
  | { readonly kind: 'outside'; readonly size: number };

export type InclusionAnswer =
  | {
      readonly kind: 'proof';
      readonly index: number;
      readonly size: number;
      readonly hashes: readonly Uint8Array[];
      /** The signed checkpoint that the proof is against. */
      readonly note: string;
    }
  /** Not there, or not this key's to know of. */
  | { readonly kind: 'missing' }
  /** Stored, and in no checkpoint yet. */
  | { readonly kind: 'not_signed_yet' };

export interface ReadProofs {
  /** The newest signed checkpoint; null: nothing is signed yet. */
  checkpoint(): Promise<StoredCheckpoint | null>;
  consistency(from: number, to: number): Promise<ConsistencyAnswer>;
  inclusion(key: ApiKey, recordId: string): Promise<InclusionAnswer>;
}

/**
 * What anybody may check about the log without trusting it: RFC 9162 proofs against the newest checkpoint. A tree's size
 * and a record's index say how much all tenants together store, and nothing else of them. Throws StoreUnavailableError,
 * LogBrokenError.
 */
export function readProofs({ newTree, checkpoints, places }: ReadProofsDeps): ReadProofs {
  return {
    checkpoint: () => checkpoints.readNewest(),

    async consistency(from, to) {
      const size = (await checkpoints.readNewest())?.size ?? 0;
      if (!(from >= 1 && from <= to && to <= size)) return { kind: 'outside', size };
      return { kind: 'proof', hashes: await newTree().consistencyProof(from, to) };
    },

    async inclusion(key, recordId) {
      const tenantId = tenantToRead(key, undefined);
      const record = tenantId === 'forbidden' ? null : await places.find(recordId, tenantId);
      if (record === null) return { kind: 'missing' };
      const checkpoint = await checkpoints.readNewest();
      const seal = await places.findSeal(record);
      if (checkpoint === null || seal === null) return { kind: 'not_signed_yet' };
      const at = seal.hashes.findIndex((hash) => sameBytes(hash, record.leafHash));
      if (at === -1) {
        throw new LogBrokenError(
          `expected the leaf of record ${recordId} in the seal at ${seal.firstIndex}, found none`,
        );
      }
      const index = seal.firstIndex + at;
      const { size, note } = checkpoint;
      if (index >= size) return { kind: 'not_signed_yet' };
      return { kind: 'proof', index, size, hashes: await newTree().inclusionProof(index, size), note };
    },
  };
}
