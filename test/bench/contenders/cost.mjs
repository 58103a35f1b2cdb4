// Another contender, measured with what an event costs it. What figures compare stands flat; the rest is in the report.
import { measureCost } from '../measure-cost.mjs';

/**
 * @param {import('../world.mjs').World} world
 * @param {{ use: string, options?: object }} of the contender
 */
export async function prepare(world, { use, options = {} }) {
  const { prepare: prepareIt } = await import(`./${use}.mjs`);
  const contender = await prepareIt(world, options);
  return {
    ...contender,
    settings: { ...contender.settings, fullPageImages: 'off' },
    async measure(seconds) {
      const cost = await measureCost(world, contender, seconds, contender.processes);
      const versions = cost.rowVersionsPerEvent.outbox ?? { inserted: 0, updated: 0 };
      return {
        ...cost,
        outboxWalBytes: cost.walBytesPerEvent.outbox,
        outboxCommits: cost.commitsPerThousand.outbox,
        outboxRowVersions: versions.inserted + versions.updated,
        processorSeconds: Object.values(cost.processorSecondsPerThousand).reduce((sum, one) => sum + one, 0),
      };
    },
  };
}
