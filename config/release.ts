// Usage: npm run release -- --version X.Y.Z [--dry-run]: makes the working tree the release X.Y.Z. What stands under
// "Unreleased" in CHANGELOG.md becomes the version's entry; package.json, package-lock.json and the image's tags get the number. It
// refuses what would make a release that nobody can read or replay later. It commits, tags, publishes and pushes nothing: it
// prints how.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const USAGE = 'usage: npm run release -- --version X.Y.Z [--dry-run]';
const HISTORIES = 'test/fixtures/histories';
/** Where the image's tag stands. An older one would run the image of before on the schema of this release. */
const DEPLOYED = ['docker-compose.yml', 'deploy/kubernetes/overlays/example/settings/kustomization.yaml'];
const UNRELEASED = /^## \[Unreleased\]\n(.*?)(?=^## \[|(?![\s\S]))/ms;

try {
  release();
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

function release(): void {
  const { values } = parseArgs({ options: { version: { type: 'string' }, 'dry-run': { type: 'boolean' } } });
  const { version } = values;
  if (version === undefined) throw new Error(USAGE);
  const changelog = readFileSync('CHANGELOG.md', 'utf8');
  checkTree();
  checkVersion(version, changelog);
  checkHistories(version);
  const files = {
    'CHANGELOG.md': withEntry(changelog, version, new Date().toISOString().slice(0, 10)),
    'package.json': withVersion('package.json', version),
    'package-lock.json': withVersion('package-lock.json', version),
    ...Object.fromEntries(DEPLOYED.map((name) => [name, withTag(name, version)])),
  };
  if (values['dry-run']) {
    console.log(`${version} could be released; nothing was written (--dry-run)`);
    return;
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(name, text);
  console.log(nextSteps(version));
}

/** What is not committed would be in the tarball and not under the tag. */
function checkTree(): void {
  const changed = git('status', '--porcelain');
  if (changed !== '') throw new Error(`expected a clean tree, got\n${changed}\ncommit it or put it away first`);
}

/** Above everything that was released; package.json's own number is free until it has an entry or a tag. */
function checkVersion(version: string, changelog: string): void {
  if (parse(version) === null) throw new Error(`expected a version as 1.2.3 or 1.2.3-rc.1, got ${version}; ${USAGE}`);
  const stated = (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version;
  const entries = [...changelog.matchAll(/^## \[(\d[^\]]*)\]/gm)].map(([, one = '']) => one);
  const tags = git('tag', '--list', 'v*')
    .split('\n')
    .map((tag) => tag.slice(1));
  for (const released of [...entries, ...tags].filter((one) => parse(one) !== null)) {
    if (compare(version, released) <= 0) {
      throw new Error(`expected a version above ${released}, which was released, got ${version}`);
    }
  }
  if (compare(version, stated) < 0) {
    throw new Error(`expected at least package.json's ${stated}, got ${version}`);
  }
}

/** Later the workflows are others: what this release writes can only be recorded now. */
function checkHistories(version: string): void {
  const folder = `${HISTORIES}/${version}`;
  const kept = existsSync(folder) ? readdirSync(folder) : [];
  if (kept.some((name) => name.endsWith('.json')) && kept.includes('workflow-bundle.js.gz')) return;
  throw new Error(
    `expected this release's histories and workflow bundle in ${folder}; record and commit them first:\n` +
      `  npm run build && OUTBOX_RECORD_HISTORIES=${version} npm run jest -- --selectProjects=system --testPathPatterns workflows/replay`,
  );
}

function withEntry(changelog: string, version: string, day: string): string {
  const body = UNRELEASED.exec(changelog)?.[1];
  if (body === undefined) throw new Error('CHANGELOG.md: expected a section "## [Unreleased]", there is none');
  // A heading alone says nothing.
  if (!/^- \S/m.test(body)) {
    throw new Error(
      'CHANGELOG.md: expected at least one line ("- …") under Unreleased, which a user of this release reads',
    );
  }
  return changelog.replace(UNRELEASED, () => `## [Unreleased]\n\n## [${version}] - ${day}\n${body}`);
}

/** Only the number changes: order and spacing of the file stay. The lock says it twice. */
function withVersion(file: string, version: string): string {
  const text = readFileSync(file, 'utf8');
  const content = JSON.parse(text) as { version: string; packages?: Record<string, { version?: string }> };
  content.version = version;
  const own = content.packages?.[''];
  if (own !== undefined) own.version = version;
  return `${JSON.stringify(content, null, 2)}\n`;
}

function withTag(file: string, version: string): string {
  const text = readFileSync(file, 'utf8');
  const tagged = text.replace(/(image: temporal-outbox:|newTag: )[\w.-]+/, (_, before) => before + version);
  if (!tagged.includes(version))
    throw new Error(`${file}: expected the image temporal-outbox with a tag, there is none`);
  return tagged;
}

function nextSteps(version: string): string {
  return `${version} stands in CHANGELOG.md, package.json, package-lock.json, docker-compose.yml and deploy/kubernetes. Nothing is committed or published. Next:
  git diff                                      # read it as a user would
  npm ci && npm test
  git commit -am "Release ${version}"
  git tag -a v${version} -m "${version}"
  npm pack --dry-run                            # what goes out
  npm publish                                   # or: npm pack, and hand the tarball on
  git push --follow-tags`;
}

function git(...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync('git', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ${args.join(' ')} failed: ${error?.message ?? stderr.trim()}`);
  return stdout.trimEnd();
}

interface Version {
  readonly numbers: readonly number[];
  /** Above any: a full release, which comes after its candidates. */
  readonly candidate: number;
}

function parse(text: string): Version | null {
  const [, numbers, candidate] = /^((?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2})(?:-rc\.(0|[1-9]\d*))?$/.exec(text) ?? [];
  if (numbers === undefined) return null;
  return {
    numbers: numbers.split('.').map(Number),
    candidate: candidate === undefined ? Number.MAX_SAFE_INTEGER : Number(candidate),
  };
}

/** Semantic Versioning 2.0.0, 11, for the versions that `parse` takes. */
function compare(one: string, other: string): number {
  const [a, b] = [parse(one), parse(other)];
  if (a === null || b === null) throw new Error(`expected a version as 1.2.3, got ${a === null ? one : other}`);
  for (const [i, number] of a.numbers.entries()) {
    const difference = number - (b.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.candidate - b.candidate;
}
