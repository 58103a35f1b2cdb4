import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { recordQuery } from '../../data/queries.js';
import { isErased } from '../../logic/audit-record.js';
import { isUuid } from '../../logic/search-params.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Hostile } from '../../parts/hostile.js';
import { JsonBlock } from '../../parts/json-block.js';
import { ProofState } from '../../parts/proof-state.js';
import { Status } from '../../parts/status.js';
import { Time } from '../../parts/time.js';

export interface ReceiptCardProps {
  readonly receipt: Readonly<Record<string, unknown>>;
  /** Then it names a record. */
  readonly inAuditLog: boolean;
  /** null: it may be read. */
  readonly whyNoRecord: string | null;
}

/** What the destination answered; of the audit log the record that it became, and its proof. */
export function ReceiptCard({ receipt, inAuditLog, whyNoRecord }: ReceiptCardProps) {
  const { id, hash } = receipt;
  const named = inAuditLog && typeof id === 'string' && isUuid(id) ? id : null;
  return (
    <Card title="Receipt, record, proof">
      {named !== null && whyNoRecord === null && <RecordFacts recordId={named} hash={hash} />}
      {named !== null && whyNoRecord !== null && <p className="dim">{whyNoRecord}.</p>}
      <details open={named === null}>
        <summary>The receipt as it came</summary>
        <JsonBlock what="receipt" text={JSON.stringify(receipt, null, 2)} />
      </details>
    </Card>
  );
}

function RecordFacts({ recordId, hash }: { readonly recordId: string; readonly hash: unknown }) {
  const query = useQuery(recordQuery(recordId));
  return (
    <Answer query={query} what="The record">
      {(record) => (
        <Facts>
          <Fact name="Record">
            <Link href={`/audit/${recordId}`}>{recordId}</Link>
          </Fact>
          <Fact name="Stored">
            <Time at={record.recordedAt} />
          </Fact>
          <Fact name="Hash">
            <Hostile text={record.hash} code /> <SameHash stored={record.hash} told={hash} erased={isErased(record)} />
          </Fact>
          <Fact name="Proof">
            <ProofState recordId={recordId} />
          </Fact>
        </Facts>
      )}
    </Answer>
  );
}

interface SameHashProps {
  readonly stored: string | null;
  readonly told: unknown;
  readonly erased: boolean;
}

/** The receipt tells the hash of then. */
function SameHash({ stored, told, erased }: SameHashProps) {
  if (erased) return <span className="dim">its content was erased</span>;
  if (typeof told !== 'string' || stored === null) return null;
  if (told === stored) return <Status of={{ word: 'As in the receipt', tone: 'good', shape: 'check' }} />;
  return <Status of={{ word: 'Not as in the receipt', tone: 'bad', shape: 'cross' }} />;
}
