import { randomUUID } from 'node:crypto';
import { countGaps, EMPTY_TALLY } from '../../application/delivery/books/judge-row.js';
import type {
  BookCursor,
  BookReader,
  BookRow,
  BookStore,
  GapSample,
  HourBooks,
  Look,
  Tally,
} from '../../application/delivery/books/ports.js';
import * as sql from './book-statements.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 10_000;
/** Ten million events are counted first. */
const TAKE_TIMEOUT_MS = 25_000;

/** Every write is fenced by the lease, and one of a look by the look's id. */
export function createBookStore(pool: PgPool): BookStore & BookReader {
  const run = <Row extends object = object>(
    name: string,
    text: string,
    values: readonly unknown[],
    timeoutMs = TIMEOUT_MS,
  ) => runStatement<Row>(pool, { name: `books_${name}`, text, values, timeoutMs });
  return {
    async openHours({ name, holder }) {
      return (await run('open_hours', sql.OPEN_HOURS, [name, holder])).length;
    },
    async noteMoved({ name, holder }, cursor) {
      const values = [name, holder, cursor?.at ?? null, cursor?.id ?? null];
      const [last] = await run<BookCursor>('note_moved', sql.NOTE_MOVED, values);
      return last ?? cursor;
    },
    async takeLook({ name, holder }, mostAsked) {
      const values = [name, holder, mostAsked, randomUUID()];
      const [row] = await run<{ hour: string; look: StoredLook }>('take_look', sql.TAKE_LOOK, values, TAKE_TIMEOUT_MS);
      if (row === undefined) return null;
      const { id, mode, share, cursor, tally } = row.look;
      return { hour: row.hour, id, mode, share, cursor, tally: tally === null ? EMPTY_TALLY : toTally(tally) };
    },
    async readPage(hour, cursor) {
      const found = await run<PageRow>('read_page', sql.READ_PAGE, [hour, cursor?.at ?? null, cursor?.id ?? null]);
      const last = found.at(-1);
      const more = found.length === sql.PAGE && last !== undefined;
      return { rows: found.map(toRow), cursor: more ? { at: last.at, id: last.id } : null };
    },
    async stillDelivered(rows) {
      const values = [rows.map(({ eventId }) => eventId), rows.map(({ epoch }) => epoch)];
      return new Set((await run<{ id: string }>('still_delivered', sql.STILL_DELIVERED, values)).map(({ id }) => id));
    },
    async saveLook({ name, holder }, { hour, id, cursor, tally }) {
      const values = [name, holder, hour, id, JSON.stringify({ cursor, tally })];
      return (await run('save_look', sql.SAVE_LOOK, values)).length > 0;
    },
    async noteWaiting({ name, holder }, { hour, id }, code) {
      await run('note_waiting', sql.SAVE_LOOK, [name, holder, hour, id, JSON.stringify({ waitsFor: code })]);
    },
    async endLook({ name, holder }, { hour, id, mode, share, tally }) {
      const { gaps, ...totals } = tally;
      const open = (tally.statuses.PENDING ?? 0) + (tally.statuses.STARTED ?? 0);
      const values = [
        name,
        holder,
        hour,
        id,
        JSON.stringify(totals),
        countGaps(tally),
        JSON.stringify(gaps),
        open,
        mode,
        share < 1,
      ];
      return (await run('end_look', sql.END_LOOK, values)).length > 0;
    },
    async list({ before, limit, gapsOnly }) {
      return (await run<HourRow>('list', sql.LIST, [before, limit, gapsOnly])).map(toHour);
    },
    async show(hour) {
      const [row] = await run<HourRow>('show', sql.SHOW, [hour]);
      return row === undefined ? null : toHour(row);
    },
    async lookAgain(since, until) {
      return (await run('look_again', sql.LOOK_AGAIN, [since, until])).length;
    },
  };
}

interface StoredLook extends Pick<Look, 'id' | 'mode' | 'share' | 'cursor'> {
  readonly tally: StoredTally | null;
}

/** An older relay that began the look did not count `unasked`: then rather too many than one too few. */
type StoredTally = Omit<Tally, 'unasked'> & Partial<Pick<Tally, 'unasked'>>;

function toTally(stored: StoredTally): Tally {
  return { ...stored, unasked: stored.unasked ?? stored.audited - stored.asked };
}

interface PageRow {
  readonly id: string;
  readonly at: string;
  readonly tenant_id: string;
  readonly source: string;
  readonly status: string | null;
  readonly epoch: number | null;
  readonly letter_epoch: number | null;
  readonly past_deadline: boolean;
  readonly audited: boolean;
  readonly moved: boolean;
}

function toRow({ id, tenant_id: tenantId, source, status, epoch, audited, moved, ...row }: PageRow): BookRow {
  const { letter_epoch: letterEpoch, past_deadline: pastDeadline } = row;
  return { eventId: id, tenantId, source, status, epoch, letterEpoch, pastDeadline, audited, moved };
}

interface HourRow {
  readonly hour: string;
  readonly checked_at: string | null;
  readonly closed: boolean;
  readonly totals: Partial<Omit<Tally, 'gaps'>>;
  readonly mode: HourBooks['mode'];
  readonly last_full: HourBooks['lastFull'];
  readonly gap_count: number;
  readonly gaps: readonly GapSample[];
  readonly again_at: string | null;
  readonly waits_for: string | null;
  readonly removed: Readonly<Record<string, number>>;
}

function toHour({ hour, closed, totals, mode, gaps, removed, ...row }: HourRow): HourBooks {
  const { statuses = {}, audited = 0, asked = 0, gapCounts = {} } = totals;
  const {
    checked_at: checkedAt,
    last_full: lastFull,
    gap_count: gapCount,
    again_at: againAt,
    waits_for: waitsFor,
  } = row;
  const counted = { statuses, removed, audited, asked, mode, lastFull };
  return { hour, checkedAt, closed, ...counted, gapCount, gapCounts, gaps, againAt, waitsFor };
}
