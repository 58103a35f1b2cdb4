import { randomBytes } from 'node:crypto';
import { layOutWorld } from '../../dist/src/main/chaos/lay-out.js';
import { startOwnServers } from './own-servers.mjs';

/**
 * A world with servers of its own. Everything is taken down by `close`, whose answer says what failed on the way.
 * @param {Partial<import('../../dist/src/main/chaos/lay-out.js').LayOutOptions> & { seed: number, log: (line: string) => void, maxConnections?: number, leftover?: string,
 *   dynamicConfig?: Record<string, boolean> }} options
 *   `leftover`: a folder of the caller's, which goes with a run that is killed
 */
export async function layOutOwnWorld({ maxConnections, leftover, dynamicConfig, ...options }) {
  const { log, onReaperLost } = options;
  const most = maxConnections === undefined ? {} : { maxConnections };
  const own = await startOwnServers({ log, onReaperLost, dynamicConfig, ...most });
  if (leftover !== undefined) own.reaper.folder(leftover);
  try {
    const { outboxUrl, auditUrl, runner, temporal, servers, broken, folder, reaper } = own;
    const deployment = `chaos-${randomBytes(4).toString('hex')}`;
    const given = { deployment, outboxUrl, auditUrl, runner, temporal, servers, broken, folder, reaper };
    const laid = await layOutWorld({ ...given, ...options });
    const close = async () => {
      return [...(await laid.close()), ...(await own.close())];
    };
    return { ...laid, temporalVersion: own.temporalVersion, close };
  } catch (error) {
    await own.close();
    throw error;
  }
}
