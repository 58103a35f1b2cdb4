import { createHash } from 'node:crypto';
import type { Logger } from '../application/delivery/ports.js';
import { type RelayTime, systemTime } from '../application/delivery/relay-time.js';
import {
  type VersionRouting,
  type WorkerVersion,
  whyIdle,
  whyNotInPlace,
} from '../application/delivery/worker-version.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { packageVersion } from './package-version.js';

/** A person who makes a build current looks at the log or at /ready right after. */
const EVERY_MS = 5_000;

/**
 * Of this worker, where Worker Versioning is on. By default the build id is the package's version and a hash of the
 * workflows: two builds have one id only where each replays what the other has begun. `workflowCode` is that of the bundle
 * without tracing, whichever runs: tracing adds no step, and switching it on or off must not make another build.
 */
export function workerVersionOf(
  settings: Pick<Settings, 'workerDeployment' | 'workerBuildId'>,
  workflowCode: string,
): WorkerVersion | null {
  const { workerDeployment, workerBuildId } = settings;
  if (workerDeployment === undefined) return null;
  const hash = createHash('sha256').update(workflowCode).digest('hex').slice(0, 12);
  return { deploymentName: workerDeployment, buildId: workerBuildId ?? `${packageVersion()}-${hash}` };
}

export interface WorkerVersionWatch {
  /** Why this worker must not take another's place in a rolling update; null: it may. */
  notReady(): string | null;
  warnings(): readonly string[];
  /** Whether this build gets all that no ramp takes; null: Temporal does not say at the moment. */
  routed(): boolean | null;
  stop(): Promise<void>;
}

interface WatchDeps {
  readonly readRouting: () => Promise<VersionRouting>;
  readonly log: Logger;
  readonly time?: Pick<RelayTime, 'sleep'>;
}

/**
 * Says whether Temporal gives runs to this build: a worker that is started before its build is made current polls and gets
 * nothing. In the log when that changes, among the warnings of /ready, in a gauge; and it is not ready, so that a rolling
 * update waits with the workers of before up. What Temporal does not say changes nothing of that: whoever does not reach it is
 * told so elsewhere.
 */
export function watchWorkerVersion(
  { readRouting, log, time = systemTime }: WatchDeps,
  version: WorkerVersion,
): WorkerVersionWatch {
  const stopping = new AbortController();
  let idle: string | null = null;
  let said: string | null | undefined;
  let routed: boolean | null = null;
  let answered = false;
  // Ready for one moment too early would be enough for the worker of before to be stopped.
  let notReady: string | null = `Temporal was not asked yet whether build ${version.buildId} gets runs`;
  const look = async () => {
    try {
      const routing = await readRouting();
      answered = true;
      idle = whyIdle(version, routing);
      notReady = whyNotInPlace(version, routing);
      routed = notReady === null;
    } catch (error) {
      routed = null;
      idle = `whether build ${version.buildId} of the worker deployment ${version.deploymentName} gets runs, Temporal did not say: ${reasonOf(error)}`;
      if (!answered) notReady = idle;
    }
    if (idle === said || stopping.signal.aborted) return;
    said = idle;
    if (idle === null) log.info({ ...version }, 'worker_version.routed');
    else log.warn({ ...version, reason: idle }, 'worker_version.idle');
  };
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await look();
      await time.sleep(EVERY_MS, stopping.signal);
    }
  })();
  return {
    notReady: () => notReady,
    warnings: () => (idle === null ? [] : [idle]),
    routed: () => routed,
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
