import { Button } from '@mantine/core';
import { useEffect } from 'react';
import type { Steady } from '../data/use-steady.js';
import { announce } from './announcer.js';
import classes from './fresh-bar.module.css';

export interface FreshBarProps {
  readonly of: Pick<Steady<unknown>, 'fresh' | 'gone' | 'show'>;
  /** "events" */
  readonly what: string;
}

/** What is new in a list, and what has left it, until somebody asks to see it: no row moves by itself. */
export function FreshBar({ of: { fresh, gone, show }, what }: FreshBarProps) {
  const some = fresh > 0;
  useEffect(() => {
    if (some) announce(`There are new ${what}`);
  }, [some, what]);
  if (fresh === 0 && gone.size === 0) return null;
  return (
    <div className={classes.bar}>
      {gone.size > 0 && <span className="dim">{gone.size} struck through: no longer in this list.</span>}
      <Button variant="default" onClick={show}>
        {fresh > 0 ? `${fresh} new: show` : 'Show the list as it is now'}
      </Button>
    </div>
  );
}
