// What is asked of a backlog while it is drained.
import { setTimeout as sleep } from 'node:timers/promises';

const ASK_EVERY_MS = 200;
/** A claim is marked STARTED well within so many asks. */
const QUIET_ASKS = 10;
const LATE_MS = 60_000;

/** Each has an index; a count of all rows would cost more than what is measured. */
export const WAITING = `status = 'PENDING' AND order_key IS NULL`;
export const UNDER_WAY = [`status = 'STARTED' AND carrier IS NULL`, `status = 'STARTED' AND carrier IS NOT NULL`];

export async function anyIs(outbox, conditions) {
  const asked = conditions.map((condition) => `EXISTS (SELECT FROM outbox.delivery WHERE ${condition})`);
  return (await outbox.query(`SELECT ${asked.join(' OR ')} AS found`)).rows[0].found;
}

export async function untilNothingIsUnderWay(outbox) {
  const deadline = Date.now() + LATE_MS;
  for (let quiet = 0; quiet < QUIET_ASKS; await sleep(ASK_EVERY_MS)) {
    quiet = (await anyIs(outbox, UNDER_WAY)) ? 0 : quiet + 1;
    if (Date.now() > deadline) throw new Error(`events are still under way: ${await standing(outbox)}`);
  }
}

/** Until the relay, awake, has had an event of the type WAKE delivered. */
export async function untilWoken(outbox) {
  const open = [WAITING, ...UNDER_WAY].map((one) => `${one} AND destination = 'audit.log' AND event_type = 'WAKE'`);
  for (const deadline = Date.now() + LATE_MS; await anyIs(outbox, open); await sleep(5)) {
    if (Date.now() > deadline) throw new Error(`an event is not delivered: ${await standing(outbox)}`);
  }
}

export async function standing(outbox) {
  const { rows } = await outbox.query('SELECT status, count(*)::int AS n FROM outbox.delivery GROUP BY 1 ORDER BY 1');
  const letters = await outbox.query('SELECT code, message FROM outbox.dead_letter LIMIT 1');
  return JSON.stringify([...rows, ...letters.rows]);
}
