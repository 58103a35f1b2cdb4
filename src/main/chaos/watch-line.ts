/** How far the line is, by SQL of the runner's own connection. While a database is away there is no answer: null, never a wait. */
import type pg from 'pg';
import { CARRIED, countOpen, RUNNING, WAITING, WAITING_ORDERED } from '../../infrastructure/prisma/open-rows-sql.js';
import { runStatement } from '../../infrastructure/prisma/pg-pool.js';

const TIMEOUT_MS = 3_000;
const MOST = 1_000_000;

export interface LineState {
  /** Events that are neither delivered nor dead nor discarded. */
  readonly open: number;
  /** Notices of letters that no channel has been told yet. */
  readonly unsent: number;
}

/** Of the whole database, which is the run's own. */
export async function readLine(outbox: pg.Pool): Promise<LineState | null> {
  try {
    const [row] = await runStatement<{ open: number; unsent: number }>(outbox, {
      name: 'chaos_line',
      text: LINE,
      timeoutMs: TIMEOUT_MS,
    });
    return row ?? null;
  } catch {
    return null; // the database is away, as a fault wants it
  }
}

const LINE = `SELECT ${countOpen([WAITING, WAITING_ORDERED, RUNNING, CARRIED], MOST)} AS open,
  (SELECT count(*)::integer FROM outbox.notification n WHERE n.done_at IS NULL) AS unsent`;
