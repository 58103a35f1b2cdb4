/** The built command line as a child process: what it printed, how it ended. Ends only what it started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { built } from './built.js';
import { eventually } from './eventually.js';

export const CLI = fileURLToPath(built('src/cli/outbox.js'));

/** Hundreds of processes load the same code. */
const COMPILE_CACHE = fileURLToPath(new URL('../../test-results/compile-cache', import.meta.url));

export interface CliProcess {
  readonly pid: number;
  /** Everything printed so far, both streams. */
  printed(): string;
  stdout(): string;
  /** The JSON log lines so far. */
  lines(): Record<string, unknown>[];
  kill(signal: NodeJS.Signals): void;
  /** The exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Nothing of the machine's own settings reaches it, but PATH and HOME. */
export function outboxCli(args: readonly string[], environment: Record<string, string> = {}, cli = CLI): CliProcess {
  const child: ChildProcess = spawn(process.execPath, [cli, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_COMPILE_CACHE: COMPILE_CACHE, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const lines: Record<string, unknown>[] = [];
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) lines.push(JSON.parse(line));
    });
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
  });
  running.add(child);
  void ended.then(() => running.delete(child));
  return {
    pid: child.pid as number,
    printed: () => stdout + stderr,
    stdout: () => stdout,
    lines: () => lines,
    kill: (signal) => void child.kill(signal),
    ended,
  };
}

const running = new Set<ChildProcess>();

/** For afterEach: a test that failed in the middle leaves nothing running, but what all tests of the file share. */
export async function endLeftoverCli(shared: readonly CliProcess[] = []): Promise<void> {
  const left = [...running].filter(({ pid }) => !shared.some((process) => process.pid === pid));
  await Promise.all(
    left.map(async (child) => {
      const gone = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await gone;
    }),
  );
}

/** Runs to the end and returns what came of it. */
export async function runOutboxCli(args: readonly string[], environment: Record<string, string> = {}) {
  const cli = outboxCli(args, environment);
  const code = await cli.ended;
  return { code, printed: cli.printed(), stdout: cli.stdout() };
}

/** The role's `process.started` line, also of one that has ended since; fails at once, with what it printed, when it ended instead. */
export async function untilStarted(
  cli: CliProcess,
): Promise<{ apiPort: number | null; probePort: number | null; metricsPort: number | null }> {
  const line = () => cli.lines().find(({ msg }) => msg === 'process.started');
  const ended = cli.ended.then((code) => {
    const printed = line();
    if (printed !== undefined) return printed;
    throw new Error(`expected "process.started", the process ended with ${code}: ${cli.printed().slice(-1_000)}`);
  });
  ended.catch(() => {}); // raced below; it ends later in any case
  const started = eventually(`"process.started" of process ${cli.pid}`, async () => line(), 40_000).catch(
    (error: Error) => {
      throw new Error(`${error.message}; it printed ${cli.printed().slice(-2_000)}`);
    },
  );
  const { apiPort, probePort, metricsPort } = await Promise.race([started, ended]);
  return { apiPort: Number(apiPort), probePort: Number(probePort), metricsPort: Number(metricsPort) };
}

/** The process's number in a file's first line, once it is there: a file is made first and written to then. */
export function numberWrittenIn(pidFile: string, withinMs?: number): Promise<number> {
  const read = async () => {
    const text = await readFile(pidFile, 'utf8');
    return text.includes('\n') && Number(text.split('\n')[0]);
  };
  return eventually(`a number in ${pidFile}`, read, withinMs);
}

/** @throws RangeError for what is no process's number: 0 means "this process group", which always lives. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) throw new RangeError(`expected a process's number, got ${pid}`);
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
