/** Worker Versioning: which build of a worker deployment gets runs, as Temporal's routing says. */

export interface WorkerVersion {
  readonly deploymentName: string;
  readonly buildId: string;
}

/** Of one worker deployment. */
export interface VersionRouting {
  /** Gets new runs, and the next task of open ones; null: workers without a version do. */
  readonly current: string | null;
  /** Gets its share of them; null: none does. */
  readonly ramping: { readonly buildId: string; readonly percentage: number } | null;
}

/** Why a worker of this build gets nothing, and what to do; null where it gets its share. */
export function whyIdle({ deploymentName, buildId }: WorkerVersion, routing: VersionRouting): string | null {
  const { current, ramping } = routing;
  if (current === buildId || (ramping?.buildId === buildId && ramping.percentage > 0)) return null;
  return (
    `build ${buildId} of the worker deployment ${deploymentName} is neither current nor ramping (${describe(routing)}): ` +
    `its worker gets no new run; ${makeCurrent({ deploymentName, buildId })}`
  );
}

export function describeRouting(deploymentName: string, routing: VersionRouting): string {
  return `worker deployment ${deploymentName}: ${describe(routing)}`;
}

export function makeCurrent({ deploymentName, buildId }: WorkerVersion): string {
  return `temporal worker deployment set-current-version --deployment-name ${deploymentName} --build-id ${buildId}`;
}

function describe({ current, ramping }: VersionRouting): string {
  const now = current === null ? 'no build is current' : `current is ${current}`;
  return ramping === null ? now : `${now}, ${ramping.buildId} ramps at ${ramping.percentage} %`;
}
