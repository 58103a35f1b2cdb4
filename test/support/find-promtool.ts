/**
 * Finds promtool, which reads metrics and alert rules as Prometheus does, in this order: the path in TEST_PROMTOOL,
 * `promtool` on PATH, this project's cache, out of Debian's package prometheus into that cache, a build with Go into it.
 * The package is unpacked and not installed: installed, it would start a server.
 * Tests of a format without its own reader prove nothing, so without one it fails.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Prometheus 3.5, which is kept for long. */
const PROMTOOL_VERSION = '0.305.0';
const MODULE = `github.com/prometheus/prometheus@v${PROMTOOL_VERSION}`;
const UNPACKED_WITHIN_MS = 2 * 60_000;
const BUILT_WITHIN_MS = 30 * 60_000;

export interface FindPromtoolOptions {
  readonly environment?: NodeJS.ProcessEnv;
  /** Default: `~/.cache/temporal-outbox`. */
  readonly cacheDir?: string;
  /** Told before what takes long. */
  readonly note?: (line: string) => void;
}

/** The path of an executable promtool. Throws one Error that names every way that was tried. */
export async function findPromtool(options: FindPromtoolOptions = {}): Promise<string> {
  const { environment = process.env, note = () => {} } = options;
  const named = environment.TEST_PROMTOOL;
  if (named !== undefined) {
    // Named on purpose: falling back to another one would hide the mistake.
    if (await executable(named)) return named;
    throw notFound([`TEST_PROMTOOL: ${named} is not an executable file`]);
  }
  const tried = ['TEST_PROMTOOL: not set'];
  for (const folder of (environment.PATH ?? '').split(delimiter).filter((one) => one !== '')) {
    const candidate = join(folder, 'promtool');
    if (await executable(candidate)) return candidate;
  }
  tried.push('PATH: no executable "promtool" in it');

  const cacheDir = options.cacheDir ?? join(homedir(), '.cache', 'temporal-outbox');
  const cache = join(cacheDir, `promtool-${PROMTOOL_VERSION}`);
  const cached = join(cache, 'promtool');
  if (await executable(cached)) return cached;
  tried.push(`the cache: no ${cached}`);

  note('taking promtool out of the package prometheus (some seconds, once)');
  try {
    await unpackPackage(cache, environment);
    if (await executable(cached)) return cached;
    tried.push('apt-get download prometheus: it holds no promtool');
  } catch (error) {
    tried.push(`apt-get download prometheus: ${lastLine(error)}`);
  }

  note(`building promtool ${PROMTOOL_VERSION} with Go (about 5 minutes on 2 cores, once)`);
  try {
    await buildWithGo(cache, environment);
    if (await executable(cached)) return cached;
    tried.push('go build: it left no executable');
  } catch (error) {
    tried.push(`go build: ${lastLine(error)}`);
  }
  throw notFound(tried);
}

async function unpackPackage(cache: string, { PATH }: NodeJS.ProcessEnv): Promise<void> {
  const unpacking = join(cache, `unpacking-${process.pid}`);
  await mkdir(unpacking, { recursive: true });
  const options = { cwd: unpacking, env: { PATH }, timeout: UNPACKED_WITHIN_MS };
  const download = () => run('apt-get', ['download', 'prometheus'], options);
  try {
    await download().catch(async () => {
      // A new machine has no lists yet.
      await run('apt-get', ['update'], options);
      await download();
    });
    const [file] = (await readdir(unpacking)).filter((name) => name.endsWith('.deb'));
    await run('dpkg-deb', ['-x', file ?? 'no package', '.'], options);
    await rename(join(unpacking, 'usr', 'bin', 'promtool'), join(cache, 'promtool'));
  } finally {
    await rm(unpacking, { recursive: true, force: true });
  }
}

/** In the module's own folder: `go install` refuses a module with `replace` or `exclude`, and each of its releases has one. */
async function buildWithGo(cache: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const options = { env: environment, timeout: BUILT_WITHIN_MS, maxBuffer: 64 * 1024 * 1024 };
  // Built aside and renamed, so that a build that was killed leaves nothing that looks whole.
  const building = join(cache, `building-${process.pid}`);
  await mkdir(building, { recursive: true });
  try {
    const { stdout } = await run('go', ['mod', 'download', '-json', MODULE], options);
    const { Dir: folder } = JSON.parse(stdout) as { Dir: string };
    const built = join(building, 'promtool');
    await run('go', ['build', '-C', folder, '-o', built, './cmd/promtool'], { ...options, killSignal: 'SIGINT' });
    await rename(built, join(cache, 'promtool'));
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

function notFound(tried: readonly string[]): Error {
  return new Error(
    [
      'No promtool was found or made. Expected one of these ways to work:',
      ...tried.map((way) => `  - ${way}`),
      'To mend it: install the package prometheus (Debian), or Go, or name an executable with TEST_PROMTOOL.',
    ].join('\n'),
  );
}

function lastLine(error: unknown): string {
  const { message, stderr = '', killed = false } = error as Error & { stderr?: string; killed?: boolean };
  if (killed) return 'it took too long';
  const lines = `${message}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
  return lines.at(-1)?.trim().slice(0, 300) ?? 'no reason was given';
}

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false, // the next way
  );
}
