// Real: config/release.ts in a process of its own, a git repository made for each test. Fake: the project that is released.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const SCRIPT = resolve('config/release.ts');
const SETTINGS = 'deploy/kubernetes/overlays/example/settings/kustomization.yaml';
const CHANGELOG = `# Changelog

## [Unreleased]

### Added

- What is new.

## [0.2.0] - 2026-01-01

### Added

- What was new.
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-'));
  git('init', '--quiet');
  write('CHANGELOG.md', CHANGELOG);
  write('package.json', json({ name: 'released', version: '0.2.0', type: 'module' }));
  write(
    'package-lock.json',
    json({ version: '0.2.0', packages: { '': { version: '0.2.0' }, a: { version: '0.2.0' } } }),
  );
  write('docker-compose.yml', 'image: temporal-outbox:0.2.0\nimage: postgres:18.4\n');
  write(SETTINGS, 'images:\n  - { name: temporal-outbox, newName: a/b, newTag: 0.2.0 }\n');
  for (const version of ['0.2.0', '0.2.1', '0.3.0', '0.3.0-rc.1']) {
    write(`test/fixtures/histories/${version}/delivered.json`, '{}');
    write(`test/fixtures/histories/${version}/workflow-bundle.js.gz`, '');
  }
  commit();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
function write(name: string, text: string): void {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), text);
}
function git(...args: string[]): string {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false'];
  const { status, stdout, stderr } = spawnSync('git', [...identity, ...args], { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
function commit(): void {
  git('add', '--all');
  git('commit', '--quiet', '--message', 'state');
}
function release(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { cwd: folder, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}
/** Refused with that sentence, and nothing was written. */
function expectRefused(version: string, why: RegExp): void {
  const before = git('status', '--porcelain');
  expect(release('--version', version)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(why) });
  expect(git('status', '--porcelain')).toBe(before);
}

it("moves what is unreleased under the version and today, sets the numbers and the image's tags, and says what comes next", () => {
  const { code, stdout, stderr } = release('--version', '0.3.0');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const day = new Date().toISOString().slice(0, 10);
  expect(read('CHANGELOG.md')).toBe(CHANGELOG.replace('## [Unreleased]\n', `## [Unreleased]\n\n## [0.3.0] - ${day}\n`));
  expect(JSON.parse(read('package.json'))).toEqual({ name: 'released', version: '0.3.0', type: 'module' });
  expect(JSON.parse(read('package-lock.json'))).toEqual({
    version: '0.3.0',
    packages: { '': { version: '0.3.0' }, a: { version: '0.2.0' } },
  });
  expect(read('docker-compose.yml')).toBe('image: temporal-outbox:0.3.0\nimage: postgres:18.4\n');
  expect(read(SETTINGS)).toBe('images:\n  - { name: temporal-outbox, newName: a/b, newTag: 0.3.0 }\n');
  expect(stdout).toMatch(/git tag -a v0\.3\.0[\s\S]*npm publish/);
  // It leaves committing, tagging and pushing to a person.
  expect(git('log', '--format=%s').trim()).toBe('state');
  expect(git('tag')).toBe('');
});

it('with --dry-run says the same of what is wrong, and writes nothing', () => {
  expect(release('--version', '0.3.0', '--dry-run')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/nothing was written/),
  });
  expect(git('status', '--porcelain')).toBe('');
  expect(release('--version', '0.1.0', '--dry-run').code).toBe(1);
});

it.each([
  ['an entry without a line', CHANGELOG.replace('- What is new.\n', ''), /at least one line/],
  [
    'a changelog without the section',
    CHANGELOG.replace('## [Unreleased]', '## Next'),
    /"## \[Unreleased\]", there is none/,
  ],
])('refuses %s', (_, changelog, why) => {
  write('CHANGELOG.md', changelog);
  commit();
  expectRefused('0.3.0', why);
});

it('refuses a compose file that names no image of ours, which would stay behind', () => {
  write('docker-compose.yml', 'image: postgres:18.4\n');
  commit();
  expectRefused('0.3.0', /docker-compose\.yml: expected the image temporal-outbox/);
});

it.each([
  ['a file that is changed', 'package.json', json({ version: '0.2.0', private: true })],
  ['a file that git does not know', 'notes.md', 'todo'],
])('refuses a tree with %s, and names it', (_, name, text) => {
  write(name, text);
  expectRefused('0.3.0', new RegExp(`clean tree[\\s\\S]*${name}`));
});

it.each(['0.2.0', '0.1.9', '0.2.0-rc.1'])('refuses %s, which is not above the released 0.2.0', (version) => {
  expectRefused(version, /above 0\.2\.0/);
});

it.each(['1.0', 'v1.0.0', '01.0.0', 'next'])('refuses %s, which is no version', (version) => {
  expectRefused(version, /expected a version as 1\.2\.3/);
});

it('a tag is a release, too', () => {
  git('tag', 'v0.2.1');
  expectRefused('0.2.1', /above 0\.2\.1/);
});

it('takes the number that package.json has where nothing was released by it', () => {
  write('CHANGELOG.md', CHANGELOG.replace(/## \[0\.2\.0\][\s\S]*/, ''));
  commit();
  expect(release('--version', '0.2.0').code).toBe(0);
});

it('a candidate comes before its release, and after the release before', () => {
  expect(release('--version', '0.3.0-rc.1').code).toBe(0);
  git('commit', '--quiet', '--all', '--message', 'candidate');
  write('CHANGELOG.md', read('CHANGELOG.md').replace('## [Unreleased]\n', '## [Unreleased]\n\n- Mended.\n'));
  commit();
  expect(release('--version', '0.3.0').code).toBe(0);
});

it.each(['delivered.json', 'workflow-bundle.js.gz'])(
  'refuses a version whose %s was not recorded, and says how to',
  (name) => {
    rmSync(join(folder, 'test/fixtures/histories/0.3.0', name));
    commit();
    expectRefused('0.3.0', /OUTBOX_RECORD_HISTORIES=0\.3\.0/);
  },
);

it('without a version says how it is used', () => {
  expect(release()).toMatchObject({ code: 1, stderr: expect.stringContaining('usage: npm run release') });
});
