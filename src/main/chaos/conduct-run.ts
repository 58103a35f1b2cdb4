/** A whole run on a laid-out world: it runs, the books are compared, the roles stop, they are compared again, and it is judged. */
import { readChaosJournal } from './chaos-journal.js';
import { type ChaosComparison, compareChaos } from './compare-chaos.js';
import { type JudgedRun, judgeRun, type RunFindings } from './judge-run.js';
import type { LaidOut } from './lay-out.js';
import { readBooks } from './read-books.js';
import { type RunOptions, type RunWorld, runChaos, stopRoles } from './run-chaos.js';
import { within } from './within.js';

export interface ConductedRun extends RunFindings, JudgedRun {}

const COMPARE_MS = 300_000;
/** Two ticks of the reconciler: what one of them still had to mend is mended. */
const RECONCILED_MS = 11_000;

export async function conductRun({ world }: Pick<LaidOut, 'world'>, options: RunOptions): Promise<ConductedRun> {
  const record = await runChaos(world, options);
  const problems: string[] = [];
  const noticesDown = record.faults.some(({ fault }) => fault === 'F28');
  const compare = async (when: string): Promise<ChaosComparison | null> => {
    try {
      return await within(COMPARE_MS, `the books to be compared ${when}`, compareWorld(world, noticesDown));
    } catch (error) {
      problems.push(`the books could not be compared ${when}: ${error instanceof Error ? error.message : error}`);
      return null;
    }
  };
  let books: ChaosComparison | null = null;
  let booksAfterStop: ChaosComparison | null = null;
  if (record.interrupted) problems.push(...(await stopRoles(world)).map((end) => `at the stop: ${end}`));
  else {
    await new Promise((resolve) => setTimeout(resolve, RECONCILED_MS));
    books = await compare('while the roles ran');
    problems.push(...(await stopRoles(world)).map((end) => `at the stop: ${end}`));
    booksAfterStop = await compare('once they had stopped');
  }
  const findings: RunFindings = { record, books, booksAfterStop, problems, recoverySeconds: {} };
  return { ...findings, ...judgeRun(findings) };
}

async function compareWorld(world: RunWorld, noticesDown: boolean): Promise<ChaosComparison> {
  const { outbox, audit, ledger, notices, producer } = world;
  const books = await readBooks({ outbox, audit }, { source: null });
  const journal = await readChaosJournal(producer.journalFile);
  return compareChaos({ journal, requests: ledger.requests, books, notices: notices.received }, { noticesDown });
}
