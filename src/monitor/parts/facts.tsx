import type { ReactNode } from 'react';
import classes from './facts.module.css';

/** Names and what they are, in two columns. */
export function Facts({ children }: { readonly children: ReactNode }) {
  return <dl className={classes.facts}>{children}</dl>;
}

/** `name`: of another's text what `plainText` makes of it. */
export function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div className={classes.fact}>
      <dt className={classes.name}>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
