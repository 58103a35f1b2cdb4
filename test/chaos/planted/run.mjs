// Usage: npm run chaos:planted -- [NAME…|all] [--list] [--json]
// Plants each bug of bugs.mjs in a copy of dist/ and runs what must catch it: first on a copy without a bug, where all must
// pass, then on each planted one, where its test must fail and say why. Exits 0 only if all that holds.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BUGS } from './bugs.mjs';
import { bugNamed, plant } from './plant.mjs';
import { runTests } from './run-tests.mjs';
import { startServers } from './start-servers.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { list: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const bugs = positionals.length === 0 || positionals.includes('all') ? BUGS : positionals.map(bugNamed);

if (values.list) for (const bug of bugs) console.log(`${bug.name} (${bug.rule}): ${bug.does}\n  ${runOf(bug)}`);
else process.exitCode = await run();

async function run() {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-planted-run-'));
  const servers = await startServers(join(folder, 'servers'), { note });
  const stop = async () => {
    await servers.stop();
    await rm(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop().then(() => process.exit(130)));
  const results = [];
  try {
    const clean = await testOn(null, bugs, servers);
    for (const bug of bugs) {
      const result = judge(bug, clean, await testOn(bug.name, [bug], servers));
      results.push(result);
      note(`${result.ok ? 'caught' : 'NOT CAUGHT'} ${bug.name}, ${result.seconds} s: ${result.verdict}`);
    }
  } finally {
    await stop();
  }
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else print(results);
  return results.length > 0 && results.every(({ ok }) => ok) ? 0 : 1;
}

/** By test, what became of it on a copy with the bug, or without any. */
async function testOn(name, chosen, { environment }) {
  const copy = await plant(name);
  try {
    return await runTests(
      chosen.map(({ caughtBy }) => caughtBy),
      { ...environment, OUTBOX_UNDER_TEST_DIST: copy.dist },
    );
  } finally {
    await copy.remove();
  }
}

/** A bug is caught by its test's failing on the planted build alone, and by what the failure says. */
function judge(bug, clean, planted) {
  const { test, says, means } = bug.caughtBy;
  const [before, after] = [clean.get(test), planted.get(test)];
  const seconds = Math.round((after?.ms ?? 0) / 100) / 10;
  const base = { name: bug.name, rule: bug.rule, run: runOf(bug), seconds, said: after?.message ?? '' };
  const not = (verdict) => ({ ...base, ok: false, verdict });
  if (before === undefined) return not('its test does not exist: mend the name');
  if (before.status !== 'passed') return not(`its test is ${before.status} without the bug: ${before.message}`);
  if (after?.status !== 'failed') return not(`its test is ${after?.status ?? 'not run'} with the bug`);
  if (!says.test(after.message)) return not(`its test failed for another reason than ${says}: ${after.message}`);
  return { ...base, ok: true, verdict: means };
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
