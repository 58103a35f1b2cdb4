// Usage: npm run chaos -- --help
// Real: PostgreSQL (fsync on), Temporal on a PostgreSQL of its own, the roles as processes of the built command line. Past the
// process boundary: a destination with a ledger, receivers of notices. Everything it starts is its own and ends with it.
import { randomInt } from 'node:crypto';
import { Command, CommanderError } from 'commander';
import { chooseFaults, describeFault } from '../../dist/src/main/chaos/choose-faults.js';
import { conductRun } from '../../dist/src/main/chaos/conduct-run.js';
import { describeProgress } from '../../dist/src/main/chaos/describe-progress.js';
import { STAGING_FAULTS } from '../../dist/src/main/chaos/faults/index.js';
import { refuseUnplaced } from '../../dist/src/main/chaos/schedule.js';
import { summarize, writeRun } from '../../dist/src/main/chaos/write-run.js';
import { number } from './option-number.mjs';
import { layOutOwnWorld } from './own-world.mjs';
import { readCommit } from './read-commit.mjs';
import { SERVER_FAULTS } from './server-faults/index.mjs';

const EXIT = { passed: 0, failed: 1, incomplete: 1, usage: 64, interrupted: 130 };
const KNOWN = [...STAGING_FAULTS, ...SERVER_FAULTS].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));

const program = new Command('npm run chaos --')
  .description(
    'Breaks things around a running line at a fixed load, and compares journal, ledger and databases afterwards.',
  )
  .option(
    '--seed <n>',
    'decides which fault comes when; default: a random one, which is printed',
    number(0, 2 ** 32 - 1),
  )
  .option(
    '--minutes <m>',
    'how long events flow and faults come (default: 5; with --short 1)',
    number(0.1, 24 * 60, false),
  )
  .option('--events <n>', 'append at least so many, at most at the rate', number(1, 10_000_000))
  .option(
    '--faults <list>',
    'F1,F7: those, each at least once where the time allows; none; all. Default: those that mix',
  )
  .option(
    '--rate <n>',
    'events a second; default: --load of what this machine delivers, which is measured first',
    number(0.1, 10_000, false),
  )
  .option('--load <share>', 'of the measured capacity', number(0.05, 1, false), 0.6)
  .option(
    '--patience <times>',
    'how many times the seconds that are promised a part may take to be back: where the machine is slow (default: 1)',
    number(1, 20, false),
  )
  .option('--short', 'short faults and short gaps, as in CI', false)
  .option('--coalesced', "the audit log's events travel together, many in one run", false)
  .option('--overlap', 'two faults at once now and then, where they take hold of different things', false)
  .option(
    '--planted <name>',
    'with one of the planted bugs in a copy of the build: the run must fail (docs/reliability/planted-bugs.md)',
  )
  .option('--report <folder>', 'for report.json and report.md', 'test-results/chaos')
  .option('--list', 'the faults', false)
  .option('--json', 'the report as one JSON document on standard output; progress goes to standard error', false)
  .addHelpText(
    'after',
    `
Exit code 0: passed. 1: something did not hold, or less was shown than was asked for. 130: interrupted, and taken down in order.

Examples:
  npm run chaos                                        # about ten minutes: what mixes, at 60 % of the capacity
  npm run chaos -- --seed 7 --faults F1,F3 --minutes 3
  npm run chaos -- --faults F7 --short                 # one fault alone, again and again
  npm run chaos -- --seed 7 --rate 40 --events 5000    # only with a rate of its own a run is the same again
  npm run chaos -- --faults none --minutes 2           # the control: no duplicate that no failed attempt explains
  npm run chaos -- --minutes 60 --overlap              # a soak`,
  )
  .exitOverride();

try {
  program.parse();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exit(error.exitCode === 0 ? 0 : EXIT.usage);
}
const options = program.opts();
if (options.list) for (const fault of KNOWN) console.log(describeFault(fault));
else process.exitCode = await run(options);

async function run({ seed = randomInt(2 ** 32), minutes = options.short ? 1 : 5, report, json, ...given }) {
  const say = (line) => (json ? process.stderr : process.stdout).write(`${line}\n`);
  const log = (line) => say(`${new Date().toISOString().slice(11, 19)} ${line}`);
  let faults;
  let planted;
  try {
    faults = chooseFaults(given.faults, KNOWN);
    // What was asked for by name is to come: said now, not after an hour.
    if (given.faults !== undefined)
      refuseUnplaced({ seed, minutes, faults, short: given.short, overlap: given.overlap });
    planted = given.planted === undefined ? null : await plantBug(given.planted);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT.usage;
  }
  const stop = new AbortController();
  const onSignal = (name) => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted); // the reaper ends what is left
    log(`${name}: healing, stopping (again: at once)`);
    stop.abort(new Error(name));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const commit = await readCommit();
  log(`seed ${seed}: ${faults.length === 0 ? 'no faults' : faults.map(({ id }) => id).join(', ')}`);
  let laid;
  try {
    const onReaperLost = (why) => {
      log(why);
      stop.abort(new Error(why));
    };
    laid = await layOutOwnWorld({
      ...{ seed, log, onReaperLost, signal: stop.signal },
      ...(planted && { cli: planted.cli, leftover: planted.folder }),
      ...(given.coalesced && { config: { coalescing: 'always' } }),
    });
  } catch (error) {
    await planted?.remove();
    if (!stop.signal.aborted) throw error;
    return EXIT.interrupted;
  }
  let conducted;
  try {
    conducted = await conductRun(laid, {
      ...given,
      minutes,
      faults,
      signal: stop.signal,
      onProgress: (progress) => log(describeProgress(progress)),
    });
  } finally {
    for (const left of await laid.close()) log(`not taken down: ${left}`);
    await planted?.remove();
  }
  const asked = {
    seed,
    minutes,
    ...given,
    commit,
    faults: faults.map(({ id }) => id),
    named: given.faults ?? null,
    planted: given.planted ?? null,
  };
  const written = await writeRun(report, { asked, conducted });
  if (json) process.stdout.write(`${JSON.stringify(written)}\n`);
  else for (const line of summarize(written)) say(line);
  say(`${report}: report.md and report.json`);
  return conducted.record.interrupted ? EXIT.interrupted : EXIT[conducted.verdict];
}

async function plantBug(name) {
  const { BUGS } = await import('./planted/bugs.mjs');
  if (!BUGS.some((bug) => bug.name === name)) {
    throw new RangeError(`--planted: expected one of ${BUGS.map((bug) => bug.name).join(', ')}; got ${name}`);
  }
  const { plant } = await import('./planted/plant.mjs');
  return plant(name);
}
