/**
 * Finds the Temporal CLI, whose `server start-dev` is the development server with its Web UI. In this order: the path in
 * TEMPORAL_CLI_PATH, `temporal` on PATH, this project's cache, the SDK's download, `go install` into the cache.
 * A configured server address comes before all of these and is the caller's to look at.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { access, constants, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The last CLI that `go install` can build (later modules carry a `replace`); its server is 1.29.1. */
export const TEMPORAL_CLI_VERSION = '1.5.1';

export interface FindTemporalOptions {
  /** TEMPORAL_CLI_PATH and PATH are read from it; `go install` gets all of it (HOME, GOPROXY, GOFLAGS). */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Default: `~/.cache/temporal-outbox`. */
  readonly cacheDir?: string;
  /** Downloads the CLI into the folder and returns its path; throws with the reason where it cannot. */
  readonly download: ((folder: string, signal: AbortSignal | undefined) => Promise<string>) | undefined;
  /** Gives up a download or a build that is under way, and throws its reason. */
  readonly signal?: AbortSignal;
  /** Said before a step that takes longer than two seconds. */
  readonly note: (line: string) => void;
}

export class TemporalNotFoundError extends Error {
  override readonly name = 'TemporalNotFoundError';
}

/** Returns the path of an executable `temporal`. Throws one TemporalNotFoundError that names every way that was tried. */
export async function findTemporal(options: FindTemporalOptions): Promise<string> {
  const tried: string[] = [];
  const named = options.environment.TEMPORAL_CLI_PATH;
  if (named !== undefined) {
    // Named on purpose: falling back to another one would hide the mistake.
    if (await executable(named)) return named;
    throw notFound([`TEMPORAL_CLI_PATH: ${named} is not an executable file`]);
  }
  tried.push('TEMPORAL_CLI_PATH: not set');

  for (const folder of (options.environment.PATH ?? '').split(delimiter).filter((f) => f !== '')) {
    const candidate = join(folder, 'temporal');
    if (await executable(candidate)) return candidate;
  }
  tried.push('PATH: no executable "temporal" in it');

  const cache = join(
    options.cacheDir ?? join(homedir(), '.cache', 'temporal-outbox'),
    `temporal-cli-${TEMPORAL_CLI_VERSION}`,
  );
  const cached = join(cache, 'temporal');
  if (await executable(cached)) return cached;
  tried.push(`the cache: no ${cached}`);

  if (options.download !== undefined) {
    options.note('downloading the Temporal CLI (about 60 MB, given up after a minute)');
    try {
      return await options.download(cache, options.signal);
    } catch (error) {
      options.signal?.throwIfAborted();
      tried.push(`the SDK's download: ${reason(error)}`);
    }
  }

  options.note(`building the Temporal CLI ${TEMPORAL_CLI_VERSION} with Go (about 3 minutes on 2 cores, once)`);
  try {
    await buildWithGo(cache, options);
    if (await executable(cached)) return cached;
    tried.push('go install: it left no executable');
  } catch (error) {
    options.signal?.throwIfAborted();
    tried.push(`go install: ${reason(error)}`);
  }
  throw notFound(tried);
}

async function buildWithGo(cache: string, { environment, signal }: FindTemporalOptions): Promise<void> {
  // Built aside and renamed, so that a build that was killed leaves nothing that looks whole.
  const building = join(cache, `building-${process.pid}`);
  await mkdir(building, { recursive: true });
  try {
    const working = run('go', ['install', `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`], {
      env: { ...environment, GOBIN: building },
      timeout: 30 * 60_000,
      maxBuffer: 64 * 1024 * 1024,
      // The one that Go answers by removing its work folder.
      killSignal: 'SIGINT',
      ...(signal === undefined ? {} : { signal }),
    });
    const gone = untilGone(working.child);
    try {
      await working;
    } finally {
      // Given up, it is told so but not waited for: it would outlive us, and write on.
      await gone();
    }
    await rename(join(building, 'temporal'), join(cache, 'temporal'));
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

const GO_ENDS_WITHIN_MS = 5_000;

/** Resolves when the process has ended, by force after a while. */
function untilGone(child: ChildProcess): () => Promise<void> {
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => child.pid === undefined && resolve()); // there is no such program
  });
  return async () => {
    const force = setTimeout(() => child.kill('SIGKILL'), GO_ENDS_WITHIN_MS);
    await ended;
    clearTimeout(force);
  };
}

function notFound(tried: readonly string[]): TemporalNotFoundError {
  return new TemporalNotFoundError(
    [
      'No Temporal server could be found or made. Expected one of these ways to work:',
      ...tried.map((line) => `  - ${line}`),
      'To mend it: set TEMPORAL_ADDRESS to a running server, or TEMPORAL_CLI_PATH to a `temporal` executable, or install',
      'the Temporal CLI (https://docs.temporal.io/cli) so that it is on PATH, or install Go so that it can be built.',
    ].join('\n'),
  );
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split('\n').slice(-1)[0]?.slice(0, 300) ?? 'failed';
}

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
