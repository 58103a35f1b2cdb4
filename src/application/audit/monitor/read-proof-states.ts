import type { AnswerOf } from '../../../contract/answers.js';
import type { proofStatesSchema } from '../../../contract/verifications-api.js';
import { type ApiKey, tenantToRead } from '../../../domain/audit/api-key.js';

export type ProofStates = AnswerOf<typeof proofStatesSchema>;

/** Where a record's leaf stands: its index, `unsealed`, or `astray`: the seal of its place has no such leaf. */
export type LeafPlace = number | 'unsealed' | 'astray';

/** Where records stand in the log. Throws StoreUnavailableError when the database cannot answer. */
export interface ProofStateStore {
  /**
   * Of the records with these ids (lower case) that stand and are of this tenant, or of any (null): their places, by id.
   * `signedSize`: of the newest checkpoint; 0: none, or no record was found.
   */
  find(
    recordIds: readonly string[],
    tenantId: string | null,
  ): Promise<{ readonly signedSize: number; readonly places: ReadonlyMap<string, LeafPlace> }>;
}

export type ReadProofStates = (key: ApiKey, recordIds: readonly string[]) => Promise<ProofStates>;

/**
 * How far the proof of each record has come, in the order asked: signed by a checkpoint, sealed, not sealed. Not known of
 * what is not there, or another tenant's, or no leaf of the seal that it should be in: a proof says what is wrong there.
 * Throws StoreUnavailableError.
 */
export function readProofStates(store: ProofStateStore): ReadProofStates {
  return async (key, recordIds) => {
    const tenantId = tenantToRead(key, undefined);
    const ids = [...new Set(recordIds.map((id) => id.toLowerCase()))];
    const { signedSize, places } =
      tenantId === 'forbidden'
        ? { signedSize: 0, places: new Map<string, LeafPlace>() }
        : await store.find(ids, tenantId);
    const items = recordIds.map((recordId) => {
      const place = places.get(recordId.toLowerCase());
      return { recordId, ...stateOf(place, signedSize) };
    });
    return { items };
  };
}

function stateOf(place: LeafPlace | undefined, signedSize: number): Omit<ProofStates['items'][number], 'recordId'> {
  if (place === undefined || place === 'astray') return { state: 'unknown', index: null };
  if (place === 'unsealed') return { state: 'unsealed', index: null };
  return { state: place < signedSize ? 'signed' : 'sealed', index: place };
}
