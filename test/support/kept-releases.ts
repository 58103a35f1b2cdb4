/** What is kept of each release for the releases after it: histories of its runs, and its workflow bundle. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

export const HISTORIES = fileURLToPath(new URL('../fixtures/histories/', import.meta.url));
const BUILT_BUNDLE = fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url));
const KEPT_BUNDLE = 'workflow-bundle.js.gz';
const SOURCE_MAP = /^\/\/# sourceMappingURL=.*$/m;
/** The SDK wants one, with a file's name; nobody needs the whole of it, which is two thirds of the bundle. */
const EMPTY_MAP = Buffer.from(
  '{"version":3,"file":"workflow-bundle.js","sources":[],"names":[],"mappings":""}',
).toString('base64');

export interface KeptRelease {
  readonly version: string;
  /** File names in `HISTORIES/<version>`. */
  readonly histories: readonly string[];
}

/** The oldest first. */
export async function keptReleases(): Promise<KeptRelease[]> {
  const entries = await readdir(HISTORIES, { withFileTypes: true });
  const versions = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  // A candidate (0.2.0-rc.1) comes before its release.
  const place = (version: string) => (version.includes('-') ? version : `${version}-z`);
  versions.sort((a, b) => place(a).localeCompare(place(b), 'en', { numeric: true }));
  return Promise.all(
    versions.map(async (version) => ({
      version,
      histories: (await readdir(join(HISTORIES, version))).filter((name) => name.endsWith('.json')),
    })),
  );
}

/** Keeps the bundle that stands in dist/. */
export async function keepBundle(version: string): Promise<void> {
  const code = (await readFile(BUILT_BUNDLE, 'utf8')).replace(
    SOURCE_MAP,
    `//# sourceMappingURL=data:application/json;charset=utf-8;base64,${EMPTY_MAP}`,
  );
  await mkdir(join(HISTORIES, version), { recursive: true });
  await writeFile(join(HISTORIES, version, KEPT_BUNDLE), gzipSync(code, { level: 9 }));
}

export interface OtherBuild {
  /** The path of its command line. */
  readonly cli: string;
  remove(): Promise<void>;
}

/** This build with the workflows of the newest release that is kept: a package of its own, to start processes of. */
export async function buildWithKeptWorkflows(): Promise<OtherBuild> {
  const version = (await keptReleases()).at(-1)?.version;
  if (version === undefined) throw new Error(`expected a kept release in ${HISTORIES}`);
  const bundle = gunzipSync(await readFile(join(HISTORIES, version, KEPT_BUNDLE)));
  const folder = await mkdtemp(join(tmpdir(), 'outbox-build-'));
  const project = fileURLToPath(new URL('../../', import.meta.url));
  await cp(join(project, 'dist'), join(folder, 'dist'), { recursive: true });
  await writeFile(join(folder, 'dist/workflow-bundle.js'), bundle);
  const own = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as object;
  await writeFile(join(folder, 'package.json'), JSON.stringify({ ...own, version: `${version}-kept` }));
  await symlink(join(project, 'node_modules'), join(folder, 'node_modules'));
  return {
    cli: join(folder, 'dist/src/cli/outbox.js'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
