/**
 * Whether two servers have connections left for a verification, before anything is made: a server whose last one is taken refuses
 * the applications that live on it, too.
 */
import pg from 'pg';
import { explainingDatabase } from '../explain-database.js';

/** Pools of the roles, instead of the defaults: a server that others use is not to be filled. */
export const SMALL_POOLS = { OUTBOX_POOL_SIZE: '5', AUDIT_POOL_SIZE: '3', AUDIT_READ_POOL_SIZE: '2' };

/** Connections at most, by part. */
export type Need = Readonly<Record<Part, number>>;

type Part = 'outbox' | 'audit';

export interface Room {
  /** The same for one server under two names. */
  readonly server: string;
  /** That this role may open besides what is open. */
  readonly free: number;
  readonly open: number;
  /** max_connections without those that are kept for others, or what the role is limited to. */
  readonly most: number;
}

/** Of the producer: a server that others use is not to be filled. */
export const PRODUCER_CONNECTIONS = 8;

/** A relay's or a worker's own pool, and the connection of who asks for its metrics. */
const ROLE = Number(SMALL_POOLS.OUTBOX_POOL_SIZE) + 1;
/** Of a worker, at the audit log: what seals, erases and verifies, and its metrics. */
const WORKER_AT_AUDIT = 6 + 1;
/**
 * Two relays and two workers; the api's operations, of which the run alone asks, so never all that they might open, and its metrics;
 * who holds the made database; the runner; the producer. At the audit log the api's two pools, its operations, its metrics, two
 * workers, who holds it, the runner.
 */
const LINE: Need = {
  outbox: 4 * ROLE + (8 + 1) + 1 + 6 + PRODUCER_CONNECTIONS,
  audit:
    Number(SMALL_POOLS.AUDIT_POOL_SIZE) +
    Number(SMALL_POOLS.AUDIT_READ_POOL_SIZE) +
    2 +
    1 +
    2 * WORKER_AT_AUDIT +
    1 +
    6,
};
/** `outbox status`, once the faults are over. */
const STATUS: Need = { outbox: 5, audit: 3 };
/** Roles that come for a while: F14 eight relays in all, short four; F25 a relay and a worker; F26 two workers. One at a time. */
const COMING: Readonly<Record<string, (short: boolean) => Need>> = {
  F14: (short) => ({ outbox: (short ? 2 : 6) * ROLE, audit: 0 }),
  F25: () => ({ outbox: 2 * ROLE, audit: WORKER_AT_AUDIT }),
  F26: () => ({ outbox: 2 * ROLE, audit: 2 * WORKER_AT_AUDIT }),
};
/** What a mix goes without where there is no room, one after the other. */
export const LEFT_OUT_FIRST = ['F14', 'F26'];

/** Of a verification with these faults. */
export function needOf({ faults, short }: { faults: readonly string[]; short: boolean }): Need {
  const each = [STATUS, ...faults.flatMap((id) => COMING[id]?.(short) ?? [])];
  const most = (part: Part) => Math.max(...each.map((need) => need[part]));
  return { outbox: LINE.outbox + most('outbox'), audit: LINE.audit + most('audit') };
}

/** null: there is room. Otherwise a sentence with the numbers. */
export function whyNoRoom(rooms: Readonly<Record<Part, Room>>, need: Need): string | null {
  const { outbox, audit } = rooms;
  const one = outbox.server === audit.server;
  const asked = one
    ? [{ where: 'the server of both databases', room: outbox, need: need.outbox + need.audit }]
    : [
        { where: 'the server of the outbox', room: outbox, need: need.outbox },
        { where: 'the server of the audit log', room: audit, need: need.audit },
      ];
  const full = asked.filter(({ room, need: least }) => room.free < least);
  if (full.length === 0) return null;
  const sentences = full.map(
    ({ where, room, need: least }) =>
      `expected ${least} free connections at ${where}, there are ${room.free} (${room.open} of ${room.most} are open)`,
  );
  return sentences.join('; ');
}

export function readRoom(part: Part, url: string): Promise<Room> {
  return explainingDatabase(part, async () => {
    const client = new pg.Client({ connectionString: url, application_name: 'outbox verify', ...DEADLINES });
    client.on('error', () => {}); // told by the statement that waits for it
    try {
      await client.connect();
      const { rows } = await client.query<Counted>(COUNT);
      return roomOf(rows[0] as Counted);
    } finally {
      await client.end();
    }
  });
}

const DEADLINES = { connectionTimeoutMillis: 10_000, query_timeout: 30_000 };

export interface Counted {
  readonly server: string;
  readonly most: number;
  readonly open: number;
  /** -1: none. */
  readonly roleLimit: number;
  readonly roleOpen: number;
}

export function roomOf({ server, most, open, roleLimit, roleOpen }: Counted): Room {
  const ofServer = { server, most, open, free: Math.max(0, most - open) };
  if (roleLimit < 0 || roleLimit - roleOpen >= ofServer.free) return ofServer;
  return { server, most: roleLimit, open: roleOpen, free: Math.max(0, roleLimit - roleOpen) };
}

// numbackends and usesysid are shown to every role; the start of the server tells two servers apart.
const COUNT = `SELECT pg_postmaster_start_time()::text AS server,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true)::int, 0) AS most,
  (SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database) AS open,
  (SELECT CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END FROM pg_roles WHERE rolname = current_user) AS "roleLimit",
  (SELECT count(*)::int FROM pg_stat_activity WHERE usesysid = (SELECT oid FROM pg_roles WHERE rolname = current_user)) AS "roleOpen"`;
