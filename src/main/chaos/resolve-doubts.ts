/**
 * What became of transactions whose COMMIT was not answered, by the database's own log of transactions: a row that is not there
 * says only that it is not there now.
 */
import type pg from 'pg';
import type { JournalledEvent } from './chaos-journal.js';

export interface XactStatuses {
  /** By xid; one that the log does not reach to is left out. */
  readonly statuses: ReadonlyMap<string, string>;
  /** Milliseconds since the epoch, by the database's clock. */
  readonly serverSince: number;
}

type Journal = ReadonlyMap<string, JournalledEvent>;

/** The journal with `resolved` where the database knows. Where it cannot be asked nothing is resolved, which the comparison counts. */
export async function resolveDoubts(outbox: pg.Pool, journal: Journal): Promise<Journal> {
  const xids = new Set([...journal.values()].flatMap(({ fate, xid }) => (fate === 'inDoubt' && xid ? [xid] : [])));
  if (xids.size === 0) return journal;
  try {
    return markDoubts(journal, await readStatuses(outbox, [...xids]));
  } catch {
    return journal; // the rows alone are compared, as without it
  }
}

/** To ask of an xid that was not given out yet is an error: after a crash the newest are forgotten. */
async function readStatuses(outbox: pg.Pool, xids: readonly string[]): Promise<XactStatuses> {
  const { rows } = await outbox.query<{ xid: string; status: string | null; since: number }>(
    `SELECT x AS xid, CASE WHEN x::xid8 < pg_snapshot_xmax(pg_current_snapshot()) THEN pg_xact_status(x::xid8) END AS status,
       (extract(epoch FROM pg_postmaster_start_time()) * 1000)::float8 AS since
     FROM unnest($1::text[]) AS x`,
    [xids],
  );
  const statuses = new Map(rows.flatMap(({ xid, status }) => (status === null ? [] : [[xid, status] as const])));
  return { statuses, serverSince: Number(rows[0]?.since) };
}

/** Two clocks, and a start that took a moment. */
const MARGIN_MS = 5_000;

/**
 * Pure. A server that crashed before it wrote anything of a transaction may give its xid to another one, whose "committed" says
 * nothing of the first: that is believed only of a server that has run since. "aborted" can be said of no transaction that stands.
 */
export function markDoubts(journal: Journal, { statuses, serverSince }: XactStatuses): Journal {
  return new Map(
    [...journal].map(([id, event]) => {
      const status = event.fate === 'inDoubt' ? statuses.get(event.xid ?? '') : undefined;
      const sameServer = event.intentAt > serverSince + MARGIN_MS;
      if (status === 'aborted' || (status === 'committed' && sameServer)) return [id, { ...event, resolved: status }];
      return [id, event];
    }),
  );
}
