/**
 * How contenders without Temporal are measured: a backlog is appended, the database is tidied, and the clock runs while it is
 * drained; then every row and every record is counted. The appending is not in the rate (a producer's transaction pays it); it
 * is told beside it.
 */
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { fixCount } from './fixed-count.mjs';

/**
 * @typedef {object} Backlog
 * @property {string} name
 * @property {Record<string, string | number | boolean>} settings
 * @property {Record<string, number>} processes ids by role, for who counts CPU
 * @property {Record<string, string>} databases URLs by what they hold: `outbox` (whatever stands in its place), `audit`
 * @property {(count: number) => Promise<void>} append
 * @property {(count: number) => Promise<number | void>} drain ends when all is settled; may answer the moment (of
 *   performance.now) from which the time counts: its runner has to start first, or part of what it did is not what is measured
 * @property {() => Promise<Record<string, number>>} countDone totals since the beginning, by what is counted
 * @property {() => Promise<void>} close
 */

const LATE_MS = 60_000;

/**
 * @param {import('./world.mjs').World} world
 * @param {Backlog} backlog
 * @param {{ multipleOf?: number }} options so that the last batch is not a small one
 */
export async function drainBacklog(world, backlog, { multipleOf = 200 } = {}) {
  const { name, settings, processes, databases } = backlog;
  const store = createPool(databases.outbox, { max: 1, statementTimeoutMs: 0 });
  let appended = 0;

  const run = async (wanted, expectedSeconds) => {
    const count = Math.ceil(wanted / multipleOf) * multipleOf;
    const appendedFrom = performance.now();
    await backlog.append(count);
    const appendSeconds = (performance.now() - appendedFrom) / 1_000;
    appended += count;
    await store.query('VACUUM (ANALYZE)'); // else autovacuum does it in the middle of some runs
    await world.settle();
    world.window.opened();
    const called = performance.now();
    const began = (await within(expectedSeconds * 10_000 + LATE_MS, name, backlog.drain(count))) ?? called;
    const seconds = (performance.now() - began) / 1_000;
    world.window.closed();
    for (const [what, done] of Object.entries(await backlog.countDone())) {
      if (done !== appended) throw new Error(`${name}: appended ${appended}, ${what} ${done}`);
    }
    return { count, seconds, perSecond: count / seconds, appendSeconds };
  };

  const close = async () => {
    await store.end();
    await backlog.close();
  };
  try {
    return { name, settings, processes, databases, measure: await fixCount(run), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function within(ms, name, draining) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: the backlog was not drained in ${Math.round(ms)} ms`)), ms);
  });
  return Promise.race([draining, late]).finally(() => clearTimeout(timer));
}

/** Calls `work(from, size)` for `count` things in chunks of at most `size`. */
export async function inChunks(count, size, work) {
  for (let from = 0; from < count; from += size) await work(from, Math.min(size, count - from));
}
