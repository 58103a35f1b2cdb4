import type { PolicyList } from '../../data/types.js';
import { formatCount } from '../../logic/format.js';
import { Card } from '../../parts/card.js';
import { DataTable } from '../../parts/data-table.js';
import { Hostile } from '../../parts/hostile.js';
import { Notice } from '../../parts/notice.js';
import { Status } from '../../parts/status.js';
import { Age } from '../../parts/time.js';
import classes from './in-force.module.css';
import { TypeName } from './type-name.js';

/** What this api's configuration says, what each relay has, and what runs under way carry. */
export function InForce({ list: { policies, relays, inRuns } }: { readonly list: PolicyList }) {
  const hashes = new Map(policies.map(({ eventType, hash }) => [eventType, hash]));
  return (
    <div className={classes.cards}>
      <Card title="Configured">
        <DataTable
          caption="Configured policies"
          rows={policies}
          idOf={({ eventType }) => eventType}
          empty="None"
          columns={[
            { label: 'Event type', cell: ({ eventType }) => <TypeName type={eventType} /> },
            { label: 'Policy', cell: ({ text }) => <Hostile text={text} /> },
            { label: 'Hash', cell: ({ hash }) => <Hostile text={hash} code /> },
          ]}
        />
      </Card>
      <Card title="Relays">
        <Relays relays={relays} />
      </Card>
      <Card title="In runs under way">
        <InRuns inRuns={inRuns} hashes={hashes} />
      </Card>
    </div>
  );
}

function Relays({ relays }: Pick<PolicyList, 'relays'>) {
  if (relays === null) return <Notice tone="unknown">What relays have cannot be looked up now.</Notice>;
  return (
    <DataTable
      caption="Relays and their policies"
      rows={relays}
      idOf={({ host, pid }) => `${host} ${pid}`}
      empty="No relay tells of itself: nothing is started by any policy."
      columns={[
        { label: 'Relay', cell: ({ host, pid }) => <Hostile text={`${host} ${pid}`} /> },
        { label: 'Seen', cell: ({ seenAt }) => <Age at={seenAt} /> },
        { label: 'Policies', cell: (relay) => <Same same={relay.same} different={relay.different} /> },
      ]}
    />
  );
}

function Same({ same, different }: { readonly same: boolean; readonly different: readonly string[] }) {
  if (same) return <Status of={{ word: 'The same', tone: 'good', shape: 'check' }} />;
  return (
    <>
      <Status of={{ word: 'Others', tone: 'warn', shape: 'warning' }} />{' '}
      {different.length === 0 ? 'which ones is not known' : <Hostile text={different.join(', ')} />}
    </>
  );
}

interface InRunsProps extends Pick<PolicyList, 'inRuns'> {
  readonly hashes: ReadonlyMap<string, string>;
}

/** A run keeps the policy that it was started with. */
function InRuns({ inRuns, hashes }: InRunsProps) {
  if (inRuns === null) return <Notice tone="unknown">What runs carry cannot be looked up now.</Notice>;
  return (
    <DataTable
      caption="Policies of runs under way"
      rows={inRuns}
      idOf={({ eventType, hash }) => JSON.stringify([eventType, hash])}
      empty="No run is under way."
      columns={[
        { label: 'Event type', cell: ({ eventType }) => <Hostile text={eventType} /> },
        { label: 'Hash', cell: ({ hash }) => <Hostile text={hash} code /> },
        { label: 'Runs', numeric: true, cell: ({ runs }) => formatCount(runs) },
        {
          label: 'Now',
          cell: ({ eventType, hash }) => <Now current={hash === (hashes.get(eventType) ?? hashes.get('*'))} />,
        },
      ]}
    />
  );
}

function Now({ current }: { readonly current: boolean }) {
  if (current) return <Status of={{ word: 'As configured', tone: 'good', shape: 'check' }} />;
  return <Status of={{ word: 'Another one', tone: 'warn', shape: 'warning' }} />;
}
