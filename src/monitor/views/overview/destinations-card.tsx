import { lazy, Suspense, useState } from 'react';
import { Link } from 'wouter';
import type { OverviewValue } from '../../../contract/overview-api.js';
import { OVERVIEW_BOUNDS } from '../../data/paths.js';
import { useSession } from '../../data/session-store.js';
import { usePart } from '../../data/stream.js';
import { formatCount, formatMeasured } from '../../logic/format.js';
import { plainText } from '../../logic/hostile.js';
import { writeParams } from '../../logic/search-params.js';
import { BREAKER_WORDS, HEALTH_WORDS } from '../../logic/words.js';
import { ActButton, VIEWER_WHY } from '../../parts/act-button.js';
import { Card } from '../../parts/card.js';
import { CodeName } from '../../parts/code-name.js';
import { DataTable } from '../../parts/data-table.js';
import { Absent, Hostile } from '../../parts/hostile.js';
import { PartNote, PartState } from '../../parts/part-note.js';
import { Status } from '../../parts/status.js';
import { Age } from '../../parts/time.js';
import classes from './destinations-card.module.css';
import type { PauseAsked } from './pause-dialog.js';

const PauseDialog = lazy(async () => ({ default: (await import('./pause-dialog.js')).PauseDialog }));

type Destinations = OverviewValue<'destinations'>;
type Destination = Destinations['destinations'][number];

/** Where events go: breaker, health, failures and outages of each, and what is held. */
export function DestinationsCard() {
  const part = usePart('destinations');
  const { may } = useSession();
  const [asked, setAsked] = useState<PauseAsked | null>(null);
  const why = may.changeDelivery ? null : VIEWER_WHY;
  const value = part?.value ?? null;
  return (
    <Card title="Destinations" anchor="destinations" aside={<PartState part={part} />}>
      <PartNote part={part} />
      {value !== null && (
        <>
          <DestinationTable
            destinations={value.destinations}
            why={why}
            onPause={(name) => setAsked({ kind: 'pause', destination: name })}
          />
          <PauseTable pauses={value.pauses} why={why} onResume={(pause) => setAsked({ kind: 'resume', pause })} />
          <div>
            <ActButton why={why} onClick={() => setAsked({ kind: 'pause', destination: null })}>
              Pause all destinations
            </ActButton>
          </div>
        </>
      )}
      {asked !== null && (
        <Suspense fallback={null}>
          <PauseDialog asked={asked} onClose={() => setAsked(null)} />
        </Suspense>
      )}
    </Card>
  );
}

interface DestinationTableProps {
  readonly destinations: readonly Destination[];
  readonly why: string | null;
  readonly onPause: (name: string) => void;
}

function DestinationTable({ destinations, why, onPause }: DestinationTableProps) {
  const count = (value: number) => formatCount(value, OVERVIEW_BOUNDS.open);
  return (
    <DataTable
      caption="Destinations"
      rows={destinations}
      idOf={({ name }) => name}
      empty="No event has gone anywhere yet."
      columns={[
        { label: 'Routing key', cell: ({ name }) => <Hostile text={name} /> },
        { label: 'Breaker', cell: ({ breaker }) => <Status of={BREAKER_WORDS[breaker]} /> },
        { label: 'Health', cell: ({ health }) => <Status of={HEALTH_WORDS[health]} /> },
        { label: 'Failures', cell: (destination) => <Failures of={destination} /> },
        { label: 'p95', numeric: true, cell: ({ p95Ms }) => formatMeasured(p95Ms) },
        { label: 'Waiting', numeric: true, cell: ({ waiting }) => count(waiting) },
        { label: 'Running', numeric: true, cell: ({ running }) => count(running) },
        { label: 'Last success', cell: ({ lastSuccessAt }) => <Age at={lastSuccessAt} /> },
        { label: 'Latest outage', cell: ({ outage }) => <Outage of={outage} /> },
        {
          label: 'Actions',
          unseen: true,
          cell: ({ name }) => (
            <ActButton why={why} onClick={() => onPause(name)}>
              Pause <span className="unseen">{plainText(name)}</span>
            </ActButton>
          ),
        },
      ]}
    />
  );
}

/** `failures` tells before the breaker does. */
function Failures({ of: { failures, reason, openUntil } }: { readonly of: Destination }) {
  if (failures === 0) return <span className="dim">none</span>;
  return (
    <span className={classes.failing}>
      {formatCount(failures)} in a row
      {reason !== null && (
        <>
          , <CodeName code={reason.code} /> {reason.status}
        </>
      )}
      {openUntil !== null && (
        <>
          , tried again <Age at={openUntil} />
        </>
      )}
    </span>
  );
}

function Outage({ of }: { readonly of: Destination['outage'] }) {
  if (of === null) return <Absent />;
  return (
    <>
      <Age at={of.openedAt} />
      {of.closedAt === null ? (
        ', not over'
      ) : (
        <>
          , over <Age at={of.closedAt} />
        </>
      )}
      {of.letters > 0 && (
        <>
          ,{' '}
          <Link href={`/dead-letters${writeParams({ outageId: of.id })}`}>
            {formatCount(of.letters, OVERVIEW_BOUNDS.open)} dead letters
          </Link>
        </>
      )}
    </>
  );
}

interface PauseTableProps {
  readonly pauses: Destinations['pauses'];
  readonly why: string | null;
  readonly onResume: (pause: Destinations['pauses'][number]) => void;
}

function PauseTable({ pauses, why, onResume }: PauseTableProps) {
  if (pauses.length === 0) return null;
  return (
    <>
      <h3>Pauses in force</h3>
      <DataTable
        caption="Pauses in force"
        rows={pauses}
        idOf={({ id }) => id}
        empty="None"
        columns={[
          { label: 'Routing key', cell: ({ destination }) => <AnyOr text={destination} /> },
          { label: 'Event type', cell: ({ eventType }) => <AnyOr text={eventType} /> },
          { label: 'Tenant', cell: ({ tenantId }) => <AnyOr text={tenantId === '' ? 'without one' : tenantId} /> },
          { label: 'Since', cell: ({ createdAt }) => <Age at={createdAt} /> },
          { label: 'Until', cell: ({ until }) => (until === null ? 'resumed by hand' : <Age at={until} />) },
          { label: 'By', cell: ({ actor }) => <Hostile text={actor} /> },
          { label: 'Reason', cell: ({ reason }) => <Hostile text={reason} /> },
          {
            label: 'Actions',
            unseen: true,
            cell: (pause) => (
              <ActButton why={why} onClick={() => onResume(pause)}>
                Resume <span className="unseen">{plainText(pause.destination ?? 'all destinations')}</span>
              </ActButton>
            ),
          },
        ]}
      />
    </>
  );
}

function AnyOr({ text }: { readonly text: string | null }) {
  return text === null ? <span className="dim">any</span> : <Hostile text={text} />;
}
