import { urlBelow } from './url-below.js';

/** Where a person opens a run. */
export interface TemporalUi {
  /** Of the Web UI, with or without a slash at its end; a proxy may serve it below a path. */
  readonly url: string;
  readonly namespace: string;
}

/** A workflow by its id; with its run's id that very run, else its latest one. Ids of ours have one run each (R2). */
export interface RunName {
  readonly workflowId: string;
  readonly runId: string | null;
}

/** The run's page in Temporal's Web UI. Notices and the monitor link to runs by this alone. */
export function temporalRunUrl({ url, namespace }: TemporalUi, { workflowId, runId }: RunName): string {
  const run = runId === null ? [workflowId] : [workflowId, runId];
  return urlBelow(url, ['namespaces', namespace, 'workflows', ...run]);
}
