/** How far the line is, by SQL of the runner's own connection. While a database is away there is no answer: null, never a wait. */
import type pg from 'pg';
import { CARRIED, countOpen, RUNNING, WAITING, WAITING_ORDERED } from '../../infrastructure/prisma/open-rows-sql.js';
import { runStatement } from '../../infrastructure/prisma/pg-pool.js';
import { LANES, MEASURED_TYPE } from './chaos-traffic.js';

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

/** In how many of the flow's lanes an event came to its end whose run was started within the last `ms`; 0: no answer. */
export async function lanesFlowingSince(outbox: pg.Pool, ms: number): Promise<number> {
  try {
    const [row] = await runStatement<{ lanes: number }>(outbox, {
      name: 'chaos_lanes_flowing',
      text: LANES_FLOWING,
      values: [ms, MEASURED_TYPE, LANES],
      timeoutMs: TIMEOUT_MS,
    });
    return row?.lanes ?? 0;
  } catch {
    return 0; // asked again, as long as the fault has time
  }
}

/** A part is back, and new work flows: of each fault that names no other bound. */
export const FLOWS_WITHIN_SECONDS = 10;

/** Whether that was so in each of the flow's lanes. */
export async function allFlowSince(outbox: pg.Pool, ms: number): Promise<boolean> {
  return (await lanesFlowingSince(outbox, ms)) === LANES.length;
}

const LANES_FLOWING = `SELECT count(DISTINCT d.destination)::integer AS lanes FROM outbox.delivery d
  WHERE d.settled_at >= statement_timestamp() - $1::float8 * interval '1 millisecond'
    AND d.started_at >= statement_timestamp() - $1::float8 * interval '1 millisecond'
    AND d.status = 'DELIVERED' AND d.event_type = $2 AND d.destination = ANY ($3::text[])`;

const LINE = `SELECT ${countOpen([WAITING, WAITING_ORDERED, RUNNING, CARRIED], MOST)} AS open,
  (SELECT count(*)::integer FROM outbox.notification n WHERE n.done_at IS NULL) AS unsent`;
