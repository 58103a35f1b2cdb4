/**
 * The Temporal server and its SQL tool as programs, in the version that a Temporal CLI's dev server has: only then do figures
 * of the two differ by store and settings alone. No npm package has them, so `go install` builds them once, with the flags
 * that the CLI was built with (find-temporal.ts), and they stay in the same cache beside it.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

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
  log(`building the Temporal server ${version} and its SQL tool with Go (about 5 minutes on 2 cores, once)`);
  // Built aside and renamed, so that a build that was killed leaves nothing that looks whole.
  const building = join(cache, `building-${process.pid}`);
  await mkdir(building, { recursive: true });
  try {
    await run('go', ['install', ...PROGRAMS.map(({ source }) => `${source}@v${version}`)], {
      env: { ...environment, GOBIN: building },
      timeout: 60 * 60_000,
      maxBuffer: 64 * 1024 * 1024,
      killSignal: 'SIGINT', // the one that Go answers by removing its work folder
    });
    for (const { name, built } of PROGRAMS) await rename(join(building, built), join(cache, name));
  } catch (error) {
    const last = (error.stderr?.trim() || error.message).split('\n').slice(-3).join(' ');
    throw new Error(
      `could not build the Temporal server ${version}: ${last}. Go and its module proxy are needed, and a version whose ` +
        'go.mod has no "replace"; TEMPORAL_CLI_PATH names a CLI with another one. Or run the bench with --temporal dev',
      { cause: error },
    );
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return { server, sqlTool };
}

/** @param {string} path @returns {Promise<boolean>} */
function executable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
