import { type NewRecord, StoreUnavailableError } from '../../application/audit/ports.js';
import {
  followCluster,
  INSERT_NEW,
  insertValues,
  isWithoutEpoch,
  isWithoutPartition,
  runAuditStatement,
  toAuditStoreError,
} from './audit-store.js';
import { type PgPool, runTransaction } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

/**
 * A change of one row together with the audit record that tells of it, or neither: nobody acts unrecorded. null, and no
 * record, where the statement changed nothing.
 */
export async function changeWithRecord<Row extends object>(
  pool: PgPool,
  { name, text, values }: { readonly name: string; readonly text: string; readonly values: readonly unknown[] },
  recordOf: (row: Row) => NewRecord,
): Promise<Row | null> {
  const change = () =>
    runTransaction(pool, { name, timeoutMs: TIMEOUT_MS }, async (query) => {
      const [row] = await query<Row>({ name, text, values });
      if (row === undefined) return null;
      await query({ name: 'audit_insert_new', text: INSERT_NEW, values: insertValues([recordOf(row)]) });
      return row;
    });
  try {
    return await change().catch(async (error: unknown) => {
      // Ours to mend, as where an event is stored: no partition of its month yet, or a restored cluster.
      if (isWithoutEpoch(error)) await followCluster(pool);
      else if (isWithoutPartition(error)) {
        const text = 'SELECT audit.ensure_partitions()';
        await runAuditStatement(pool, { name: 'audit_ensure_partitions_for_change', text, timeoutMs: TIMEOUT_MS });
      } else throw error;
      return await change();
    });
  } catch (error) {
    throw isWithoutPartition(error) || isWithoutEpoch(error)
      ? new StoreUnavailableError(error)
      : toAuditStoreError(error);
  }
}
