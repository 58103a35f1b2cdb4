// The simplest outbox that is safe, without us: one table with the event in the row, a partial index on what is due, and three
// statements. An event is three row versions: inserted, claimed under a lease, settled.
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { inChunks } from './drain-backlog.mjs';
import { newIntegrationEvent } from './sample-event.mjs';

/**
 * The settings of autovacuum are those of our own table. The lease moves `due_at`, as everywhere: a job whose worker died comes
 * again without anybody looking for it.
 */
const TABLE = `
CREATE TABLE job (
  id          uuid        NOT NULL PRIMARY KEY,
  event       jsonb       NOT NULL,
  due_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_token uuid,
  done_at     timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0,
  autovacuum_analyze_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX job_due ON job (due_at) WHERE done_at IS NULL`;

const INSERT = 'INSERT INTO job (id, event) SELECT * FROM unnest($1::uuid[], $2::jsonb[])';

/** ARRAY(…) rather than a join: the planner does not know how few rows come. */
const CLAIM = `
UPDATE job SET due_at = statement_timestamp() + interval '30 seconds', lease_token = $1::uuid
WHERE id = ANY (ARRAY(
  SELECT id FROM job WHERE done_at IS NULL AND due_at <= statement_timestamp()
  ORDER BY due_at LIMIT $2::integer FOR UPDATE SKIP LOCKED))
RETURNING id, event`;

const SETTLE = `
UPDATE job SET done_at = clock_timestamp(), lease_token = NULL
WHERE id = ANY ($1::uuid[]) AND lease_token = $2::uuid AND done_at IS NULL`;

const APPENDED_AT_ONCE = 500;

/** On our own pool, so that both sides have the same settings of a session. @param {{ url: string, connections: number }} options */
export async function openBareTable({ url, connections }) {
  const pool = createPool(url, { max: connections });
  await pool.query(TABLE);
  return {
    append: (count) =>
      inChunks(count, APPENDED_AT_ONCE, async (from, size) => {
        const events = Array.from({ length: size }, (_, i) => newIntegrationEvent(from + i));
        const values = [events.map((event) => event.id), events.map((event) => JSON.stringify(event))];
        await pool.query({ name: 'insert', text: INSERT, values });
      }),
    claim: async (token, batch) => (await pool.query({ name: 'claim', text: CLAIM, values: [token, batch] })).rows,
    async settle(token, rows) {
      const values = [rows.map((row) => row.id), token];
      const { rowCount } = await pool.query({ name: 'settle', text: SETTLE, values });
      if (rowCount !== rows.length) throw new Error(`settled ${rowCount} of ${rows.length}`);
    },
    async countDone() {
      const { rows } = await pool.query('SELECT count(*)::integer AS n FROM job WHERE done_at IS NOT NULL');
      return rows[0].n;
    },
    close: () => pool.end(),
  };
}
