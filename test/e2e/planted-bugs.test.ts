// `npm run chaos:planted`, short: two bugs are planted in copies of the build that stands and must be caught; all of them
// take minutes, on demand. Real: the build, the copies, jest in a process of its own, its PostgreSQL.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

const MINUTE = 60_000;
/** Of a pure function that workflows bundle, and of a statement. */
const PLANTED = ['unclamped-retry-after', 'superseded-run-writes-its-letter'];

interface Bug {
  readonly name: string;
  readonly replacements: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
  readonly caughtBy: { readonly file: string; readonly test: string; readonly says: RegExp; readonly means: string };
}
interface Outcome {
  readonly status: string;
  readonly message: string;
}

const load = (name: string) => import(new URL(`../chaos/planted/${name}.mjs`, import.meta.url).href);
const { BUGS }: { BUGS: readonly Bug[] } = await load('bugs');
const {
  changedFiles,
  plant,
}: {
  changedFiles(bug: Pick<Bug, 'replacements'>): Promise<Map<string, string>>;
  plant(name: string | null): Promise<{ folder: string; dist: string; remove(): Promise<void> }>;
} = await load('plant');
const {
  judge,
}: {
  judge(by: Bug['caughtBy'], clean?: Outcome, planted?: Outcome): { ok: boolean; verdict: string };
} = await load('judge');

let running: ChildProcess | null = null;
afterEach(async () => {
  const left = running;
  running = null;
  if (left === null || left.exitCode !== null || left.signalCode !== null) return;
  const ended = new Promise((resolve) => left.once('close', resolve));
  // Asked to stop it takes its PostgreSQL and its copies along.
  left.kill('SIGTERM');
  const force = setTimeout(() => left.kill('SIGKILL'), MINUTE);
  await ended;
  clearTimeout(force);
}, 2 * MINUTE);

it.each(BUGS.map((bug) => [bug.name, bug] as const))(
  '%s has its place in the build, and its test has its name',
  async (_, bug) => {
    for (const [file, text] of await changedFiles(bug)) expect(text).not.toBe(await readFile(`dist/${file}`, 'utf8'));
    const { file, test } = bug.caughtBy;
    const title = test.replace(/^(R13: takes a Retry-After of ).*( ms as ).*( ms,.*)$/, '$1%d$2%d$3');
    expect((await readFile(file, 'utf8')).replaceAll("\\'", "'")).toContain(title);
  },
);

it.each([
  ['is not there', 'no such text'],
  ['is there twice', 'import '],
])('where the text of a bug %s, nothing is planted and the bug is to be mended', async (_, find) => {
  const replacements = [{ file: 'src/application/delivery/relay-outbox.js', find, replace: '' }];
  await expect(changedFiles({ replacements })).rejects.toThrow('the code moved: mend the planted bug');
});

it('the bug is in the copy alone, and the copy goes', async () => {
  const file = 'workflow-bundle.js';
  const before = await readFile(`dist/${file}`, 'utf8');
  const copy = await plant('unclamped-retry-after');
  try {
    expect(await readFile(`${copy.dist}/${file}`, 'utf8')).not.toBe(before);
    expect(await readFile(`dist/${file}`, 'utf8')).toBe(before);
  } finally {
    await copy.remove();
  }
  expect(existsSync(copy.folder)).toBe(false);
});

it('a bug is caught only by a test that passes without it, and says of it what it must', () => {
  const by = { file: 'f', test: 't', says: /two letters/, means: 'a second letter' };
  const passed = { status: 'passed', message: '' };
  const failed = (message: string) => ({ status: 'failed', message });
  expect(judge(by, passed, failed('there are two letters'))).toEqual({ ok: true, verdict: 'a second letter' });
  for (const [clean, planted, verdict] of [
    [passed, passed, 'its test is passed with the bug'],
    [passed, undefined, 'its test is not run with the bug'],
    [passed, failed('exceeded timeout of 5 s'), 'failed for another reason'],
    [passed, { status: 'not loaded', message: 'two letters' }, 'its test is not loaded with the bug'],
    [failed('two letters'), failed('two letters'), 'its test is failed without the bug'],
    [undefined, failed('two letters'), 'its test does not exist'],
  ] as const) {
    expect(judge(by, clean, planted)).toEqual({ ok: false, verdict: expect.stringContaining(verdict) });
  }
});

it(
  'what is planted is caught',
  async () => {
    const child = spawn(process.execPath, ['test/chaos/planted/run.mjs', ...PLANTED, '--json'], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running = child;
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8');
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('caught') });
    expect(JSON.parse(stdout)).toMatchObject(PLANTED.map((name) => ({ name, ok: true })));
  },
  4 * MINUTE,
);
