import { useQuery } from '@tanstack/react-query';
import { recordsQuery } from '../../data/queries.js';
import { useSession } from '../../data/session-store.js';
import { useAddress } from '../../data/use-address.js';
import { useSearchBack } from '../../data/use-search-back.js';
import { useSteady } from '../../data/use-steady.js';
import {
  ACTOR_TYPES,
  CATEGORIES,
  OPERATIONS,
  OUTCOMES,
  RECORD_FILTER,
  type RecordFilterName,
  SEVERITIES,
} from '../../logic/record-filter.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { FilterBar, type FilterField } from '../../parts/filter-bar.js';
import { FreshBar } from '../../parts/fresh-bar.js';
import { Pager } from '../../parts/pager.js';
import { SearchProgress } from '../../parts/search-progress.js';
import { ViewTitle } from '../../parts/view-title.js';
import { AuditLinks } from './audit-links.js';
import { ExportLinks } from './export-links.js';
import { RecordTable } from './record-table.js';
import { TenantNotice } from './tenant-notice.js';

const NAMES = [...RECORD_FILTER, 'cursor'] as const;

const FIELDS: readonly FilterField<RecordFilterName>[] = [
  { kind: 'text', name: 'text', label: 'With the text' },
  { kind: 'text', name: 'action', label: 'Action', hint: 'auth.user' },
  { kind: 'select', name: 'outcome', label: 'Outcome', options: asOptions(OUTCOMES) },
  { kind: 'text', name: 'actorId', label: 'Actor id' },
];
const MORE: readonly FilterField<RecordFilterName>[] = [
  { kind: 'select', name: 'actorType', label: 'Actor type', options: asOptions(ACTOR_TYPES) },
  { kind: 'text', name: 'targetType', label: 'Target type' },
  { kind: 'text', name: 'targetId', label: 'Target id' },
  { kind: 'select', name: 'category', label: 'Category', options: asOptions(CATEGORIES) },
  { kind: 'select', name: 'operation', label: 'Operation', options: asOptions(OPERATIONS) },
  { kind: 'select', name: 'severity', label: 'Severity', options: asOptions(SEVERITIES) },
  { kind: 'tenant', name: 'tenantId', label: 'Tenant' },
  { kind: 'text', name: 'source', label: 'Source' },
  { kind: 'time', name: 'recordedFrom', label: 'Recorded from' },
  { kind: 'time', name: 'recordedTo', label: 'Recorded before' },
  { kind: 'time', name: 'occurredFrom', label: 'Occurred from' },
  { kind: 'time', name: 'occurredTo', label: 'Occurred before' },
];

/** Search over the records, the newest first. */
export function RecordsView() {
  const { tenantId } = useSession();
  const { params, go, to } = useAddress(NAMES);
  const first = useQuery(recordsQuery(params));
  const search = useSearchBack(
    JSON.stringify(params),
    first,
    (at) => recordsQuery({ ...params, cursor: at }),
    ({ searched }) => searched.records,
  );
  const { query } = search;
  const latest = query.isPlaceholderData ? undefined : query.data?.items;
  const steady = useSteady(search.at, latest, ({ recordId }) => recordId, query.data?.next === null);
  const { cursor, ...filter } = params;
  return (
    <>
      <ViewTitle title="Audit log">
        <AuditLinks />
      </ViewTitle>
      <TenantNotice />
      <Card title="Filter">
        <FilterBar
          what="Records"
          fields={FIELDS}
          more={tenantId === null ? MORE : MORE.filter(({ name }) => name !== 'tenantId')}
          params={params}
          onFilter={go}
        />
        <ExportLinks filter={filter} />
      </Card>
      <Card title="Records">
        <SearchProgress of={search} what="records" backTo={query.data?.searched.backTo ?? null} />
        {!search.going && (
          <Answer query={query} what="The records">
            {({ next, searched }) => (
              <>
                <FreshBar of={{ ...steady, ...search.ahead }} what="records" />
                <RecordTable records={steady.items} gone={steady.gone} whole={next === null} />
                <Pager
                  newest={cursor === undefined ? null : to(filter)}
                  older={next === null ? null : to({ ...filter, cursor: next })}
                  asOf={query === first && cursor === undefined ? null : query.dataUpdatedAt}
                  searched={{ count: search.looked, what: 'records', backTo: searched.backTo }}
                />
              </>
            )}
          </Answer>
        )}
      </Card>
    </>
  );
}

function asOptions(values: readonly string[]): readonly (readonly [string, string])[] {
  return values.map((value) => [value, value] as const);
}
