import { createHash } from 'node:crypto';
import type { Logger } from '../application/delivery/ports.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { type VersionRouting, type WorkerVersion, whyIdle } from '../application/delivery/worker-version.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { packageVersion } from './package-version.js';

/** A person who makes a build current looks at the log or at /ready right after. */
const EVERY_MS = 5_000;

/**
 * Of this worker, where Worker Versioning is on. By default the build id is the package's version and a hash of the
 * workflows: two builds have one id only where each replays what the other has begun.
 */
export function workerVersionOf(settings: Settings, workflowCode: string): WorkerVersion | null {
  const { workerDeployment, workerBuildId } = settings;
  if (workerDeployment === undefined) return null;
  const hash = createHash('sha256').update(workflowCode).digest('hex').slice(0, 12);
  return { deploymentName: workerDeployment, buildId: workerBuildId ?? `${packageVersion()}-${hash}` };
}

interface WatchDeps {
  readonly readRouting: () => Promise<VersionRouting>;
  readonly log: Logger;
}

/**
 * Says whether Temporal gives runs to this build: a worker that is started before its build is made current polls, is
 * ready, and gets nothing. In the log when that changes, and among the warnings of /ready.
 */
export function watchWorkerVersion(
  { readRouting, log }: WatchDeps,
  version: WorkerVersion,
): { warnings(): readonly string[]; stop(): Promise<void> } {
  const stopping = new AbortController();
  let idle: string | null = null;
  let said: string | null | undefined;
  const look = async () => {
    try {
      idle = whyIdle(version, await readRouting());
    } catch (error) {
      idle = `whether build ${version.buildId} of the worker deployment ${version.deploymentName} gets runs, Temporal did not say: ${reasonOf(error)}`;
    }
    if (idle === said || stopping.signal.aborted) return;
    said = idle;
    if (idle === null) log.info({ ...version }, 'worker_version.routed');
    else log.warn({ ...version, reason: idle }, 'worker_version.idle');
  };
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await look();
      await systemTime.sleep(EVERY_MS, stopping.signal);
    }
  })();
  return {
    warnings: () => (idle === null ? [] : [idle]),
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
