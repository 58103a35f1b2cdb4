/** Which policies runs under way have: a look for people, bounded whatever is under way. Reads only. */
import type { RunPolicyReader } from '../../application/delivery/policy-ports.js';
import { CARRIED, destinationsOf, type OpenKind, RUNNING } from './open-rows-sql.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;
const MOST_OF_ONE = 10_000;
const MOST_DESTINATIONS = 256;
/** Of all destinations together. */
const MOST_ROWS = 200_000;
const MOST_POLICIES = 1_000;

export function createRunPolicies(pool: PgPool): RunPolicyReader {
  return {
    async listInRuns() {
      const statement = { name: 'policy_in_runs', text: IN_RUNS, timeoutMs: TIMEOUT_MS };
      const rows = await runStatement<RunRow>(pool, statement);
      return rows.map(({ event_type: eventType, policy_hash: hash, runs }) => ({ eventType, hash, runs }));
    },
  };
}

interface RunRow {
  readonly event_type: string;
  readonly policy_hash: string | null;
  readonly runs: number;
}

const rowsOf = (name: string, { rows, key }: OpenKind) => `SELECT r.event_type, r.policy_hash
  FROM ${name} k CROSS JOIN LATERAL (
    SELECT d.event_type, d.policy_hash FROM outbox.delivery d WHERE ${rows} AND d.destination = k.destination
    ORDER BY ${Object.keys(key)
      .map((column) => `d.${column}`)
      .join(', ')} LIMIT ${MOST_OF_ONE}) r`;

/** By `delivery_running` and `delivery_carried`. */
export const IN_RUNS = `
WITH RECURSIVE ${destinationsOf('running', RUNNING, MOST_DESTINATIONS)},
${destinationsOf('carried', CARRIED, MOST_DESTINATIONS)}
SELECT event_type, policy_hash, count(*)::integer AS runs
FROM (
  SELECT * FROM (${rowsOf('running', RUNNING)} UNION ALL ${rowsOf('carried', CARRIED)}) each_kind LIMIT ${MOST_ROWS}) looked
GROUP BY event_type, policy_hash ORDER BY event_type, policy_hash NULLS FIRST LIMIT ${MOST_POLICIES}`;
