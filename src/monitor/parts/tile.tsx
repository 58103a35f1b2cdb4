import type { ReactNode } from 'react';
import { NOT_KNOWN, withLocalTimes } from '../logic/format.js';
import { Hostile } from './hostile.js';
import type { PartLike } from './part-note.js';
import classes from './tile.module.css';
import { Age } from './time.js';

export interface TileProps {
  readonly label: string;
  /** null: not known, which is shown as that and not as 0. */
  readonly value: string | null;
  readonly note?: ReactNode;
  /** The part that it is from; null: nothing was told of it. */
  readonly part: PartLike | null;
  /** A person has to look. */
  readonly alarm?: boolean;
}

/** One large number. */
export function Tile({ label, value, note, part, alarm = false }: TileProps) {
  const away = part?.state === 'away';
  return (
    <div className={away ? `${classes.tile} ${classes.away}` : classes.tile}>
      <dt className={classes.label}>{label}</dt>
      <dd className={alarm && !away ? `${classes.value} ${classes.alarm}` : classes.value}>
        {value ?? (
          <>
            <span aria-hidden="true">{NOT_KNOWN}</span>
            <span className="unseen">not known</span>
          </>
        )}
      </dd>
      <dd className={classes.note}>
        {part === null || part.state === 'ok' ? (note ?? (value === null && 'not known')) : <Trouble part={part} />}
      </dd>
    </div>
  );
}

/** Of when the value is, where its part is away, and why that is not well. */
function Trouble({ part: { state, at, reason } }: { readonly part: PartLike }) {
  return (
    <>
      {state === 'away' && at !== null && (
        <>
          as of <Age at={at} />:{' '}
        </>
      )}
      <Hostile text={withLocalTimes(reason ?? 'no reason was given')} />
    </>
  );
}

/** Of several, as many side by side as there is room for. `anchor`: to be linked to. */
export function Tiles({ anchor, children }: { readonly anchor: string; readonly children: ReactNode }) {
  return (
    <dl className={classes.tiles} id={anchor}>
      {children}
    </dl>
  );
}
