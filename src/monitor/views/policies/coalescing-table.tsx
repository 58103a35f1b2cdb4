import type { Policy, PolicyList } from '../../data/types.js';
import { formatCount } from '../../logic/format.js';
import { DataTable } from '../../parts/data-table.js';
import { Absent, Hostile } from '../../parts/hostile.js';
import { Notice } from '../../parts/notice.js';
import { Status } from '../../parts/status.js';
import { TypeName } from './type-name.js';

type Mode = Policy['coalescing']['mode'];

const MODE_WORDS: Readonly<Record<Mode, string>> = {
  off: 'off: a workflow for each event',
  adaptive: 'while there is a backlog',
  always: 'always',
};

/** Whether one workflow carries many events, by type, and where it does so now. */
export function CoalescingTable({ list: { policies, relays } }: { readonly list: PolicyList }) {
  const named = new Set(policies.map(({ eventType }) => eventType));
  return (
    <>
      {relays === null && <Notice tone="unknown">Where it is on now cannot be looked up.</Notice>}
      <DataTable
        caption="Coalescing by event type"
        rows={policies}
        idOf={({ eventType }) => eventType}
        empty="None"
        columns={[
          { label: 'Event type', cell: ({ eventType }) => <TypeName type={eventType} /> },
          { label: 'Mode', cell: ({ coalescing }) => MODE_WORDS[coalescing.mode] },
          { label: 'Events a workflow', numeric: true, cell: ({ coalescing }) => unlessOff(coalescing, 'size') },
          { label: 'On above', numeric: true, cell: ({ coalescing }) => ifAdaptive(coalescing, 'above') },
          { label: 'Off below', numeric: true, cell: ({ coalescing }) => ifAdaptive(coalescing, 'below') },
          { label: 'On now', cell: ({ eventType }) => <OnNow relays={relays} type={eventType} named={named} /> },
        ]}
      />
    </>
  );
}

function unlessOff(coalescing: Policy['coalescing'], name: 'size') {
  return coalescing.mode === 'off' ? <Absent /> : formatCount(coalescing[name]);
}

function ifAdaptive(coalescing: Policy['coalescing'], name: 'above' | 'below') {
  return coalescing.mode === 'adaptive' ? formatCount(coalescing[name]) : <Absent />;
}

interface OnNowProps {
  readonly relays: PolicyList['relays'];
  readonly type: string;
  /** Types with a line of their own: what is of another one belongs to `*`. */
  readonly named: ReadonlySet<string>;
}

/** As relays tell it, which may differ for a while. */
function OnNow({ relays, type, named }: OnNowProps) {
  if (relays === null) return <Status of={{ word: 'Not known', tone: 'unknown', shape: 'question' }} />;
  const on = relays.flatMap(({ host, pid, coalescing }) =>
    coalescing
      .filter((lane) => lane.on && (named.has(lane.eventType) ? lane.eventType : '*') === type)
      .map(({ destination, eventType }) => ({ host, pid, destination, eventType })),
  );
  if (on.length === 0) return <Absent />;
  return (
    <ul>
      {on.map(({ host, pid, destination, eventType }) => (
        <li key={JSON.stringify([host, pid, destination, eventType])}>
          {eventType !== type && (
            <>
              <Hostile text={eventType} /> to{' '}
            </>
          )}
          <Hostile text={destination} /> <span className="dim">by</span> <Hostile text={`${host} ${pid}`} />
        </li>
      ))}
    </ul>
  );
}
