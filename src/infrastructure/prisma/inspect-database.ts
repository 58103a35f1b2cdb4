import type { Database } from '../../application/delivery/doctor/judge-schema.js';
import type { Holder } from '../../application/delivery/doctor/judge-snapshots.js';
import {
  BIG_BYTES,
  type IndexFacts,
  type StorageFacts,
  type TableFacts,
} from '../../application/delivery/doctor/judge-storage.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;
const CLOCK_ROUNDS = 3;
const HOLDERS_LISTED = 10;
const TABLES_LISTED = 200;
const INDEXES_LISTED = 50;

export interface DatabaseInspector {
  /** How far the server's clock is ahead of this machine's, by the quickest of a few rounds, and by how much that may be wrong. */
  readClock(): Promise<{ readonly skewMs: number; readonly withinMs: number }>;
  readHolders(): Promise<readonly Holder[]>;
  readStorage(): Promise<StorageFacts>;
  readConnections(): Promise<{ readonly most: number; readonly open: number }>;
}

/** What the server says of itself and of our tables, by one bounded statement each. Reads catalogues and statistics only. */
export function createDatabaseInspector(pool: PgPool, database: Database): DatabaseInspector {
  const run = <Row extends object>(name: string, text: string, values: readonly unknown[] = []) =>
    runStatement<Row>(pool, { name: `inspect_${name}`, text, values, timeoutMs: TIMEOUT_MS });
  return {
    async readClock() {
      // The first one opens the connection.
      await run('clock', CLOCK);
      let best: { skewMs: number; withinMs: number } | null = null;
      for (let round = 0; round < CLOCK_ROUNDS; round += 1) {
        const [sentAt, started] = [Date.now(), performance.now()];
        const [row] = await run<{ ms: number }>('clock', CLOCK);
        const half = (performance.now() - started) / 2;
        const skewMs = Math.round((row as { ms: number }).ms - (sentAt + half));
        // Neither clock is told finer than a millisecond.
        const withinMs = Math.ceil(half) + 1;
        if (best === null || withinMs < best.withinMs) best = { skewMs, withinMs };
      }
      return best as { skewMs: number; withinMs: number };
    },

    async readHolders() {
      const sessions = await run<SessionRow>('sessions', SESSIONS, [HOLDERS_LISTED]);
      const prepared = await run<PreparedRow>('prepared', PREPARED, [HOLDERS_LISTED]);
      const slots = await run<SlotRow>('slots', SLOTS, [HOLDERS_LISTED]);
      return [
        ...sessions.map((row) => ({ kind: 'session' as const, ...row })),
        ...prepared.map((row) => ({ kind: 'prepared' as const, ...row })),
        ...slots.map(({ holds_rows: holdsRows, ...row }) => ({ kind: 'slot' as const, ...row, holdsRows })),
      ];
    },

    async readStorage() {
      const [server] = await run<ServerRow>('server', SERVER, [database]);
      const tables = await run<TableRow>('tables', TABLES, [database, TABLES_LISTED]);
      const indexes = await run<IndexFacts>('big_indexes', BIG_INDEXES, [database, BIG_BYTES, INDEXES_LISTED]);
      const { track_counts: trackCounts, busy, workers, frozen_age: frozenAge, autovacuum } = server as ServerRow;
      return { tables: tables.map(toTable), indexes, autovacuum, trackCounts, busyWorkers: busy, workers, frozenAge };
    },

    async readConnections() {
      const [row] = await run<{ most: number; open: number }>('connections', CONNECTIONS);
      return row as { most: number; open: number };
    },
  };
}

type SessionRow = Omit<Extract<Holder, { kind: 'session' }>, 'kind'>;
type PreparedRow = Omit<Extract<Holder, { kind: 'prepared' }>, 'kind'>;
type SlotRow = Omit<Extract<Holder, { kind: 'slot' }>, 'kind' | 'holdsRows'> & { readonly holds_rows: boolean };

interface ServerRow {
  readonly autovacuum: boolean;
  readonly track_counts: boolean;
  readonly busy: number | null;
  readonly workers: number;
  readonly frozen_age: number;
}

interface TableRow extends Omit<TableFacts, 'vacuumsAbove' | 'vacuumedSecondsAgo' | 'settings'> {
  readonly vacuums_above: number;
  readonly vacuumed: number | null;
  readonly settings: string;
}

function toTable({ vacuums_above, vacuumed, settings, ...row }: TableRow): TableFacts {
  return {
    ...row,
    vacuumsAbove: vacuums_above,
    vacuumedSecondsAgo: vacuumed,
    settings: settings === '' ? null : settings,
  };
}

