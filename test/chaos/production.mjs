// Usage: npm run chaos:production -- --help
// Real: PostgreSQL (fsync on), Temporal on a PostgreSQL of its own, the roles as processes of the built command line. Past the
// process boundary: a destination with a ledger that is slow and refuses by a plan. Everything it starts is its own and ends with it.
import { randomInt } from 'node:crypto';
import { Command, CommanderError, Option } from 'commander';
import { number } from './option-number.mjs';
import { SHORTEST_SECONDS } from './production/plan.mjs';
import { boundOf, CRITERIA } from './production-criteria.mjs';
import { readCommit } from './read-commit.mjs';

const EXIT = { passed: 0, failed: 1, incomplete: 1, usage: 64, interrupted: 130 };

const program = new Command('npm run chaos:production --')
  .description(
    'A hundred thousand events as a business sends them, half of them from one tenant and in bursts, to a destination that is slow and away at times; judged by criteria that were written before.',
  )
  .option(
    '--seed <n>',
    'decides bursts, storms, events and latencies; default: a random one, which is printed',
    number(0, 2 ** 32 - 1),
  )
  .option('--events <n>', 'so many in all', number(1_000, 10_000_000), 100_000)
  .option(
    '--minutes <m>',
    `how long they flow, with fewer of them where the line is not up to more; default: as long as they need, ${SHORTEST_SECONDS / 60} at least`,
    number(SHORTEST_SECONDS / 60, 24 * 60, false),
  )
  .option(
    '--rate <n>',
    'events a second on the mean; default: --load of what this machine delivers',
    number(1, 1_000, false),
  )
  .option('--load <share>', 'of the measured capacity', number(0.05, 0.9, false), 0.6)
  .addOption(
    new Option('--coalesced', 'many events of the audit log in one run, by policy')
      .default(false)
      .conflicts('perEvent'),
  )
  .option('--fairness', "Temporal's own queue goes by tenants in turn, too: matching.enableFairness", false)
  .option('--max-runs <n>', 'OUTBOX_MAX_RUNS: runs of a destination at once; default: 500', number(1, 10_000))
  .option('--per-event', 'one run for each event: the default')
  .option('--report <folder>', 'for report.json and report.md', 'test-results/chaos-production')
  .option('--list-criteria', 'what a run must show, and why', false)
  .option(
    '--json',
    'the report (or the criteria) as one JSON document on standard output; progress goes to standard error',
    false,
  )
  .addHelpText(
    'after',
    `
Exit code 0: passed. 1: a criterion is broken, or less was shown than was asked for. 130: interrupted, and taken down in order.

Examples:
  npm run chaos:production -- --seed 7 --minutes 8       # the shortest, about a quarter of an hour with all around it
  npm run chaos:production -- --seed 7                   # a hundred thousand events, each in a run of its own
  npm run chaos:production -- --seed 7 --coalesced
  npm run chaos:production -- --seed 7 --fairness        # the same, and Temporal hands out what waits by tenants
  npm run chaos:production -- --seed 7 --rate 40         # with a rate of its own the plan is the same on any machine`,
  )
  .exitOverride();

try {
  program.parse();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exit(error.exitCode === 0 ? 0 : EXIT.usage);
}
const options = program.opts();
if (options.listCriteria) listCriteria(options.json);
else process.exitCode = await run(options);

function listCriteria(json) {
  if (json) console.log(JSON.stringify(CRITERIA, null, 2));
  for (const criterion of json ? [] : CRITERIA) {
    const { id, kind, what, reason, source, unlessBecause } = criterion;
    console.log(
      `${id}: ${what} ${boundOf(criterion)} (${kind === 'promise' ? 'broken: failed' : 'broken: incomplete'})`,
    );
    console.log(
      `    why: ${reason}\n    from: ${source}${unlessBecause === undefined ? '' : `\n    may be missing: ${unlessBecause}`}`,
    );
  }
}

async function run({ seed = randomInt(2 ** 32), report, json, perEvent: _, listCriteria: __, ...given }) {
  const [{ runProduction }, { summarizeProduction, writeProduction }, { withoutPaths }, { packageVersion }] =
    await Promise.all([
      import('./production/run.mjs'),
      import('./production/report.mjs'),
      import('../../dist/src/main/chaos/write-run.js'),
      import('../../dist/src/main/package-version.js'),
    ]);
  const say = (line) => (json ? process.stderr : process.stdout).write(`${line}\n`);
  const log = (line) => say(`${new Date().toISOString().slice(11, 19)} ${line}`);
  const stop = new AbortController();
  const onSignal = (name) => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted); // the reaper ends what is left
    log(`${name}: stopping (again: at once)`);
    stop.abort(new Error(name));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  log(`seed ${seed}, ${given.coalesced ? 'coalesced' : 'per event'}`);
  let ran;
  try {
    ran = await runProduction({ seed, ...given, commit: await readCommit() }, { log, signal: stop.signal });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    return EXIT.interrupted;
  }
  const written = await writeProduction(report, ran, { version: packageVersion(), withoutPaths });
  if (json) process.stdout.write(`${JSON.stringify(written)}\n`);
  else for (const line of summarizeProduction(written)) say(line);
  say(`${report}: report.md and report.json`);
  return ran.record.interrupted ? EXIT.interrupted : EXIT[ran.verdict];
}
