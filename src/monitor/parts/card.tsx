import { type ReactNode, useId } from 'react';
import classes from './card.module.css';

export interface CardProps {
  readonly title: string;
  /** Beside the title: a state, an age, a choice. */
  readonly aside?: ReactNode;
  /** To be linked to. */
  readonly anchor?: string;
  readonly children: ReactNode;
}

/** A part of a view, under a heading of its own. */
export function Card({ title, aside, anchor, children }: CardProps) {
  const heading = useId();
  return (
    <section className={classes.card} aria-labelledby={heading} id={anchor}>
      <header className={classes.head}>
        <h2 id={heading}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}
