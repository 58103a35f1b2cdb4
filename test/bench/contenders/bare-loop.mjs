// The same job without Temporal, a queue or us: claim, POST, settle, in a few loops at once.
import { randomUUID } from 'node:crypto';
import { openBareTable } from '../bare-table.mjs';
import { drainBacklog } from '../drain-backlog.mjs';
import { openAuditPosts } from '../post-audit.mjs';

/**
 * By trials on two cores (try-settings.mjs). One POST per event: the ingest is what it waits for, so enough posts at once to keep
 * it busy; a claim of many rows costs next to nothing then. In bulk: as many loops as keep both cores busy.
 */
const BEST = {
  single: { claim: 200, loops: 4, posts: 32 },
  bulk: { claim: 200, loops: 4, posts: 4 },
};

/**
 * @param {import('../world.mjs').World} world
 * @param {{ post?: 'single' | 'bulk', bulk?: number, loops?: number, claim?: number, posts?: number }} options `bulk`: events in
 *   one POST, which is what a claim takes then
 */
export async function prepare(world, { post = 'single', bulk = 200, ...options } = {}) {
  const best = { ...BEST[post], ...(post === 'bulk' ? { claim: bulk } : {}), ...options };
  const audit = await world.audit();
  const url = await world.postgres.createDatabase();
  const posts = openAuditPosts(audit, { connections: best.posts });
  const table = await openBareTable({ url, connections: best.loops });
  const deliver =
    post === 'bulk'
      ? (rows) => posts.many(rows.map((row) => row.event))
      : (rows) => Promise.all(rows.map((row) => posts.one(row.event)));
  const loop = async () => {
    for (;;) {
      const token = randomUUID();
      const rows = await table.claim(token, best.claim);
      if (rows.length === 0) return;
      await deliver(rows);
      await table.settle(token, rows);
    }
  };
  return drainBacklog(
    world,
    {
      name: post === 'bulk' ? `bare loop, one POST of ${bulk}` : 'bare loop, one POST per event',
      settings: {
        claimBatch: best.claim,
        loops: best.loops,
        postsAtOnce: best.posts,
        eventsPerPost: post === 'bulk' ? bulk : 1,
      },
      processes: { bench: process.pid, api: audit.pid },
      databases: { outbox: url, audit: audit.databaseUrl },
      append: table.append,
      drain: async () => void (await Promise.all(Array.from({ length: best.loops }, loop))),
      countDone: async () => ({ settled: await table.countDone(), records: await posts.count() }),
      async close() {
        await posts.close();
        await table.close();
        await world.postgres.drop(url);
        await audit.close();
      },
    },
    { multipleOf: best.claim },
  );
}
