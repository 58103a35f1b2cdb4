/** What a fault looks at to know that it happened: rows, metrics, lines. */
import type pg from 'pg';
import type { ChaosWorld, FleetMember } from '../ports.js';
import { type Patience, until } from './wait.js';

export async function count(pool: pg.Pool, from: string, values: readonly unknown[] = []): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${from}`, [...values]);
  return rows[0]?.n ?? 0;
}

/** By the clock that rows have: on a staging it is not ours. */
export async function databaseTime(outbox: pg.Pool): Promise<Date> {
  const { rows } = await outbox.query<{ at: Date }>('SELECT clock_timestamp() AS at');
  return (rows[0] as { at: Date }).at;
}

export type Status = 'PENDING' | 'STARTED' | 'DELIVERED' | 'DEAD' | 'DISCARDED';

/** Waits until each is in one of these states: the ids of those that are not. */
export async function untilStatus(
  { outbox }: ChaosWorld,
  ids: readonly string[],
  statuses: readonly Status[],
  patience: Patience,
): Promise<readonly string[]> {
  let others: readonly string[] = ids;
  await until(async () => {
    const { rows } = await outbox.query<{ id: string }>(
      'SELECT event_id AS id FROM outbox.delivery WHERE event_id = ANY ($1::uuid[]) AND status <> ALL ($2::text[])',
      [ids, statuses],
    );
    others = rows.map(({ id }) => id);
    return others.length === 0;
  }, patience);
  return others;
}

/**
 * Of these, the events of which an attempt was lost or got no answer. On a busy machine, or beside another fault, that is lawful,
 * and whatever is sent again for it shows nothing.
 */
export async function withoutAnswer({ outbox }: ChaosWorld, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await outbox.query<{ id: string }>(
    `SELECT DISTINCT event_id AS id FROM outbox.delivery_attempt WHERE event_id = ANY ($1::uuid[])
     AND code IN ('DELIVERY.ATTEMPT_LOST', 'HTTP.TIMEOUT', 'HTTP.NETWORK', 'STORE.UNAVAILABLE')`,
    [ids],
  );
  return new Set(rows.map(({ id }) => id));
}

/** The sum over all labels that hold `label`; null where the member does not answer, stopped, or restarting. */
export async function metric(member: FleetMember, name: string, label = ''): Promise<number | null> {
  if (member.probePort === null) return null;
  const url = `http://127.0.0.1:${member.probePort}/metrics`;
  const text = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    .then((answer) => (answer.ok ? answer.text() : null))
    .catch(() => null); // whoever asked looks at it
  if (text === null) return null;
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines
    .filter((line) => line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** How often all members printed it so far, a global pattern within a line. */
export function timesPrinted({ fleet }: ChaosWorld, pattern: RegExp): number {
  return fleet.members.reduce((sum, member) => sum + member.timesPrinted(pattern), 0);
}

/** The default where the settings do not say otherwise. */
export function leaseMs({ environment }: ChaosWorld): number {
  return Number(environment.OUTBOX_LEASE_MS ?? 30_000);
}
