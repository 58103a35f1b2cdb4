/**
 * What became of the failures that the sample makes on purpose: the attempts, dead letters, notices and redrives of the
 * journal's events, counted for one run, and held against each other for all.
 */
import type { Pool } from 'pg';
import type { JournalBooks, JournalEntry } from './journal.js';

export interface FailureNumbers {
  /** Delivered events of the run without a dead letter: at the first try, or after others. */
  readonly first: number;
  readonly retried: number;
  /** Of the retried ones those that nobody made fail: a loaded machine's. They are no difference. */
  readonly unplanned: number;
  readonly letters: number;
  /** One tells of a group of letters. */
  readonly notices: number;
  readonly redriven: number;
  /** Delivered after a redrive. */
  readonly healed: number;
}

export interface FailureBooks {
  readonly run: FailureNumbers;
  /** Each a sentence; empty when they agree. */
  readonly problems: readonly string[];
}

interface Delivery {
  readonly id: string;
  readonly status: string;
  readonly epoch: number;
  /** Of the first epoch. */
  readonly attempts: number;
}

interface Letter {
  readonly id: string;
  readonly eventId: string;
  readonly state: string;
  readonly createdAt: number;
  readonly notice: string | null;
  readonly claimedAt: number | null;
  readonly told: boolean;
}

export async function compareFailures(outbox: Pool, journal: JournalBooks, run: string): Promise<FailureBooks> {
  const letters = await readLetters(outbox, journal);
  const lettersOf = Map.groupBy(letters, ({ eventId }) => eventId);
  const problems: string[] = [];
  const numbers = { first: 0, retried: 0, unplanned: 0, healed: 0 };
  for (const { id, status, epoch, attempts } of await readDeliveries(outbox, journal)) {
    if (status !== 'DELIVERED') continue; // told by compare-books
    const entry = journal.committed.get(id) as JournalEntry;
    const dead = lettersOf.get(id) ?? [];
    if (entry.expect === 'retried' && attempts < 2)
      problems.push(`${id}: answered with 503, and delivered without a retry`);
    if (entry.expect === 'redriven' && (epoch === 0 || !dead.some(({ state }) => state === 'redriven'))) {
      problems.push(`${id}: answered with 422, and delivered without a redrive`);
    }
    if (entry.expect !== 'redriven' && dead.length > 0) problems.push(`${id}: a dead letter, and nobody refused it`);
    if (entry.run !== run) continue;
    if (dead.length > 0) numbers.healed += 1;
    else if (attempts < 2) numbers.first += 1;
    else numbers.retried += 1;
    if (dead.length === 0 && attempts > 1 && entry.expect === 'delivered') numbers.unplanned += 1;
  }
  for (const { id, told } of letters) if (!told) problems.push(`letter ${id}: nobody was told of it`);
  await compareRedrives(outbox, letters, problems);
  const ofRun = letters.filter(({ eventId }) => journal.committed.get(eventId)?.run === run);
  return {
    run: {
      ...numbers,
      letters: ofRun.length,
      notices: countNotices(ofRun, problems),
      redriven: ofRun.filter(({ state }) => state === 'redriven').length,
    },
    problems,
  };
}

/** How many letters of the journal's events nobody was told of yet. */
export async function countUntold(outbox: Pool, journal: JournalBooks): Promise<number> {
  return (await readLetters(outbox, journal)).filter(({ told }) => !told).length;
}

/** Each letter that was redriven stands in one event for the audit log, the others in none. */
async function compareRedrives(outbox: Pool, letters: readonly Letter[], problems: string[]): Promise<void> {
  const { rows } = await outbox.query<{ id: string }>(
    `SELECT l->>'id' AS id FROM outbox.event e, jsonb_array_elements(e.payload->'letters') l
     WHERE e.event_name = 'outbox.dead_letter.redriven.v1'`,
  );
  const audited = Map.groupBy(rows, ({ id }) => id);
  for (const { id, state } of letters) {
    const times = audited.get(id)?.length ?? 0;
    if (times !== (state === 'redriven' ? 1 : 0)) {
      problems.push(`letter ${id}: ${state}, and ${times} events tell the audit log of its redrive`);
    }
  }
}

/** A letter whose commit took longer than this may be in the next notice although it is of the window before. */
const SLOW_COMMIT_MS = 500;

/** A further notice is due only for letters that came when the one before had been claimed, at the end of its window. */
function countNotices(letters: readonly Letter[], problems: string[]): number {
  const notices = [...Map.groupBy(letters, ({ notice }) => notice)].filter(([notice]) => notice !== null);
  const spans = notices.map(([notice, told]) => ({
    notice,
    firstAt: Math.min(...told.map(({ createdAt }) => createdAt)),
    claimedAt: Math.max(...told.map(({ claimedAt }) => claimedAt ?? 0)),
  }));
  spans.sort((a, b) => a.claimedAt - b.claimedAt);
  for (const [at, { notice, firstAt }] of spans.entries()) {
    const before = spans[at - 1];
    if (before !== undefined && firstAt < before.claimedAt - SLOW_COMMIT_MS) {
      problems.push(`${notice}: a notice of its own, and its letters were in the window of the one before`);
    }
  }
  return spans.length;
}

async function readDeliveries(pool: Pool, journal: JournalBooks): Promise<Delivery[]> {
  const { rows } = await pool.query<Delivery>(
    `SELECT d.event_id AS id, d.status, d.epoch,
            (SELECT count(*)::int FROM outbox.delivery_attempt a WHERE a.event_id = d.event_id AND a.epoch = 0) AS attempts
     FROM outbox.delivery d`,
  );
  return rows.filter(({ id }) => journal.committed.has(id));
}

async function readLetters(pool: Pool, journal: JournalBooks): Promise<Letter[]> {
  const { rows } = await pool.query<Letter>(
    `SELECT l.id, l.event_id AS "eventId", l.state, extract(epoch FROM l.created_at)::float8 * 1000 AS "createdAt",
            n.claimed_by AS notice, extract(epoch FROM n.claimed_at)::float8 * 1000 AS "claimedAt",
            n.done_at IS NOT NULL AS told
     FROM outbox.dead_letter l LEFT JOIN outbox.notification n ON n.dead_letter_id = l.id`,
  );
  return rows.filter(({ eventId }) => journal.committed.has(eventId));
}
