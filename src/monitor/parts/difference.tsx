import { showJson } from '../logic/json-text.js';
import { DataTable } from './data-table.js';
import classes from './difference.module.css';
import { Hostile } from './hostile.js';

export interface Changed {
  /** A JSON Pointer. */
  readonly pointer: string;
  /** As they are shown; null: absent on that side. */
  readonly before: string | null;
  readonly after: string | null;
  /** Their values were taken out before anything was written. */
  readonly redacted?: boolean;
}

export interface DifferenceProps {
  readonly caption: string;
  readonly changes: readonly Changed[];
  readonly empty: string;
}

/** Old and new side by side, place by place. */
export function Difference({ caption, changes, empty }: DifferenceProps) {
  return (
    <DataTable
      caption={caption}
      rows={changes}
      idOf={({ pointer }) => pointer}
      empty={empty}
      columns={[
        { label: 'Place', cell: ({ pointer }) => <Hostile text={pointer} code /> },
        { label: 'Old', cell: (change) => <Side text={change.before} redacted={change.redacted} old /> },
        { label: 'New', cell: (change) => <Side text={change.after} redacted={change.redacted} /> },
      ]}
    />
  );
}

interface SideProps {
  readonly text: string | null;
  readonly redacted?: boolean;
  readonly old?: boolean;
}

function Side({ text, redacted, old }: SideProps) {
  if (redacted === true) return <span className="dim">redacted</span>;
  if (text === null) return <span className="dim">absent</span>;
  return (
    <div className={old === true ? classes.old : classes.new}>
      <Hostile text={text} code />
    </div>
  );
}

/** Of what the api answers about two payloads. */
export function toChanged(
  places: readonly { pointer: string; before?: unknown; after?: unknown }[],
): readonly Changed[] {
  return places.map((place) => ({
    pointer: place.pointer === '' ? '(all of it)' : place.pointer,
    before: 'before' in place ? showJson(place.before) : null,
    after: 'after' in place ? showJson(place.after) : null,
  }));
}
