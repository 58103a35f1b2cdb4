// Real: config/release.ts in a process of its own, a git repository made for each test, npm. Fake: the project that is released,
// whose build copies a file.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const SCRIPT = resolve('config/release.ts');
const CHANGELOG = `# Changelog

## [Unreleased]

### Added

- What is new.

## [0.2.0] - 2026-01-01

### Added

- What was new.
`;

const COMPOSE = `services:
  api: { image: temporal-outbox:0.2.0 }
  postgres: { image: 'postgres:18.1' }
`;
const OVERLAY = `resources: [../../base]
images:
  - { name: other, newTag: 0.2.0 }
  - { name: temporal-outbox, newName: registry.example/temporal-outbox, newTag: 0.2.0 }
  - { name: another, newTag: 0.2.0 }
`;
const BLOCK_OVERLAY = `images:
  - name: temporal-outbox
    newTag: 0.2.0
  - name: other
    newTag: 0.2.0
`;
const WORKFLOWS = 'steps();\n//# sourceMappingURL=data:the-whole\n';
const SCENARIOS = ['delivered', 'dead'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-'));
  git('init', '--quiet');
  write('CHANGELOG.md', CHANGELOG);
  write('package.json', json(MANIFEST));
  write('.gitignore', 'dist/\n');
  write('docker-compose.yml', COMPOSE);
  write('deploy/kubernetes/overlays/one/kustomization.yaml', OVERLAY);
  write('deploy/kubernetes/overlays/two/kustomization.yaml', BLOCK_OVERLAY);
  write('deploy/kubernetes/base/kustomization.yaml', 'resources: [api.yaml]\n');
  write('workflows.js', WORKFLOWS);
  write('dist/workflow-bundle.js', 'of an hour ago');
  write('test/fixtures/histories/scenarios.json', json(SCENARIOS));
  write(
    'package-lock.json',
    json({ version: '0.2.0', packages: { '': { version: '0.2.0' }, a: { version: '0.2.0' } } }),
  );
  for (const version of ['0.2.0', '0.2.1', '0.3.0', '0.3.0-rc.1']) {
    for (const name of SCENARIOS) write(`test/fixtures/histories/${version}/${name}.json`, '{}');
    const kept = gzipSync(WORKFLOWS.replace('the-whole', 'none'));
    write(`test/fixtures/histories/${version}/workflow-bundle.js.gz`, kept);
  }
  commit();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const MANIFEST = {
  ...{ name: 'released', version: '0.2.0', type: 'module' },
  scripts: { build: "node -e \"require('fs').cpSync('workflows.js','dist/workflow-bundle.js')\"" },
};
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
function write(name: string, text: string | Buffer): void {
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

it('moves what is unreleased under the version and today, sets the three numbers, and says what comes next', () => {
  const { code, stdout, stderr } = release('--version', '0.3.0');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const day = new Date().toISOString().slice(0, 10);
  expect(read('CHANGELOG.md')).toBe(CHANGELOG.replace('## [Unreleased]\n', `## [Unreleased]\n\n## [0.3.0] - ${day}\n`));
  expect(JSON.parse(read('package.json'))).toEqual({ ...MANIFEST, version: '0.3.0' });
  expect(JSON.parse(read('package-lock.json'))).toEqual({
    version: '0.3.0',
    packages: { '': { version: '0.3.0' }, a: { version: '0.2.0' } },
  });
  expect(read('docker-compose.yml')).toBe(COMPOSE.replace('outbox:0.2.0', 'outbox:0.3.0'));
  const tagged = (text: string) => text.replace(/(name: temporal-outbox[\s\S]*?newTag: )0\.2\.0/, '$10.3.0');
  expect(read('deploy/kubernetes/overlays/one/kustomization.yaml')).toBe(tagged(OVERLAY));
  expect(read('deploy/kubernetes/overlays/two/kustomization.yaml')).toBe(tagged(BLOCK_OVERLAY));
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

it.each(['delivered.json', 'dead.json', 'workflow-bundle.js.gz'])(
  'refuses a version whose %s was not recorded, and says how to',
  (name) => {
    rmSync(join(folder, 'test/fixtures/histories/0.3.0', name));
    commit();
    expectRefused('0.3.0', new RegExp(`without ${name}[\\s\\S]*OUTBOX_RECORD_HISTORIES=0\\.3\\.0`));
  },
);

it('refuses a version whose workflows changed after its histories were recorded, however the old build stands in dist', () => {
  write('workflows.js', WORKFLOWS.replace('steps', 'otherSteps'));
  write('dist/workflow-bundle.js', WORKFLOWS);
  commit();
  expectRefused('0.3.0', /changed since it was recorded[\s\S]*OUTBOX_RECORD_HISTORIES=0\.3\.0/);
});

it('refuses what does not build, and says what the build said', () => {
  write('package.json', json({ ...MANIFEST, scripts: { build: 'echo no such type && exit 2' } }));
  commit();
  expectRefused('0.3.0', /npm run build failed: [\s\S]*no such type/);
});

it.each([
  ['docker-compose.yml', COMPOSE.replace('temporal-outbox', 'shop')],
  ['deploy/kubernetes/overlays/one/kustomization.yaml', 'images: []\n'],
])('refuses where %s no longer names the image, whose tag would stay behind', (name, text) => {
  write(name, text);
  write('deploy/kubernetes/overlays/two/kustomization.yaml', name.endsWith('.yml') ? BLOCK_OVERLAY : 'images: []\n');
  commit();
  expectRefused('0.3.0', /expected the tag of the image temporal-outbox/);
});

it('without a version says how it is used', () => {
  expect(release()).toMatchObject({ code: 1, stderr: expect.stringContaining('usage: npm run release') });
});
