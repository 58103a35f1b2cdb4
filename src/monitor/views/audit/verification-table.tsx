import { Link } from 'wouter';
import type { Verification } from '../../../contract/verifications-api.js';
import { useServerNow } from '../../data/stream.js';
import { formatCount } from '../../logic/format.js';
import { verificationWord } from '../../logic/words.js';
import { DataTable } from '../../parts/data-table.js';
import { Hostile } from '../../parts/hostile.js';
import { Status } from '../../parts/status.js';
import { Time } from '../../parts/time.js';
import { VerificationReport } from './verification-report.js';

/** Verifications, the newest first, with what each found. */
export function VerificationTable({ verifications }: { readonly verifications: readonly Verification[] }) {
  return (
    <DataTable
      caption="Verifications"
      rows={verifications}
      idOf={({ id }) => id}
      empty="None was ever asked for."
      columns={[
        { label: 'Asked', cell: ({ askedAt }) => <Time at={askedAt} /> },
        { label: 'Of', cell: ({ recordId }) => <Of recordId={recordId} /> },
        { label: 'By', cell: ({ askedBy }) => <Hostile text={askedBy} /> },
        { label: 'Found', cell: (verification) => <Found of={verification} /> },
        { label: 'Ended', cell: ({ endedAt }) => <Time at={endedAt} /> },
      ]}
    />
  );
}

function Of({ recordId }: { readonly recordId: string | null }) {
  if (recordId === null) return 'the whole log';
  return (
    <>
      the part of <Link href={`/audit/${recordId}`}>{recordId}</Link>
    </>
  );
}

function Found({ of }: { readonly of: Verification }) {
  return (
    <>
      <Status of={verificationWord(of)} />
      <Waiting of={of} />
      {of.state === 'running' && of.progress !== null && (
        <div>
          <progress
            aria-label="Records that were looked at"
            value={of.progress.done}
            max={Math.max(of.progress.of, 1)}
          />{' '}
          {formatCount(of.progress.done)} of {formatCount(of.progress.of)}
        </div>
      )}
      {of.error !== null && (
        <div>
          <Hostile text={of.error} />
        </div>
      )}
      {of.report !== null && <VerificationReport id={of.id} report={of.report} />}
    </>
  );
}

/** A worker that is there takes it at once. */
const TAKEN_WITHIN_MS = 35_000;

function Waiting({ of: { state, askedAt } }: { readonly of: Verification }) {
  const now = useServerNow();
  if (state !== 'asked' || now - Date.parse(askedAt) < TAKEN_WITHIN_MS) return null;
  return <div>No worker has taken it yet: is one there, with the log's keys?</div>;
}
