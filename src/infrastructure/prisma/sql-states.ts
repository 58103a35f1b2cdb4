/**
 * What PostgreSQL's own errors mean for who waits on it, by SQLSTATE (PostgreSQL 18, appendix A): one closed table, by
 * class or by single state; what is not in it is `ours`. docs/errors.md has the same table.
 */

/**
 * - `away`: waiting mends it. `STORE.UNAVAILABLE`.
 * - `refused`: the server answers, and goes on refusing until somebody changes it.
 * - `unmigrated`: a schema, table, column or function of ours is missing.
 * - `ours`: a statement that cannot work: a bug, or somebody's own trigger or constraint on our tables.
 */
export type StateKind = 'away' | 'refused' | 'unmigrated' | 'ours';

export interface StateRule {
  /** Two characters: a class. Five: one state, which wins over its class. */
  readonly state: string;
  readonly kind: StateKind;
  /** Whether a statement that meets it throws `STORE.UNAVAILABLE`: the environment's, though waiting may not mend it. */
  readonly unavailable: boolean;
  readonly what: string;
}

export const SQL_STATES: readonly StateRule[] = [
  { state: '08', kind: 'away', unavailable: true, what: 'no connection' },
  { state: '25006', kind: 'away', unavailable: true, what: 'read-only: a standby, a failover' },
  { state: '25P03', kind: 'away', unavailable: true, what: 'a session that was idle in a transaction for too long' },
  { state: '25P04', kind: 'away', unavailable: true, what: 'a transaction that took too long' },
  { state: '28', kind: 'refused', unavailable: true, what: 'password, role, pg_hba.conf' },
  { state: '3D000', kind: 'refused', unavailable: true, what: 'no such database: a wrong name, or being restored' },
  { state: '3F000', kind: 'unmigrated', unavailable: false, what: 'no such schema' },
  { state: '40', kind: 'away', unavailable: true, what: 'rolled back: deadlock, serialization' },
  { state: '42501', kind: 'refused', unavailable: false, what: 'no right to a table or function' },
  { state: '42703', kind: 'unmigrated', unavailable: false, what: 'no such column' },
  { state: '42883', kind: 'unmigrated', unavailable: false, what: 'no such function' },
  { state: '42P01', kind: 'unmigrated', unavailable: false, what: 'no such table' },
  { state: '53', kind: 'away', unavailable: true, what: 'out of connections, memory or disk' },
  { state: '55P03', kind: 'away', unavailable: true, what: 'a lock that did not come in time' },
  { state: '57', kind: 'away', unavailable: true, what: 'shutting down, starting, statement timeout, cancelled' },
  { state: '58', kind: 'away', unavailable: true, what: 'an error of the system below it' },
];

const OURS: StateRule = { state: '', kind: 'ours', unavailable: false, what: 'any other' };
const BY_STATE = new Map(SQL_STATES.map((rule) => [rule.state, rule]));

export function readSqlState(state: string): StateRule {
  return BY_STATE.get(state) ?? BY_STATE.get(state.slice(0, 2)) ?? OURS;
}
