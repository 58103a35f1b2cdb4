import { useQuery } from '@tanstack/react-query';
import { proofStatesQuery } from '../data/queries.js';
import { PROOF_WORDS } from '../logic/words.js';
import { Status } from './status.js';

/** How far the proof of one record has come. */
export function ProofState({ recordId }: { readonly recordId: string }) {
  const { data, error } = useQuery(proofStatesQuery([recordId]));
  const found = data?.items.find((item) => item.recordId === recordId);
  if (found === undefined) {
    return error === null ? <span className="dim">being looked up</span> : <Status of={PROOF_WORDS.unknown} />;
  }
  return (
    <>
      <Status of={PROOF_WORDS[found.state]} />
      {found.index !== null && <span className="dim"> leaf {found.index}</span>}
    </>
  );
}
