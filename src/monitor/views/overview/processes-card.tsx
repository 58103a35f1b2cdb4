import { usePart } from '../../data/stream.js';
import type { SeenProcess } from '../../logic/seen-parts.js';
import { Card } from '../../parts/card.js';
import { DataTable } from '../../parts/data-table.js';
import { Hostile } from '../../parts/hostile.js';
import { PartNote, PartState } from '../../parts/part-note.js';
import { Status } from '../../parts/status.js';
import { Age } from '../../parts/time.js';

/** Relays and workers, and what each says of what it needs. */
export function ProcessesCard() {
  const part = usePart('processes');
  return (
    <Card title="Relays and workers" anchor="processes" aside={<PartState part={part} />}>
      <PartNote part={part} />
      {part !== null && (
        <DataTable
          caption="Relays and workers"
          rows={part.value ?? []}
          idOf={({ id }) => id}
          empty="None tells of itself. Start one: outbox relay, outbox worker."
          columns={[
            { label: 'Role', cell: ({ roles }) => roles.join(', ') },
            { label: 'Host', cell: ({ host, pid }) => <Host host={host} pid={pid} /> },
            { label: 'Version', cell: ({ version }) => <Hostile text={version} /> },
            { label: 'Seen', cell: (process) => <Seen process={process} /> },
            { label: 'Since', cell: ({ startedAt }) => <Age at={startedAt} /> },
            { label: 'Temporal', cell: ({ temporal, silent }) => <Said of={temporal} silent={silent} /> },
            { label: 'Audit API', cell: ({ auditApi, silent }) => <Said of={auditApi} silent={silent} /> },
          ]}
        />
      )}
    </Card>
  );
}

function Host({ host, pid }: { readonly host: string; readonly pid: number }) {
  return (
    <>
      <Hostile text={host} /> <span className="dim">{pid}</span>
    </>
  );
}

function Seen({ process: { silent, seenAt } }: { readonly process: SeenProcess }) {
  return (
    <>
      {silent && <Status of={{ word: 'Silent', tone: 'bad', shape: 'warning' }} />} <Age at={seenAt} />
    </>
  );
}

interface SaidProps {
  readonly of: SeenProcess['temporal'];
  /** Then it is what was so. */
  readonly silent: boolean;
}

function Said({ of, silent }: SaidProps) {
  if (of === null) return <span className="dim">does not need it</span>;
  if (silent) return <Status of={{ word: 'Not known', tone: 'unknown', shape: 'question' }} />;
  if (of.ok) return <Status of={{ word: 'Well', tone: 'good', shape: 'check' }} />;
  return (
    <>
      <Status of={{ word: 'Away', tone: 'bad', shape: 'cross' }} /> <Hostile text={of.reason} />
    </>
  );
}
