/**
 * The Temporal server and its SQL tool as programs, in the version that a Temporal CLI's dev server has: only then do figures
 * of the two differ by store and settings alone. No npm package has them, so `go install` builds them once, with the flags
 * that the CLI was built with (find-temporal.ts), and they stay in the same cache beside it.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TEMPORAL_CLI_VERSION, TEMPORAL_SERVER_VERSION } from '../../dist/src/infrastructure/embedded/find-temporal.js';

const run = promisify(execFile);

/** Our names for them, as in Temporal's releases, by the name that `go install` gives them. */
const PROGRAMS = [
  { name: 'temporal-server', built: 'server', source: 'go.temporal.io/server/cmd/server' },
  { name: 'temporal-sql-tool', built: 'sql', source: 'go.temporal.io/server/cmd/tools/sql' },
];

/** @param {string} cli an executable `temporal` @returns {Promise<string>} the version of the server inside: `1.29.1` */
export async function serverVersionOf(cli) {
  const { stdout } = await run(cli, ['--version']);
  const version = /Server (\d+\.\d+\.\d+[^,) ]*)/.exec(stdout)?.[1];
  if (version === undefined)
    throw new Error(`expected "(Server x.y.z" in what ${cli} --version prints, got: ${stdout}`);
  return version;
}

/**
 * @param {{ version: string, environment?: NodeJS.ProcessEnv, cacheDir?: string, log: (line: string) => void }} options
 * @returns {Promise<{ server: string, sqlTool: string }>} paths of the two programs
 */
export async function buildTemporalServer({ version, environment = process.env, cacheDir, log }) {
  const cache = join(cacheDir ?? join(homedir(), '.cache', 'temporal-outbox'), `temporal-server-${version}`);
  const [server, sqlTool] = PROGRAMS.map(({ name }) => join(cache, name));
  if ((await executable(server)) && (await executable(sqlTool))) return { server, sqlTool };
  log(`building the Temporal server ${version} and its SQL tool with Go (about 2 minutes on 2 cores, once)`);
  // Built aside and renamed, so that a build that was killed leaves nothing that looks whole.
  const building = join(cache, `building-${process.pid}`);
  await mkdir(building, { recursive: true });
  try {
    await writeFile(join(building, 'go.mod'), moduleOf(version));
    await run('go', ['install', '-mod=mod', ...PROGRAMS.map(({ source }) => source)], {
      cwd: building,
      env: { ...environment, GOBIN: building, GOWORK: 'off' },
      timeout: 60 * 60_000,
      maxBuffer: 64 * 1024 * 1024,
      killSignal: 'SIGINT', // the one that Go answers by removing its work folder
    });
    for (const { name, built } of PROGRAMS) await rename(join(building, built), join(cache, name));
  } catch (error) {
    const last = (error.stderr?.trim() || error.message).split('\n').slice(-3).join(' ');
    throw new Error(
      `could not build the Temporal server ${version}: ${last}. Go and its module proxy are needed; ` +
        'TEMPORAL_CLI_PATH names a CLI with another server. Or run the bench with --temporal dev',
      { cause: error },
    );
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return { server, sqlTool };
}

/**
 * What it is built in. Beside the CLI that has this server it takes the CLI's versions of what both need, which Go has compiled
 * already where it has built that CLI: with versions of its own almost all of it would be compiled again.
 * @param {string} version @returns {string}
 */
function moduleOf(version) {
  const required = [`go.temporal.io/server v${version}`];
  if (version === TEMPORAL_SERVER_VERSION) required.push(`github.com/temporalio/cli v${TEMPORAL_CLI_VERSION}`);
  return ['module temporal-server', '', 'go 1.25.0', ...required.map((module) => `require ${module}`), ''].join('\n');
}

/** @param {string} path @returns {Promise<boolean>} */
function executable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
