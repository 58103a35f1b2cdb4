/**
 * Finds toxiproxy, the TCP proxy that a chaos run cuts and slows connections with. In this order: the path in TOXIPROXY_PATH,
 * `toxiproxy-server` on PATH, this project's cache, `go install` into the cache.
 */
import { join } from 'node:path';
import { buildWithGo, executable, findOnPath, lastLineOf, programCache } from './find-program.js';

export const TOXIPROXY_VERSION = '2.12.0';

const NAME = 'toxiproxy-server';

export interface FindToxiproxyOptions {
  /** TOXIPROXY_PATH and PATH are read from it; `go install` gets all of it (HOME, GOPROXY, GOFLAGS). */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Default: `~/.cache/temporal-outbox`. */
  readonly cacheDir?: string;
  /** Gives up a build that is under way, and throws its reason. */
  readonly signal?: AbortSignal;
  /** Said before the build. */
  readonly note: (line: string) => void;
}

export class ToxiproxyNotFoundError extends Error {
  override readonly name = 'ToxiproxyNotFoundError';
}

/** Returns the path of an executable server. Throws one ToxiproxyNotFoundError that names every way that was tried. */
export async function findToxiproxy(options: FindToxiproxyOptions): Promise<string> {
  const { environment, signal, note } = options;
  const named = environment.TOXIPROXY_PATH;
  if (named !== undefined) {
    // Named on purpose: falling back to another one would hide the mistake.
    if (await executable(named)) return named;
    throw notFound([`TOXIPROXY_PATH: ${named} is not an executable file`]);
  }
  const tried = ['TOXIPROXY_PATH: not set'];

  const onPath = await findOnPath(NAME, environment.PATH);
  if (onPath !== null) return onPath;
  tried.push(`PATH: no executable "${NAME}" in it`);

  const cache = join(options.cacheDir ?? programCache(), `toxiproxy-${TOXIPROXY_VERSION}`);
  const cached = join(cache, NAME);
  if (await executable(cached)) return cached;
  tried.push(`the cache: no ${cached}`);

  note(`building toxiproxy ${TOXIPROXY_VERSION} with Go (about 20 seconds on 2 cores, once)`);
  try {
    const source = `github.com/Shopify/toxiproxy/v2/cmd/server@v${TOXIPROXY_VERSION}`;
    await buildWithGo({ source, built: 'server', cache, name: NAME, environment, signal });
    return cached;
  } catch (error) {
    signal?.throwIfAborted();
    tried.push(`go install: ${lastLineOf(error)}`);
  }
  throw notFound(tried);
}

function notFound(tried: readonly string[]): ToxiproxyNotFoundError {
  return new ToxiproxyNotFoundError(
    [
      'No toxiproxy could be found or made. Expected one of these ways to work:',
      ...tried.map((line) => `  - ${line}`),
      'To mend it: set TOXIPROXY_PATH to a `toxiproxy-server` executable, or install toxiproxy',
      '(https://github.com/Shopify/toxiproxy) so that it is on PATH, or install Go so that it can be built.',
    ].join('\n'),
  );
}
