/** F8, F12: what happens to sessions of the database: ended under their owners, or open for long. */
import type pg from 'pg';
import { allFlowSince, FLOWS_WITHIN_SECONDS } from '../watch-line.js';
import { pause } from '../within.js';
import { defineFault } from './define-fault.js';
import { timesPrinted, untilStatus } from './look.js';
import { idsOf, ownEvents } from './own-events.js';
import { PATIENCE_MS, until, within } from './wait.js';

/** The roles' own, by the names that they give themselves; the runner's and the producer's have others. */
const OURS = "application_name LIKE 'temporal-outbox %' AND datname = current_database() AND pid <> pg_backend_pid()";

export const terminatedBackends = defineFault({
  id: 'F8',
  title: 'backends terminated once a second, idle and in transactions',
  weight: 3,
  resources: ['outbox-db', 'audit-db'],
  short: [5, 8],
  long: [60, 60],
  async inflict(world, { signal, durationMs, problems, heal }) {
    const end = performance.now() + durationMs;
    const ends = { idle: 0, active: 0 };
    const uncaught = () => timesPrinted(world, /process\.(uncaught_exception|unhandled_rejection|failed)/g);
    const before = { uncaught: uncaught(), unwanted: world.fleet.unwanted.length };
    // One that is at work is met by chance: a quiet line takes some looks more.
    const met = () => ends.active > 0 || performance.now() >= end + PATIENCE_MS / 2;
    while ((performance.now() < end || !met()) && !signal.aborted) {
      for (const pool of new Set([world.outbox, world.audit])) {
        ends.idle += await terminate(pool, "state = 'idle'", 2);
        // One that is at work is seen for a moment only: look until one is.
        const seen = async () => {
          const ended = await terminate(pool, "state <> 'idle' AND xact_start IS NOT NULL", 1);
          ends.active += ended;
          return ended > 0;
        };
        await until(seen, { withinMs: 400, signal, everyMs: 5 });
      }
      const leftMs = end - performance.now();
      await pause(leftMs > 0 ? Math.min(1_000, leftMs) : 1_000, signal);
    }
    await heal();
    const lines = uncaught() - before.uncaught;
    if (lines > 0) problems.push(`${lines} lines of the roles tell of an exception that nobody caught`);
    problems.push(...world.fleet.unwanted.slice(before.unwanted));
    if (ends.active === 0) problems.push('no backend was met inside a transaction');
    return {
      happened: ends.idle + ends.active,
      what: `backends ended: ${ends.idle} idle, ${ends.active} in a transaction`,
    };
  },
});

async function terminate(pool: pg.Pool, state: string, most: number): Promise<number> {
  const { rows } = await pool.query<{ ended: boolean }>(
    `SELECT pg_terminate_backend(pid) AS ended FROM (
       SELECT pid FROM pg_stat_activity WHERE ${OURS} AND ${state} ORDER BY random() LIMIT $1) AS chosen`,
    [most],
  );
  return rows.filter(({ ended }) => ended).length;
}

export const lateCommit = defineFault({
  id: 'F12',
  title: 'a writing transaction that commits after later ids',
  weight: 2,
  // All the time it looks for deliveries of both destinations.
  resources: ['outbox-db', 'ledger', 'ingest', 'temporal', 'relay', 'worker'],
  short: [4, 8],
  long: [120, 180],
  async inflict(world, { signal, durationMs, problems, heal, patience }) {
    const events = [...ownEvents(world, 3), ...ownEvents(world, 3, { routingKey: 'audit.log' })];
    const ids = idsOf(events);
    const committing = world.producer.append(events, { holdMs: durationMs });
    committing.catch(() => undefined); // looked at below
    const begunAt = performance.now();
    const flowsWithin = patience * FLOWS_WITHIN_SECONDS;
    let later = 0;
    let stoodStill = 0;
    await until(
      async () => {
        later = await deliveredAfter(world.outbox, ids[ids.length - 1] as string);
        // Beside the open transaction work flows as it does without.
        const flows = await allFlowSince(world.outbox, flowsWithin * 1_000);
        if (!flows && performance.now() - begunAt > flowsWithin * 1_000) stoodStill += 1;
        return false;
      },
      { withinMs: Math.max(0, durationMs - 500), signal, everyMs: 500 },
    );
    if (later === 0) problems.push('no later event was delivered while an earlier one was not committed yet');
    if (stoodStill > 0) {
      problems.push(
        `at ${stoodStill} looks no later event of each destination had been delivered within ${flowsWithin} s`,
      );
    }
    const committed = await within(15_000, signal, committing);
    await heal();
    if (committed === null) return { happened: 0, what: 'the late transaction had not committed in time' };
    const open = await untilStatus(world, ids, ['DELIVERED'], { withinMs: PATIENCE_MS, signal });
    if (open.length > 0)
      problems.push(`${open.length} of ${ids.length} late events were not delivered in time after their commit`);
    return {
      happened: later,
      what: `${later} events with later ids were delivered before these ${ids.length} were committed`,
    };
  },
});

async function deliveredAfter(pool: pg.Pool, id: string): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM outbox.delivery WHERE event_id > $1 AND status = 'DELIVERED'",
    [id],
  );
  return rows[0]?.n ?? 0;
}
