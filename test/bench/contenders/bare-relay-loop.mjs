// What stands beside our relay alone: the bare loop without the POST. Claims, and settles at once.
import { randomUUID } from 'node:crypto';
import { openBareTable } from '../bare-table.mjs';
import { drainBacklog } from '../drain-backlog.mjs';

/**
 * @param {import('../world.mjs').World} world
 * @param {{ claim?: number, loops?: number }} options one loop, as the relay is one
 */
export async function prepare(world, { claim = 200, loops = 1 } = {}) {
  const url = await world.postgres.createDatabase();
  const table = await openBareTable({ url, connections: loops });
  const loop = async () => {
    for (;;) {
      const token = randomUUID();
      const rows = await table.claim(token, claim);
      if (rows.length === 0) return;
      await table.settle(token, rows);
    }
  };
  return drainBacklog(
    world,
    {
      name: 'bare SKIP LOCKED loop, no POST',
      settings: { claimBatch: claim, loops },
      processes: { bench: process.pid },
      databases: { outbox: url },
      append: table.append,
      drain: async () => void (await Promise.all(Array.from({ length: loops }, loop))),
      countDone: async () => ({ settled: await table.countDone() }),
      async close() {
        await table.close();
        await world.postgres.drop(url);
      },
    },
    { multipleOf: claim },
  );
}
