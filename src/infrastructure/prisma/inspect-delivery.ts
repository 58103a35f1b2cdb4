import {
  type BookFacts,
  type LeftBehind,
  OLD_LETTER_DAYS,
  type StoppedDuty,
  type StuckJob,
} from '../../application/delivery/doctor/judge-delivery.js';
import { BOOKS } from './overview-store.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;
const LISTED = 10;
const LETTERS_COUNTED = 10_000;
const NOTICES_COUNTED = 1_000;
/** Behind the window in which a group is gathered: R24 begins a group that was left behind after a minute. */
const NOTICE_LATE_MS = 5 * 60_000;

export interface DeliveryInspector {
  readStopped(): Promise<readonly StoppedDuty[]>;
  readBooks(): Promise<BookFacts>;
  readOldLetters(): Promise<LeftBehind>;
  readStuckJobs(): Promise<readonly StuckJob[]>;
  /** `windowMs`: how long dead letters are gathered before somebody is told. */
  readLateNotices(windowMs: number): Promise<LeftBehind>;
}

/** What of the delivery's own duties is behind, by one bounded statement each. Reads only; throws as `runStatement` does. */
export function createDeliveryInspector(pool: PgPool): DeliveryInspector {
  const run = <Row extends object>(name: string, text: string, values: readonly unknown[] = []) =>
    runStatement<Row>(pool, { name: `inspect_${name}`, text, values, timeoutMs: TIMEOUT_MS });
  const leftBehind = async (name: string, text: string, after: number, countedUpTo: number): Promise<LeftBehind> => {
    const [row] = await run<{ count: number; oldest: Date | null }>(name, text, [after, countedUpTo]);
    return { count: row?.count ?? 0, countedUpTo, oldest: row?.oldest?.toISOString() ?? null };
  };
  return {
    readStopped: () => run<StoppedDuty>('stopped', STOPPED, [LISTED]),
    async readBooks() {
      const [row] = await run<BookFacts>('books', BOOKS);
      return row as BookFacts; // an aggregate over all: it has one row
    },
    readOldLetters: () => leftBehind('letters', OLD_LETTERS, OLD_LETTER_DAYS, LETTERS_COUNTED),
    readStuckJobs: () => run<StuckJob>('jobs', STUCK_JOBS, [LISTED]),
    readLateNotices: (windowMs) => leftBehind('notices', LATE_NOTICES, windowMs + NOTICE_LATE_MS, NOTICES_COUNTED),
  };
}

const STOPPED = `
SELECT name, stopped_reason AS reason FROM outbox.lease WHERE stopped_reason IS NOT NULL ORDER BY name LIMIT $1::integer`;

/** Served by dead_letter_list. */
const OLD_LETTERS = `
SELECT count(*)::integer AS count, min(created_at) AS oldest FROM (
  SELECT created_at FROM outbox.dead_letter
  WHERE state = 'open' AND created_at < statement_timestamp() - make_interval(days => $1::integer)
  ORDER BY created_at LIMIT $2::integer) l`;

/** Served by redrive_job_running. */
const STUCK_JOBS = `
SELECT id, error FROM outbox.redrive_job
WHERE state = 'running' AND (error IS NOT NULL OR next_at < statement_timestamp() - interval '5 minutes')
ORDER BY next_at LIMIT $1::integer`;

/** Served by notification_waiting, which holds what nobody was told of alone. */
const LATE_NOTICES = `
SELECT count(*)::integer AS count, min(created_at) AS oldest FROM (
  SELECT created_at FROM outbox.notification
  WHERE claimed_by IS NULL AND done_at IS NULL
    AND created_at < statement_timestamp() - make_interval(secs => $1::float8 / 1000)
  LIMIT $2::integer) n`;
