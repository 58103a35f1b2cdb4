/**
 * Finds the Temporal CLI, whose `server start-dev` is the development server with its Web UI. In this order: the path in
 * TEMPORAL_CLI_PATH, `temporal` on PATH, this project's cache, the SDK's download, `go install` into the cache.
 * A configured server address comes before all of these and is the caller's to look at.
 */
import { join } from 'node:path';
import { buildWithGo, executable, findOnPath, lastLineOf, programCache } from './find-program.js';

/** The last CLI that `go install` can build (later modules carry a `replace`). */
export const TEMPORAL_CLI_VERSION = '1.5.1';
/** Of the server in it. */
export const TEMPORAL_SERVER_VERSION = '1.29.1';

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

  const onPath = await findOnPath('temporal', options.environment.PATH);
  if (onPath !== null) return onPath;
  tried.push('PATH: no executable "temporal" in it');

  const cache = join(options.cacheDir ?? programCache(), `temporal-cli-${TEMPORAL_CLI_VERSION}`);
  const cached = join(cache, 'temporal');
  if (await executable(cached)) return cached;
  tried.push(`the cache: no ${cached}`);

  if (options.download !== undefined) {
    options.note('downloading the Temporal CLI (about 60 MB, given up after a minute)');
    try {
      return await options.download(cache, options.signal);
    } catch (error) {
      options.signal?.throwIfAborted();
      tried.push(`the SDK's download: ${lastLineOf(error)}`);
    }
  }

  options.note(`building the Temporal CLI ${TEMPORAL_CLI_VERSION} with Go (about 3 minutes on 2 cores, once)`);
  try {
    const source = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;
    const { environment, signal } = options;
    await buildWithGo({ source, built: 'temporal', cache, name: 'temporal', environment, signal });
    if (await executable(cached)) return cached;
    tried.push('go install: it left no executable');
  } catch (error) {
    options.signal?.throwIfAborted();
    tried.push(`go install: ${lastLineOf(error)}`);
  }
  throw notFound(tried);
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
