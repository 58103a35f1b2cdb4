/**
 * The same job on pg-boss, one POST for each job: jobs are fetched and completed in batches, each statement for the whole batch,
 * and a worker that got a full batch asks again at once. Supervision, schedules and its registry are off: they would only take
 * from its own rate.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PgBoss } from 'pg-boss';
import { createPool } from '../../../dist/src/infrastructure/prisma/pg-pool.js';
import { drainBacklog, inChunks } from '../drain-backlog.mjs';
import { openAuditPosts } from '../post-audit.mjs';
import { newIntegrationEvent } from '../sample-event.mjs';

/** By trials on two cores (try-settings.mjs). `partition`: the queue has a table of its own. */
const BEST = { batchSize: 200, localConcurrency: 2, posts: 16, pool: 10, partition: true };

const QUEUE = 'audit';
const APPENDED_AT_ONCE = 500;
/** Whether all is completed, inside of its clock: seldom enough to be no load, often enough to be no part of the time. */
const ASK_EVERY_MS = 5;

/** @param {import('../world.mjs').World} world @param {Partial<typeof BEST>} options */
export async function prepare(world, options = {}) {
  const settings = { ...BEST, ...options };
  const audit = await world.audit();
  const url = await world.postgres.createDatabase();
  const posts = openAuditPosts(audit, { connections: settings.posts });
  const jobs = createPool(url, { max: 1 });
  const boss = new PgBoss({
    connectionString: url,
    max: settings.pool,
    supervise: false,
    schedule: false,
    registerInstance: false,
    openTelemetry: { enabled: false },
  });
  const failures = [];
  boss.on('error', (error) => failures.push(error));
  await boss.start();
  await boss.createQueue(QUEUE, { partition: settings.partition });

  /** Its workers start in no time; the clock starts with the first batch all the same, as for the other queue. */
  const drain = async (count) => {
    let first;
    let delivered = 0;
    let done = () => {};
    const allDelivered = new Promise((resolve) => {
      done = resolve;
    });
    await boss.work(
      QUEUE,
      {
        batchSize: settings.batchSize,
        localConcurrency: settings.localConcurrency,
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
      },
      async (batch) => {
        first ??= performance.now();
        await Promise.all(batch.map((job) => posts.one(job.data)));
        delivered += batch.length;
        if (delivered === count) done();
      },
    );
    await allDelivered;
    const open = `SELECT FROM pgboss.job WHERE name = '${QUEUE}' AND state < 'completed' LIMIT 1`;
    for (; (await jobs.query(open)).rowCount > 0; await sleep(ASK_EVERY_MS)) if (failures.length > 0) throw failures[0];
    const ended = performance.now();
    await boss.offWork(QUEUE);
    return first + (performance.now() - ended);
  };

  return drainBacklog(
    world,
    {
      name: 'pg-boss, one POST per job',
      settings: { ...settings, burstWhenBatchFull: true, supervise: false, process: 'one, the bench’s' },
      processes: { bench: process.pid, api: audit.pid },
      databases: { outbox: url, audit: audit.databaseUrl },
      append: (count) =>
        inChunks(count, APPENDED_AT_ONCE, (from, size) =>
          boss.insert(
            QUEUE,
            Array.from({ length: size }, (_, i) => ({ data: newIntegrationEvent(from + i) })),
          ),
        ),
      drain,
      async countDone() {
        const { rows } = await jobs.query(`SELECT count(*)::integer AS n FROM pgboss.job WHERE state = 'completed'`);
        return { completed: rows[0].n, records: await posts.count() };
      },
      async close() {
        await boss.stop({ graceful: false });
        await jobs.end();
        await posts.close();
        await world.postgres.drop(url);
        await audit.close();
      },
    },
    { multipleOf: settings.batchSize },
  );
}
