import { Button } from '@mantine/core';
import { type ReactNode, useId } from 'react';

export interface ActButtonProps {
  readonly children: ReactNode;
  readonly onClick: () => void;
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

/** Said wherever a viewer meets an action. The server refuses it all the same. */
export const VIEWER_WHY = 'You are signed in as a viewer: you can look, and change nothing';

/**
 * An action. One that cannot be done stays where it is and says why: `aria-disabled` rather than `disabled`, for a
 * person with a keyboard must be able to come to the reason.
 */
export function ActButton({ children, onClick, why = null, danger, primary, busy, redrive }: ActButtonProps) {
  const reason = useId();
  return (
    <>
      <Button
        variant={primary === true ? 'filled' : 'default'}
        color={danger === true && primary === true ? 'red' : undefined}
        loading={busy === true}
        data-disabled={why !== null || undefined}
        aria-disabled={why !== null || undefined}
        aria-describedby={why === null ? undefined : reason}
        title={why ?? undefined}
        data-redrive={redrive === true || undefined}
        onClick={why === null ? onClick : undefined}
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
