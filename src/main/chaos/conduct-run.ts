/** A whole run on a laid-out world: it runs, the books are compared, the roles stop, they are compared again, and it is judged. */
import type { Books } from './books.js';
import { type JournalledEvent, readChaosJournal } from './chaos-journal.js';
import { type ChaosComparison, compareChaos } from './compare-chaos.js';
import { type JudgedRun, judgeRun, type RunFindings } from './judge-run.js';
import type { LaidOut } from './lay-out.js';
import { lookAtEnd } from './look-at-end.js';
import { readBooks } from './read-books.js';
import { type Recovery, recoveryOf } from './recovery-by-lane.js';
import { resolveDoubts } from './resolve-doubts.js';
import { type RunOptions, type RunWorld, runChaos, stopRoles } from './run-chaos.js';
import { pause, within } from './within.js';

export interface ConductedRun extends RunFindings, JudgedRun {}

const COMPARE_MS = 300_000;
/** Two ticks of the reconciler: what one of them still had to mend is mended. */
const RECONCILED_MS = 11_000;

/** `onRead`: told what was read while the roles ran, for figures of a caller's own. */
export async function conductRun(
  { world }: Pick<LaidOut, 'world'>,
  options: RunOptions,
  onRead?: (reading: Reading, comparison: ChaosComparison) => void,
): Promise<ConductedRun> {
  const record = await runChaos(world, options);
  const problems: string[] = [];
  const missing: string[] = [];
  const looked: string[] = [];
  let recovery: Recovery = { flowsAfter: {}, newestAfter: {} };
  let books: ChaosComparison | null = null;
  let booksAfterStop: ChaosComparison | null = null;

  const read = async (when: string): Promise<Reading | null> => {
    try {
      return await within(COMPARE_MS, `the books to be read ${when}`, readWorld(world));
    } catch (error) {
      problems.push(`the books could not be read ${when}: ${error instanceof Error ? error.message : error}`);
      return null;
    }
  };
  const compare = ({ books: read, journal }: Reading) =>
    compareChaos({ journal, requests: world.ledger.requests, books: read, notices: world.notices.received });

  if (!record.interrupted) {
    await pause(RECONCILED_MS, options.signal);
    const running = await read('while the roles ran');
    if (running !== null) {
      books = compare(running);
      onRead?.(running, books);
      recovery = recoveryOf(record.faults, running.journal, running.books);
      const look = await lookAtEnd(world, running.books);
      looked.push(...look.looked);
      problems.push(...look.problems);
      missing.push(...look.missing);
    }
  }
  problems.push(...(await stopRoles(world, record.unwanted.length)).map((end) => `I7 ${end}`));
  if (!record.interrupted) {
    const stopped = await read('once they had stopped');
    if (stopped !== null) booksAfterStop = compare(stopped);
  }
  const findings: RunFindings = { record, books, booksAfterStop, problems, missing, looked, recovery };
  return { ...findings, ...judgeRun(findings) };
}

export interface Reading {
  readonly books: Books;
  readonly journal: ReadonlyMap<string, JournalledEvent>;
}

async function readWorld({ outbox, audit, producer }: RunWorld): Promise<Reading> {
  const books = await readBooks({ outbox, audit }, { source: null });
  return { books, journal: await resolveDoubts(outbox, await readChaosJournal(producer.journalFile)) };
}