const CLOCK = `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms`;

/**
 * Snapshots keep old rows of their own database; transaction ids keep whatever waits for the oldest one of the server, as
 * sealing and the books do. Whose sessions they are the server shows everybody, what they do to their own role and to
 * pg_read_all_stats. Autovacuum's own snapshots keep nothing.
 */
const SESSIONS = `
SELECT a.pid, a.usename::text AS "user", a.datname::text AS database, a.application_name AS application,
  a.backend_type AS backend, a.state,
  floor(extract(epoch FROM clock_timestamp() - a.xact_start))::integer AS seconds,
  greatest(age(a.backend_xmin), age(a.backend_xid)) AS behind
FROM pg_stat_activity a
WHERE a.pid <> pg_backend_pid() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
  AND (a.backend_xid IS NOT NULL OR (a.backend_xmin IS NOT NULL AND (a.datid IS NULL OR a.datname = current_database())))
ORDER BY a.xact_start NULLS LAST, greatest(age(a.backend_xmin), age(a.backend_xid)) DESC LIMIT $1::integer`;

const PREPARED = `
SELECT p.gid AS name, p.owner::text AS "user", p.database::text AS database,
  floor(extract(epoch FROM clock_timestamp() - p.prepared))::integer AS seconds, age(p.transaction) AS behind
FROM pg_prepared_xacts p ORDER BY p.prepared LIMIT $1::integer`;

const SLOTS = `
SELECT s.slot_name::text AS name, s.active, s.xmin IS NOT NULL AS holds_rows,
  greatest(age(s.xmin), age(s.catalog_xmin)) AS behind
FROM pg_replication_slots s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
ORDER BY greatest(age(s.xmin), age(s.catalog_xmin)) DESC LIMIT $1::integer`;

const SERVER = `
SELECT current_setting('autovacuum')::boolean AS autovacuum, current_setting('track_counts')::boolean AS track_counts,
  current_setting('autovacuum_max_workers')::integer AS workers,
  CASE WHEN pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') THEN
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker')::integer END AS busy,
  (SELECT coalesce(max(age(c.relfrozenxid)), 0) FROM pg_class c
    WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r') AS frozen_age`;

/** A table's own settings come before the server's. */
const option = (name: string, type: string) =>
  `(SELECT o.option_value::${type} FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = '${name}')`;
const ofTableOrServer = (name: string) => `coalesce(${option(name, 'float8')}, current_setting('${name}')::float8)`;
/** Those without autovacuum first, then those with most dead rows. */
const TABLES = `
SELECT c.relname::text AS name, s.n_live_tup::float8 AS live, s.n_dead_tup::float8 AS dead,
  pg_table_size(c.oid)::float8 AS bytes,
  floor(${ofTableOrServer('autovacuum_vacuum_threshold')}
    + ${ofTableOrServer('autovacuum_vacuum_scale_factor')} * greatest(c.reltuples, 0)) AS vacuums_above,
  floor(extract(epoch FROM clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum)))::integer AS vacuumed,
  coalesce(${option('autovacuum_enabled', 'boolean')}, true) AS autovacuum,
  array_to_string(ARRAY(SELECT r FROM unnest(c.reloptions) r ORDER BY r COLLATE "C"), ', ') AS settings
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
WHERE s.schemaname = $1 ORDER BY 7, s.n_dead_tup DESC LIMIT $2::integer`;

/** B-trees alone: what the others count as entries is something else. Entries: as they were at the last vacuum. */
const BIG_INDEXES = `
SELECT b.name, b.bytes, b.entries FROM (
  SELECT i.relname::text AS name, pg_relation_size(i.oid)::float8 AS bytes, i.reltuples::float8 AS entries
  FROM pg_class i JOIN pg_am m ON m.oid = i.relam AND m.amname = 'btree'
  WHERE i.relnamespace = to_regnamespace($1) AND i.relkind = 'i' AND i.reltuples >= 0) b
WHERE b.bytes > $2::float8 ORDER BY b.bytes DESC LIMIT $3::integer`;

/** numbackends is everybody's to see, and counts sessions in databases. reserved_connections is PostgreSQL 16's. */
const CONNECTIONS = `
SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
  - coalesce(current_setting('reserved_connections', true), '0')::integer AS most,
  (SELECT coalesce(sum(numbackends), 0)::integer FROM pg_stat_database) AS open`;
