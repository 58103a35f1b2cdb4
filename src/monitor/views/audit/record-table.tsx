import { useQuery } from '@tanstack/react-query';
import type { RecordView } from '../../../contract/audit-records-api.js';
import { proofStatesQuery } from '../../data/queries.js';
import { actorOf, isErased, targetsOf, textOf } from '../../logic/audit-record.js';
import { PROOF_WORDS } from '../../logic/words.js';
import { DataTable, RowLink } from '../../parts/data-table.js';
import { Hostile } from '../../parts/hostile.js';
import { Status } from '../../parts/status.js';
import { Time } from '../../parts/time.js';

export interface RecordTableProps {
  readonly records: readonly RecordView[];
  readonly gone: ReadonlySet<string>;
  /** Nothing is further back. */
  readonly whole: boolean;
}

type Stored = Exclude<RecordView, { erased: true }>;

/** Records, and how far the proof of each has come. */
export function RecordTable({ records, gone, whole }: RecordTableProps) {
  const proofs = useQuery(proofStatesQuery(records.map(({ recordId }) => recordId)));
  const states = new Map((proofs.data?.items ?? []).map((item) => [item.recordId, item.state]));
  const cell = (show: (record: Stored) => string | null) => (record: RecordView) =>
    isErased(record) ? null : <Hostile text={show(record)} />;
  return (
    <DataTable
      caption="Records"
      rows={records}
      gone={gone}
      idOf={({ recordId }) => recordId}
      empty={whole ? 'None.' : 'None among those that were looked at.'}
      columns={[
        { label: 'Recorded', cell: ({ recordedAt }) => <Time at={recordedAt} /> },
        {
          label: 'Action',
          cell: (record) => (
            <RowLink to={`/audit/${record.recordId}`}>
              {isErased(record) ? 'Erased' : <Hostile text={textOf(record, 'action') ?? '(none)'} />}
            </RowLink>
          ),
        },
        { label: 'Outcome', cell: cell((record) => textOf(record, 'outcome')) },
        { label: 'Actor', cell: cell(actorOf) },
        { label: 'Target', cell: cell((record) => targetsOf(record).join(', ') || null) },
        { label: 'Tenant', cell: cell(({ tenantId }) => tenantId) },
        { label: 'Source', cell: cell((record) => textOf(record, 'source')) },
        { label: 'Proof', cell: ({ recordId }) => <Proof state={states.get(recordId)} failed={proofs.isError} /> },
      ]}
    />
  );
}

interface ProofProps {
  readonly state: keyof typeof PROOF_WORDS | undefined;
  readonly failed: boolean;
}

function Proof({ state, failed }: ProofProps) {
  if (state !== undefined) return <Status of={PROOF_WORDS[state]} />;
  return failed ? <Status of={PROOF_WORDS.unknown} /> : <span className="dim">being looked up</span>;
}
