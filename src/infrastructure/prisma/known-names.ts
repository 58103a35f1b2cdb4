/** Which destinations and event types there are, for a name that a person has typed. */
import type { KnownNames, PauseScope } from '../../application/delivery/destinations/ports.js';
import { CARRIED, destinationsOf, type OpenKind, RUNNING, WAITING, WAITING_ORDERED } from './open-rows-sql.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;
/** So many are suggested from; the one asked for is looked for by itself. */
const MOST_DESTINATIONS = 256;
const RECENT_EVENTS = 10_000;

export async function findKnownNames(pool: PgPool, { destination, eventType }: PauseScope): Promise<KnownNames> {
  const [row] = await runStatement<{ destinations: string[]; event_types: string[] }>(pool, {
    name: 'destination_known_names',
    text: KNOWN,
    values: [destination, eventType],
    timeoutMs: TIMEOUT_MS,
  });
  return { destinations: row?.destinations ?? [], eventTypes: row?.event_types ?? [] };
}

const KINDS = { waiting: WAITING, ordered: WAITING_ORDERED, running: RUNNING, carried: CARRIED };
const each = (part: (name: string, kind: OpenKind) => string, kinds: readonly [string, OpenKind][]) =>
  kinds.map(([name, kind]) => part(name, kind)).join(' UNION ');
const ALL_KINDS = Object.entries(KINDS);
const BY_TYPE = ALL_KINDS.filter(([, { key }]) => 'event_type' in key);
/** One row of the kind, by its index: without an order the server may look for it in the table, from the front. */
const someRow = (column: string, { rows, key }: OpenKind, of: string) => `SELECT d.${column} FROM outbox.delivery d
  WHERE ${rows} AND ${of} ORDER BY ${Object.keys(key)
    .map((name) => `d.${name}`)
    .join(', ')} LIMIT 1`;

/**
 * $1 destination, $2 event type. What has a row of its own, what is open, and what the latest events name: all of it by
 * index, whatever was ever delivered. Runs under way have no index by type; their events are among the latest.
 */
export const KNOWN = `
WITH RECURSIVE ${ALL_KINDS.map(([name, kind]) => destinationsOf(name, kind, MOST_DESTINATIONS)).join(',\n')},
recent AS MATERIALIZED (
  SELECT event_type, routing_key FROM outbox.event ORDER BY recorded_at DESC, id DESC LIMIT ${RECENT_EVENTS}
)
SELECT ARRAY(
  SELECT name FROM outbox.destination UNION SELECT routing_key FROM recent
  UNION ${each((name) => `SELECT destination FROM ${name}`, ALL_KINDS)}
  UNION ${each((_, kind) => `(${someRow('destination', kind, 'd.destination = $1::text')})`, ALL_KINDS)}
  UNION (SELECT l.destination FROM outbox.dead_letter l
    WHERE l.state = 'open' AND l.destination = $1::text ORDER BY l.last_failed_at LIMIT 1)
) AS destinations, ARRAY(
  SELECT name FROM outbox.event_type UNION SELECT event_type FROM recent
  UNION ${each(
    (name, kind) => `SELECT r.event_type FROM ${name} k CROSS JOIN LATERAL (
    ${someRow('event_type', kind, 'd.destination = k.destination AND d.event_type = $2::text')}) r`,
    BY_TYPE,
  )}
) AS event_types`;
