/**
 * From a producer's commit to the record, at a rate that leaves the machine mostly idle, warm: the shipped product, and a
 * producer that appends one event in each transaction, at moments that nobody can foresee (exponential gaps: even ones would
 * fall into step with the relay's poll).
 *
 * All by PostgreSQL's clock, which the two databases share, on the one machine that the api's clock is on, too. The commit is
 * `clock_timestamp()` in the producer's own session right behind COMMIT, in one message: no way to and fro lies between. The
 * record is `audit.record.recorded_at`, which the api takes just before it writes; so `delivered…`, to the delivery's
 * `settled_at`, is told beside it: that comes after the record is durable and has been answered for.
 *
 * `idle`: no event for that share of the seconds asked for, then one. What its relay's poll has fallen back to is in it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { timesOf } from '../run-pairs.mjs';
import { newEvent } from '../sample-event.mjs';
import { startOurs } from '../start-ours.mjs';

const WARM_UP = { perSecond: 50, seconds: 5 };
const LATE_MS = 30_000;

const SETTLED = `
SELECT event_id AS id, extract(epoch FROM settled_at)::float8 AS at FROM outbox.delivery
WHERE event_id = ANY ($1::uuid[]) AND status = 'DELIVERED'`;
const RECORDED = `
SELECT event_id AS id, extract(epoch FROM recorded_at)::float8 AS at FROM audit.record WHERE event_id = ANY ($1::text[])`;

/**
 * @param {import('../world.mjs').World} world
 * @param {import('../start-ours.mjs').OursOptions & { perSecond?: number, idle?: boolean }} options
 */
export async function prepare(world, { perSecond = 10, idle = false, ...options } = {}) {
  const { backlog, ...ours } = await startOurs(world, options);
  const [producer, audit] = [ours.databases.outbox, ours.databases.audit].map(
    (connectionString) => new pg.Pool({ connectionString, max: 1 }),
  );
  for (const pool of [producer, audit]) pool.on('error', () => {}); // the next statement tells
  const close = async () => {
    await Promise.all([producer.end(), audit.end()]);
    await ours.close();
  };

  const waitFor = async (pool, text, ids) => {
    for (const deadline = Date.now() + LATE_MS; ; await sleep(20)) {
      const { rows } = await pool.query(text, [ids]);
      if (rows.length === ids.length) return new Map(rows.map(({ id, at }) => [id, at]));
      if (Date.now() > deadline) throw new Error(`appended ${ids.length} events, found ${rows.length} of them`);
    }
  };
  const timesSince = async (committed) => {
    const ids = [...committed.keys()];
    const settled = await waitFor(producer, SETTLED, ids);
    const recorded = await waitFor(audit, RECORDED, ids);
    const since = (found) => timesOf(ids.map((id) => (found.get(id) - committed.get(id)) * 1_000));
    const delivered = since(settled);
    return {
      ...since(recorded),
      deliveredP50Ms: delivered.p50Ms,
      deliveredP95Ms: delivered.p95Ms,
      deliveredP99Ms: delivered.p99Ms,
    };
  };
  const produce = async (rate, seconds) => {
    const committed = new Map();
    const until = performance.now() + seconds * 1_000;
    for (let at = performance.now(); ; ) {
      at -= (Math.log(1 - Math.random()) / rate) * 1_000;
      if (at > until && committed.size > 0) break;
      await sleep(Math.max(0, at - performance.now()));
      await append(producer, committed);
    }
    return timesSince(committed);
  };
  const afterIdling = async (seconds) => {
    await sleep((seconds + Math.random()) * 1_000); // the relay looks about once a second: not always at the same moment
    const committed = new Map();
    await append(producer, committed);
    return timesSince(committed);
  };

  try {
    await produce(WARM_UP.perSecond, WARM_UP.seconds);
    const shape = idle ? { idle: 'for the seconds of a run, then one event' } : { perSecond, gaps: 'exponential' };
    return {
      ...ours,
      settings: { ...ours.settings, ...shape },
      measure: idle ? afterIdling : (seconds) => produce(perSecond, seconds),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

let events = 0;

async function append(pool, committed) {
  const event = newEvent(events++);
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT outbox.record_event($1::jsonb)', [JSON.stringify(event)]);
    const [, { rows }] = await client.query('COMMIT; SELECT extract(epoch FROM clock_timestamp())::float8 AS at');
    committed.set(event.id, rows[0].at);
  } finally {
    client.release();
  }
}
