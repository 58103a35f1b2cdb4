import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import type { Verification } from '../../../contract/verifications-api.js';
import { verificationQuery } from '../../data/queries.js';
import { formatCount } from '../../logic/format.js';
import { plainText } from '../../logic/hostile.js';
import { ActButton } from '../../parts/act-button.js';
import { Answer } from '../../parts/answer.js';
import { DataTable } from '../../parts/data-table.js';
import { Fact, Facts } from '../../parts/facts.js';
import { Absent, Hostile } from '../../parts/hostile.js';

type Report = NonNullable<Verification['report']>;

/** What a verification looked at, and each place where the log is broken. */
export function VerificationReport({ id, report }: { readonly id: string; readonly report: Report }) {
  const { from, to, records, erased, dropped, pending, signedSize, anchoredSize, counts, breaks } = report;
  return (
    <details open={breaks.length > 0}>
      <summary>{formatCount(records)} records were looked at</summary>
      <Facts>
        <Fact name="Leaves">
          {formatCount(from)} to {formatCount(to)}
        </Fact>
        <Fact name="Erased">{formatCount(erased)}</Fact>
        <Fact name="Dropped by retention">{formatCount(dropped)}</Fact>
        <Fact name="Not sealed then">{formatCount(pending)}</Fact>
        <Fact name="Signed">{formatCount(signedSize)}</Fact>
        <Fact name="Anchored">{anchoredSize === null ? <Absent /> : formatCount(anchoredSize)}</Fact>
        {Object.entries(counts).map(([kind, count]) => (
          <Fact key={kind} name={`Broken: ${plainText(kind)}`}>
            {formatCount(count)}
          </Fact>
        ))}
      </Facts>
      {breaks.length > 0 && (
        <Breaks id={id} few={breaks} found={Object.values(counts).reduce((sum, n) => sum + n, 0)} />
      )}
    </details>
  );
}

interface BreaksProps {
  readonly id: string;
  /** As many as the list has. */
  readonly few: Report['breaks'];
  readonly found: number;
}

function Breaks({ id, few, found }: BreaksProps) {
  const [all, setAll] = useState(false);
  if (all) return <AllBreaks id={id} />;
  return (
    <>
      <BreakTable breaks={few} />
      {few.length < found && (
        <div>
          <ActButton onClick={() => setAll(true)}>Show more of {formatCount(found)}</ActButton>
        </div>
      )}
    </>
  );
}

function AllBreaks({ id }: { readonly id: string }) {
  const query = useQuery(verificationQuery(id));
  return (
    <Answer query={query} what="The verification">
      {({ report }) => <BreakTable breaks={report?.breaks ?? []} />}
    </Answer>
  );
}

function BreakTable({ breaks }: { readonly breaks: Report['breaks'] }) {
  return (
    <DataTable
      caption="Where it is broken"
      rows={breaks.map((found, index) => ({ ...found, key: String(index) }))}
      idOf={({ key }) => key}
      empty="Nowhere"
      columns={[
        { label: 'Kind', cell: ({ kind }) => <Hostile text={kind} code /> },
        { label: 'Leaf', numeric: true, cell: ({ index }) => (index === null ? <Absent /> : formatCount(index)) },
        { label: 'Record', cell: ({ recordId }) => <Broken recordId={recordId} /> },
        { label: 'What', cell: ({ what }) => <Hostile text={what} /> },
      ]}
    />
  );
}

function Broken({ recordId }: { readonly recordId: string | null }) {
  if (recordId === null) return <Absent />;
  return (
    <Link href={`/audit/${encodeURIComponent(recordId)}`}>
      <Hostile text={recordId} code />
    </Link>
  );
}
