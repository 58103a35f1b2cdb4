/**
 * A backlog in an outbox whose relay and worker run: appended while its event type is paused, as an operator pauses one, and
 * then let go. The clock is the database's own: from the end of the pause to the last `settled_at`. So appending is in no rate,
 * and neither is how often somebody asks whether all is done.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { anyIs, standing, UNDER_WAY, untilNothingIsUnderWay, untilWoken, WAITING } from './backlog-standing.mjs';
import { fillOutbox } from './fill-outbox.mjs';
import { steadyRate } from './run-pairs.mjs';
import { newEvent } from './sample-event.mjs';

const CHUNK = 1_000;
const ASK_EVERY_MS = 200;
/** Beyond what the rate lets expect. */
const LATE_MS = 60_000;
/** Posts that were made again: some, where one was not answered in time; beyond that a build posts its events twice. */
const MOST_AGAIN = { least: 5, share: 0.05 };

/** @param {{ outboxUrl: string, audit: import('./audit-api.mjs').AuditApi, window: import('./world.mjs').World['window'] }} options */
export function openBacklog({ outboxUrl, audit: { databaseUrl, countPosts }, window }) {
  // Whether anything is open must be asked of an index: the planner takes one of many rows for quickly found in the table.
  const outbox = new pg.Pool({ connectionString: outboxUrl, max: 2, options: '-c enable_seqscan=off' });
  const audit = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  // A server that is stopped below an idle connection is told by the next statement; unheard it would end the bench.
  for (const pool of [outbox, audit]) pool.on('error', () => {});
  let appended = 0;

  const append = async (count, change = {}) => {
    for (let from = 0; from < count; from += CHUNK) {
      const events = Array.from({ length: Math.min(CHUNK, count - from) }, (_, n) => ({
        ...newEvent(appended + n),
        ...change,
      }));
      await outbox.query('SELECT count(*) FROM outbox.record_events($1::jsonb)', [JSON.stringify(events)]);
      appended += events.length;
    }
  };
  const untilNothingIsOpen = async (withinMs) => {
    const deadline = Date.now() + withinMs + LATE_MS;
    while (await anyIs(outbox, [WAITING, ...UNDER_WAY])) {
      if (Date.now() > deadline) throw new Error(`events are still open: ${await standing(outbox)}`);
      await sleep(ASK_EVERY_MS);
    }
  };
  const pause = () =>
    outbox.query(
      `INSERT INTO outbox.pause (id, event_type, reason, actor) VALUES (gen_random_uuid(), 'ORDER', 'bench', 'bench')`,
    );
  const capRuns = async (most) => {
    const { rows } = await outbox.query(
      `INSERT INTO outbox.destination (name, max_runs) VALUES ('audit.log', $1::integer)
       ON CONFLICT (name) DO UPDATE SET max_runs = $1::integer RETURNING extract(epoch FROM clock_timestamp())::float8 AS at`,
      [most],
    );
    return rows[0].at;
  };
  const endPause = async () => {
    // An event of another type wakes a relay that has slept for up to a second: what follows finds it awake.
    await append(1, { eventType: 'WAKE' });
    await untilWoken(outbox);
    const postsBefore = await countPosts();
    const { rows } = await outbox.query(
      'DELETE FROM outbox.pause RETURNING extract(epoch FROM clock_timestamp())::float8 AS at',
    );
    return { since: rows[0].at, postsBefore };
  };

  return {
    /** Appends so many and keeps them waiting. Vacuums, else autovacuum does it in the middle of some runs. */
    async hold(count) {
      await pause();
      await append(count);
      await outbox.query('VACUUM (ANALYZE)');
    },
    /** The same for many, made inside of the server. `paused`: it is already. */
    async fill(count, { paused = false, log } = {}) {
      if (!paused) await pause();
      await fillOutbox(outbox, count, { log });
      appended += count;
      await outbox.query('VACUUM (ANALYZE)');
    },
    /**
     * Lets them go and waits until all are settled.
     * @returns {Promise<{ seconds: number, steadyPerSecond: number, earlyPerSecond: number, latePerSecond: number,
     *   posts: number, postsAgain: number, replayed: number }>} `postsAgain`: beyond one for each run that carried events;
     *   `replayed`: events whose receipt says that an earlier post had stored them
     * @throws Error where they were posted more than once for a reason that is no accident
     */
    async release(count, expectedSeconds) {
      window.opened();
      const { since, postsBefore } = await endPause();
      await untilNothingIsOpen(expectedSeconds * 2_000);
      window.closed();
      const { rows: settled } = await outbox.query(
        `SELECT extract(epoch FROM settled_at)::float8 AS at, coalesce(carrier, event_id::text) AS run,
           coalesce((receipt ->> 'replayed')::boolean, false) AS replayed FROM outbox.delivery
         WHERE settled_at >= to_timestamp($1) AND event_type = 'ORDER' ORDER BY 1`,
        [since],
      );
      if (settled.length !== count) throw new Error(`let ${count} events go, found ${settled.length} settled since`);
      const times = settled.map(({ at }) => at);
      const posts = (await countPosts()) - postsBefore;
      const runs = new Set(settled.map(({ run }) => run)).size;
      const postsAgain = posts - runs;
      if (postsAgain > Math.max(MOST_AGAIN.least, runs * MOST_AGAIN.share)) {
        throw new Error(`${runs} runs carried ${count} events with ${posts} posts: some were posted again`);
      }
      return {
        posts,
        postsAgain,
        replayed: settled.filter(({ replayed }) => replayed).length,
        seconds: times.at(-1) - since,
        steadyPerSecond: steadyRate(times),
        earlyPerSecond: steadyRate(times, [0.1, 0.4]),
        latePerSecond: steadyRate(times, [0.6, 0.9]),
      };
    },
    /**
     * Lets them go for so long, or until none is left, and pauses what is left.
     * @param {() => Promise<void>} during is called once they go
     * @returns {Promise<{ count: number, seconds: number, steadySeconds: number, left: number }>} what was settled in that
     *   time; `steadySeconds`: from the first to the last tenth of it
     */
    async releaseFor(seconds, during = async () => {}) {
      const { since } = await endPause();
      const deadline = Date.now() + seconds * 1_000;
      const beside = during();
      beside.catch(() => {}); // awaited below
      let open = true;
      while (open && Date.now() < deadline) {
        await sleep(Math.min(ASK_EVERY_MS, Math.max(0, deadline - Date.now())));
        open = await anyIs(outbox, [WAITING, ...UNDER_WAY]);
      }
      // A pause would keep what is under way open for as long as it lasts; without room nothing new is claimed.
      const until = await capRuns(0);
      await beside;
      if (open) await untilNothingIsUnderWay(outbox);
      await pause();
      await capRuns(null);
      const { rows } = await outbox.query(
        `SELECT count(*)::int AS count, extract(epoch FROM max(settled_at))::float8 AS last,
           extract(epoch FROM percentile_disc(0.1) WITHIN GROUP (ORDER BY settled_at))::float8 AS "from",
           extract(epoch FROM percentile_disc(0.9) WITHIN GROUP (ORDER BY settled_at))::float8 AS "to",
           (SELECT count(*)::int FROM outbox.delivery WHERE status = 'PENDING') AS left
         FROM outbox.delivery WHERE settled_at >= to_timestamp($1) AND settled_at < to_timestamp($2) AND event_type = 'ORDER'`,
        [since, until],
      );
      const { count, last, from, to, left } = rows[0];
      if (count === 0) throw new Error(`nothing was delivered in ${seconds} s: ${await standing(outbox)}`);
      return { count, seconds: (left === 0 ? last : until) - since, steadySeconds: to - from, left };
    },
    /**
     * @param {{ partly?: boolean }} options `partly`: others may wait
     * @throws Error unless every event ever appended is DELIVERED and has exactly one record
     */
    async verify({ partly = false } = {}) {
      const sums = 'count(*)::int AS n, sum(hashtextextended(event_id::text, 0))::text AS ids';
      const [delivered, records] = await Promise.all([
        outbox.query(`SELECT ${sums} FROM outbox.delivery WHERE status = 'DELIVERED'`),
        audit.query(`SELECT ${sums}, count(DISTINCT event_id)::int AS distinct FROM audit.record`),
      ]).then((answers) => answers.map(({ rows }) => rows[0]));
      const waiting = partly
        ? (await outbox.query(`SELECT count(*)::int AS n FROM outbox.delivery WHERE status = 'PENDING'`)).rows[0].n
        : 0;
      const expected = appended - waiting;
      const same = delivered.n === expected && records.n === expected && records.distinct === expected;
      if (same && delivered.ids === records.ids) return;
      throw new Error(
        `appended ${appended}, delivered ${delivered.n}, records ${records.n} of ${records.distinct} events` +
          `${same ? ', but not of the same events' : ''}: ${await standing(outbox)}`,
      );
    },
    /** How many regular attempts there were: those leave rows. */
    async countAttempts() {
      return (await outbox.query('SELECT count(*)::int AS n FROM outbox.delivery_attempt')).rows[0].n;
    },
    async close() {
      await Promise.all([outbox.end(), audit.end()]);
    },
  };
}
