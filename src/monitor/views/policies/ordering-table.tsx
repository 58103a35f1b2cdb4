import type { Policy } from '../../data/types.js';
import { Card } from '../../parts/card.js';
import { DataTable } from '../../parts/data-table.js';
import { Status } from '../../parts/status.js';
import { TypeName } from './type-name.js';

type Ordering = Policy['ordering']['configured'];

const ORDERING_WORDS: Readonly<Record<Ordering, string>> = {
  none: 'none',
  block: 'in order; a dead one holds back the later ones',
  skip: 'in order; a dead one is passed over',
};

/** The order of an aggregate's events: as configured, and as appending and the claim go by it. */
export function OrderingTable({ policies }: { readonly policies: readonly Policy[] }) {
  return (
    <Card title="Ordering">
      <DataTable
        caption="Ordering by event type"
        rows={policies}
        idOf={({ eventType }) => eventType}
        empty="None"
        columns={[
          { label: 'Event type', cell: ({ eventType }) => <TypeName type={eventType} /> },
          { label: 'Configured', cell: ({ ordering }) => ORDERING_WORDS[ordering.configured] },
          { label: 'In force', cell: ({ ordering }) => <InForce ordering={ordering} /> },
        ]}
      />
    </Card>
  );
}

function InForce({ ordering: { configured, inForce } }: Pick<Policy, 'ordering'>) {
  if (inForce === null) return <Status of={{ word: 'Not known', tone: 'unknown', shape: 'question' }} />;
  if (inForce === configured) return ORDERING_WORDS[inForce];
  return (
    <>
      <Status of={{ word: 'Another one', tone: 'warn', shape: 'warning' }} /> {ORDERING_WORDS[inForce]}
    </>
  );
}
