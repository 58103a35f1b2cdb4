/**
 * `outbox dev --once`: says what it expects, produces it, waits until every event has landed, compares the books, and
 * returns 0 only if they agree.
 */
import { randomUUID } from 'node:crypto';
import { type Accounts, type Comparison, compareBooks, countOpen, type Tally } from './compare-books.js';
import { compareFailures, countUntold, type FailureBooks } from './compare-failures.js';
import type { DevWorld } from './dev-world.js';
import { importSampleEvents, readSampleLines, type SampleImport, type SampleLine } from './import-sample.js';
import { type Expectation, type JournalBooks, openJournal, readJournal } from './journal.js';
import { findRefused, mendPartner, redriveRefused } from './mend-partner.js';
import { expectedNumbers, produceSamples, type SampleNumbers } from './produce-samples.js';
import { readLedger } from './sample-partner.js';
import { seededRandom } from './seeded-random.js';

const LANDING_DEADLINE_MS = 5 * 60_000;
const SAY_EVERY_MS = 2_000;

export async function runOnce(
  world: DevWorld,
  options: { readonly seed: number; readonly signal: AbortSignal },
): Promise<number> {
  const { seed, signal } = options;
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const expected = expectedNumbers();
  const lines = await readSampleLines();
  say('');
  say(
    `expects   with seed ${seed}: ${expected.committed} events committed, ${expected.rolledBack} rolled back; of the ` +
      `committed ${expected.delivered} delivered the first time, ${expected.retried} after retries (the partner answers 503)`,
  );
  say(
    `expects   ${expected.redriven} dead letters (the partner answers 422), 1 notice of them; the partner mended, ` +
      `${expected.redriven} redriven and ${expected.redriven} delivered`,
  );
  say(`expects   an import of ${lines.length} lines, each of them one event, new or there already`);

  const run = randomUUID();
  const journal = openJournal(world.files.journal, run);
  await produceSamples(
    { pool: world.outbox, journal, random: seededRandom(seed) },
    { signal, afterRound: () => world.roles.hint() },
  );
  const imported = await importSampleEvents(world, signal);
  const books = await readJournal(world.files.journal);
  const produced = numbersOf(books, run);
  say(
    `produced  ${produced.committed} events committed, ${produced.rolledBack} rolled back; ` +
      `import: ${imported.imported} new, ${imported.replayed} there already`,
  );

  const landing = { journal: books, lines, signal, say };
  await waitForLanding(world, landing);
  // With those of a run before that was killed.
  const refused = await findRefused(world, null);
  await mendPartner(world, refused);
  const redriven = await redriveRefused(world, refused);
  say(`mended    the partner: ${redriven} of ${refused.length} dead letters redriven`);
  await waitForLanding(world, landing);
  const accounts: Accounts = { journal: books, lines, ledger: await readLedger(world.files.ledger) };
  const found = await compareBooks({ outbox: world.outbox, audit: world.audit }, accounts, run);
  const failures = await compareFailures(world.outbox, books, run);
  report(found, books, produced, say);
  reportFailures(failures, say);
  const problems = [
    ...compareNumbers(expected, produced),
    ...compareImport(lines, imported),
    ...compareOutcomes(expected, failures),
    ...openProblems(found),
    ...found.problems,
    ...failures.problems,
  ];
  for (const problem of problems.slice(0, 20)) say(`PROBLEM   ${problem}`);
  if (problems.length > 20) say(`PROBLEM   and ${problems.length - 20} more`);
  say(
    problems.length === 0
      ? 'The books agree: every committed event landed once, nothing else did.'
      : 'The books do NOT agree.',
  );
  return problems.length === 0 ? 0 : 1;
}

/** What the journal says that this run did. */
function numbersOf(journal: JournalBooks, run: string): SampleNumbers {
  const ofRun = [...journal.committed.values()].filter((entry) => entry.run === run);
  const expecting = (expect: Expectation) => ofRun.filter((entry) => entry.expect === expect).length;
  return {
    committed: ofRun.length,
    rolledBack: [...journal.rolledBack.values()].filter((entry) => entry.run === run).length,
    delivered: expecting('delivered'),
    retried: expecting('retried'),
    redriven: expecting('redriven'),
  };
}

