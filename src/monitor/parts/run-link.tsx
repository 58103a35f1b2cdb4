import { safeHref } from '../logic/hostile.js';
import { Hostile } from './hostile.js';
import { Icon } from './icon.js';

export interface RunLinkProps {
  readonly workflowId: string;
  /** In Temporal's Web UI; null: nobody said where that is. */
  readonly url: string | null;
}

/** A workflow's run: opened where Temporal shows it, or told by its id. */
export function RunLink({ workflowId, url }: RunLinkProps) {
  const href = safeHref(url);
  if (href === null) return <Hostile text={workflowId} code />;
  return (
    <a href={href} target="_blank" rel="noreferrer">
      Open the run in Temporal <Icon name="outside" />
    </a>
  );
}
