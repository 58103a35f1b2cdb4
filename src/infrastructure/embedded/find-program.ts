/** What the searches for a server's program share: PATH, a cache of this project, a build with Go into it. */
import { type ChildProcess, execFile } from 'node:child_process';
import { access, constants, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where built and downloaded programs stay. */
export function programCache(): string {
  return join(homedir(), '.cache', 'temporal-outbox');
}

export async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The first executable of this name on PATH; null: there is none. */
export async function findOnPath(name: string, path: string | undefined): Promise<string | null> {
  for (const folder of (path ?? '').split(delimiter).filter((f) => f !== '')) {
    const candidate = join(folder, name);
    if (await executable(candidate)) return candidate;
  }
  return null;
}

/** The last line of what went wrong, for a list of what was tried. */
export function lastLineOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split('\n').slice(-1)[0]?.slice(0, 300) ?? 'failed';
}

export interface GoBuild {
  /** With its version: `github.com/temporalio/cli/cmd/temporal@v1.5.1`. */
  readonly source: string;
  /** The name that `go install` gives it. */
  readonly built: string;
  /** Where it is put. */
  readonly cache: string;
  readonly name: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

/** Throws with the reason; given up, it throws the signal's and leaves no process of Go's behind. */
export async function buildWithGo({ source, built, cache, name, environment, signal }: GoBuild): Promise<void> {
  // Built aside and renamed, so that a build that was killed leaves nothing that looks whole.
  const building = join(cache, `building-${process.pid}`);
  await mkdir(building, { recursive: true });
  try {
    const working = run('go', ['install', source], {
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
    await rename(join(building, built), join(cache, name));
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
