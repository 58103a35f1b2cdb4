import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { proofQuery } from '../../data/queries.js';
import { RequestError } from '../../data/request.js';
import { formatCount } from '../../logic/format.js';
import { Loading } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { ErrorBox } from '../../parts/error-box.js';
import { JsonBlock } from '../../parts/json-block.js';
import { Notice } from '../../parts/notice.js';
import { ProofState } from '../../parts/proof-state.js';
import { VerifyButton } from './verify-button.js';

/** That a record stands in the log, for whoever wants to check it elsewhere. */
export function ProofCard({ recordId }: { readonly recordId: string }) {
  const [open, setOpen] = useState(false);
  return (
    <Card title="Proof" aside={<ProofState recordId={recordId} />}>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Show the proof</summary>
        {open && <Proof recordId={recordId} />}
      </details>
      <VerifyButton recordId={recordId} />
    </Card>
  );
}

function Proof({ recordId }: { readonly recordId: string }) {
  const { data, error } = useQuery(proofQuery(recordId));
  if (data !== undefined) {
    return (
      <>
        <p>
          Leaf {formatCount(data.index)} of a signed log of {formatCount(data.size)}, by {data.hashes.length} hashes to
          its root (RFC 9162). The verifier that needs nothing of ours: outbox-verify.
        </p>
        <JsonBlock what="proof" text={JSON.stringify(data, null, 2)} />
      </>
    );
  }
  if (error === null) return <Loading what="The proof" />;
  if (error instanceof RequestError && error.code === 'not_signed_yet') {
    return (
      <Notice tone="info">
        <p>No signed checkpoint covers it yet. That takes some seconds, and is looked at again by itself.</p>
      </Notice>
    );
  }
  return <ErrorBox error={error} what="The proof could not be read" />;
}
