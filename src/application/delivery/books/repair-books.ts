/**
 * R23: a person mends what the books of an hour name. Walks the hour itself, not the list of the last look; each batch is a
 * transaction of its own, audited, and finds again what it mends, so a repair that ends in the middle is run once more.
 */
import { checkWord } from '../dead-letters/check-word.js';
import type { PersonsWord } from '../dead-letters/redrive-ports.js';
import type { RelayTime } from '../relay-time.js';
import { type FoundGap, findGaps } from './find-gaps.js';
import { addPage, EMPTY_TALLY } from './judge-row.js';
import {
  type BookCursor,
  type BookGap,
  type BookReader,
  type BookStore,
  hourAfter,
  type StandingLookup,
  type Tally,
} from './ports.js';

/** What a repair mends. Past its deadline is the reconciler's, the destination's or a person's to look at. */
export type Repairable = Exclude<BookGap, 'past_deadline'>;

export interface BookRepairs {
  /** Those that still are so; one transaction with the events that tell the audit log. */
  repair(
    hour: string,
    gaps: readonly { readonly gap: Repairable; readonly eventId: string; readonly epoch: number | null }[],
    word: PersonsWord,
  ): Promise<readonly { readonly gap: Repairable; readonly eventId: string }[]>;
}

export interface RepairDeps {
  readonly store: Pick<BookStore, 'readPage' | 'stillDelivered'> & Pick<BookReader, 'show' | 'lookAgain'>;
  readonly repairs: BookRepairs;
  readonly standing: StandingLookup;
  readonly time: RelayTime;
}

export interface RepairInput {
  readonly hour: string;
  /** Events a second. */
  readonly rate: number;
  /** Also where many of the hour's events are to be mended. */
  readonly force: boolean;
  /** null: a dry run. */
  readonly word: PersonsWord | null;
}

export type RepairOutcome =
  /** No such hour; not looked at yet, or an append may still come; retention has begun to remove it. */
  | { readonly kind: 'missing' | 'not-closed' | 'removed' }
  | { readonly kind: 'counted' | 'too-many'; readonly repairable: number; readonly tally: Tally }
  | {
      readonly kind: 'repaired';
      readonly repairable: number;
      readonly tally: Tally;
      readonly repaired: Readonly<Partial<Record<Repairable, number>>>;
    };

/** So many, and so large a share of an hour, are hardly those events' fault (as R21). */
const MANY = 5;
const MANY_SHARE = 0.05;
const BATCH = 200;

/** @throws TypeError for the word; IntegrationError of the audit log or `STORE.UNAVAILABLE`: what is mended stays so */
export async function repairBooks(deps: RepairDeps, input: RepairInput, signal: AbortSignal): Promise<RepairOutcome> {
  const { hour, word, rate, force } = input;
  if (word !== null) checkWord(word);
  const books = await deps.store.show(hour);
  if (books === null) return { kind: 'missing' };
  if (books.checkedAt === null || !books.closed) return { kind: 'not-closed' };
  if (Object.keys(books.removed).length > 0) return { kind: 'removed' };

  const tally = await walk(deps, hour, signal, async () => undefined);
  const repairable = countRepairable(tally);
  if (word === null) return { kind: 'counted', repairable, tally };
  const events = Object.values(tally.statuses).reduce((sum, n) => sum + n, 0);
  if (!force && repairable >= MANY && repairable > events * MANY_SHARE) return { kind: 'too-many', repairable, tally };

  const repaired: Partial<Record<Repairable, number>> = {};
  await walk(deps, hour, signal, async (found) => {
    const gaps = found.flatMap(({ row: { eventId, epoch }, gap }) =>
      gap === 'past_deadline' ? [] : [{ gap, eventId, epoch }],
    );
    const size = Math.min(BATCH, rate);
    for (let at = 0; at < gaps.length; at += size) {
      signal.throwIfAborted();
      const batch = gaps.slice(at, at + size);
      for (const { gap } of await deps.repairs.repair(hour, batch, word)) repaired[gap] = (repaired[gap] ?? 0) + 1;
      await deps.time.sleep((batch.length / rate) * 1_000, signal);
    }
  });
  await deps.store.lookAgain(hour, hourAfter(hour));
  return { kind: 'repaired', repairable, tally, repaired };
}

async function walk(
  deps: RepairDeps,
  hour: string,
  signal: AbortSignal,
  work: (found: readonly FoundGap[]) => Promise<void>,
): Promise<Tally> {
  let tally = EMPTY_TALLY;
  let cursor: BookCursor | null = null;
  do {
    signal.throwIfAborted();
    const page = await deps.store.readPage(hour, cursor);
    const toAsk = page.rows.filter(({ audited }) => audited);
    const { asked, found } = await findGaps(deps, page.rows, toAsk, signal);
    tally = addPage(tally, 'whole', page.rows, asked, found);
    await work(found);
    cursor = page.cursor;
  } while (cursor !== null);
  return tally;
}

function countRepairable({ gapCounts }: Tally): number {
  return Object.entries(gapCounts).reduce((sum, [gap, n]) => (gap === 'past_deadline' ? sum : sum + n), 0);
}
