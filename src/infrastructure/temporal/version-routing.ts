import type { NativeConnection } from '@temporalio/worker';
import type { VersionRouting } from '../../application/delivery/worker-version.js';
import { isNotFound } from './connect-temporal.js';

const TIMEOUT_MS = 5_000;

/**
 * Asks Temporal which builds of a worker deployment get runs, within five seconds. A deployment that no worker has
 * registered yet routes to none. Rejects where the server does not answer, or is too old to know of deployments.
 */
export async function readVersionRouting(
  connection: NativeConnection,
  namespace: string,
  deploymentName: string,
): Promise<VersionRouting> {
  const ask = () => connection.workflowService.describeWorkerDeployment({ namespace, deploymentName });
  try {
    const { workerDeploymentInfo } = await connection.withDeadline(Date.now() + TIMEOUT_MS, ask);
    const { currentDeploymentVersion, rampingDeploymentVersion, rampingVersionPercentage } =
      workerDeploymentInfo?.routingConfig ?? {};
    const ramping = rampingDeploymentVersion?.buildId;
    return {
      // Empty: workers without a version.
      current: currentDeploymentVersion?.buildId || null,
      ramping: ramping ? { buildId: ramping, percentage: rampingVersionPercentage ?? 0 } : null,
    };
  } catch (error) {
    if (isNotFound(error)) return { current: null, ramping: null };
    throw error;
  }
}
