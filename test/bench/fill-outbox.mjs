// Large backlogs, made inside of the server by the producers' own function: the rows are those of appended events, and a million
// takes minutes instead of an hour.
import { inChunks } from './drain-backlog.mjs';
import { newEvent } from './sample-event.mjs';

const CHUNK = 1_000;
const TELL_EVERY = 100_000;

/** The sample event with what differs from one to the next. $1 it · $2 from · $3 to · $4 types · $5 tenants */
const FILL = `
SELECT count(*) FROM outbox.record_events((
  SELECT jsonb_agg(s.event || jsonb_build_object(
    'eventType', ($4::text[])[1 + least(s.g % 10, cardinality($4::text[]) - 1)],
    'tenantId', 'tenant-' || s.g / 10 % $5::integer,
    'aggregate', s.event->'aggregate' || jsonb_build_object('id', s.order_id),
    'payload', s.event->'payload' || jsonb_build_object('orderId', s.order_id)))
  FROM (SELECT $1::jsonb - 'id' AS event, g, gen_random_uuid() AS order_id FROM generate_series($2::integer, $3::integer) g) s))`;

/**
 * @param {import('pg').Pool} pool its connections fill at once
 * @param {number} count
 * @param {{ eventTypes?: string[], tenants?: number, connections?: number, log?: (line: string) => void }} options of several
 *   event types the last one has most; tenants have as much each
 */
export async function fillOutbox(
  pool,
  count,
  { eventTypes = ['ORDER'], tenants = 4, connections = 2, log = () => {} } = {},
) {
  const sample = JSON.stringify(newEvent(0));
  const chunks = [];
  await inChunks(count, CHUNK, async (from, size) => void chunks.push([from, from + size - 1]));
  let filled = 0;
  const fill = async () => {
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
      const [from, to] = chunk;
      await pool.query(FILL, [sample, from, to, eventTypes, tenants]);
      filled += to - from + 1;
      if (Math.floor(filled / TELL_EVERY) !== Math.floor((filled - (to - from + 1)) / TELL_EVERY)) {
        log(`filled ${filled.toLocaleString('en')} of ${count.toLocaleString('en')}`);
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, fill));
}
