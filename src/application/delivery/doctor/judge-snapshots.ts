import { type Finding, orOk, unknown, warning, wrong } from './findings.js';
import type { Database } from './judge-schema.js';

/** Who keeps the server from giving up old rows, or holds a transaction id that the log and the books wait for. */
export type Holder =
  | {
      readonly kind: 'session';
      readonly pid: number;
      readonly user: string | null;
      readonly database: string | null;
      readonly application: string | null;
      /** What kind of process it is (`client backend`, `walsender`); null: not permitted to see. */
      readonly backend: string | null;
      /** `idle in transaction`, …; null: not permitted to see. */
      readonly state: string | null;
      /** null: in no transaction, or not permitted to see. */
      readonly seconds: number | null;
      /** How many transactions it lies behind. */
      readonly behind: number;
    }
  | {
      readonly kind: 'prepared';
      readonly name: string;
      readonly user: string | null;
      readonly database: string | null;
      readonly seconds: number;
      readonly behind: number;
    }
  | {
      readonly kind: 'slot';
      readonly name: string;
      readonly active: boolean;
      /** It holds rows of tables; else rows of the catalogues only. */
      readonly holdsRows: boolean;
      readonly behind: number;
    };

/** Longer than any statement of ours takes, and than a transaction of an application should. */
export const SNAPSHOT_HELD_SECONDS = 300;
/** What is behind by less holds up nothing that anybody would notice, however long it stands. */
export const HIDDEN_BEHIND = 1_000;
const STANDBY_BEHIND = 100_000;

export function judgeSnapshots(database: Database, holders: readonly Holder[]): readonly Finding[] {
  const found = holders.flatMap((holder) => judgeHolder(database, holder));
  return orOk(found, 'snapshots', `${database}: nobody holds a snapshot for ${SNAPSHOT_HELD_SECONDS / 60} minutes`);
}

function judgeHolder(database: Database, holder: Holder): readonly Finding[] {
  switch (holder.kind) {
    case 'session':
      return judgeSession(database, holder);
    case 'prepared':
      if (holder.seconds < SNAPSHOT_HELD_SECONDS) return [];
      return [
        wrong(
          'snapshots',
          `${database}: the prepared transaction ${JSON.stringify(holder.name)} (${whoOf(holder)}) stands for ${holder.seconds} s: ${HOLDS}`,
          `have whoever coordinates it end it, or ROLLBACK PREPARED ${literal(holder.name)}`,
        ),
      ];
    case 'slot': {
      const drop = `where nobody needs it any more: SELECT pg_drop_replication_slot(${literal(holder.name)})`;
      if (holder.active) {
        if (holder.behind < STANDBY_BEHIND || !holder.holdsRows) return [];
        const detail = `${database}: the replication slot ${holder.name} lies ${holder.behind} transactions behind: ${HOLDS}`;
        return [warning('snapshots', detail, 'look at the standby that feeds back what it reads')];
      }
      const detail = `${database}: nobody uses the replication slot ${holder.name}, ${holder.behind} transactions behind`;
      return holder.holdsRows
        ? [wrong('snapshots', `${detail}: ${HOLDS}`, drop)]
        : [warning('snapshots', `${detail}: it holds what the catalogues have given up, and write-ahead log`, drop)];
    }
  }
}

const HOLDS = 'what it may still see is not cleaned up, and what waits for its end waits';

type Session = Extract<Holder, { kind: 'session' }>;

function judgeSession(database: Database, session: Session): readonly Finding[] {
  const { pid, state, seconds, behind, backend } = session;
  const end = `end what it does, or SELECT pg_terminate_backend(${pid})`;
  if (seconds !== null) {
    if (seconds < SNAPSHOT_HELD_SECONDS) return [];
    const detail = `${database}: session ${pid} (${whoOf(session)}) is in a transaction for ${seconds} s, ${state ?? 'what it does is hidden'}: ${HOLDS}`;
    return [wrong('snapshots', detail, end)];
  }
  if (isHidden(session)) {
    if (behind < HIDDEN_BEHIND) return [];
    return [
      unknown(
        'snapshots',
        `${database}: session ${pid} (${whoOf(session)}) lies ${behind} transactions behind; for how long is not permitted to see`,
        'GRANT pg_read_all_stats TO the role of this URL, and look again',
      ),
    ];
  }
  if (behind < STANDBY_BEHIND) return [];
  const detail = `${database}: ${backend ?? 'process'} ${pid} (${whoOf(session)}) lies ${behind} transactions behind: ${HOLDS}`;
  return [warning('snapshots', detail, 'look at the standby that feeds back what it reads (hot_standby_feedback)')];
}

/** A session of another role, whose transaction only pg_read_all_stats may look at. */
export function isHidden(holder: Holder): boolean {
  return holder.kind === 'session' && holder.seconds === null && holder.state === null && holder.backend === null;
}

function whoOf(holder: { user: string | null; database: string | null; application?: string | null }): string {
  const parts = [holder.user, holder.database, holder.application].filter(
    (part) => part !== null && part !== undefined,
  );
  return parts.filter((part) => part !== '').join(', ');
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
