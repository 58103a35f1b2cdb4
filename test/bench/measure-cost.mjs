/**
 * What an event costs. WAL bytes, row versions and commits by database are of its whole life: appended, delivered, settled
 * (appending is in chunks of many events, so that the producer's own commits are not in it). CPU seconds by process are those
 * of the time that is measured: appending, tidying and counting are done by the bench, before it and after it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { readProcessorTime, readProcessorTimeOfTree } from './processor-time.mjs';
import { openWal } from './wal.mjs';

/** Sessions hand in their counters when they have been idle for ten seconds, at the latest (PGSTAT_IDLE_INTERVAL). */
const COUNTERS_AFTER_MS = 11_000;

const ROWS = `
SELECT coalesce(sum(n_tup_ins), 0)::float8 AS inserted, coalesce(sum(n_tup_upd), 0)::float8 AS updated,
  coalesce(sum(n_tup_hot_upd), 0)::float8 AS "hotUpdated", coalesce(sum(n_tup_del), 0)::float8 AS deleted,
  (SELECT xact_commit::float8 FROM pg_stat_database WHERE datname = current_database()) AS transactions
FROM pg_stat_user_tables`;

/**
 * One run of `contender.measure(seconds)` with its costs.
 * @param {import('./world.mjs').World} world
 * @param {{ measure: Function, databases?: Record<string, string> }} contender `databases`: URLs by what they hold
 * @param {number} seconds
 * @param {Record<string, number>} pids by role; PostgreSQL's is known
 * @returns {Promise<Record<string, any>>} what `measure` gave, and for each event or 1,000 of them: WAL bytes, commits that
 *   wrote, transactions (those that only read, too) and row versions by database, CPU seconds by process
 */
export async function measureCost(world, contender, seconds, pids) {
  const names = Object.entries(contender.databases ?? {});
  const times = {};
  const { window } = world;
  const wal = await openWal(world.postgres);
  try {
    await wal.prepare();
    await sleep(COUNTERS_AFTER_MS); // what came before
    const before = { rows: await readRows(names), wal: await wal.position() };
    const keep = { ...window };
    Object.assign(window, {
      opened: () => void Object.assign(times, { before: readTimes(world, pids) }),
      closed: () => void Object.assign(times, { after: readTimes(world, pids) }),
    });
    const measured = await contender.measure(seconds).finally(() => Object.assign(window, keep));
    const after = { wal: await wal.position() };
    await sleep(COUNTERS_AFTER_MS);
    after.rows = await readRows(names);
    const written = await wal.between(before.wal, after.wal);
    const { count } = measured;
    const byDatabase = (of) => Object.fromEntries(names.map(([name, url]) => [name, of(name, url)]));
    const rows = (name, what) => after.rows[name][what] - before.rows[name][what];
    const walOf = (url) => written[new URL(url).pathname.slice(1)] ?? { bytes: 0, images: 0, commits: 0 };
    return {
      ...measured,
      walBytesPerEvent: byDatabase((_, url) => walOf(url).bytes / count),
      fullPageImageBytesPerEvent: byDatabase((_, url) => walOf(url).images / count),
      commitsPerThousand: byDatabase((_, url) => (walOf(url).commits / count) * 1_000),
      transactionsPerThousand: byDatabase((name) => (rows(name, 'transactions') / count) * 1_000),
      rowVersionsPerEvent: byDatabase((name) => ({
        inserted: rows(name, 'inserted') / count,
        updated: rows(name, 'updated') / count,
        hotUpdated: rows(name, 'hotUpdated') / count,
        deleted: rows(name, 'deleted') / count,
      })),
      processorSecondsPerThousand: Object.fromEntries(
        Object.entries(times.after).map(([name, used]) => [name, ((used - times.before[name]) / count) * 1_000]),
      ),
    };
  } finally {
    await wal.restore();
    await wal.close();
  }
}

function readTimes({ postgres, temporal }, pids) {
  const times = Object.entries(pids).map(([name, pid]) => [name, readProcessorTime(pid)]);
  if (temporal?.pid !== undefined) times.push(['temporal', readProcessorTime(temporal.pid)]);
  return Object.fromEntries([...times, ['postgres', readProcessorTimeOfTree(postgres.pid)]]);
}

/** A session of its own for each look: counters are as they were when a session first asked. */
async function readRows(names) {
  const found = {};
  for (const [name, url] of names) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    found[name] = (await client.query(ROWS)).rows[0];
    await client.end();
  }
  return found;
}
