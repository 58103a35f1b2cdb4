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

/** Who gets all that no ramp takes: at 100 % the ramp does. null: workers without a version. */
function mainBuild({ current, ramping }: VersionRouting): string | null {
  return ramping !== null && ramping.percentage >= 100 ? ramping.buildId : current;
}

/**
 * Why a worker of this build must not take the place of another; null where it may. A share of the runs is not enough: a
 * rolling update that replaces all others by such workers would leave the rest of the runs to nobody.
 */
export function whyNotInPlace(version: WorkerVersion, routing: VersionRouting): string | null {
  if (mainBuild(routing) === version.buildId) return null;
  const { deploymentName, buildId } = version;
  return (
    whyIdle(version, routing) ??
    `build ${buildId} of the worker deployment ${deploymentName} gets a share of the runs alone (${describe(routing)}): ` +
      `it is ready once it gets the rest, too; ${makeCurrent(version)}`
  );
}

/** Builds that get runs and are not among those that poll: their runs wait for as long as it stays so. */
export function strandedBuilds(routing: VersionRouting, polling: readonly string[]): readonly string[] {
  const { ramping } = routing;
  const main = mainBuild(routing);
  const share = ramping !== null && ramping.percentage > 0 ? ramping.buildId : null;
  return [...new Set([main, share])].filter((build) => build !== null).filter((build) => !polling.includes(build));
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
