import { type ReactNode, useEffect, useRef } from 'react';
import classes from './view-title.module.css';

export interface ViewTitleProps {
  /** Also in the browser's tab: no text of others. */
  readonly title: string;
  readonly aside?: ReactNode;
  /** Under it: what this is. */
  readonly children?: ReactNode;
}

/** The page was opened here: the browser has the focus where it belongs. */
let first = true;

/**
 * The heading of a view. It takes the focus when the view is come to, so that a keyboard and a screen reader go on from
 * here.
 */
export function ViewTitle({ title, aside, children }: ViewTitleProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Outbox monitor`;
    if (!first) heading.current?.focus();
    first = false;
  }, [title]);
  return (
    <header className={classes.title}>
      <div className={classes.line}>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {aside !== undefined && <div className={classes.aside}>{aside}</div>}
      </div>
      {children}
    </header>
  );
}
