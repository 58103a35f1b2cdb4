import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const JEST = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '-c', 'config/jest.config.js'];
/** More than any of the tests takes on a machine that is busy with others; the model shrinks what it finds. */
const DEADLINE_MS = 1_200_000;

/**
 * Runs these tests, each { run, project, file, test }, by one jest. Answers by `run` { status, ms, message }; a test that does
 * not exist, or exists twice in its file, has no answer.
 * @throws Error where jest itself did not come to an end, or `signal` has ended it
 */
export async function runTests(tests, { environment, signal }) {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-planted-tests-'));
  const outputFile = join(folder, 'jest.json');
  const unique = (values) => [...new Set(values)];
  const args = [
    ...JEST,
    ...['--selectProjects', ...unique(tests.map(({ project }) => project))],
    ...['--runTestsByPath', ...unique(tests.map(({ file }) => file))],
    ...['--testNamePattern', `(?:^| )(?:${tests.map(({ test }) => RegExp.escape(test)).join('|')})$`],
    ...['--runInBand', '--json', '--outputFile', outputFile],
  ];
  try {
    const printed = await runNode(args, { environment, signal });
    const text = await readFile(outputFile, 'utf8').catch(() => {
      throw new Error(`expected jest to report, it printed: ${printed.slice(-2_000)}`);
    });
    return byRun(JSON.parse(text), tests);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function byRun({ testResults }, tests) {
  const found = new Map();
  for (const { run, file, test } of tests) {
    const [inFile] = testResults.filter(({ name }) => name.endsWith(`/${file}`));
    const own = (inFile?.assertionResults ?? []).filter(({ title }) => title === test);
    // A file that could not be loaded has no results, only its message.
    if (own.length === 0 && inFile?.message) {
      found.set(run, { status: 'not loaded', ms: 0, message: stripVTControlCharacters(inFile.message) });
    }
    if (own.length !== 1) continue;
    const [{ status, duration, failureMessages }] = own;
    found.set(run, { status, ms: duration ?? 0, message: stripVTControlCharacters(failureMessages.join('\n')) });
  }
  return found;
}

function runNode(args, { environment, signal }) {
  // Also from within a test, which is a worker of another jest.
  const env = { ...process.env, NODE_OPTIONS: '', JEST_WORKER_ID: undefined, ...environment };
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'], signal });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
  }
  const late = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(late);
      resolve(printed);
    });
  });
}
