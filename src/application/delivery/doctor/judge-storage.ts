import { type Finding, orOk, unknown, warning, wrong } from './findings.js';
import type { Database } from './judge-schema.js';

export interface TableFacts {
  readonly name: string;
  /** As the server's statistics say. */
  readonly live: number;
  readonly dead: number;
  readonly bytes: number;
  /** From how many dead rows on autovacuum comes, by the table's settings and the server's. */
  readonly vacuumsAbove: number;
  /** Since it was vacuumed, by anybody; null: never. */
  readonly vacuumedSecondsAgo: number | null;
  readonly autovacuum: boolean;
  /** `fillfactor=70, …`, sorted; null: none. */
  readonly settings: string | null;
}

/** A B-tree of more than `BIG_BYTES`. */
export interface IndexFacts {
  readonly name: string;
  readonly bytes: number;
  /** As they were when it was vacuumed last. */
  readonly entries: number;
}

export interface StorageFacts {
  /** Those with the most dead rows. */
  readonly tables: readonly TableFacts[];
  readonly indexes: readonly IndexFacts[];
  readonly autovacuum: boolean;
  readonly trackCounts: boolean;
  /** Of autovacuum's workers: how many are busy (null: not permitted to see), and how many there may be. */
  readonly busyWorkers: number | null;
  readonly workers: number;
  /** Of the oldest of our tables: transactions since its rows were frozen. */
  readonly frozenAge: number;
}

export const BIG_BYTES = 64 * 1024 * 1024;
const MIB = 1024 * 1024;
const DEAD_ROWS = 50_000;
/** An entry of ours is below 200 bytes, in a page that is two thirds full at least where nothing was taken out of it. */
const BYTES_PER_ENTRY = 1_000;
/** A delivered row is some 400 bytes. */
const BYTES_PER_DELIVERY = 4_000;
const VACUUM_LATE_SECONDS = 600;
/** Autovacuum freezes from 200 million on; at two thousand million the server stops writing. */
const FROZEN_AGE = 1_000_000_000;

export function judgeBloat(database: Database, { tables, indexes }: StorageFacts): readonly Finding[] {
  const found = [
    ...tables.flatMap(({ name, live, dead, bytes }): Finding[] => {
      if (dead > DEAD_ROWS && dead > live) {
        return [
          warning(
            'bloat',
            `${database}: ${name} has ${dead} dead rows beside ${live} live ones`,
            `see snapshots and autovacuum above; then VACUUM ${database}.${name}`,
          ),
        ];
      }
      if (`${database}.${name}` !== 'outbox.delivery' || bytes < BIG_BYTES || bytes / (live + 1) < BYTES_PER_DELIVERY)
        return [];
      return [
        warning(
          'bloat',
          `${database}: ${name} takes ${Math.round(bytes / MIB)} MiB for ${live} rows`,
          `in a quiet hour, which nobody else may use the table in: VACUUM FULL ${database}.${name}; or pg_repack beside what runs`,
        ),
      ];
    }),
    ...indexes
      .filter(({ bytes, entries }) => bytes > BIG_BYTES && bytes / (entries + 1) > BYTES_PER_ENTRY)
      .map(({ name, bytes, entries }) =>
        warning(
          'bloat',
          `${database}: the index ${name} takes ${Math.round(bytes / MIB)} MiB for ${entries} entries`,
          `REINDEX INDEX CONCURRENTLY ${database}.${name}`,
        ),
      ),
  ];
  return orOk(found, 'bloat', `${database}: tables and indexes are as large as what they hold`);
}

/** `expectedSettings`: of `outbox.delivery`, as migrated; null: not known. */
export function judgeAutovacuum(
  database: Database,
  facts: StorageFacts,
  expectedSettings: string | null,
): readonly Finding[] {
  const id = 'autovacuum';
  const found: Finding[] = [];
  const { tables, busyWorkers, workers, frozenAge } = facts;
  if (!facts.autovacuum) {
    found.push(wrong(id, `${database}: autovacuum is off on this server`, 'set autovacuum = on and reload'));
  }
  if (!facts.trackCounts) {
    const detail = `${database}: track_counts is off on this server, without which autovacuum never comes`;
    found.push(wrong(id, detail, 'set track_counts = on and reload'));
  }
  for (const { name, autovacuum, settings } of tables) {
    const tuned = `${database}.${name}` === 'outbox.delivery';
    if (!autovacuum) {
      const mend = `ALTER TABLE ${database}.${name} RESET (autovacuum_enabled)`;
      found.push(wrong(id, `${database}: autovacuum is off for ${name}`, mend));
    } else if (tuned && expectedSettings !== null && settings !== expectedSettings) {
      const detail = `${database}: ${name} has other settings than it was made with: expected ${expectedSettings}, got ${settings ?? 'none'}`;
      const mend = `where nobody means it so: ALTER TABLE outbox.delivery SET (${expectedSettings}), and RESET what else it has`;
      found.push(warning(id, detail, mend));
    }
  }
  const late = tables.filter(
    ({ dead, vacuumsAbove, vacuumedSecondsAgo }) =>
      dead > vacuumsAbove && (vacuumedSecondsAgo ?? Number.POSITIVE_INFINITY) > VACUUM_LATE_SECONDS,
  );
  for (const { name, dead, vacuumsAbove, vacuumedSecondsAgo } of late) {
    const when = vacuumedSecondsAgo === null ? 'was never vacuumed' : `was vacuumed ${vacuumedSecondsAgo} s ago`;
    const busy = busyWorkers !== null && busyWorkers >= workers ? ` (all ${workers} workers are busy)` : '';
    found.push(
      warning(
        id,
        `${database}: ${name} has ${dead} dead rows, autovacuum comes above ${vacuumsAbove}, and it ${when}${busy}`,
        'look who holds its lock or a snapshot; raise autovacuum_max_workers where they are busy elsewhere',
      ),
    );
  }
  if (late.length > 0 && busyWorkers === null) {
    const detail = `${database}: whether autovacuum's workers are busy elsewhere is not permitted to see`;
    found.push(unknown(id, detail, 'GRANT pg_read_all_stats TO the role of this URL'));
  }
  if (frozenAge > FROZEN_AGE) {
    found.push(
      wrong(
        id,
        `${database}: its oldest rows are ${frozenAge} transactions old, and at two thousand million the server stops writing`,
        'VACUUM (FREEZE) the tables of this schema now, and look why autovacuum does not',
      ),
    );
  }
  return orOk(found, id, `${database}: autovacuum is on and keeps up`);
}
