import { Link } from 'wouter';
import { formatCount } from '../logic/format.js';
import classes from './pager.module.css';
import { Time } from './time.js';

export interface PagerProps {
  /** Where the first page is; null: this is it. */
  readonly newest: string | null;
  /** Where the next one is; null: this is the last. */
  readonly older: string | null;
  /** Of a page that is not read again by itself: when it was, by the browser's clock; null: it is read again, or not yet. */
  readonly asOf?: number | null;
  /** Of a search that looks at so many a page, and may find none of them. */
  readonly searched?: { readonly count: number; readonly what: string; readonly backTo: string | null };
}

/** From page to page by links, so that the browser's back goes back. */
export function Pager({ newest, older, asOf = null, searched }: PagerProps) {
  return (
    <nav className={classes.pager} aria-label="Pages">
      {asOf !== null && asOf > 0 && (
        <span className="dim">
          As of <Time at={new Date(asOf).toISOString()} />, not read again by itself
        </span>
      )}
      {searched !== undefined && older !== null && (
        <span className="dim">
          Looked at {formatCount(searched.count)} {searched.what}
          {searched.backTo !== null && (
            <>
              , back to <Time at={searched.backTo} />
            </>
          )}
        </span>
      )}
      {newest !== null && <Link href={newest}>Newest</Link>}
      {older !== null && <Link href={older}>Older</Link>}
      {newest !== null && older === null && <span className="dim">No older ones</span>}
    </nav>
  );
}
