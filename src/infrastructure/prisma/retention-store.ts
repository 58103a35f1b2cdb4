import type { RetentionStore } from '../../application/audit/retention/ports.js';
import type { Place } from '../../application/audit/verify/ports.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';
import { boundsOf, PARTITIONS } from './verify-statements.js';

const TIMEOUT_MS = 10_000;
const COUNT_TIMEOUT_MS = 600_000;

/** Retention in PostgreSQL, by statements over the pool given. The drop itself is a function of the tables' owner. */
export function createRetentionStore(pool: PgPool): RetentionStore {
  const run = <Row extends object>(
    name: string,
    text: string,
    values: readonly unknown[] = [],
    timeoutMs = TIMEOUT_MS,
  ) => runAuditStatement<Row>(pool, { name: `audit_retention_${name}`, text, values, timeoutMs });
  return {
    listPartitions: async () => (await run<{ name: string }>('list', PARTITIONS)).map(({ name }) => name),

    async look(name) {
      const [first] = await run<Place>('first', edgeSql('ASC'), boundsOf(name), COUNT_TIMEOUT_MS);
      const [last] = await run<Place>('last', edgeSql('DESC'), boundsOf(name), COUNT_TIMEOUT_MS);
      return { name, places: first === undefined || last === undefined ? null : { first, last } };
    },

    async countRows(name) {
      const [row] = await run<{ count: string }>('count', COUNT, boundsOf(name), COUNT_TIMEOUT_MS);
      return Number(row?.count ?? 0);
    },

    readAnchoredPlace: async () => (await run<Place>('anchored', ANCHORED_PLACE))[0] ?? null,

    async drop(name, note) {
      try {
        await run('drop', 'SELECT audit.drop_partition($1, $2)', [name, note]);
        return 'dropped';
      } catch (error) {
        // lock_not_available, which the pool takes for the database being busy.
        if (isLockTimeout(error)) return 'busy';
        throw error;
      }
    },
  };
}

/** Through the parent, which is what a worker may read (rights.ts); the bounds leave one partition of it. */
const OF_MONTH = 'FROM audit.record WHERE recorded_at >= $1 AND recorded_at < $2';
const COUNT = `SELECT count(*) AS count ${OF_MONTH}`;
const edgeSql = (direction: 'ASC' | 'DESC') => `
SELECT log_epoch AS epoch, tx_id::text AS tx, seq::text AS seq ${OF_MONTH}
ORDER BY log_epoch ${direction}, tx_id ${direction}, seq ${direction} LIMIT 1`;

/** As drop_partition looks at it. */
const ANCHORED_PLACE = `
SELECT s.epoch, s.last_tx::text AS tx, s.last_seq::text AS seq FROM audit.seal s
WHERE s.first_index + s.size <= (SELECT max(c.size) FROM audit.checkpoint c
  WHERE c.anchor IS NOT NULL AND c.branch = (SELECT max(branch) FROM audit.checkpoint))
ORDER BY s.first_index DESC LIMIT 1`;

function isLockTimeout(error: unknown): boolean {
  const codes = [error, (error as Error).cause].map((one) => (one as { code?: unknown } | undefined)?.code);
  return codes.includes('55P03');
}
