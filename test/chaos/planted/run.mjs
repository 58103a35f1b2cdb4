// Usage: npm run chaos:planted -- [NAME…|all] [--list] [--json]
// Plants each bug of bugs.mjs in a copy of dist/ and runs what must catch it: first on a copy without a bug, where all must
// pass, then on each planted one, where its test must fail and say why. Exits 0 only if all that holds.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BUGS } from './bugs.mjs';
import { judge } from './judge.mjs';
import { bugNamed, plant } from './plant.mjs';
import { runTests } from './run-tests.mjs';
import { startServers } from './start-servers.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { list: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const NO_SERVERS = { environment: {}, stop: async () => {} };

try {
  const bugs = positionals.length === 0 || positionals.includes('all') ? BUGS : positionals.map(bugNamed);
  if (values.list) for (const bug of bugs) console.log(`${bug.name} (${bug.rule}): ${bug.does}\n  ${runOf(bug)}`);
  else process.exitCode = await run(bugs);
} catch (error) {
  note(error.message);
  process.exitCode = 1;
}

async function run(bugs) {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-planted-run-'));
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => stopping.abort());
  let servers = NO_SERVERS;
  const results = [];
  try {
    const needed = bugs.some(({ caughtBy }) => caughtBy.project !== 'unit');
    if (needed) servers = await startServers(folder, { note });
    const { environment } = servers;
    const deps = { folder, environment, signal: stopping.signal };
    const clean = await testOn(deps, null, bugs);
    for (const bug of bugs) {
      const planted = await testOn(deps, bug.name, [bug]);
      const result = resultOf(bug, clean.get(bug.caughtBy.test), planted.get(bug.caughtBy.test));
      results.push(result);
      note(`${result.ok ? 'caught' : 'NOT CAUGHT'} ${bug.name}: ${result.verdict}`);
    }
  } finally {
    await servers.stop();
    await rm(folder, { recursive: true, force: true });
  }
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else print(results);
  return results.length > 0 && results.every(({ ok }) => ok) ? 0 : 1;
}

/** By test, what became of it on a copy with the bug, or without any. */
async function testOn({ folder, environment, signal }, name, bugs) {
  const copy = await plant(name, { within: folder });
  try {
    const tests = bugs.map(({ caughtBy }) => caughtBy);
    return await runTests(tests, { signal, environment: { ...environment, OUTBOX_UNDER_TEST_DIST: copy.dist } });
  } finally {
    await copy.remove();
  }
}

function resultOf(bug, clean, planted) {
  const { name, rule } = bug;
  const seconds = Math.round((planted?.ms ?? 0) / 100) / 10;
  return { name, rule, run: runOf(bug), seconds, said: planted?.message ?? '', ...judge(bug.caughtBy, clean, planted) };
}

function runOf({ caughtBy: { file, test } }) {
  return `${file}: ${test}`;
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
