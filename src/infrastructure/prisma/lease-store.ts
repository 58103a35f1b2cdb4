import type { LeaseStore } from '../../application/delivery/ports.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 2_000;

/**
 * For a statement that writes on behalf of a duty: true while the parameters' holder has the lease. `stopped` leases are
 * held, and write nothing (R21). `schema`: as of `createLeaseStore`.
 */
export function leaseHeld(name: string, holder: string, schema: 'outbox' | 'audit' = 'outbox'): string {
  return `EXISTS (SELECT FROM ${schema}.lease l WHERE l.name = ${name}::text AND l.holder = ${holder}::uuid
    AND l.until > statement_timestamp() AND l.stopped_reason IS NULL)`;
}

/** `schema`: whose table of leases. A duty on the audit database has its lease there, since the two may be two servers. */
export function createLeaseStore(pool: PgPool, schema: 'outbox' | 'audit' = 'outbox'): LeaseStore {
  return {
    async take({ name, holder }, leaseMs) {
      const rows = await runStatement(pool, {
        name: `lease_take_${schema}`,
        text: takeIn(schema),
        values: [name, holder, leaseMs],
        timeoutMs: Math.min(TIMEOUT_MS, leaseMs / 3),
      });
      return rows.length > 0;
    },

    async release({ name, holder }) {
      const text = `UPDATE ${schema}.lease SET until = statement_timestamp() WHERE name = $1 AND holder = $2::uuid`;
      await runStatement(pool, {
        name: `lease_release_${schema}`,
        text,
        values: [name, holder],
        timeoutMs: TIMEOUT_MS,
      });
    },
  };
}

/** $1 name, $2 holder, $3 for how long, ms. A row when it is the holder's. */
const takeIn = (schema: string) => `
INSERT INTO ${schema}.lease AS l (name, holder, until)
VALUES ($1, $2::uuid, statement_timestamp() + $3::integer * interval '1 millisecond')
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE l.holder = excluded.holder OR l.until <= statement_timestamp()
RETURNING l.name`;
