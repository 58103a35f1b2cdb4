import { Button } from '@mantine/core';
import { formatCount } from '../logic/format.js';
import { useChangeSaid } from './announcer.js';
import { Loading } from './answer.js';
import classes from './fresh-bar.module.css';
import { Time } from './time.js';

export interface SearchProgressProps {
  readonly of: {
    readonly going: boolean;
    readonly looked: number;
    readonly stop: () => void;
    readonly goOn: (() => void) | null;
  };
  /** "events" */
  readonly what: string;
  /** It has looked at everything from this time on; null: not told yet, or at all. */
  readonly backTo: string | null;
}

/** How far a search has come that has found nothing yet, and how it is stopped; nothing of one that has ended. */
export function SearchProgress({ of: { going, looked, stop, goOn }, what, backTo }: SearchProgressProps) {
  useChangeSaid(going ? 'going' : 'ended', going ? `Looking further back for ${what}` : 'The search has ended');
  if (!going && goOn === null) return null;
  return (
    <>
      {going && <Loading what={`None yet; older ${what}`} />}
      <div className={classes.bar}>
        <span>
          Looked at {formatCount(looked)} {what}
          {backTo !== null && (
            <>
              , back to <Time at={backTo} />
            </>
          )}
        </span>
        {going ? (
          <Button variant="default" onClick={stop}>
            Stop
          </Button>
        ) : (
          goOn !== null && (
            <Button variant="default" onClick={goOn}>
              Go on
            </Button>
          )
        )}
      </div>
    </>
  );
}