function compareNumbers(expected: SampleNumbers, produced: SampleNumbers): string[] {
  const names = ['committed', 'rolledBack', 'delivered', 'retried', 'redriven'] as const;
  return names
    .filter((name) => expected[name] !== produced[name])
    .map((name) => `${name}: ${expected[name]} events expected of this run, ${produced[name]} in the journal`);
}

/** What became of them, against what was said before. A further notice is compare-failures' to judge: its window may be over. */
function compareOutcomes({ delivered, retried, redriven }: SampleNumbers, { run }: FailureBooks): string[] {
  const wanted: [string, number, number][] = [
    ['delivered the first time', delivered, run.first + run.unplanned],
    ['delivered after retries', retried, run.retried - run.unplanned],
    ['dead letters', redriven, run.letters],
    ['notices', 1, Math.min(run.notices, 1)],
    ['redriven', redriven, run.redriven],
    ['delivered after the redrive', redriven, run.healed],
  ];
  return wanted
    .filter(([, expected, found]) => expected !== found)
    .map(([name, expected, found]) => `${name}: ${expected} expected of this run, ${found} found`);
}

function compareImport(lines: readonly SampleLine[], imported: SampleImport): string[] {
  const sum = imported.imported + imported.replayed;
  if (sum === lines.length && imported.refused === 0) return [];
  return [
    `the import: ${lines.length} lines expected to be in, ${imported.imported} are new and ${imported.replayed} were ` +
      `there already, ${imported.refused} refused`,
  ];
}

function openProblems({ own, imported }: Comparison): string[] {
  const open = own.open + imported.open;
  return open === 0 ? [] : [`${open} events have not landed within ${LANDING_DEADLINE_MS / 60_000} minutes`];
}

async function waitForLanding(
  world: DevWorld,
  {
    signal,
    say,
    ...accounts
  }: { journal: JournalBooks; lines: readonly SampleLine[]; signal: AbortSignal; say: (line: string) => void },
): Promise<void> {
  const deadline = performance.now() + LANDING_DEADLINE_MS;
  let saidAt = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const open = (await countOpen(world.outbox, accounts)) + (await countUntold(world.outbox, accounts.journal));
    if (open === 0 || performance.now() > deadline) return;
    if (performance.now() - saidAt > SAY_EVERY_MS) {
      say(`waiting   ${open === 1 ? '1 event or notice is on its' : `${open} events and notices are on their`} way`);
      saidAt = performance.now();
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function report(found: Comparison, journal: JournalBooks, produced: SampleNumbers, say: (line: string) => void): void {
  const { committed, rolledBack, inDoubt } = journal;
  const earlier = committed.size > produced.committed ? ', of all runs on this data' : '';
  say(
    `journal   ${committed.size} committed, ${rolledBack.size} rolled back${earlier}` +
      (inDoubt.size > 0 ? `; ${inDoubt.size} in doubt (a process died in COMMIT)` : ''),
  );
  say(`outbox    ${tallyText(found.own)}; of the import ${tallyText(found.imported)}`);
  const others = Object.values(found.others).reduce((sum: number, n: number) => sum + n, 0);
  if (others > 0) say(`others    ${others} appended by somebody else: ${tallyText(found.others)}`);
  say(`audit log ${found.records} records`);
  say(`redrives  events that tell the audit log of them: ${tallyText(found.acts)}`);
  const { taken, busy, refused } = found.partner;
  say(`partner   ${taken} orders taken, ${busy} after 503, ${refused} after 422`);
  if (found.latencyMs !== null) {
    const { p50, p95, p99 } = found.latencyMs;
    say(`commit to record, this run: p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms`);
  }
}

function reportFailures({ run }: FailureBooks, say: (line: string) => void): void {
  const { first, retried, unplanned, letters, notices, redriven, healed } = run;
  const more = unplanned === 0 ? '' : ` (${unplanned} of them without anybody's intent)`;
  say(
    `outcome   this run: ${first} delivered the first time, ${retried} after retries${more}, ${letters} dead letters, ` +
      `${notices} ${notices === 1 ? 'notice' : 'notices'}, ${redriven} redriven, ${healed} delivered after it`,
  );
}

function tallyText({ delivered, dead, open, other }: Tally): string {
  return `${delivered} delivered, ${dead} dead, ${open} under way${other > 0 ? `, ${other} in another state` : ''}`;
}
