import { ALERT_WORDS } from '../../../contract/verdict.js';
import { usePart } from '../../data/stream.js';
import { formatCount } from '../../logic/format.js';
import { capital } from '../../logic/headline.js';
import { Card } from '../../parts/card.js';
import { DataTable } from '../../parts/data-table.js';
import { Hostile } from '../../parts/hostile.js';
import { PartNote } from '../../parts/part-note.js';
import { Age } from '../../parts/time.js';

/** Alerts in force; nothing where there is none, so that what matters stands on top. */
export function AlertsCard() {
  const part = usePart('alerts');
  if (part === null || (part.state === 'ok' && part.value?.length === 0)) return null;
  return (
    <Card title="Alerts in force" anchor="alerts">
      <PartNote part={part} />
      <DataTable
        caption="Alerts in force"
        rows={part.value ?? []}
        idOf={({ kind, subject }) => `${kind} ${subject}`}
        empty="None"
        columns={[
          { label: 'What', cell: ({ kind }) => <Hostile text={capital(ALERT_WORDS[kind] ?? kind)} /> },
          { label: 'Of', cell: ({ subject }) => <Hostile text={subject === '' ? null : subject} /> },
          { label: 'Since', cell: ({ since }) => <Age at={since} /> },
          { label: 'Last said', cell: ({ lastAt }) => <Age at={lastAt} /> },
          { label: 'Times', numeric: true, cell: ({ times }) => formatCount(times) },
          { label: 'With', cell: ({ fields }) => <Fields fields={fields} /> },
        ]}
      />
    </Card>
  );
}

function Fields({ fields }: { readonly fields: Readonly<Record<string, unknown>> }) {
  return (
    <ul>
      {Object.entries(fields).map(([name, value]) => (
        <li key={name}>
          <Hostile text={name} code />: <Hostile text={typeof value === 'string' ? value : JSON.stringify(value)} />
        </li>
      ))}
    </ul>
  );
}
