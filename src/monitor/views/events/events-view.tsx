import { useQuery } from '@tanstack/react-query';
import { eventsQuery } from '../../data/queries.js';
import { useSession } from '../../data/session-store.js';
import type { EventSummary } from '../../data/types.js';
import { useAddress } from '../../data/use-address.js';
import { useSearchBack } from '../../data/use-search-back.js';
import { useSteady } from '../../data/use-steady.js';
import { EVENT_STATE_WORDS, eventWord } from '../../logic/words.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { DataTable, RowLink } from '../../parts/data-table.js';
import { FilterBar, type FilterField } from '../../parts/filter-bar.js';
import { FreshBar } from '../../parts/fresh-bar.js';
import { Hostile } from '../../parts/hostile.js';
import { Pager } from '../../parts/pager.js';
import { SearchProgress } from '../../parts/search-progress.js';
import { Status } from '../../parts/status.js';
import { Age, Time } from '../../parts/time.js';
import { ViewTitle } from '../../parts/view-title.js';
import { FindById } from './find-by-id.js';

const FILTER = [
  'state',
  'eventType',
  'eventName',
  'destination',
  'tenantId',
  'aggregateType',
  'aggregateId',
  'source',
  'since',
  'until',
] as const;
const NAMES = [...FILTER, 'cursor'] as const;
type Name = (typeof FILTER)[number];

const FIELDS: readonly FilterField<Name>[] = [
  {
    kind: 'select',
    name: 'state',
    label: 'State',
    options: Object.entries(EVENT_STATE_WORDS).map(([state, { word }]) => [state, word] as const),
  },
  { kind: 'text', name: 'eventType', label: 'Event type', hint: 'ORDER' },
  { kind: 'text', name: 'eventName', label: 'Event name', hint: 'order.placed.v1' },
  { kind: 'text', name: 'destination', label: 'Routing key', hint: 'audit.log' },
];
const MORE: readonly FilterField<Name>[] = [
  { kind: 'text', name: 'aggregateType', label: 'Aggregate type' },
  { kind: 'text', name: 'aggregateId', label: 'Aggregate id' },
  { kind: 'tenant', name: 'tenantId', label: 'Tenant' },
  { kind: 'text', name: 'source', label: 'Source' },
  { kind: 'time', name: 'since', label: 'Recorded from' },
  { kind: 'time', name: 'until', label: 'Recorded before' },
];

/** Search and filter over all events, the newest first. */
export function EventsView() {
  const { tenantId } = useSession();
  const { params, go, to } = useAddress(NAMES);
  const first = useQuery(eventsQuery(params));
  const search = useSearchBack(
    JSON.stringify(params),
    first,
    (at) => eventsQuery({ ...params, cursor: at }),
    ({ searched }) => searched.events,
  );
  const { query } = search;
  const latest = query.isPlaceholderData ? undefined : query.data?.items;
  const steady = useSteady(search.at, latest, ({ id }) => id, query.data?.next === null);
  const more = tenantId === null ? MORE : MORE.filter(({ name }) => name !== 'tenantId');
  const { cursor, ...filter } = params;
  return (
    <>
      <ViewTitle title="Events" aside={<FindById />} />
      <Card title="Filter">
        <FilterBar what="Events" fields={FIELDS} more={more} params={params} onFilter={go} />
      </Card>
      <Card title="Found">
        <SearchProgress of={search} what="events" backTo={query.data?.searched.backTo ?? null} />
        {!search.going && (
          <Answer query={query} what="The events">
            {({ next, searched }) => (
              <>
                <FreshBar of={{ ...steady, ...search.ahead }} what="events" />
                <EventTable events={steady.items} gone={steady.gone} whole={next === null} />
                <Pager
                  newest={cursor === undefined ? null : to(filter)}
                  older={next === null ? null : to({ ...filter, cursor: next })}
                  asOf={query === first && cursor === undefined ? null : query.dataUpdatedAt}
                  searched={{ count: search.looked, what: 'events', backTo: searched.backTo }}
                />
              </>
            )}
          </Answer>
        )}
      </Card>
    </>
  );
}

interface EventTableProps {
  readonly events: readonly EventSummary[];
  readonly gone: ReadonlySet<string>;
  /** Nothing is further back. */
  readonly whole: boolean;
}

function EventTable({ events, gone, whole }: EventTableProps) {
  return (
    <DataTable
      caption="Events"
      rows={events}
      gone={gone}
      idOf={({ id }) => id}
      empty={whole ? 'None.' : 'None among those that were looked at.'}
      columns={[
        { label: 'Recorded', cell: ({ recordedAt }) => <Time at={recordedAt} /> },
        { label: 'State', cell: (event) => <State of={event} /> },
        {
          label: 'Event',
          cell: ({ id, eventName }) => (
            <>
              <RowLink to={`/events/${id}`}>
                <Hostile text={eventName} />
              </RowLink>
              <div className="dim">
                <Hostile text={id} code />
              </div>
            </>
          ),
        },
        { label: 'Type', cell: ({ eventType }) => <Hostile text={eventType} /> },
        { label: 'Routing key', cell: ({ destination }) => <Hostile text={destination} /> },
        { label: 'Aggregate', cell: ({ aggregate }) => <Hostile text={`${aggregate.type} ${aggregate.id}`} /> },
        { label: 'Tenant', cell: ({ tenantId }) => <Hostile text={tenantId} /> },
        { label: 'Next or settled', cell: ({ dueAt, settledAt }) => <Age at={settledAt ?? dueAt} /> },
      ]}
    />
  );
}

function State({ of: { state, epoch, blocked } }: { readonly of: EventSummary }) {
  return (
    <>
      <Status of={eventWord(state)} />
      {epoch !== null && epoch > 0 && <span className="dim"> epoch {epoch}</span>}
      {blocked && <div className="dim">behind an earlier event of its aggregate</div>}
    </>
  );
}
