import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { blockedQuery } from '../../data/queries.js';
import { formatCount } from '../../logic/format.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { CodeName } from '../../parts/code-name.js';
import { DataTable, RowLink } from '../../parts/data-table.js';
import { Absent, Hostile } from '../../parts/hostile.js';
import { Pager } from '../../parts/pager.js';
import { Age } from '../../parts/time.js';

export interface BlockedTableProps {
  readonly after: string | undefined;
  /** Where the first page is; null: this is it. */
  readonly first: string | null;
  readonly behind: (next: string) => string;
}

/** Events behind it are counted so far. */
const COUNTED = 1_000;

/** Aggregates whose order holds events back: who waits behind which dead event. */
export function BlockedTable({ after, first, behind }: BlockedTableProps) {
  const query = useQuery(blockedQuery({ after }));
  return (
    <Card title="Blocked aggregates">
      <Answer query={query} what="The blocked aggregates">
        {({ items, next }) => (
          <>
            <DataTable
              caption="Blocked aggregates"
              rows={items}
              idOf={({ head }) => head.eventId}
              empty="None: nothing waits behind a dead event."
              columns={[
                {
                  label: 'Aggregate',
                  cell: ({ aggregate }) => (
                    <Hostile text={aggregate === null ? null : `${aggregate.type} ${aggregate.id}`} />
                  ),
                },
                { label: 'Type', cell: ({ eventType }) => <Hostile text={eventType} /> },
                { label: 'Routing key', cell: ({ destination }) => <Hostile text={destination} /> },
                { label: 'Tenant', cell: ({ tenantId }) => <Hostile text={tenantId} /> },
                {
                  label: 'Behind the event',
                  cell: ({ head }) => <RowLink to={`/events/${head.eventId}`}>version {head.version}</RowLink>,
                },
                { label: 'Dead since', cell: ({ head }) => <Age at={head.deadSince} /> },
                { label: 'Code', cell: ({ head }) => <CodeName code={head.code} /> },
                { label: 'Waiting', numeric: true, cell: ({ waiting }) => formatCount(waiting, COUNTED) },
                { label: 'Letter', cell: ({ head }) => <LetterLink id={head.deadLetterId} /> },
              ]}
            />
            <Pager
              newest={first}
              older={next === null ? null : behind(next)}
              asOf={after === undefined ? null : query.dataUpdatedAt}
            />
          </>
        )}
      </Answer>
    </Card>
  );
}

function LetterLink({ id }: { readonly id: string | null }) {
  return id === null ? <Absent /> : <Link href={`/dead-letters/${id}`}>Redrive or discard it</Link>;
}
