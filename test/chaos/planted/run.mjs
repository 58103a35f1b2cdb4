// Usage: npm run chaos:planted -- [NAME…|all] [--by tests|model|chaos] [--list] [--places] [--json]
// Plants each bug of bugs.mjs in a copy of dist/ and runs what must catch it: first on a copy without a bug, where all must
// pass, then on each planted one, where it must fail and say why. Exits 0 only if all that holds. `tests`, the default, has a
// test for every bug; the model-based test and chaos runs are claimed for those that they have been seen to catch.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { BUGS } from './bugs.mjs';
import { WAYS } from './catches.mjs';
import { judge } from './judge.mjs';
import { bugNamed, changedFiles, plant } from './plant.mjs';
import { startServers } from './start-servers.mjs';

const program = new Command('npm run chaos:planted --')
  .description('Plants each bug in a copy of the build, and runs what must catch it, with it and without.')
  .argument('[names...]', 'of bugs; default: all')
  .addOption(
    new Option(
      '--by <way>',
      'a test for each; the model-based test, chaos runs: for those that they were seen to catch',
    )
      .choices(Object.keys(WAYS))
      .default('tests'),
  )
  .option('--list', 'the bugs, their rules and what runs', false)
  .option('--places', 'nothing is run: whether the build still has the text that each bug replaces', false)
  .option('--json', 'the results as one JSON document on standard output', false)
  .addHelpText(
    'after',
    `
Exit code 0: each was caught for its own reason, and nothing failed without it. 1: not so.

Examples:
  npm run chaos:planted                               # all, by their tests: some minutes
  npm run chaos:planted -- no-lease seal-by-sequence
  npm run chaos:planted -- --by model
  npm run chaos:planted -- no-lease --by chaos`,
  )
  .exitOverride();

try {
  program.parse();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exit(error.exitCode === 0 ? 0 : 64);
}
const values = program.opts();
const positionals = program.args;
const NO_SERVERS = { environment: {}, stop: async () => {} };

try {
  const way = WAYS[values.by];
  const chosen = positionals.length === 0 || positionals.includes('all') ? BUGS : positionals.map(bugNamed);
  const bugs = chosen.flatMap((bug) => {
    const by = way.of(bug);
    return by === undefined ? [] : [{ ...bug, by }];
  });
  if (bugs.length === 0)
    throw new Error(
      `--by ${values.by}: of ${chosen.map(({ name }) => name).join(', ')} none has been seen to be caught so`,
    );
  if (values.list) for (const { name, rule, does, by } of bugs) console.log(`${name} (${rule}): ${does}\n  ${by.run}`);
  else if (values.places) for (const bug of bugs) await changedFiles(bug);
  else process.exitCode = await run(way, bugs);
} catch (error) {
  note(error.message);
  process.exitCode = 1;
}

async function run(way, bugs) {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-planted-run-'));
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => stopping.abort());
  let servers = NO_SERVERS;
  const results = [];
  try {
    const needed = way !== WAYS.chaos && bugs.some(({ by }) => by.project !== 'unit');
    if (needed) servers = await startServers(folder, { note });
    const deps = { way, folder, environment: servers.environment, signal: stopping.signal };
    const clean = await tryOn(deps, null, bugs);
    for (const bug of bugs) {
      const planted = await tryOn(deps, bug.name, [bug]);
      const result = resultOf(bug, clean.get(bug.by.run), planted.get(bug.by.run));
      results.push(result);
      note(`${result.ok ? 'caught' : 'NOT CAUGHT'} ${bug.name}: ${result.verdict}`);
    }
  } finally {
    await servers.stop();
    await rm(folder, { recursive: true, force: true });
  }
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else print(results);
  return results.every(({ ok }) => ok) ? 0 : 1;
}

/** What became of it on a copy with the bug, or without any. */
async function tryOn({ way, folder, environment, signal }, planted, bugs) {
  const runs = bugs.map(({ by }) => by);
  if (way === WAYS.chaos) return way.try(runs, { planted, folder, signal }); // it makes its own copy
  const copy = await plant(planted, { within: folder });
  try {
    return await way.try(runs, { signal, environment: { ...environment, OUTBOX_UNDER_TEST_DIST: copy.dist } });
  } finally {
    await copy.remove();
  }
}

function resultOf({ name, rule, by }, clean, planted) {
  const seconds = Math.round((planted?.ms ?? 0) / 100) / 10;
  return { name, rule, run: by.run, seconds, said: planted?.message ?? '', ...judge(by, clean, planted) };
}

function print(results) {
  for (const { name, rule, run: by, seconds, ok, verdict } of results) {
    console.log(`${ok ? 'caught    ' : 'NOT CAUGHT'} ${name} (${rule}), ${seconds} s\n  by ${by}\n  ${verdict}`);
  }
  console.log(`${results.filter(({ ok }) => ok).length} of ${results.length} planted bugs were caught`);
}

function note(line) {
  process.stderr.write(`${line}\n`);
}
