// Usage: node test/chaos/sum-runs.mjs
// Writes the page of all runs that are kept, docs/reliability/runs/README.md, from the reports beside it.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { table } from './markdown.mjs';

const NOTES = 'notes.json';
export const RUNS = fileURLToPath(new URL('../../docs/reliability/runs', import.meta.url));

/** The reports of a folder, by the names of their files, in the order in which they ran. */
export async function readRuns(folder = RUNS) {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json') && name !== NOTES);
  const runs = await Promise.all(
    names.map(async (name) => ({
      name: name.slice(0, -'.json'.length),
      run: JSON.parse(await readFile(join(folder, name), 'utf8')),
    })),
  );
  return runs.sort((a, b) => a.run.record.startedAt - b.run.record.startedAt);
}

/** By the names of the runs that did not pass: whose fault it was, as far as it is known. */
export async function readNotes(folder = RUNS) {
  return JSON.parse(await readFile(join(folder, NOTES), 'utf8'));
}

/** Markdown. Pure: what failed is counted and told like all else. */
export function describeRuns(runs, notes = {}) {
  const sum = (of) => runs.reduce((total, { run }) => total + of(run), 0);
  const faults = (run) => run.record.faults.filter(({ happened }) => happened > 0).length;
  // What was not compared to the end shows nothing: neither its events nor its faults count.
  const compared = ({ books, booksAfterStop }) => books !== null && booksAfterStop !== null;
  const counted = (of) => sum((run) => (compared(run) ? of(run) : 0));
  const uncompared = runs.filter(({ run }) => !compared(run)).length;
  const seeds = new Set(runs.map(({ run }) => run.asked.seed)).size;
  const verdicts = ['passed', 'failed', 'incomplete'].map(
    (verdict) => `${runs.filter(({ run }) => run.verdict === verdict).length} ${verdict}`,
  );
  const totals = [
    ['runs', `${runs.length}: ${verdicts.join(', ')}`],
    ['seeds', seeds],
    ...(uncompared === 0 ? [] : [['of them not compared to the end, and not counted below', uncompared]]),
    ['events committed', counted(({ record }) => record.committed)],
    ['faults that happened', counted(faults)],
    ['lost', counted(found('lost'))],
    ['doubled effects', counted(found('doubled'))],
    ['phantoms', counted(found('phantoms'))],
    ['hours', (sum(({ record }) => record.endedAt - record.startedAt) / 3_600_000).toFixed(1)],
  ];
  const rows = runs.map(({ name, run }) => [
    `[${name}](${name}.md)`,
    run.verdict,
    run.asked.seed,
    run.record.faults.length === 0 ? 'none' : [...new Set(run.record.faults.map(({ fault }) => fault))].join(' '),
    faults(run),
    run.record.committed,
    compared(run) ? ['lost', 'doubled', 'phantoms'].map((kind) => found(kind)(run)).join(' / ') : 'not compared',
    flowsAfter(run),
  ]);
  return `${[
    '# Runs that are kept',
    'Each is the report of one `npm run chaos`, or of `outbox verify --chaos`; its page begins with the command that gives it again, on the\ncommit that it names where it names one: faults and oracle have changed since the first. This page is made of them by\n`node test/chaos/sum-runs.mjs`.',
    table(['', 'all together'], totals),
    table(
      ['run', 'verdict', 'seed', 'faults', 'happened', 'events', 'lost / doubled / phantoms', 'flows after at most, s'],
      rows,
    ),
    'By fault, how often it happened in runs that were compared to the end, whatever their verdict:',
    table(['fault', 'in its short form', 'in its long form'], timesOf(runs.filter(({ run }) => compared(run)))),
    ...runs.filter(({ run }) => run.verdict !== 'passed').flatMap((of) => describeUnpassed(of, notes[of.name])),
  ].join('\n\n')}\n`;
}

function timesOf(runs) {
  const times = new Map();
  for (const { run } of runs) {
    for (const { fault, happened } of run.record.faults) {
      if (happened === 0) continue;
      const of = times.get(fault) ?? [0, 0];
      of[run.record.short ? 0 : 1] += 1;
      times.set(fault, of);
    }
  }
  const number = (fault) => Number(fault.slice(1));
  return [...times].sort(([a], [b]) => number(a) - number(b)).map(([fault, [short, long]]) => [fault, short, long]);
}

/** While the roles ran, or once they had stopped. */
const found = (kind) => (run) => new Set([...run.books[kind], ...run.booksAfterStop[kind]]).size;

/** What a sentence that ends in a history has more is in the report. */
const LONGEST_SENTENCE = 300;
const IDS = /[0-9a-f]{8}-[0-9a-f-]{27}/g;

function describeUnpassed({ name, run: { verdict, problems, missing } }, note) {
  // Of those that differ by their ids alone the first.
  const alike = Map.groupBy([...problems, ...missing], (sentence) => sentence.replaceAll(IDS, ''));
  const said = [...alike.values()].map(([first, ...more]) => {
    const cut = first.length > LONGEST_SENTENCE ? `${first.slice(0, LONGEST_SENTENCE)}…` : first;
    return `- ${cut}${more.length === 0 ? '' : ` (and ${more.length} more like it)`}`;
  });
  return [`**[${name}](${name}.md)**, ${verdict}:`, said.join('\n'), ...(note === undefined ? [] : [`*Why:* ${note}`])];
}

function flowsAfter({ recovery }) {
  const seconds = Object.values(recovery.flowsAfter);
  if (seconds.includes(null)) return 'never';
  return seconds.length === 0 ? '–' : Math.max(...seconds);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(join(RUNS, 'README.md'), describeRuns(await readRuns(), await readNotes()));
}
