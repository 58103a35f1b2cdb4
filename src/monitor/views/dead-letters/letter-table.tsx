import type { LetterSummary } from '../../data/types.js';
import { CodeName } from '../../parts/code-name.js';
import { type Column, DataTable, RowLink } from '../../parts/data-table.js';
import { Hostile } from '../../parts/hostile.js';
import { Time } from '../../parts/time.js';
import classes from './letter-table.module.css';

export interface LetterTableProps {
  readonly letters: readonly LetterSummary[];
  readonly gone: ReadonlySet<string>;
  readonly empty: string;
  /** null: there is nothing to choose for. */
  readonly chosen: ReadonlySet<string> | null;
  /** What is in sight is another page's: nothing of it can be chosen. */
  readonly frozen: boolean;
  readonly onChoose: (chosen: ReadonlySet<string>) => void;
}

/** The letters of a page. */
export function LetterTable({ letters, gone, empty, chosen, frozen, onChoose }: LetterTableProps) {
  const choice: Column<LetterSummary> = {
    label: 'Selected',
    unseen: true,
    cell: ({ id }) => (
      <label className={classes.choice}>
        <input
          type="checkbox"
          checked={chosen?.has(id) === true}
          disabled={frozen || gone.has(id)}
          onChange={(event) => onChoose(withChoice(chosen ?? new Set(), id, event.currentTarget.checked))}
        />
        <span className="unseen">Select the letter {id}</span>
      </label>
    ),
  };
  return (
    <DataTable
      caption="Dead letters"
      rows={letters}
      gone={gone}
      idOf={({ id }) => id}
      empty={empty}
      columns={[
        ...(chosen === null ? [] : [choice]),
        { label: 'Written', cell: ({ createdAt }) => <Time at={createdAt} /> },
        {
          label: 'Why',
          cell: (letter) => (
            <>
              <RowLink to={`/dead-letters/${letter.id}`}>
                <CodeName code={letter.code} />
              </RowLink>{' '}
              {letter.status !== null && <span className="dim">HTTP {letter.status}</span>}
              <div>
                <Hostile text={letter.message} />
              </div>
            </>
          ),
        },
        { label: 'Type', cell: ({ eventType }) => <Hostile text={eventType} /> },
        { label: 'Routing key', cell: ({ destination }) => <Hostile text={destination} /> },
        { label: 'Tenant', cell: ({ tenantId }) => <Hostile text={tenantId} /> },
        { label: 'Attempts', numeric: true, cell: ({ retryCount, maxRetries }) => `${retryCount} of ${maxRetries}` },
        { label: 'Who and why', cell: ({ actor, reason }) => <Word actor={actor} reason={reason} /> },
      ]}
    />
  );
}

function Word({ actor, reason }: { readonly actor: string | null; readonly reason: string | null }) {
  if (actor === null) return <Hostile text={null} />;
  return (
    <>
      <Hostile text={actor} />
      {reason !== null && (
        <>
          : <Hostile text={reason} />
        </>
      )}
    </>
  );
}

function withChoice(chosen: ReadonlySet<string>, id: string, on: boolean): ReadonlySet<string> {
  const next = new Set(chosen);
  if (on) next.add(id);
  else next.delete(id);
  return next;
}
