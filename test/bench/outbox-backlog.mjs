/**
 * A backlog in an outbox whose relay and worker run: appended while its event type is paused, as an operator pauses one, and
 * then let go. The clock is the database's own: from the end of the pause to the last `settled_at`. So appending is in no rate,
 * and neither is how often somebody asks whether all is done.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { steadyRate } from './run-pairs.mjs';
import { newEvent } from './sample-event.mjs';

const CHUNK = 1_000;
const ASK_EVERY_MS = 200;
/** Beyond what the rate lets expect. */
const LATE_MS = 60_000;

/** @param {{ outboxUrl: string, auditUrl: string }} options */
export function openBacklog({ outboxUrl, auditUrl }) {
  const outbox = new pg.Pool({ connectionString: outboxUrl, max: 1 });
  const audit = new pg.Pool({ connectionString: auditUrl, max: 1 });
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
  /** The index of what is open answers; a count of all rows would cost more than what is measured. */
  const untilNothingIsOpen = async (withinMs) => {
    const deadline = Date.now() + withinMs + LATE_MS;
    for (;;) {
      const { rows } = await outbox.query(
        `SELECT FROM outbox.delivery WHERE status = 'PENDING' AND order_key IS NULL
         UNION ALL SELECT FROM outbox.delivery WHERE status = 'STARTED' AND carrier IS NULL
         UNION ALL SELECT FROM outbox.delivery WHERE status = 'STARTED' AND carrier IS NOT NULL LIMIT 1`,
      );
      if (rows.length === 0) return;
      if (Date.now() > deadline) throw new Error(`events are still open: ${await standing(outbox)}`);
      await sleep(ASK_EVERY_MS);
    }
  };

  return {
    /** Appends so many and keeps them waiting. Vacuums, else autovacuum does it in the middle of some runs. */
    async hold(count) {
      await outbox.query(
        `INSERT INTO outbox.pause (id, event_type, reason, actor) VALUES (gen_random_uuid(), 'ORDER', 'bench', 'bench')`,
      );
      await append(count);
      await outbox.query('VACUUM (ANALYZE)');
    },
    /**
     * Lets them go and waits until all are settled.
     * @returns {Promise<{ seconds: number, steadyPerSecond: number }>}
     */
    async release(count, expectedSeconds) {
      // An event of another type wakes a relay that has slept for up to a second: what follows finds it awake.
      await append(1, { eventType: 'WAKE' });
      await untilNothingOfWakeIsOpen(outbox);
      const { rows } = await outbox.query(
        'DELETE FROM outbox.pause RETURNING extract(epoch FROM clock_timestamp())::float8 AS at',
      );
      await untilNothingIsOpen(expectedSeconds * 2_000);
      const { rows: settled } = await outbox.query(
        `SELECT extract(epoch FROM settled_at)::float8 AS at FROM outbox.delivery
         WHERE settled_at >= to_timestamp($1) AND event_type = 'ORDER' ORDER BY 1`,
        [rows[0].at],
      );
      if (settled.length !== count) throw new Error(`let ${count} events go, found ${settled.length} settled since`);
      const times = settled.map(({ at }) => at);
      return { seconds: times.at(-1) - rows[0].at, steadyPerSecond: steadyRate(times) };
    },
    /** @throws Error unless every event ever appended is DELIVERED and has exactly one record */
    async verify() {
      const sums = 'count(*)::int AS n, sum(hashtextextended(event_id::text, 0))::text AS ids';
      const [delivered, records] = await Promise.all([
        outbox.query(`SELECT ${sums} FROM outbox.delivery WHERE status = 'DELIVERED'`),
        audit.query(`SELECT ${sums}, count(DISTINCT event_id)::int AS distinct FROM audit.record`),
      ]).then((answers) => answers.map(({ rows }) => rows[0]));
      const same = delivered.n === appended && records.n === appended && records.distinct === appended;
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

async function untilNothingOfWakeIsOpen(outbox) {
  for (const deadline = Date.now() + LATE_MS; ; await sleep(5)) {
    const { rows } = await outbox.query(
      `SELECT FROM outbox.delivery WHERE event_type = 'WAKE' AND status <> 'DELIVERED' LIMIT 1`,
    );
    if (rows.length === 0) return;
    if (Date.now() > deadline) throw new Error(`an event is not delivered: ${await standing(outbox)}`);
  }
}

async function standing(outbox) {
  const { rows } = await outbox.query('SELECT status, count(*)::int AS n FROM outbox.delivery GROUP BY 1 ORDER BY 1');
  const letters = await outbox.query('SELECT code, message FROM outbox.dead_letter LIMIT 1');
  return JSON.stringify([...rows, ...letters.rows]);
}
