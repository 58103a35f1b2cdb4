import type { Letter } from '../../data/types.js';
import { isCut, MOST_TOLD } from '../../logic/timeline.js';
import { Card } from '../../parts/card.js';
import { CodeName } from '../../parts/code-name.js';
import { DataTable } from '../../parts/data-table.js';
import { Hostile } from '../../parts/hostile.js';
import { Time } from '../../parts/time.js';

/** The attempts up to the letter, the latest of them. */
export function AttemptsCard({ attempts }: { readonly attempts: Letter['attempts'] }) {
  return (
    <Card title="Attempts">
      <DataTable
        caption="Attempts"
        rows={attempts}
        idOf={({ epoch, n }) => `${epoch} ${n}`}
        empty="None was written down."
        columns={[
          { label: 'Epoch', numeric: true, cell: ({ epoch }) => epoch },
          { label: 'Attempt', numeric: true, cell: ({ n, local }) => `${n}${local ? ' (local)' : ''}` },
          { label: 'Began', cell: ({ startedAt }) => <Time at={startedAt} /> },
          { label: 'Ended', cell: ({ finishedAt }) => <Time at={finishedAt} /> },
          { label: 'Code', cell: ({ code }) => <CodeName code={code} /> },
          { label: 'Status', numeric: true, cell: ({ status }) => status ?? <Hostile text={null} /> },
          { label: 'Message', cell: ({ message }) => <Hostile text={message} /> },
          { label: 'Worker', cell: ({ worker }) => <Hostile text={worker} /> },
          { label: 'Batch', cell: ({ carrier }) => <Hostile text={carrier} code /> },
        ]}
      />
      {isCut(attempts) && <p className="dim">Only the latest {MOST_TOLD} are shown.</p>}
    </Card>
  );
}
