/**
 * The same job on graphile-worker, one POST for each job. Its documented way to go fast: the local queue takes many jobs in one
 * statement, and completions are batched. Jobs without a queue name and one task only, so that nothing orders them; a job that
 * is done is deleted, as it always does.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, makeWorkerUtils, run, WorkerPreset } from 'graphile-worker';
import { createPool } from '../../../dist/src/infrastructure/prisma/pg-pool.js';
import { drainBacklog, inChunks } from '../drain-backlog.mjs';
import { openAuditPosts } from '../post-audit.mjs';
import { newIntegrationEvent } from '../sample-event.mjs';

/**
 * By trials on two cores (try-settings.mjs): as many jobs at once as keep the ingest busy, and a completion that waits for
 * others no longer than a job takes. `pollMs` matters only at the end: behind a backlog the local queue asks again at once.
 */
const BEST = { concurrentJobs: 64, localQueue: 1_000, completeBatchMs: 20, posts: 32, pool: 10, pollMs: 100 };

const APPENDED_AT_ONCE = 500;
/** Whether all jobs are gone, inside of its clock: seldom enough to be no load, often enough to be no part of the time. */
const ASK_EVERY_MS = 5;
const silent = new Logger(() => () => {});

/** @param {import('../world.mjs').World} world @param {Partial<typeof BEST>} options */
export async function prepare(world, options = {}) {
  const settings = { ...BEST, ...options };
  const audit = await world.audit();
  const url = await world.postgres.createDatabase();
  const posts = openAuditPosts(audit, { connections: settings.posts });
  const jobs = createPool(url, { max: 1 });
  const preset = {
    extends: [WorkerPreset],
    worker: {
      connectionString: url,
      maxPoolSize: settings.pool,
      concurrentJobs: settings.concurrentJobs,
      pollInterval: settings.pollMs,
      localQueue: { size: settings.localQueue },
      completeJobBatchDelay: settings.completeBatchMs,
      preparedStatements: true,
      logger: silent,
    },
  };
  const utils = await makeWorkerUtils({ preset });
  await utils.migrate();
  let posted = 0;

  /** The clock starts with the first job: the start of a runner is no part of the rate. */
  const drain = async (count) => {
    let first;
    let delivered = 0;
    let done = () => {};
    const allDelivered = new Promise((resolve) => {
      done = resolve;
    });
    const deliver = async (event) => {
      first ??= performance.now();
      await posts.one(event);
      posted += 1;
      delivered += 1;
      if (delivered === count) done();
    };
    const runner = await run({ preset, taskList: { deliver }, noHandleSignals: true });
    await Promise.race([allDelivered, runner.promise]);
    while ((await jobs.query('SELECT FROM graphile_worker._private_jobs LIMIT 1')).rowCount > 0)
      await sleep(ASK_EVERY_MS);
    const ended = performance.now();
    await runner.stop();
    return first + (performance.now() - ended); // later by what stopping took: that is no part of it either
  };

  return drainBacklog(world, {
    name: 'graphile-worker, one POST per job',
    settings: { ...settings, process: 'one, the bench’s' },
    processes: { bench: process.pid, api: audit.pid },
    databases: { outbox: url, audit: audit.databaseUrl },
    append: (count) =>
      inChunks(count, APPENDED_AT_ONCE, (from, size) =>
        utils.addJobs(
          Array.from({ length: size }, (_, i) => ({ identifier: 'deliver', payload: newIntegrationEvent(from + i) })),
        ),
      ),
    drain,
    // A job that is done is no row any more, and `drain` has seen the table empty: so this counts what was answered for.
    countDone: async () => ({ posted, records: await posts.count() }),
    async close() {
      await utils.release();
      await jobs.end();
      await posts.close();
      await world.postgres.drop(url);
      await audit.close();
    },
  });
}
