/**
 * WAL bytes and commits that wrote, by database, read from the log itself by pg_walinspect. pg_stat_wal has one sum for the whole server, in which the
 * audit log's and Temporal's are, too, and tells how many full-page images there were but not their bytes.
 *
 * Full-page images are switched off for the run. Left on and subtracted, a page's first record after a checkpoint would count
 * nothing at all, for its data is then in the image. They depend on when checkpoints happen, not on what is written.
 */
import pg from 'pg';

/**
 * A record belongs to the database of the tables it touches, a commit to that of its transaction. Files below 16384 are those
 * of system catalogs, which ANALYZE between runs writes.
 */
const BY_DATABASE = `
WITH block AS MATERIALIZED (
  SELECT start_lsn, max(reldatabase) AS database
  FROM pg_get_wal_block_info($1::pg_lsn, $2::pg_lsn, false) WHERE relfilenode >= 16384 GROUP BY start_lsn
), record AS MATERIALIZED (
  SELECT start_lsn, xid, record_length, fpi_length, resource_manager = 'Transaction' AS ends_transaction,
    resource_manager = 'Transaction' AND record_type LIKE 'COMMIT%' AS commits
  FROM pg_get_wal_records_info($1::pg_lsn, $2::pg_lsn)
), transaction AS MATERIALIZED (
  SELECT r.xid, max(b.database) AS database FROM record r JOIN block b USING (start_lsn) WHERE r.xid <> '0' GROUP BY r.xid
)
SELECT d.datname AS database, sum(r.record_length - r.fpi_length)::float8 AS bytes, sum(r.fpi_length)::float8 AS images,
  count(*) FILTER (WHERE r.commits)::float8 AS commits
FROM record r LEFT JOIN block b USING (start_lsn)
LEFT JOIN transaction t ON t.xid = r.xid AND r.ends_transaction
JOIN pg_database d ON d.oid = coalesce(b.database, t.database)
GROUP BY d.datname`;

/** Kept until it is read, whatever checkpoints there are meanwhile. */
const SETTINGS = { full_page_writes: 'off', wal_keep_size: "'16GB'" };

/** @param {import('./world.mjs').Postgres} postgres */
export async function openWal(postgres) {
  const client = new pg.Client({ connectionString: postgres.adminUrl });
  await client.connect();
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_walinspect');
  const set = async (change) => {
    for (const name of Object.keys(SETTINGS)) await client.query(`ALTER SYSTEM ${change(name)}`);
    await client.query('SELECT pg_reload_conf()');
    await client.query('CHECKPOINT'); // the checkpointer is who turns full-page images on and off: it has read them by now
  };
  return {
    prepare: () => set((name) => `SET ${name} = ${SETTINGS[name]}`),
    restore: () => set((name) => `RESET ${name}`),
    position: async () => (await client.query('SELECT pg_current_wal_insert_lsn()::text AS lsn')).rows[0].lsn,
    /** @returns {Promise<Record<string, { bytes: number, images: number, commits: number }>>} by database; `bytes` without images */
    async between(from, to) {
      // Where nobody has written since, pg_walinspect finds no record to begin at, and throws.
      await client.query("SELECT pg_logical_emit_message(false, 'bench', 'end', true)");
      const { rows } = await client.query(BY_DATABASE, [from, to]);
      return Object.fromEntries(rows.map(({ database, ...written }) => [database, written]));
    },
    close: () => client.end(),
  };
}
