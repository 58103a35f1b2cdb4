import { Button } from '@mantine/core';
import { type MouseEvent, type ReactNode, useId } from 'react';

export interface ActButtonProps {
  readonly children: ReactNode;
  /** Left out of one that sends the form that it stands in. */
  readonly onClick?: () => void;
  /** Why it cannot be done now, by whoever is signed in; null: it can. */
  readonly why?: string | null;
  /** It takes something away. */
  readonly danger?: boolean;
  /** What the view is for at this point. */
  readonly primary?: boolean;
  readonly busy?: boolean;
  /** The key r goes to the first of these. */
  readonly redrive?: boolean;
}

/** Said wherever a viewer, or a watcher, meets an action. The server refuses it all the same. */
export const VIEWER_WHY = 'You are signed in to look, and can change nothing';

/**
 * An action. One that cannot be done stays where it is and says why: `aria-disabled` rather than `disabled`, for a
 * person with a keyboard must be able to come to the reason.
 */
export function ActButton({ children, onClick, why = null, danger, primary, busy, redrive }: ActButtonProps) {
  const reason = useId();
  const submits = onClick === undefined;
  const held = submits ? (event: MouseEvent) => event.preventDefault() : undefined;
  return (
    <>
      <Button
        type={submits ? 'submit' : 'button'}
        variant={primary === true ? 'filled' : 'default'}
        color={danger === true && primary === true ? 'red' : undefined}
        loading={busy === true}
        data-disabled={why !== null || undefined}
        aria-disabled={why !== null || undefined}
        aria-describedby={why === null ? undefined : reason}
        title={why ?? undefined}
        data-redrive={redrive === true || undefined}
        onClick={why === null ? onClick : held}
      >
        {children}
      </Button>
      {why !== null && (
        <span id={reason} className="unseen">
          {why}
        </span>
      )}
    </>
  );
}
