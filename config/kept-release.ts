// What a release must have kept before it is made: later the workflows are others, and what this one writes can only be
// recorded now. test/workflows/replay records it.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const HISTORIES = 'test/fixtures/histories';
const KEPT_BUNDLE = 'workflow-bundle.js.gz';
const BUILT_BUNDLE = 'dist/workflow-bundle.js';
/** The kept one has another, which is empty. */
const SOURCE_MAP = /^\/\/# sourceMappingURL=.*$/m;

/** Throws unless the release has a history of every scenario, and the bundle that the tree builds now. Builds it. */
export function checkKeptRelease(version: string): void {
  const folder = join(HISTORIES, version);
  const kept = existsSync(folder) ? readdirSync(folder) : [];
  const scenarios = JSON.parse(readFileSync(join(HISTORIES, 'scenarios.json'), 'utf8')) as string[];
  const missing = [...scenarios.map((name) => `${name}.json`), KEPT_BUNDLE].filter((name) => !kept.includes(name));
  if (missing.length > 0) {
    throw new Error(
      `expected this release's histories and workflow bundle in ${folder}, without ${missing.join(', ')}; ${record(version)}`,
    );
  }
  build();
  const recorded = gunzipSync(readFileSync(join(folder, KEPT_BUNDLE))).toString('utf8');
  if (bare(recorded) === bare(readFileSync(BUILT_BUNDLE, 'utf8'))) return;
  throw new Error(
    `expected the bundle in ${folder} to be the one that this tree builds, and it is another: the workflows, or what they stand on, changed since it was recorded. ` +
      `Its histories are not this release's; ${record(version)}`,
  );
}

const bare = (bundle: string) => bundle.replace(SOURCE_MAP, '');

/** Whatever stands in dist/ may be of an hour ago. */
function build(): void {
  const { status, stdout, stderr, error } = spawnSync('npm', ['run', 'build'], { encoding: 'utf8' });
  if (status === 0) return;
  const said = error?.message ?? `${stdout}\n${stderr}`.trim().split('\n').slice(-20).join('\n');
  throw new Error(`npm run build failed: ${said}`);
}

function record(version: string): string {
  return (
    'record and commit them first:\n' +
    `  npm run build && OUTBOX_RECORD_HISTORIES=${version} npm run jest -- --selectProjects=system --testPathPatterns workflows/replay`
  );
}
