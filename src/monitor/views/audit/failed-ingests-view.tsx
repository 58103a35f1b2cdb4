import { useQuery } from '@tanstack/react-query';
import { failedIngestsQuery } from '../../data/queries.js';
import { useAddress } from '../../data/use-address.js';
import { useSteady } from '../../data/use-steady.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { DataTable, RowLink } from '../../parts/data-table.js';
import { FilterBar, type FilterField } from '../../parts/filter-bar.js';
import { FreshBar } from '../../parts/fresh-bar.js';
import { Hostile } from '../../parts/hostile.js';
import { Pager } from '../../parts/pager.js';
import { Age } from '../../parts/time.js';
import { ViewTitle } from '../../parts/view-title.js';
import { AuditLinks } from './audit-links.js';

const NAMES = ['state', 'code', 'source', 'since', 'until', 'before'] as const;

const FIELDS: readonly FilterField<(typeof NAMES)[number]>[] = [
  {
    kind: 'select',
    name: 'state',
    label: 'State',
    unchosen: 'Open',
    options: [
      ['stored', 'Stored'],
      ['other_content', 'Other content stands'],
      ['discarded', 'Discarded'],
    ],
  },
  { kind: 'text', name: 'code', label: 'Code', hint: 'A SQLSTATE, or an error' },
  { kind: 'text', name: 'source', label: 'Source' },
  { kind: 'time', name: 'since', label: 'Kept from' },
  { kind: 'time', name: 'until', label: 'Kept before' },
];

/** What the audit log could not store, for a reason of its own; what our outbox sent is a dead letter and not here. */
export function FailedIngestsView() {
  const { params, go, to } = useAddress(NAMES);
  const query = useQuery(failedIngestsQuery(params));
  const latest = query.isPlaceholderData ? undefined : query.data?.items;
  const steady = useSteady(JSON.stringify(params), latest, ({ id }) => id, query.data?.next === null);
  const { before, ...filter } = params;
  return (
    <>
      <ViewTitle title="Not stored">
        <AuditLinks />
      </ViewTitle>
      <Card title="Filter">
        <FilterBar what="Not stored" fields={FIELDS} params={params} onFilter={go} />
      </Card>
      <Card title="Kept until they can be stored">
        <Answer query={query} what="What was not stored">
          {({ next }) => (
            <>
              <FreshBar of={steady} what="ones" />
              <DataTable
                caption="Not stored"
                rows={steady.items}
                gone={steady.gone}
                idOf={({ id }) => id}
                empty="None in this state."
                columns={[
                  {
                    label: 'Why',
                    cell: ({ id, code, message }) => (
                      <>
                        <RowLink to={`/audit/not-stored/${id}`}>
                          <Hostile text={code} code />
                        </RowLink>{' '}
                        <Hostile text={message} />
                      </>
                    ),
                  },
                  { label: 'Source', cell: ({ source }) => <Hostile text={source} /> },
                  { label: 'Event id', cell: ({ eventId }) => <Hostile text={eventId} code /> },
                  { label: 'Tenant', cell: ({ tenantId }) => <Hostile text={tenantId} /> },
                  { label: 'Tries', numeric: true, cell: ({ tries }) => tries },
                  { label: 'First', cell: ({ firstAt }) => <Age at={firstAt} /> },
                  { label: 'Last', cell: ({ lastAt }) => <Age at={lastAt} /> },
                ]}
              />
              <Pager
                newest={before === undefined ? null : to(filter)}
                older={next === null ? null : to({ ...filter, before: next })}
                asOf={before === undefined ? null : query.dataUpdatedAt}
              />
            </>
          )}
        </Answer>
      </Card>
    </>
  );
}
