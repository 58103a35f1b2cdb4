import { useState } from 'react';
import { NOT_KNOWN } from '../logic/format.js';
import { markText } from '../logic/hostile.js';
import classes from './hostile.module.css';

/** Longer ones are cut until somebody asks for all. */
const SHOWN = 2_000;

/**
 * Every text that comes from an event, a response, a record or a person: as text, kept apart from the direction of what
 * stands beside it, with marks for what would not be seen. null: there is none.
 */
export function Hostile({ text, code = false }: { readonly text: string | null; readonly code?: boolean }) {
  const [whole, setWhole] = useState(false);
  if (text === null) return <Absent />;
  const { pieces, left } = markText(text, whole ? undefined : SHOWN);
  return (
    <bdi dir="auto" className={code ? classes.code : classes.text}>
      {pieces.map((piece, index) =>
        piece.mark ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a piece is nothing but its place in the text
          <span key={index} className={classes.mark}>
            {piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
      {left > 0 && (
        <button type="button" className={classes.more} onClick={() => setWhole(true)}>
          … show {left} more characters
        </button>
      )}
    </bdi>
  );
}

/** Nothing is there, which is not the same as an empty text. */
export function Absent() {
  return (
    <span className="dim">
      <span aria-hidden="true">{NOT_KNOWN}</span>
      <span className="unseen">none</span>
    </span>
  );
}
